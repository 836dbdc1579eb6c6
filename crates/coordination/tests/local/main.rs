//! The coordination's contract on the adapter in the process.

mod broadcast;
mod cache;
mod limiter;
mod locks;

use std::sync::Arc;

use async_trait::async_trait;
use onsale_contract::coordination::fixture::{Adapter, Journal};
use onsale_coordination::LocalCoordination;
use onsale_engine::{clock::Clock, ports::Coordination};

struct Local;

#[async_trait]
impl Adapter for Local {
    async fn start(&self, journal: Arc<Journal>, clock: Arc<dyn Clock>) -> Arc<dyn Coordination> {
        Arc::new(LocalCoordination::new(journal.node(), clock))
    }
}

async fn fresh() -> (Arc<dyn Adapter>, ()) {
    (Arc::new(Local), ())
}

onsale_contract::coordination_contract!(fresh);
