//! The broadcast's contract on Redis, and servers that fail.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use onsale_contract::coordination::broadcast::BroadcastAdapter;
use onsale_coordination::{RedisBroadcast, RedisOptions};
use onsale_domain::{ids::PerformanceId, offer::Offer};
use onsale_engine::ports::Broadcast;
use onsale_testbed::RedisServer;
use tokio::time::{Instant, sleep, timeout};

use super::{shared_cluster, shared_redis, unused_prefix};

struct Nodes(String);

#[async_trait]
impl BroadcastAdapter for Nodes {
    async fn start(&self, nodes: usize) -> Vec<Arc<dyn Broadcast>> {
        let options = RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() };
        let node = || RedisBroadcast::start(&self.0, &options).expect("the URL is understood");
        (0..nodes).map(|_| Arc::new(node()) as Arc<dyn Broadcast>).collect()
    }
}

mod single {
    use super::{Arc, BroadcastAdapter, Nodes, shared_redis};

    async fn fresh() -> (Arc<dyn BroadcastAdapter>, ()) {
        (Arc::new(Nodes(shared_redis().await)), ())
    }

    onsale_contract::broadcast_contract!(fresh);
}

mod cluster {
    use super::{Arc, BroadcastAdapter, Nodes, shared_cluster};

    async fn fresh() -> (Arc<dyn BroadcastAdapter>, ()) {
        (Arc::new(Nodes(shared_cluster().await)), ())
    }

    onsale_contract::broadcast_contract!(fresh);
}

type Act = fn(&RedisServer);

const OFFER: Offer = Offer::Performance(PerformanceId(1));

async fn until(nodes: &[Arc<dyn Broadcast>], work: bool) {
    let since = Instant::now();
    while nodes.iter().any(|node| node.works() != work) {
        assert!(since.elapsed() < Duration::from_secs(60), "still not {work}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Nodes of another installation on the same server are the control: they hear nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installations_do_not_hear_each_other() {
    let url = shared_redis().await;
    let (ours, theirs) = (Nodes(url.clone()).start(2).await, Nodes(url).start(1).await);
    until(&ours, true).await;
    until(&theirs, true).await;
    ours[0].tell(OFFER);
    let (heard, overheard) =
        tokio::join!(ours[1].heard(), timeout(Duration::from_millis(500), theirs[0].heard()));
    assert_eq!(heard, [OFFER].into());
    assert!(overheard.is_err());
}

/// Also a server that is frozen, whose connections stay, and one that was killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_know_whether_they_hear_and_hear_again() {
    let redis = Arc::new(tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts"));
    let with_redis = async |act: Act| {
        let redis = redis.clone();
        tokio::task::spawn_blocking(move || act(&redis)).await.expect("the server obeys");
    };
    let nodes = Nodes(redis.url()).start(2).await;
    let ways: [(Act, Act); 2] =
        [(RedisServer::freeze, RedisServer::thaw), (RedisServer::kill, RedisServer::start)];
    for (goes, comes) in ways {
        until(&nodes, true).await;
        with_redis(goes).await;
        until(&nodes, false).await;
        nodes[0].tell(OFFER);
        with_redis(comes).await;
        until(&nodes, true).await;
        nodes[1].tell(OFFER);
        assert_eq!(timeout(Duration::from_secs(60), nodes[0].heard()).await, Ok([OFFER].into()));
    }
}
