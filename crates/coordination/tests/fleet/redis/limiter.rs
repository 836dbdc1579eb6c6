//! The limiter's contract on Redis, and a Redis that fails.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_contract::coordination::limits::LimiterAdapter;
use onsale_coordination::{RedisLimiter, RedisOptions};
use onsale_domain::{
    ids::UserId,
    limits::{CountRule, Subject},
    time::Timestamp,
};
use onsale_engine::{
    clock::{Clock, ManualClock},
    ports::Limiter,
};
use onsale_testbed::RedisServer;

use super::{shared_cluster, shared_redis, unused_prefix};

struct Node(String);

impl Node {
    fn limiter(&self, options: &RedisOptions, clock: Arc<dyn Clock>) -> Arc<dyn Limiter> {
        Arc::new(RedisLimiter::new(&self.0, options, clock).expect("the URL is understood"))
    }
}

#[async_trait]
impl LimiterAdapter for Node {
    async fn start(&self, clock: Arc<dyn Clock>) -> Arc<dyn Limiter> {
        self.limiter(&RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() }, clock)
    }
}

mod single {
    use super::{Arc, LimiterAdapter, Node, shared_redis};

    async fn fresh() -> (Arc<dyn LimiterAdapter>, ()) {
        (Arc::new(Node(shared_redis().await)), ())
    }

    onsale_contract::limiter_contract!(fresh);
}

mod cluster {
    use super::{Arc, LimiterAdapter, Node, shared_cluster};

    async fn fresh() -> (Arc<dyn LimiterAdapter>, ()) {
        (Arc::new(Node(shared_cluster().await)), ())
    }

    onsale_contract::limiter_contract!(fresh);
}

fn reads() -> CountRule {
    CountRule {
        name: "reads".into(),
        requests: 50,
        window_ms: 60_000,
        burst: 50,
        block_ms: 3_600_000,
        block_ms_max: 0,
    }
}

async fn allowed(nodes: &[Arc<dyn Limiter>], requests: usize) -> usize {
    let mut allowed = 0;
    for request in 0..requests {
        let verdict = nodes[request % nodes.len()].count(&reads(), Subject::Account(UserId(1))).await;
        allowed += usize::from(verdict.is_allowed());
    }
    allowed
}

async fn three_nodes(url: &str) -> Vec<Arc<dyn Limiter>> {
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let options = RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() };
    (0..3).map(|_| Node(url.to_owned()).limiter(&options, clock.clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_count_together() {
    let nodes = three_nodes(&shared_redis().await).await;
    assert_eq!(allowed(&nodes, 200).await, 50);
}

/// One node, as the bar has it: at most twice the rule. Each of several counts on from what passed
/// through it, so `n` nodes let at most `n` times the rule through while Redis is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_in_mid_window_opens_nothing() {
    let redis = Arc::new(tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts"));
    let kill = async || {
        let redis = redis.clone();
        tokio::task::spawn_blocking(move || redis.kill()).await.expect("Redis ends");
    };
    let start = async || {
        let redis = redis.clone();
        tokio::task::spawn_blocking(move || redis.start()).await.expect("Redis starts again");
    };
    let one = &three_nodes(&redis.url()).await[..1];
    assert_eq!(allowed(one, 30).await, 30);
    kill().await;
    assert_eq!(allowed(one, 200).await, 20, "what passed before counts on");
    start().await;
    let mut again = 0;
    for _ in 0..20 {
        again += allowed(one, 50).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(again, 50, "a Redis that has forgotten counts anew, once");

    let three = three_nodes(&redis.url()).await;
    assert_eq!(allowed(&three, 45).await, 45);
    kill().await;
    assert_eq!(allowed(&three, 400).await, 3 * 50 - 45);
}
