//! The engine: all use cases over one store.

use std::sync::Arc;

use onsale_domain::{decide::ClaimCheck, money::Currency};

use crate::{
    accounts::{AccountSettings, Accounts},
    catalogue::Catalogue,
    clock::Clock,
    ids::Ids,
    ports::{ReplicaHealth, Store, StoreError},
    sales::{SaleSettings, Sales},
};

/// The settings of the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The currency of all prices and wallets.
    pub currency: Currency,
    /// The sale pipeline.
    pub sales: SaleSettings,
    /// Accounts and tokens.
    pub accounts: AccountSettings,
    /// Off for negative controls only.
    pub claim_check: ClaimCheck,
}

/// All use cases. Share it in an `Arc`; [`Engine::stop`] ends its background tasks.
pub struct Engine {
    /// Holding, paying and giving back.
    pub sales: Sales,
    /// People, log-ins and tokens.
    pub accounts: Accounts,
    /// What is on.
    pub catalogue: Catalogue,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Engine {
    /// Starts the engine on a store: begins to accept commands, finds the holds that a crash
    /// left, and releases those that are due. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: Settings,
    ) -> Result<Self, StoreError> {
        let sales = Sales::start(store.clone(), clock.clone(), ids.clone(), &settings).await?;
        let accounts = Accounts::start(store.clone(), clock.clone(), ids, settings.accounts).await?;
        let catalogue = Catalogue::new(store.clone(), clock.clone(), sales.clone());
        Ok(Self { sales, accounts, catalogue, store, clock })
    }

    /// The time as the engine sees it.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Whether the database answers, for readiness probes.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// How the database's replicas are doing. The engine works without them.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaHealth> {
        self.store.replicas()
    }

    /// Stops accepting commands and waits until those accepted are answered.
    pub async fn stop(&self) {
        self.sales.stop().await;
    }
}
