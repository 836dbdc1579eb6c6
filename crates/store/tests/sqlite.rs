//! The store's contract on SQLite, each case on a database file of its own.

use std::sync::Arc;

use onsale_domain::money::Currency;
use onsale_engine::ports::Store;
use onsale_store::{SqlStore, StoreOptions};
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
    let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
    (Arc::new(store), folder)
}

onsale_contract::store_contract!(fresh);
