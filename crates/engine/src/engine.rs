//! The engine: all use cases over one store.

use std::sync::Arc;

use onsale_domain::{decide::ClaimCheck, money::Currency};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::{
    accounts::{AccountSettings, Accounts},
    catalogue::Catalogue,
    clock::Clock,
    ids::Ids,
    line::{LineError, WaitingRooms},
    ports::{Coordination, ReplicaHealth, RoomJournal, Store, StoreError},
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
    /// Waiting rooms in front of sales.
    pub rooms: WaitingRooms,
    keeper: Mutex<Option<JoinHandle<()>>>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Engine {
    /// Starts the engine on a store: begins to accept commands, finds the holds that a crash
    /// left, and releases those that are due. Must be called inside a Tokio runtime. Waiting rooms
    /// are respected but not run.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: Settings,
    ) -> Result<Self, StoreError> {
        type NoCoordination = fn(Arc<dyn RoomJournal>) -> Arc<dyn Coordination>;
        Self::build(store, clock, ids, settings, None::<NoCoordination>).await
    }

    /// As [`Engine::start`]; takes over all waiting rooms, as they were recorded, and runs them.
    /// `coordination` makes what keeps them, given where it writes its records.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn start_with_rooms(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: Settings,
        coordination: impl FnOnce(Arc<dyn RoomJournal>) -> Arc<dyn Coordination>,
    ) -> Result<Self, StoreError> {
        Self::build(store, clock, ids, settings, Some(coordination)).await
    }

    async fn build(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: Settings,
        coordination: Option<impl FnOnce(Arc<dyn RoomJournal>) -> Arc<dyn Coordination>>,
    ) -> Result<Self, StoreError> {
        let secret = &settings.accounts.signing_key;
        let rooms = WaitingRooms::start(store.clone(), clock.clone(), secret, coordination);
        let rooms = rooms.await.map_err(|error| match error {
            LineError::Store(error) => error,
            other => StoreError::Broken(other.to_string()),
        })?;
        let sales = Sales::start(store.clone(), clock.clone(), ids.clone(), rooms.clone(), &settings).await?;
        let accounts = Accounts::start(store.clone(), clock.clone(), ids, settings.accounts).await?;
        let catalogue = Catalogue::new(store.clone(), clock.clone(), sales.clone());
        let keeper = {
            let sales = sales.clone();
            tokio::spawn(rooms.clone().keep(move || sales.health()))
        };
        Ok(Self { sales, accounts, catalogue, rooms, keeper: Mutex::new(Some(keeper)), store, clock })
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
        let keeper = self.keeper.lock().take();
        if let Some(keeper) = keeper {
            keeper.abort();
            // It lets go of the store.
            let _ = keeper.await;
        }
        self.sales.stop().await;
    }
}
