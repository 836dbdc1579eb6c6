//! On PostgreSQL, while there is work, a transaction begins with the commit of the one before. None stays
//! open when there is no more work.

use std::{sync::Arc, time::Duration};

use onsale_contract::store::fixture::Fixture;
use onsale_domain::{
    decide::{Changes, VersionChange},
    money::Currency,
};
use onsale_engine::ports::{Guard, SaleWriter, Store};
use onsale_store::{SqlStore, StoreOptions};
use onsale_testbed::PostgresServer;
use tokio::time::sleep;

/// A server, a store on it, and the last version that was written there.
struct Bed {
    server: PostgresServer,
    database: String,
    world: Fixture,
    version: i64,
}

impl Bed {
    async fn new() -> (Self, Arc<dyn Store>) {
        let server = PostgresServer::new();
        let database = server.create_database();
        let store = SqlStore::open(&server.url(&database), &StoreOptions::new(Currency::KRW)).await;
        let store: Arc<dyn Store> = Arc::new(store.expect("the database opens"));
        let world = Fixture::new(store.clone()).await;
        (Self { server, database, world, version: 0 }, store)
    }

    /// Writes transactions, one after the other.
    async fn write(&mut self, writer: &mut dyn SaleWriter, transactions: usize) {
        for _ in 0..transactions {
            self.version += 1;
            let change =
                VersionChange { performance: self.world.performance, revision: 1, version: self.version };
            let changes = Changes { versions: vec![change], ..Changes::default() };
            let transaction = writer.write(Guard::default(), &changes).await.expect("it is written");
            transaction.commit().await.expect("it is committed");
        }
    }

    fn open_transactions(&self) -> String {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND state = 'idle in transaction'",
            self.database
        );
        self.server.query(&self.database, &sql).trim().to_owned()
    }

    /// Waits until no transaction is open: they are undone in the background.
    async fn none_is_open(&self) {
        for _ in 0..100 {
            if self.open_transactions() == "0" {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("a transaction is still open");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_begins_with_a_commit_and_ends_with_the_work() {
    let (mut bed, store) = Bed::new().await;
    let mut writer = store.sale_writer();
    bed.write(&mut *writer, 1).await;
    assert_eq!(bed.open_transactions(), "0", "after one transaction nobody knows of a next one");
    bed.write(&mut *writer, 3).await;
    assert_eq!(bed.open_transactions(), "1", "the next one has begun");
    writer.rest();
    bed.none_is_open().await;
    // More than a connection is kept for.
    bed.write(&mut *writer, 40).await;
    drop(writer);
    bed.none_is_open().await;
    let claims = store.claims(bed.world.performance).await.expect("they are read");
    assert_eq!(claims.version, 44, "each was committed");
}

/// What is begun so and written in vain is undone, and what comes after it is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_in_a_chain_undoes_only_itself() {
    let (mut bed, store) = Bed::new().await;
    let mut writer = store.sale_writer();
    bed.write(&mut *writer, 3).await;
    let stale = VersionChange { performance: bed.world.performance, revision: 1, version: 3 };
    let changes = Changes { versions: vec![stale], ..Changes::default() };
    assert!(writer.write(Guard::default(), &changes).await.is_err(), "the database is at 3 already");
    bed.write(&mut *writer, 3).await;
    assert_eq!(store.claims(bed.world.performance).await.expect("they are read").version, 6);
    drop(writer);
    bed.none_is_open().await;
}
