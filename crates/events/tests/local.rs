//! The contract of the way that events go, on the log in the database.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use onsale_contract::events::Way;
use onsale_domain::money::Currency;
use onsale_engine::{clock::SystemClock, ports::NodeId};
use onsale_events::{LocalTransport, Transport};
use onsale_store::{SqlStore, StoreOptions};

struct Log {
    store: Arc<SqlStore>,
    nodes: AtomicI64,
}

impl Way for Log {
    fn node(&self) -> Arc<dyn Transport> {
        let node = NodeId(self.nodes.fetch_add(1, Ordering::Relaxed) + 1);
        Arc::new(LocalTransport::new(self.store.clone(), Arc::new(SystemClock), node))
    }
}

async fn open(url: &str) -> Arc<dyn Way> {
    let store = SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
    Arc::new(Log { store: Arc::new(store), nodes: AtomicI64::new(0) })
}

mod embedded {
    async fn fresh() -> (std::sync::Arc<dyn onsale_contract::events::Way>, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
        (crate::open(&url).await, folder)
    }

    onsale_contract::transport_contract!(fresh);
}

mod postgres {
    async fn fresh() -> (std::sync::Arc<dyn onsale_contract::events::Way>, ()) {
        (crate::open(&onsale_testbed::postgres().fresh_database().await).await, ())
    }

    onsale_contract::transport_contract!(fresh);
}

mod mariadb {
    async fn fresh() -> (std::sync::Arc<dyn onsale_contract::events::Way>, ()) {
        (crate::open(&onsale_testbed::mariadb().fresh_database().await).await, ())
    }

    onsale_contract::transport_contract!(fresh);
}
