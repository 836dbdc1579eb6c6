//! Which database a read is done on.

use onsale_contract::store::fixture::{OPENS, show};
use onsale_domain::{catalogue::ShowKind, offer::OfferKind};
use onsale_engine::ports::{CatalogueStore, ReplicaCondition, SaleStore};
use onsale_store::SqlStore;

use crate::cluster::{Cluster, in_use, until};

const READS: u64 = 100;

/// Reads that all succeed.
async fn read(store: &SqlStore) {
    for _ in 0..READS {
        store.concerts(OPENS, 0, 10).await.expect("a read never fails because of a replica");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_the_reads_and_the_source_has_what_they_cannot_do() {
    let cluster = Cluster::start(2).await;
    let (store, counts) = cluster.open_in_use().await;
    let names = [cluster.name(0), cluster.name(1)];
    let on = |replica: usize| counts.on_replica(&names[replica]);

    read(&store).await;
    assert_eq!(on(0) + on(1) + counts.on_source(), READS, "each read is counted once");
    // On a busy machine a replica may be left out for a moment.
    assert!(on(0) >= READS / 4 && on(1) >= READS / 4, "{} and {}", on(0), on(1));

    cluster.to(|cluster| cluster.replicas[0].stop()).await;
    read(&store).await;
    until(&store, 0, "left out", |health| health.condition == ReplicaCondition::Failing).await;
    assert!(!counts.usable(&names[0]));
    let (before, other) = (on(0), on(1));
    read(&store).await;
    assert_eq!(on(0), before, "nothing is asked of it");
    assert!(on(1) > other, "the other one goes on");

    cluster.to(|cluster| cluster.replicas[1].stop()).await;
    read(&store).await;
    let (before, source) = (on(1), counts.on_source());
    read(&store).await;
    assert_eq!((on(1), counts.on_source()), (before, source + READS), "only the source is left");

    cluster.to(|cluster| cluster.replicas.iter().for_each(|replica| replica.start())).await;
    in_use(&store).await;
    let before = [on(0), on(1)];
    read(&store).await;
    assert!(on(0) > before[0] && on(1) > before[1], "they are back");
    assert!(names.iter().all(|name| counts.usable(name) && counts.lag_seconds(name) < 60.0));
    store.close().await.expect("the store closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_down_does_not_keep_a_node_from_starting() {
    let cluster = Cluster::start(1).await;
    cluster.to(|cluster| cluster.replicas[0].stop()).await;
    let (store, counts) = cluster.open().await;
    assert_eq!(store.replicas()[0].name, cluster.name(0));
    store.add_show(show(ShowKind::Concert, "Live"), None).await.expect("the catalogue can be written");
    read(&store).await;
    until(&store, 0, "left out", |health| health.condition == ReplicaCondition::Failing).await;
    assert_eq!((counts.on_replica(&cluster.name(0)), counts.on_source()), (0, READS));
    cluster.to(|cluster| cluster.replicas[0].start()).await;
    in_use(&store).await;
    read(&store).await;
    assert!(counts.on_replica(&cluster.name(0)) > 0);
}

/// Only the public pages are read from replicas.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_be_true_now_is_read_from_the_source() {
    use std::sync::Arc;

    use onsale_contract::store::fixture::Fixture;
    use onsale_domain::{ids::UserId, time::Timestamp};
    use onsale_engine::ports::{AccountStore, AuditStore};

    let cluster = Cluster::start(1).await;
    let (store, counts) = cluster.open().await;
    let store = Arc::new(store);
    let world = Fixture::new(store.clone()).await;
    let order = world.held(7, None, &[0], OPENS).await;
    in_use(&*store).await;

    store.order(order.id).await.unwrap().expect("it is there");
    store.orders_of(UserId(7), OfferKind::Performance, None, 10).await.unwrap();
    store.wallet(UserId(7)).await.unwrap();
    store.claims(world.performance).await.unwrap();
    store.due_holds(Timestamp(i64::MAX), None, 10).await.unwrap();
    store.sale_terms(world.performance).await.unwrap().expect("they are there");
    store.performance(world.performance).await.unwrap().expect("it is there");
    store.show(world.show).await.unwrap().expect("it is there");
    store.hall(world.hall).await.unwrap().expect("it is there");
    store.halls(world.venue).await.unwrap();
    store.venues(None, 10).await.unwrap();
    store.seat_map(world.hall).await.unwrap().expect("it is there");
    store.hall_of_seat(world.seats[0]).await.unwrap().expect("it is there");
    store.user(UserId(7)).await.unwrap();
    store.sessions_ended_since(Timestamp(0)).await.unwrap();
    store.freeze().await.unwrap().rows().await.unwrap();
    let name = cluster.name(0);
    assert_eq!(counts.on_replica(&name), 0, "none of these");

    // The control: these do go there.
    for _ in 0..READS {
        store.concerts(OPENS, 0, 10).await.unwrap();
        store.listing(ShowKind::Movie, world.show, OPENS).await.unwrap().expect("it is there");
        store.performance_listing(world.performance).await.unwrap().expect("it is there");
    }
    assert!(counts.on_replica(&name) >= READS, "{}", counts.on_replica(&name));
}
