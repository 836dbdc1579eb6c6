//! The store's contract on SQLite, each case on a database file of its own.

use std::sync::Arc;

use onsale_domain::money::Currency;
use onsale_engine::ports::Store;
use onsale_store::{SqlStore, StoreOptions};
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
    let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
    (Arc::new(store), folder)
}

onsale_contract::store_contract!(fresh);
onsale_contract::sale_contract!(fresh);

/// The negative control of the races: without the guards, seats are sold more than once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversells_without_guards() {
    let (store, folder) = fresh().await;
    let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
    let connection = Database::connect(url).await.expect("the file opens");
    for statement in
        ["DROP TABLE claims", "CREATE TABLE claims (performance_id INTEGER, seat_id INTEGER, order_id BLOB)"]
    {
        connection.execute_unprepared(statement).await.expect("the key can be dropped");
    }
    onsale_contract::sale::races::oversells_without_guards(store).await;
}
