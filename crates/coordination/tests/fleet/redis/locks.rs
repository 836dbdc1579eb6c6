//! The locks' contract on Redis, and holders and servers that fail.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use onsale_contract::coordination::locks::LocksAdapter;
use onsale_coordination::{RedisLocks, RedisOptions};
use onsale_engine::ports::{LockError, Locks};
use onsale_testbed::RedisServer;
use tokio::time::sleep;

use super::{shared_cluster, shared_redis, unused_prefix};

struct Nodes(String);

#[async_trait]
impl LocksAdapter for Nodes {
    async fn start(&self, nodes: usize) -> Vec<Arc<dyn Locks>> {
        let options = RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() };
        let node = || RedisLocks::start(&self.0, &options).expect("the URL is understood");
        (0..nodes).map(|_| Arc::new(node()) as Arc<dyn Locks>).collect()
    }
}

mod single {
    use super::{Arc, LocksAdapter, Nodes, shared_redis};

    async fn fresh() -> (Arc<dyn LocksAdapter>, ()) {
        (Arc::new(Nodes(shared_redis().await)), ())
    }

    onsale_contract::locks_contract!(fresh);
}

mod cluster {
    use super::{Arc, LocksAdapter, Nodes, shared_cluster};

    async fn fresh() -> (Arc<dyn LocksAdapter>, ()) {
        (Arc::new(Nodes(shared_cluster().await)), ())
    }

    onsale_contract::locks_contract!(fresh);
}

/// A lock is no proof: one that was forgotten has two holders. The first learns of it, and its fence
/// is the lower one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_redis_forgets_is_told_to_its_holder_and_fenced() {
    let redis = Arc::new(tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts"));
    let nodes = Nodes(redis.url()).start(2).await;
    let first = nodes[0].acquire("a", Duration::ZERO).await.expect("nobody holds it");
    let server = redis.clone();
    tokio::task::spawn_blocking(move || server.flush()).await.expect("Redis forgets");
    let second = nodes[1].acquire("a", Duration::ZERO).await.expect("it was forgotten");
    assert!(second.fence > first.fence, "also when the last fence was forgotten");
    for _ in 0..600 {
        if first.is_lost() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(first.is_lost() && !second.is_lost());

    let server = redis.clone();
    tokio::task::spawn_blocking(move || server.kill()).await.expect("Redis ends");
    let refused = nodes[0].acquire("b", Duration::from_secs(30)).await;
    assert!(matches!(refused, Err(LockError::Unavailable(_))), "at once, not after half a minute");
}
