//! The engine: all use cases over one store.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use onsale_domain::{
    decide::ClaimCheck, ids::UserId, limits::AllowanceRule, money::Currency, wallet::PointsFrom,
};

use crate::{
    FormerKey,
    accounts::{AccountSettings, Accounts, IdentitySettings, LogInRules},
    background::Background,
    catalogue::{Catalogue, tidy_halls},
    clock::Clock,
    ids::Ids,
    line::{LineError, LineTokens, WaitingRooms},
    media::{Media, MediaError, MediaQuota},
    owners::{OwnerCheck, Owners},
    ports::{
        Broadcast, Coordination, IdentityKeys, Limiter, Locks, MediaFiles, Pictured, ReplicaHealth,
        RoomJournal, SharedCache, Store, StoreError,
    },
    rankings::{LocalRankings, RankingSettings, Rankings},
    sales::{SaleSettings, Sales, UnpaidSettings},
    vitals::Vitals,
    webhooks::{WebhookSettings, Webhooks},
};

/// The settings of the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The currency of all prices and wallets.
    pub currency: Currency,
    /// The sale pipeline.
    pub sales: SaleSettings,
    /// How much may be held unpaid.
    pub unpaid: UnpaidSettings,
    /// The setting of who may put points into wallets.
    pub points_from: PointsFrom,
    /// As many pictures as one account may have.
    pub media: MediaQuota,
    /// Accounts and tokens.
    pub accounts: AccountSettings,
    /// Keys from before the one that signs tokens now.
    pub former_keys: Vec<FormerKey>,
    /// What is popular.
    pub rankings: RankingSettings,
    /// Webhooks.
    pub webhooks: WebhookSettings,
    /// Where the engine's parts are enrolled, beside others of the node.
    pub vitals: Vitals,
    /// Off for negative controls only.
    pub claim_check: ClaimCheck,
    /// Off for negative controls only.
    pub owner_check: OwnerCheck,
}

impl Settings {
    /// Defaults for everything but the accounts, whose key there is no default for. Prices are in won, any
    /// number of seats may be held unpaid, and only administrators put points into wallets.
    #[must_use]
    pub fn new(accounts: AccountSettings) -> Self {
        Self {
            currency: Currency::KRW,
            sales: SaleSettings::default(),
            unpaid: UnpaidSettings::default(),
            points_from: PointsFrom::default(),
            media: MediaQuota::default(),
            accounts,
            former_keys: Vec::new(),
            rankings: RankingSettings::default(),
            webhooks: WebhookSettings::default(),
            vitals: Vitals::default(),
            claim_check: ClaimCheck::On,
            owner_check: OwnerCheck::On,
        }
    }
}

