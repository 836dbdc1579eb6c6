//! What is read from a replica is never older than allowed, nor than one's own last change.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use onsale_contract::store::fixture::{OPENS, show};
use onsale_domain::{
    catalogue::{ShowDetails, ShowKind},
    ids::ShowId,
};
use onsale_engine::ports::{CatalogueStore, ReplicaCondition, SaleStore, StoreError};
use onsale_store::{SqlStore, StoreOptions, negative_control::use_stale_replicas};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

use crate::cluster::{Cluster, Counts, in_use, until};

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
    let id = store.add_show(titled(0), None).await.unwrap();
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

/// What is read while the title changes, which one replica shows already and the other one not yet: the
/// database waits for a third one before it calls the change made.
async fn read_during_a_change(prepare: fn(&SqlStore)) -> Vec<u32> {
    let cluster = Cluster::start(2).await;
    // Nothing is told to replicas meanwhile that would say how far they are.
    let options = StoreOptions { replica_lag_max: Duration::from_secs(3_600), ..cluster.options() };
    let (store, _) = cluster.open_with(options).await;
    let store = Arc::new(store);
    let id = store.add_show(titled(0), None).await.unwrap();
    in_use(&*store).await;
    prepare(&store);
    cluster.to(|cluster| cluster.replicas[1].pause_replay()).await;
    wait_for(&cluster, "a_third_one").await;
    let (change, title) = change_that_waits(&cluster, &store, id).await;
    let mut seen = Vec::new();
    for _ in 0..50 {
        seen.push(shown(&store, id).await);
    }
    wait_for(&cluster, "").await;
    change.await.expect("no panic").expect("it is made");
    assert_eq!(store.show(id).await.unwrap().unwrap().details.title, title.to_string());
    cluster.to(|cluster| cluster.replicas[1].resume_replay()).await;
    seen
}

/// From now on commits wait for the replicas of these names.
async fn wait_for(cluster: &Arc<Cluster>, names: &'static str) {
    let act = move |cluster: &Cluster| {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        cluster.server.query("postgres", &set);
        cluster.server.query("postgres", "SELECT pg_reload_conf()");
    };
    cluster.to(act).await;
}

/// A change that waits for a replica, and the title that the first one shows already. The server takes up
/// that it is to wait some time after it was told to; changes before that are made at once.
async fn change_that_waits(
    cluster: &Arc<Cluster>,
    store: &Arc<SqlStore>,
    id: ShowId,
) -> (JoinHandle<Result<(), StoreError>>, u32) {
    for title in 1.. {
        let change = tokio::spawn({
            let store = store.clone();
            async move { store.change_show(id, titled(title)).await }
        });
        let is_shown = move |cluster: &Cluster| {
            let shown = cluster.replicas[0].query(&cluster.database, "SELECT title FROM shows");
            shown.trim() == title.to_string()
        };
        while !cluster.to(is_shown).await {}
        sleep(Duration::from_millis(300)).await;
        if !change.is_finished() {
            return (change, title);
        }
        change.await.expect("no panic").expect("it is made");
    }
    unreachable!("there is always another title")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_does_not_come_and_go_while_it_is_under_way() {
    let seen = read_during_a_change(|_| ()).await;
    assert!(seen.is_sorted(), "{seen:?}");
}

/// The negative control: without the rules, each replica shows what it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_rules_a_change_comes_and_goes() {
    let seen = read_during_a_change(use_stale_replicas).await;
    assert!(!seen.is_sorted(), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stands_still_is_left_out() {
    let cluster = Cluster::start(1).await;
    let (store, counts) = cluster.open().await;
    let id = store.add_show(titled(0), None).await.unwrap();
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
    let id = one.add_show(titled(0), None).await.unwrap();
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
    let id = store.add_show(titled(0), None).await.unwrap();
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

/// Forwards the first connection to one server and all others to another, as something that balances
/// between replicas may.
async fn balance(first: SocketAddr, others: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(async move {
        let mut upstream = first;
        while let Ok((mut client, _)) = listener.accept().await {
            let to = std::mem::replace(&mut upstream, others);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.expect("the server is there");
                // Ends when either side does.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// A store whose only replica is one address with two servers behind it: checks, which come first,
/// see the one that is up to date, and reads the one that stands still at 0.
async fn behind_one_address() -> (Arc<Cluster>, SqlStore, Counts, ShowId) {
    let cluster = Cluster::start(1).await;
    let (writer, _) = cluster.open().await;
    let id = writer.add_show(titled(0), None).await.unwrap();
    cluster.to(|cluster| cluster.replicas[0].wait_until_caught_up(&cluster.server)).await;
    cluster.to(|cluster| cluster.replicas[0].pause_replay()).await;
    let address = balance(cluster.server.address(), cluster.replicas[0].address()).await;
    let replicas = vec![format!("postgres://postgres@{address}/{}", cluster.database)];
    let (store, counts) = cluster.open_with(StoreOptions { replicas, ..cluster.options() }).await;
    in_use(&store).await;
    store.change_show(id, titled(1)).await.unwrap();
    (cluster, store, counts, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_behind_one_address_none_shows_an_old_state() {
    let (_cluster, store, _, id) = behind_one_address().await;
    for _ in 0..200 {
        assert_eq!(shown(&store, id).await, 1);
        sleep(Duration::from_millis(10)).await;
    }
    in_use(&store).await;
}

/// The negative control: without the rule that holds for each read, the old state is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_behind_one_address_one_shows_an_old_state_without_the_rule() {
    let (_cluster, store, counts, id) = behind_one_address().await;
    use_stale_replicas(&store);
    assert_eq!(shown(&store, id).await, 0, "{} reads on the source", counts.on_source());
}
