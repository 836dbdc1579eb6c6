//! Databases reached by TLS only, their certificates verified.

use std::sync::Arc;

use onsale_contract::store::writers;
use onsale_domain::money::Currency;
use onsale_engine::ports::{CatalogueStore, SaleStore, StoreError};
use onsale_store::{SqlStore, StoreOptions};

async fn open(url: &str) -> Result<SqlStore, StoreError> {
    let patience = std::time::Duration::from_secs(10);
    SqlStore::open(url, &StoreOptions { patience, ..StoreOptions::new(Currency::KRW) }).await
}

/// Writes and reads through each kind of connection.
async fn assert_usable(url: &str) {
    let store = open(url).await.expect("the server's certificate is in order");
    store.add_venue("Grand", "Asia/Seoul", None).await.expect("it can be written");
    store.ping().await.expect("it can be read");
    drop(store.begin(onsale_engine::ports::Guard::default()).await.expect("a batch can begin"));
    store.close().await.expect("it can be closed");
}

/// A batch that takes many records of TLS: it travels in pieces.
async fn assert_takes_a_large_batch(url: &str) {
    let store = open(url).await.expect("the server's certificate is in order");
    writers::a_large_batch_is_written_whole(Arc::new(store)).await;
}

async fn assert_refused(url: &str, reason: &str) {
    let error = open(url).await.err().unwrap_or_else(|| panic!("{url} should have been refused"));
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains(reason)), "{url}: {error}");
}

mod postgres {
    use onsale_testbed::PostgresServer;

    #[tokio::test]
    async fn only_the_server_of_the_right_authority_is_spoken_to() {
        let (server, other) = (PostgresServer::with_tls(), PostgresServer::with_tls());
        let database = server.url(&server.create_database());
        let trusting = |server: &PostgresServer| {
            let authority = server.authority().expect("it has TLS").display();
            format!("{database}?sslmode=verify-full&sslrootcert={authority}")
        };
        super::assert_usable(&trusting(&server)).await;
        super::assert_takes_a_large_batch(&trusting(&server)).await;
        super::assert_refused(&trusting(&other), "certificate").await;
        super::assert_refused(&format!("{database}?sslmode=disable"), "no encryption").await;
    }
}

mod mariadb {
    use onsale_testbed::MariaDbServer;

    #[tokio::test]
    async fn only_the_server_of_the_right_authority_is_spoken_to() {
        let (server, other) = (MariaDbServer::with_tls(), MariaDbServer::with_tls());
        let database = server.url(&server.create_database());
        let trusting = |server: &MariaDbServer| {
            let authority = server.authority().expect("it has TLS").display();
            format!("{database}?ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}")
        };
        super::assert_usable(&trusting(&server)).await;
        super::assert_takes_a_large_batch(&trusting(&server)).await;
        super::assert_refused(&trusting(&other), "certificate").await;
        // All that this server says to who comes without.
        super::assert_refused(&format!("{database}?ssl-mode=DISABLED"), "Access denied").await;
    }
}
