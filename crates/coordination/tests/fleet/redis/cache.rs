//! The shared cache's contract on Redis, and a Redis that fails.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_contract::coordination::cache::CacheAdapter;
use onsale_coordination::{RedisCache, RedisOptions};
use onsale_domain::time::Timestamp;
use onsale_engine::{
    clock::{Clock, ManualClock},
    ports::{Kept, Look, SharedCache, through},
};
use onsale_testbed::RedisServer;

use super::{shared_cluster, shared_redis, unused_prefix};

struct Nodes(String);

#[async_trait]
impl CacheAdapter for Nodes {
    async fn start(&self, nodes: usize, clock: Arc<dyn Clock>) -> Vec<Arc<dyn SharedCache>> {
        let options = RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() };
        let node = || RedisCache::start(&self.0, &options, clock.clone()).expect("the URL is understood");
        (0..nodes).map(|_| Arc::new(node()) as Arc<dyn SharedCache>).collect()
    }
}

mod single {
    use super::{Arc, CacheAdapter, Nodes, shared_redis};

    async fn fresh() -> (Arc<dyn CacheAdapter>, ()) {
        (Arc::new(Nodes(shared_redis().await)), ())
    }

    onsale_contract::cache_contract!(fresh);
}

mod cluster {
    use super::{Arc, CacheAdapter, Nodes, shared_cluster};

    async fn fresh() -> (Arc<dyn CacheAdapter>, ()) {
        (Arc::new(Nodes(shared_cluster().await)), ())
    }

    onsale_contract::cache_contract!(fresh);
}

/// What one node changes while Redis is away the others learn when it is back, also when it has
/// forgotten everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_while_redis_is_away_is_told_later() {
    const KEPT: Kept = Kept { fresh_ms: 120_000, stale_ms: 60_000 };
    let redis = Arc::new(tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts"));
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let nodes = Nodes(redis.url()).start(2, clock).await;
    let agreed = async || {
        for _ in 0..600 {
            if nodes[0].generation() == nodes[1].generation() {
                return nodes[0].generation();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the nodes do not agree");
    };
    let before = agreed().await;
    let load = async |text: &'static str| Ok::<_, ()>(text.as_bytes().to_vec());
    through(&*nodes[0], before, "/movies", KEPT, load("old")).await.expect("it is loaded");
    let server = redis.clone();
    tokio::task::spawn_blocking(move || server.kill()).await.expect("Redis ends");
    assert_eq!(nodes[1].look(before, "/movies").await, Look::Away);
    let own = through(&*nodes[1], before, "/movies", KEPT, load("own")).await;
    assert_eq!(own, Ok(b"own".to_vec()), "readers load by themselves");
    nodes[0].drop_all();
    let server = redis.clone();
    tokio::task::spawn_blocking(move || server.start()).await.expect("Redis starts again");
    let after = agreed().await;
    assert_ne!(after, before);
    let new = through(&*nodes[1], after, "/movies", KEPT, load("new")).await;
    assert_eq!(new, Ok(b"new".to_vec()));
}
