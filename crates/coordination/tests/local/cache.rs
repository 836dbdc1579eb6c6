//! The shared cache's contract on the adapter in the process.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_contract::coordination::cache::CacheAdapter;
use onsale_coordination::LocalCache;
use onsale_engine::{clock::Clock, ports::SharedCache};

struct Local;

#[async_trait]
impl CacheAdapter for Local {
    async fn start(&self, nodes: usize, clock: Arc<dyn Clock>) -> Vec<Arc<dyn SharedCache>> {
        let cache: Arc<dyn SharedCache> = Arc::new(LocalCache::new(clock));
        vec![cache; nodes]
    }
}

async fn fresh() -> (Arc<dyn CacheAdapter>, ()) {
    (Arc::new(Local), ())
}

onsale_contract::cache_contract!(fresh);
