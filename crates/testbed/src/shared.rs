//! One server of each kind for all tests of a process.

use std::{env, net::SocketAddr, sync::OnceLock};

use crate::{MariaDbServer, PostgresServer, url::DatabaseUrl};

/// The PostgreSQL server of this process's tests.
///
/// It is the one whose URL the variable `ONSALE_TEST_POSTGRES` holds; without that, one is started when it
/// is first needed, and ends with this process.
pub fn postgres() -> &'static SharedServer {
    static SERVER: SharedServer = SharedServer {
        variable: "ONSALE_TEST_POSTGRES",
        start: || {
            let server = PostgresServer::new();
            (server.url("postgres"), Server::Postgres(server))
        },
        create_database: crate::postgres::create_database,
        running: OnceLock::new(),
    };
    &SERVER
}

/// The MariaDB server of this process's tests.
///
/// It is the one whose URL the variable `ONSALE_TEST_MARIADB` holds; without that, one is started when it
/// is first needed, and ends with this process.
pub fn mariadb() -> &'static SharedServer {
    static SERVER: SharedServer = SharedServer {
        variable: "ONSALE_TEST_MARIADB",
        start: || {
            let server = MariaDbServer::new();
            (server.url("mysql"), Server::MariaDb(server))
        },
        create_database: crate::mariadb::create_database,
        running: OnceLock::new(),
    };
    &SERVER
}

/// A server that tests share. Nobody stops it; each test has databases of its own.
#[derive(Debug)]
pub struct SharedServer {
    variable: &'static str,
    start: fn() -> (String, Server),
    create_database: fn(&str) -> String,
    running: OnceLock<Running>,
}

impl SharedServer {
    /// Makes an empty database and returns its URL.
    ///
    /// Its name begins with `onsale_test_`. It goes with the server; one that was there before us keeps it.
    ///
    /// # Panics
    /// When there is no server and none can be started.
    pub async fn fresh_database(&'static self) -> String {
        let made = tokio::task::spawn_blocking(|| {
            let url = self.url();
            DatabaseUrl::parse(url).with_database(&(self.create_database)(url))
        });
        match made.await {
            Ok(url) => url,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The server's own URL, with the database that every such server has. Blocks until the server runs.
    ///
    /// # Panics
    /// When there is no server and none can be started.
    #[expect(
        clippy::disallowed_methods,
        reason = "which server to test on is said to the tests, not to the binary"
    )]
    pub fn url(&'static self) -> &'static str {
        let running = self.running.get_or_init(|| match env::var(self.variable) {
            Ok(url) => Running { url, _server: None },
            Err(_) => {
                let (url, server) = (self.start)();
                Running { url, _server: Some(server) }
            }
        });
        &running.url
    }

    /// Where it listens. Blocks until the server runs.
    ///
    /// # Panics
    /// When there is no server and none can be started.
    pub fn address(&'static self) -> SocketAddr {
        DatabaseUrl::parse(self.url()).address()
    }

    /// The variable that names a running server.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        self.variable
    }
}

#[derive(Debug)]
struct Running {
    url: String,
    /// Never dropped, as it is in a static: its watchdog ends it.
    _server: Option<Server>,
}

/// Kept for its watchdog's sake.
#[derive(Debug)]
#[expect(dead_code, reason = "what matters is that it lives")]
enum Server {
    Postgres(PostgresServer),
    MariaDb(MariaDbServer),
}
