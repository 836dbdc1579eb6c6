//! The adapter on real Redis servers: the contract with one node, with three, and with three on a
//! Cluster; then what nodes and servers do to it when they fail.

mod broadcast;
mod cache;
mod faults;
mod fleet;
mod frozen;
mod limiter;
mod locks;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use onsale_contract::coordination::fixture::{Adapter, Journal};
use onsale_coordination::{RedisCoordination, RedisOptions};
use onsale_engine::{clock::Clock, ports::Coordination};
use onsale_testbed::RedisCluster;

use self::fleet::Fleet;

/// Several nodes on one Redis. "Has lost everything" is a prefix that nobody has used.
pub(super) struct Nodes {
    pub(super) url: String,
    pub(super) count: usize,
}

pub(super) fn unused_prefix() -> String {
    static PREFIXES: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), PREFIXES.fetch_add(1, Ordering::SeqCst))
}

#[async_trait]
impl Adapter for Nodes {
    async fn start(&self, journal: Arc<Journal>, clock: Arc<dyn Clock>) -> Arc<dyn Coordination> {
        let options = RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() };
        let node = || {
            RedisCoordination::start(&self.url, options.clone(), journal.node(), clock.clone())
                .expect("the URL is understood")
        };
        Arc::new(Fleet::new((0..self.count).map(|_| Arc::new(node()) as Arc<dyn Coordination>).collect()))
    }
}

async fn shared_redis() -> String {
    tokio::task::spawn_blocking(|| onsale_testbed::redis().to_owned()).await.expect("Redis starts")
}

async fn shared_cluster() -> String {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    let url = tokio::task::spawn_blocking(|| CLUSTER.get_or_init(RedisCluster::new).url());
    url.await.expect("the Cluster starts")
}

mod one_node {
    use super::{Adapter, Arc, Nodes, shared_redis};

    async fn fresh() -> (Arc<dyn Adapter>, ()) {
        (Arc::new(Nodes { url: shared_redis().await, count: 1 }), ())
    }

    onsale_contract::coordination_contract!(fresh);
}

mod three_nodes {
    use super::{Adapter, Arc, Nodes, shared_redis};

    async fn fresh() -> (Arc<dyn Adapter>, ()) {
        (Arc::new(Nodes { url: shared_redis().await, count: 3 }), ())
    }

    onsale_contract::coordination_contract!(fresh);
}

mod three_nodes_on_a_cluster {
    use super::{Adapter, Arc, Nodes, shared_cluster};

    async fn fresh() -> (Arc<dyn Adapter>, ()) {
        (Arc::new(Nodes { url: shared_cluster().await, count: 3 }), ())
    }

    onsale_contract::coordination_contract!(fresh);
}