/// Why a node cannot sell.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Its parts and conditions that have failed, for people.
    #[error("{}", .0.join("; "))]
    Troubles(Vec<String>),
    /// The database cannot be asked.
    #[error(transparent)]
    Database(StoreError),
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
    /// Who may change what.
    pub owners: Owners,
    /// What is popular.
    pub rankings: Rankings,
    /// Who subscribes to events over HTTP.
    pub webhooks: Webhooks,
    /// Pictures, if files are kept; see [`Engine::with_media`].
    pub media: Option<Media>,
    media_quota: MediaQuota,
    tidy: Background,
    halls: Background,
    keeper: Background,
    vitals: Vitals,
    stopped: AtomicBool,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Engine {
    /// Starts the engine on a store: begins to accept commands, finds the holds that a crash
    /// left, and releases those that are due. Must be called inside a Tokio runtime. Waiting rooms
    /// are respected but not run, and no charts are made.
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

    /// As [`Engine::start`]; takes over all waiting rooms, as they were recorded, and runs them. Makes
    /// the charts at midnight.
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
        let tokens = LineTokens::of(&settings.accounts.signing_key, &settings.former_keys);
        let serves = coordination.is_some();
        let rooms = WaitingRooms::start(store.clone(), clock.clone(), ids.clone(), tokens, coordination);
        let rooms = rooms.await.map_err(|error| match error {
            LineError::Store(error) => error,
            other => StoreError::Broken(other.to_string()),
        })?;
        let owners = Owners::new(store.clone(), settings.owner_check);
        let sales = Sales::start(store.clone(), clock.clone(), ids.clone(), rooms.clone(), &settings).await?;
        let vitals = settings.vitals;
        let accounts =
            Accounts::start_among(&vitals, store.clone(), clock.clone(), ids.clone(), settings.accounts);
        let mut accounts = accounts.await?;
        accounts.read_with(&settings.former_keys);
        let webhooks =
            Webhooks::new(store.clone(), clock.clone(), ids, settings.webhooks).with_owners(owners.clone());
        let catalogue = Catalogue::new(store.clone(), clock.clone(), sales.clone());
        let rankings = Rankings::new(
            store.clone(),
            clock.clone(),
            Arc::new(LocalRankings::default()),
            settings.rankings,
        );
        if serves {
            rankings.start_among(&vitals);
        }
        let keeper = Background::default();
        keeper.start(&vitals, "the keeper of waiting rooms", {
            let (rooms, sales) = (rooms.clone(), sales.clone());
            move || {
                let sales = sales.clone();
                rooms.clone().keep(move || sales.health())
            }
        });
        let halls = Background::default();
        halls.start(&vitals, "the sweep of halls that were never completed", {
            let (store, clock) = (store.clone(), clock.clone());
            move || tidy_halls(store.clone(), clock.clone())
        });
        Ok(Self {
            sales,
            accounts,
            catalogue,
            rooms,
            owners,
            rankings,
            webhooks,
            media: None,
            media_quota: settings.media,
            tidy: Background::default(),
            halls,
            keeper,
            vitals,
            stopped: AtomicBool::new(false),
            store,
            clock,
        })
    }

    /// What this engine has in common with those of other nodes. To be called once, before the first
    /// request.
    pub fn share(&self, cache: Arc<dyn SharedCache>, locks: Arc<dyn Locks>) {
        self.catalogue.share(cache);
        self.sales.share(locks);
    }

    /// Has this engine tell those of other nodes what it changes, and hear them. To be called once,
    /// before the first request, inside a Tokio runtime.
    pub fn tell_changes(&self, broadcast: Arc<dyn Broadcast>) {
        self.accounts.tell_changes(broadcast.clone());
        self.sales.tell_changes(broadcast);
    }

    /// Lets an account make so many bookings at a performance. To be called once, before the first
    /// request, inside a Tokio runtime.
    pub fn limit_bookings(&self, limiter: Arc<dyn Limiter>, rule: AllowanceRule) {
        self.sales.limit_bookings(limiter, rule);
    }

    /// Limits how often somebody may try a password, or sign up. To be called once, before the first
    /// request.
    pub fn limit_log_ins(&self, limiter: Arc<dyn Limiter>, rules: LogInRules) {
        self.accounts.limit_log_ins(limiter, rules);
    }

    /// Takes the tokens of an OpenID provider beside our own. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn with_identity_provider(mut self, keys: Arc<dyn IdentityKeys>, settings: IdentitySettings) -> Self {
        self.accounts.trust(keys, settings);
        self
    }

    /// Keeps pictures in these files, and removes those that nobody refers to any more.
    #[must_use]
    pub fn with_media(mut self, files: Arc<dyn MediaFiles>) -> Self {
        let media = Media::new(self.store.clone(), files, self.clock.clone(), self.media_quota);
        self.media = Some(media.clone());
        self.tidy.start(&self.vitals, "the sweep of unused pictures", move || media.clone().keep_tidy());
        self
    }

    /// Takes a picture of an account's that is said to be of a media type, and makes it a show's or an item's; see
    /// [`Media::set_image`].
    ///
    /// # Errors
    /// [`MediaError::None`] if no files are kept, else as there.
    pub async fn set_image(
        &self,
        by: UserId,
        of: impl Into<Pictured>,
        said: &str,
        bytes: Bytes,
    ) -> Result<(), MediaError> {
        self.media.as_ref().ok_or(MediaError::None)?.set_image(by, of.into(), said, bytes).await?;
        self.catalogue.changed();
        Ok(())
    }

    /// Takes a show's or an item's picture away.
    ///
    /// # Errors
    /// [`MediaError::None`] if no files are kept, else as [`Media::remove_image`].
    pub async fn remove_image(&self, of: impl Into<Pictured>) -> Result<(), MediaError> {
        self.media.as_ref().ok_or(MediaError::None)?.remove_image(of.into()).await?;
        self.catalogue.changed();
        Ok(())
    }

    /// The time as the engine sees it.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Whether this node can sell, for readiness probes: its parts go on, no lane of the sale is stuck,
    /// and the database answers and takes writes.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(NotReady::Troubles(vec!["it has been stopped".to_owned()]));
        }
        let mut troubles = self.vitals.troubles();
        troubles.extend(self.sales.stuck());
        if !troubles.is_empty() {
            return Err(NotReady::Troubles(troubles));
        }
        match self.store.ping().await {
            Ok(()) => Ok(()),
            Err(StoreError::Rejected(why)) => Err(NotReady::Troubles(vec![format!("the database {why}")])),
            Err(error) => Err(NotReady::Database(error)),
        }
    }

    /// The parts of this node, and how they fare.
    #[must_use]
    pub const fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// How the database's replicas are doing. The engine works without them.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaHealth> {
        self.store.replicas()
    }

    /// Stops accepting commands and waits until those accepted are answered.
    pub async fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.keeper.end().await;
        self.rankings.stop().await;
        self.tidy.end().await;
        self.halls.end().await;
        self.sales.stop().await;
        self.rooms.retire().await;
    }
}
