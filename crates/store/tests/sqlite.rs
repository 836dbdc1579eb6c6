//! The store's contract on SQLite, each case on a database file of its own.

use std::sync::Arc;

use onsale_contract::store::fixture::{Fixture, OPENS, decide};
use onsale_domain::{decide::ClaimCheck, money::Currency};
use onsale_engine::ports::Store;
use onsale_store::{SqlStore, StoreOptions};
use tempfile::TempDir;

async fn open() -> (SqlStore, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
    let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
    (store, folder)
}

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let (store, folder) = open().await;
    (Arc::new(store), folder)
}

onsale_contract::store_contract!(fresh);
onsale_contract::sale_contract!(fresh);

async fn fresh_without_claims_key() -> (Arc<dyn Store>, TempDir) {
    let (store, folder) = open().await;
    onsale_store::negative_control::drop_claims_key(&store).await.expect("the key is dropped");
    (Arc::new(store), folder)
}

/// The negative control of the races: without the guards, seats are sold more than once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversells_without_guards() {
    let (store, _folder) = fresh_without_claims_key().await;
    onsale_contract::sale::races::oversells_without_guards(store).await;
}

/// The contract's claim that the key is the last guard is only worth something if taking it away
/// is noticed.
#[tokio::test]
async fn without_the_claims_key_a_seat_is_sold_twice() {
    let (store, _folder) = fresh_without_claims_key().await;
    let world = Fixture::new(store.clone()).await;
    for buyer in [1, 2] {
        let hold = world.hold(buyer, None, &[0], OPENS);
        let mut transaction = world.begin().await;
        let (answers, changes) = decide(&*store, &mut *transaction, &[hold], OPENS, ClaimCheck::Off).await;
        assert!(answers[0].is_ok());
        transaction.write(&changes).await.expect("nothing stands in the way");
        transaction.commit().await.expect("nothing stands in the way");
    }
    let mut frozen = store.freeze().await.expect("the database is read");
    let claims = frozen.claims(None, 1).await.expect("the claims are read");
    assert_eq!(claims.len(), 2, "both claims on the one seat, in one chunk");
    assert_eq!(claims[0].seat, claims[1].seat);
    assert_eq!(frozen.claims(Some((claims[1].performance, claims[1].seat)), 1).await.unwrap(), []);
}
