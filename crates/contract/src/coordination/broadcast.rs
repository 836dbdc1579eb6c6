//! Nodes that tell each other what has changed.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use onsale_domain::{
    ids::{ItemId, PerformanceId},
    offer::Offer,
};
use onsale_engine::ports::Broadcast;
use tokio::time::{Instant, sleep, timeout};

/// Starts adapters.
#[async_trait]
pub trait BroadcastAdapter: Send + Sync + 'static {
    /// So many nodes that hear each other, and nobody else.
    async fn start(&self, nodes: usize) -> Vec<Arc<dyn Broadcast>>;
}

type Node = Arc<dyn Broadcast>;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long somebody listens who is to hear nothing.
const SILENCE: Duration = Duration::from_millis(500);

async fn started(adapter: &dyn BroadcastAdapter, count: usize) -> Vec<Node> {
    let nodes = adapter.start(count).await;
    let since = Instant::now();
    while !nodes.iter().all(|node| node.works()) {
        assert!(since.elapsed() < PATIENCE, "the nodes do not hear");
        sleep(Duration::from_millis(20)).await;
    }
    nodes
}

/// Listens until all of these have been heard of, and for a while on; how often something was.
async fn times_heard(node: &Node, expected: &HashSet<Offer>) -> usize {
    let (mut times, mut known) = (0, HashSet::new());
    while known != *expected {
        let heard = timeout(PATIENCE, node.heard()).await.expect("it is heard");
        assert!(!heard.is_empty(), "only something is heard");
        known.extend(heard);
        times += 1;
    }
    while let Ok(heard) = timeout(SILENCE, node.heard()).await {
        assert!(heard.is_subset(expected), "{heard:?} was never told");
        times += 1;
    }
    times
}

fn performance(number: i64) -> Offer {
    Offer::Performance(PerformanceId(number))
}

pub async fn what_one_tells_all_others_hear(adapter: Arc<dyn BroadcastAdapter>) {
    let nodes = started(&*adapter, 3).await;
    let told = HashSet::from([performance(7), Offer::Item(ItemId(7))]);
    for offer in &told {
        nodes[0].tell(*offer);
    }
    let (second, third) = tokio::join!(times_heard(&nodes[1], &told), times_heard(&nodes[2], &told));
    assert!(second <= 2 && third <= 2, "{second} and {third} times");
    assert!(timeout(SILENCE, nodes[0].heard()).await.is_err(), "whoever tells knows it already");
}

pub async fn what_one_tells_of_accounts_all_others_hear(adapter: Arc<dyn BroadcastAdapter>) {
    let nodes = started(&*adapter, 3).await;
    for round in 0..3 {
        // Beside something else, and by itself.
        if round == 1 {
            nodes[0].tell(performance(round));
        }
        nodes[0].tell_accounts();
        for node in &nodes[1..] {
            timeout(PATIENCE, node.heard_accounts()).await.expect("it is heard");
        }
    }
    let told = HashSet::from([performance(1)]);
    assert_eq!(times_heard(&nodes[1], &told).await, 1, "and what else is told, too");
    for node in &nodes {
        assert!(timeout(SILENCE, node.heard_accounts()).await.is_err(), "once, and not by whoever tells");
    }
}

pub async fn what_is_told_in_a_short_time_is_heard_once(adapter: Arc<dyn BroadcastAdapter>) {
    let nodes = started(&*adapter, 2).await;
    for _ in 0..1_000 {
        nodes[0].tell(performance(1));
    }
    let times = times_heard(&nodes[1], &HashSet::from([performance(1)])).await;
    // Whoever tells may be slower than the first messages.
    assert!(times <= 20, "{times} times");
    let each_by_itself: HashSet<Offer> = (1..=500).map(performance).collect();
    each_by_itself.iter().for_each(|offer| nodes[0].tell(*offer));
    let times = times_heard(&nodes[1], &each_by_itself).await;
    assert!(times <= 20, "{times} times");
}

pub async fn who_was_not_listening_hears_what_was_told_meanwhile(adapter: Arc<dyn BroadcastAdapter>) {
    let nodes = started(&*adapter, 2).await;
    nodes[0].tell(performance(1));
    sleep(SILENCE).await;
    nodes[0].tell(performance(2));
    sleep(SILENCE).await;
    let told = HashSet::from([performance(1), performance(2)]);
    assert!(times_heard(&nodes[1], &told).await <= 2);
}
