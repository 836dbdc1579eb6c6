//! The locks' contract on the adapter in the process.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_contract::coordination::locks::LocksAdapter;
use onsale_coordination::LocalLocks;
use onsale_engine::ports::Locks;

struct Local;

#[async_trait]
impl LocksAdapter for Local {
    async fn start(&self, nodes: usize) -> Vec<Arc<dyn Locks>> {
        let locks: Arc<dyn Locks> = Arc::new(LocalLocks::default());
        vec![locks; nodes]
    }
}

async fn fresh() -> (Arc<dyn LocksAdapter>, ()) {
    (Arc::new(Local), ())
}

onsale_contract::locks_contract!(fresh);
