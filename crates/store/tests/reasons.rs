//! A database that cannot be opened says what is wrong, where, and what to do; never the password.

use std::time::Duration;

use onsale_domain::money::Currency;
use onsale_store::{SqlStore, StoreOptions};

/// The error's text when the database at `url` is opened.
async fn said(url: &str) -> String {
    let patience = Duration::from_secs(1);
    let opened = SqlStore::open(url, &StoreOptions { patience, ..StoreOptions::new(Currency::KRW) }).await;
    opened.err().unwrap_or_else(|| panic!("{url} should not have been opened")).to_string()
}

async fn assert_said(url: &str, words: &[&str]) {
    let said = said(url).await;
    for word in words {
        assert!(said.contains(word), "`{word}` is missing for {url}: {said}");
    }
    assert!(!said.contains("hunter2") && !said.contains("at line"), "{said}");
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

mod postgres {
    use onsale_testbed::PostgresServer;

    use super::{assert_said, free_port};

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_with_what_to_do() {
        let port = free_port();
        let refused = format!("postgres://ann:hunter2@127.0.0.1:{port}/shop");
        assert_said(&refused, &["nothing listens on", &port.to_string(), "start the database server"]).await;
        let unknown = "postgres://ann:hunter2@nowhere.invalid/shop";
        assert_said(unknown, &["nowhere.invalid", "is not known", "%40"]).await;
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_quoted_with_what_to_do() {
        let server = PostgresServer::new();
        let database = server.create_database();
        let address = server.address();
        let as_user = |user: &str, database: &str| format!("postgres://{user}:hunter2@{address}/{database}");
        let admin = server.url(&database);
        let admin_name = admin.split("://").nth(1).unwrap().split(['@', ':']).next().unwrap().to_owned();

        assert_said(&as_user(&admin_name, "missing"), &["has no database `missing`", "make it empty"]).await;

        server.query(&database, "CREATE ROLE few LOGIN PASSWORD 'other' CONNECTION LIMIT 0");
        assert_said(&as_user("few", &database), &["no connection left", "12", "database.lanes"]).await;

        // From now on a password is asked for.
        let rule = "host all few 127.0.0.1/32 scram-sha-256";
        let file = server.query(&database, "SHOW hba_file");
        server.query(&database, &format!("COPY (SELECT '{rule}') TO '{}'", file.trim()));
        server.query(&database, "ALTER ROLE few CONNECTION LIMIT -1");
        server.query(&database, "SELECT pg_reload_conf()");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_said(&as_user("few", &database), &["does not let `few` in", "check user and password"]).await;
    }
}

mod mariadb {
    use onsale_testbed::MariaDbServer;

    use super::{assert_said, free_port};

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_with_what_to_do() {
        let port = free_port();
        let refused = format!("mysql://ann:hunter2@127.0.0.1:{port}/shop");
        assert_said(&refused, &["nothing listens on", &port.to_string(), "start the database server"]).await;
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_quoted_with_what_to_do() {
        let server = MariaDbServer::new();
        let database = server.create_database();
        let address = server.address();
        let as_user = |user: &str, database: &str| format!("mysql://{user}:hunter2@{address}/{database}");

        server.query(&database, "CREATE USER ann IDENTIFIED BY 'other'");
        assert_said(&as_user("ann", &database), &["does not let `ann` in", "check user and password"]).await;

        server.query(&database, "CREATE USER bob IDENTIFIED BY 'hunter2'; GRANT ALL ON *.* TO bob");
        assert_said(&as_user("bob", "missing"), &["has no database `missing`", "make it empty"]).await;

        server.query(&database, "CREATE USER cy IDENTIFIED BY 'hunter2'");
        assert_said(&as_user("cy", &database), &["does not allow `cy`"]).await;
    }
}
