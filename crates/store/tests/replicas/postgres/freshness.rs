//! What is read from a replica is never older than allowed, nor than one's own last change.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use onsale_contract::store::fixture::{OPENS, show};
use onsale_domain::{
    catalogue::{ShowDetails, ShowKind},
    ids::ShowId,
};
use onsale_engine::ports::{CatalogueStore, ReplicaCondition, SaleStore};
use onsale_store::{SqlStore, negative_control::use_stale_replicas};

use crate::cluster::{Cluster, in_use, until};

/// A concert whose title is a number.
fn titled(number: u32) -> ShowDetails {
    show(ShowKind::Concert, &number.to_string())
}

/// The number that the public is shown.
async fn shown(store: &SqlStore, id: ShowId) -> u32 {
    let listing = store.listing(ShowKind::Concert, id, OPENS).await.expect("a read never fails");
    listing.expect("it is there").show.details.title.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_by_the_next_read_of_the_same_node() {
    let cluster = Cluster::start(2).await;
    let (store, counts) = cluster.open().await;
    let store = Arc::new(store);
    let id = store.add_show(titled(0)).await.unwrap();
    in_use(&*store).await;

    // Others read meanwhile: what they see never goes back.
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, done) = (store.clone(), done.clone());
        async move {
            let mut last = 0;
            while !done.load(SeqCst) {
                let now = shown(&store, id).await;
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        }
    });
    let reads = || counts.on_replica(&cluster.name(0)) + counts.on_replica(&cluster.name(1));
    for number in 1..=100 {
        store.change_show(id, titled(number)).await.unwrap();
        assert_eq!(shown(&store, id).await, number, "as soon as it is changed");
        if number % 10 == 0 {
            // The replicas have it by and by, and are read from again.
            let before = reads();
            while reads() == before {
                assert_eq!(shown(&store, id).await, number);
            }
        }
    }
    done.store(true, SeqCst);
    reader.await.expect("readers see time go forward");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stands_still_is_left_out() {
    let cluster = Cluster::start(1).await;
    let (store, counts) = cluster.open().await;
    let id = store.add_show(titled(0)).await.unwrap();
    in_use(&store).await;
    cluster.to(|cluster| cluster.replicas[0].pause_replay()).await;
    store.change_show(id, titled(1)).await.unwrap();
    let before = counts.on_replica(&cluster.name(0));
    for _ in 0..50 {
        assert_eq!(shown(&store, id).await, 1);
    }
    until(&store, 0, "behind", |health| health.condition == ReplicaCondition::Behind).await;
    assert!(store.replicas()[0].lag_ms >= Some(1_000), "{:?}", store.replicas());
    assert_eq!(shown(&store, id).await, 1);
    assert_eq!(counts.on_replica(&cluster.name(0)), before, "it was not read from");
    cluster.to(|cluster| cluster.replicas[0].resume_replay()).await;
    in_use(&store).await;
    while counts.on_replica(&cluster.name(0)) == before {
        assert_eq!(shown(&store, id).await, 1);
    }
}

/// Another node's changes are seen once they are as old as a replica may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_nodes_see_a_change_soon() {
    let cluster = Cluster::start(1).await;
    let (one, _) = cluster.open().await;
    let id = one.add_show(titled(0)).await.unwrap();
    let (other, counts) = cluster.open_in_use().await;
    assert_eq!(shown(&other, id).await, 0);
    cluster.to(|cluster| cluster.replicas[0].pause_replay()).await;
    one.change_show(id, titled(1)).await.unwrap();
    let changed = tokio::time::Instant::now();
    while shown(&other, id).await == 0 {}
    let late = changed.elapsed().as_millis();
    // It is a read that may take long on a busy machine, not its answer that may be old.
    assert!(late < 10_000, "{late} ms");
    assert!(counts.on_source() > 0);
}

/// The negative control: without the rules, a replica that stands still shows what was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_rules_an_old_state_is_seen() {
    let cluster = Cluster::start(1).await;
    let (store, _) = cluster.open().await;
    let id = store.add_show(titled(0)).await.unwrap();
    in_use(&store).await;
    use_stale_replicas(&store);
    cluster.to(|cluster| cluster.replicas[0].pause_replay()).await;
    store.change_show(id, titled(1)).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..50 {
        seen.push(shown(&store, id).await);
    }
    assert!(seen.contains(&0), "the test of the rules would not notice if they were gone");
}
