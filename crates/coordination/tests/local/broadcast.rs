//! The broadcast's contract on the adapter in the process.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_contract::coordination::broadcast::BroadcastAdapter;
use onsale_coordination::LocalBroadcast;
use onsale_engine::ports::Broadcast;

struct Local;

#[async_trait]
impl BroadcastAdapter for Local {
    async fn start(&self, nodes: usize) -> Vec<Arc<dyn Broadcast>> {
        let nodes = LocalBroadcast::nodes(nodes);
        nodes.into_iter().map(|node| Arc::new(node) as Arc<dyn Broadcast>).collect()
    }
}

async fn fresh() -> (Arc<dyn BroadcastAdapter>, ()) {
    (Arc::new(Local), ())
}

onsale_contract::broadcast_contract!(fresh);
