//! A server that would lose what it has answered is warned of, and no other.

use std::{
    io,
    sync::{Arc, Mutex},
};

use onsale_domain::money::Currency;
use onsale_store::{SqlStore, StoreOptions};
use tracing::Level;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What opening a database warns of.
async fn warnings(url: &str) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // Of this thread, which is the only one that the test has.
    let _guard = tracing::subscriber::set_default(subscriber);
    SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
    String::from_utf8(log.0.lock().expect("nobody panics").clone()).expect("it is text")
}

mod postgres {
    use onsale_testbed::PostgresServer;

    #[tokio::test]
    async fn a_server_that_flushes_too_late_is_warned_of() {
        let server = PostgresServer::new();
        let database = server.create_database();
        assert_eq!(super::warnings(&server.url(&database)).await, "");
        let settings = [
            (format!("ALTER DATABASE {database} SET synchronous_commit = off"), "synchronous_commit is off"),
            (format!("ALTER DATABASE {database} SET synchronous_commit = remote_write"), ""),
        ];
        for (change, warning) in settings {
            server.query(&database, &change);
            let warnings = super::warnings(&server.url(&database)).await;
            assert!(warnings.contains(warning), "{warnings}");
            assert_eq!(warnings.lines().count(), usize::from(!warning.is_empty()), "{warnings}");
        }
    }
}

mod mariadb {
    use onsale_testbed::MariaDbServer;

    #[tokio::test]
    async fn a_server_that_flushes_too_late_is_warned_of() {
        let server = MariaDbServer::new();
        let database = server.create_database();
        assert_eq!(super::warnings(&server.url(&database)).await, "");
        server.query(&database, "SET GLOBAL innodb_flush_log_at_trx_commit = 2");
        let warnings = super::warnings(&server.url(&database)).await;
        assert!(warnings.contains("innodb_flush_log_at_trx_commit is 2; set it to 1"), "{warnings}");
        assert_eq!(warnings.lines().count(), 1, "{warnings}");
    }
}
