//! Several nodes on one database.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use onsale_domain::{
    money::Currency,
    popularity::{Period, SubjectKind},
    time::Timestamp,
};
use onsale_engine::{
    clock::ManualClock,
    ports::{CountedSale, PopularityStore, Sold},
    rankings::{LocalRankings, Rankings},
};
use onsale_store::{SqlStore, StoreOptions};

use crate::world::{Watched, World, at, in_zone, shown, until};

/// Nine charts: three kinds over three periods.
const CHARTS: usize = 9;

struct Node {
    store: Arc<Watched>,
    rankings: Rankings,
}

async fn node(url: &str, clock: &Arc<ManualClock>) -> Node {
    let store = SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
    let store = Arc::new(Watched::new(Arc::new(store)));
    let cache = Arc::new(LocalRankings::default());
    let rankings = Rankings::new(store.clone(), clock.clone(), cache, in_zone("Asia/Seoul"));
    Node { store, rankings }
}

/// The job runs once whatever the number of nodes, and all nodes show its chart.
async fn the_job_runs_on_one_node(url: &str) {
    let clock = Arc::new(ManualClock::new(at("2026-11-21T14:59:59Z")));
    let nodes = [node(url, &clock).await, node(url, &clock).await, node(url, &clock).await];
    let sum = |of: fn(&Watched) -> usize| nodes.iter().map(|node| of(&node.store)).sum::<usize>();
    let made = || sum(|store| store.rankings_made.load(SeqCst));
    for node in &nodes {
        node.rankings.start();
    }
    let show =
        async |node: &Node| shown(&node.rankings.chart(SubjectKind::Item, Period::Day, None).await.unwrap());
    let all_show = async |day: &str| {
        for node in &nodes {
            if show(node).await.1 != day {
                return false;
            }
        }
        true
    };
    until(async || all_show("2026-11-20").await && sum(|store| store.publications.load(SeqCst)) == 1).await;
    // Each node counts events of its own, and one comes to all of them.
    for (index, node) in nodes.iter().enumerate() {
        let sale = |event: String| CountedSale {
            event,
            sold: Sold::Item(1),
            units: 2,
            paid_at: at("2026-11-21T14:00:00Z"),
        };
        let sales = [sale(format!("{index}")), sale("to all".to_owned())];
        assert_eq!(node.rankings.count(&sales).await.unwrap(), if index == 0 { 2 } else { 1 });
    }
    let before = made();
    clock.set(at("2026-11-21T15:00:00Z"));
    until(async || sum(|store| store.publications.load(SeqCst)) == 2).await;
    // The other nodes look again after a second.
    until(async || {
        clock.advance_ms(1_000);
        all_show("2026-11-21").await
    })
    .await;
    for node in &nodes {
        assert_eq!(show(node).await.0, [(1, 8.0)]);
    }
    assert_eq!(sum(|store| store.publications.load(SeqCst)), 2, "one publication a day");
    assert_eq!(made() - before, CHARTS, "each chart was made once, and read by the others");
    for node in &nodes {
        node.rankings.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_runs_on_one_node_of_an_embedded_database() {
    let folder = tempfile::tempdir().unwrap();
    the_job_runs_on_one_node(&SqlStore::file_url(&folder.path().join("onsale.db")).unwrap()).await;
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_job_runs_on_one_node() {
        super::the_job_runs_on_one_node(&onsale_testbed::postgres().fresh_database().await).await;
    }
}

mod mariadb {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_job_runs_on_one_node() {
        super::the_job_runs_on_one_node(&onsale_testbed::mariadb().fresh_database().await).await;
    }
}

#[tokio::test]
async fn another_node_makes_the_charts_if_the_one_that_was_to_has_died() {
    let world = World::new("Asia/Seoul", "2026-11-21T15:00:00Z").await;
    let day = jiff::civil::date(2026, 11, 21);
    let now = at("2026-11-21T15:00:00Z");
    let until = Timestamp(now.0 + 60_000);
    assert!(world.store.claim_charts(day, now, until).await.unwrap(), "and then it died");
    assert!(!world.node.make_charts().await.unwrap());
    world.clock.set(until);
    assert!(world.node.make_charts().await.unwrap());
    assert_eq!(world.store.publications.load(SeqCst), 1);
}
