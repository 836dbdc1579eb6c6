//! The heartbeat, the checks and the reads on MariaDB. The server stands in for a replica of itself,
//! one that is never late: what happens when one is late does not depend on the dialect.

use std::time::Duration;

use onsale_contract::store::fixture::{OPENS, show};
use onsale_domain::{catalogue::ShowKind, money::Currency};
use onsale_engine::ports::CatalogueStore;
use onsale_store::{SqlStore, StoreOptions};

use crate::cluster::{Counts, in_use};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_is_read_back_and_reads_go_to_the_replica_again() {
    let url = onsale_testbed::mariadb().fresh_database().await;
    let options = StoreOptions {
        replicas: vec![url.clone()],
        replica_lag_max: Duration::from_secs(5),
        ..StoreOptions::new(Currency::KRW)
    };
    let (store, counts) = Counts::of(Box::pin(SqlStore::open(&url, &options))).await;
    let store = store.expect("the database opens");
    let name = onsale_testbed::mariadb().address().to_string();
    for number in 1..=5 {
        store.add_show(show(ShowKind::Concert, "Live"), None).await.unwrap();
        assert_eq!(store.concerts(OPENS, 0, 10).await.unwrap().total, number);
        in_use(&store).await;
        let before = counts.on_replica(&name);
        while counts.on_replica(&name) == before {
            assert_eq!(store.concerts(OPENS, 0, 10).await.unwrap().total, number);
        }
    }
    store.close().await.expect("the store closes");
}
