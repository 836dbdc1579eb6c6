//! The port under the sale pipeline: load, write, commit.

use std::sync::Arc;

use async_trait::async_trait;
use hashbrown::HashMap;
use onsale_domain::{
    decide::{Changes, FactKeys, Facts, ItemFacts, KeyRecord, PerformanceFacts},
    ids::{ItemId, OrderId, PerformanceId, SeatId, UserId},
    item::{ItemTerms, Stock},
    offer::{Offer, OfferKind},
    order::{Claim, Order, Payment, SeatStatus},
    sale::SaleTerms,
    time::Timestamp,
    wallet::Wallet,
};

use super::{
    error::{CommitError, StoreError, TransactionError},
    health::ReplicaHealth,
};

/// How a transaction of the pipeline defends itself against other writers between its load and
/// its commit. A database with a single writer needs no defence, and treats all alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// The rows that everything else hangs on (performances, stocks, wallets) are locked before the facts
    /// are loaded, in the order of their keys. Others wait.
    #[default]
    Pessimistic,
    /// Nothing is locked; the versions of what was loaded are checked as the changes are written.
    /// Whoever comes second decides again.
    Optimistic,
    /// As optimistic; before that the performances are locked in what nodes share, so that hardly
    /// anybody comes second. Without it, or while it is away, the versions alone decide.
    Distributed,
    /// No defence: what others wrote in between is overwritten. For negative controls only.
    None,
}

/// Keeps orders, claims, wallets, keys and the outbox.
#[async_trait]
pub trait SaleStore: Send + Sync + 'static {
    /// How many batches can usefully be in flight at once.
    fn lanes(&self) -> usize;

    /// Whether other processes may be writing to the same database.
    fn is_shared(&self) -> bool;

    /// What one lane writes through.
    fn sale_writer(&self) -> Box<dyn SaleWriter>;

    /// Begins a transaction that may write. Dropping it undoes everything.
    async fn begin(&self, guard: Guard) -> Result<Box<dyn SaleTransaction>, StoreError>;

    /// The terms of a performance, with its hall's seats. `None` if there is no such performance.
    async fn sale_terms(&self, performance: PerformanceId) -> Result<Option<SaleTerms>, StoreError>;

    /// (terms revision, seat version) of each of these performances that exists.
    async fn versions(
        &self,
        performances: &[PerformanceId],
    ) -> Result<HashMap<PerformanceId, (i64, i64)>, StoreError>;

    /// Who has which seats of a performance, at one moment.
    async fn claims(&self, performance: PerformanceId) -> Result<ClaimsSnapshot, StoreError>;

    /// Orders written as held whose deadline is before `until`, the earliest first, starting
    /// after `after` in the order of (deadline, id).
    async fn due_holds(
        &self,
        until: Timestamp,
        after: Option<DueHold>,
        limit: usize,
    ) -> Result<Vec<DueHold>, StoreError>;

    /// An order, whoever's it is.
    async fn order(&self, order: OrderId) -> Result<Option<Order>, StoreError>;

    /// A buyer's orders of one kind of offer, newest first, those before `before` if given.
    async fn orders_of(
        &self,
        user: UserId,
        kind: OfferKind,
        before: Option<OrderId>,
        limit: usize,
    ) -> Result<OrderPage, StoreError>;

    /// A buyer's points.
    async fn wallet(&self, user: UserId) -> Result<Wallet, StoreError>;

    /// Forgets idempotency keys used before `before`, at most `limit` of them. Returns how many.
    async fn prune_keys(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Whether the database answers, and says of itself that it takes writes.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if it takes none, with the reason: "is read-only".
    async fn ping(&self) -> Result<(), StoreError>;

    /// Writes something without meaning, to learn whether the database takes writes.
    async fn try_write(&self) -> Result<(), StoreError>;

    /// How the replicas are doing that take reads off the database, if there are any.
    fn replicas(&self) -> Vec<ReplicaHealth>;
}

/// What one lane writes its batches through, one after the other. It may keep a connection from one
/// batch to the next, for a while that does not keep others from writing.
#[async_trait]
pub trait SaleWriter: Send {
    /// As [`SaleStore::begin`].
    async fn begin(&mut self, guard: Guard) -> Result<Box<dyn SaleTransaction>, StoreError>;

    /// A transaction that loads nothing: writes changes that were decided on what memory knows, and is
    /// only to be committed. How much of it is sent by then is the database's choice, so that it is few
    /// trips. The changes are refused with [`TransactionError::Conflict`], now or at the commit, unless
    /// every offer in them is of the version and the terms that they rest on; with [`Guard::None`]
    /// nothing proves them. Beside changing offers they may only add rows, and remove locks of seats.
    async fn write(
        &mut self,
        guard: Guard,
        changes: &Changes,
    ) -> Result<Box<dyn SaleTransaction>, TransactionError>;

    /// Lets go of what it has kept: there is no batch for now.
    fn rest(&mut self);
}

/// One transaction of the pipeline. Used as: load, write, commit.
#[async_trait]
pub trait SaleTransaction: Send {
    /// Loads the facts behind these keys, as safe from other writers as the guard makes them.
    async fn load(&mut self, keys: &FactKeys) -> Result<LoadedFacts, TransactionError>;

    /// Writes the changes. [`TransactionError::Conflict`] if a row is there already, or not as it
    /// was loaded.
    async fn write(&mut self, changes: &Changes) -> Result<(), TransactionError>;

    /// Commits. After `Ok` the changes survive a crash and a power cut.
    async fn commit(self: Box<Self>) -> Result<(), CommitError>;
}

/// The facts as the database has them. The terms of the offers are the engine's.
#[derive(Clone, Debug, Default)]
pub struct LoadedFacts {
    /// (terms revision, seat version) of each performance that exists.
    pub performances: HashMap<PerformanceId, (i64, i64)>,
    /// Each item that exists.
    pub items: HashMap<ItemId, LoadedItem>,
    /// Claims on the seats asked for.
    pub claims: HashMap<(PerformanceId, SeatId), Claim>,
    /// Orders asked for, those behind claims, buyers and keys, and those that have lapsed.
    pub orders: HashMap<OrderId, Order>,
    /// Orders that buyers have of an offer, written as held or paid.
    pub buyers: HashMap<(UserId, Offer), Vec<OrderId>>,
    /// Payments of the orders asked for and of those behind keys.
    pub payments: HashMap<OrderId, Payment>,
    /// Wallets that have been used.
    pub wallets: HashMap<UserId, Wallet>,
    /// Keys that have been used.
    pub keys: HashMap<(UserId, u128), KeyRecord>,
}

impl LoadedFacts {
    /// None yet, with room for what so many commands add to them.
    #[must_use]
    pub fn with_room_for(commands: usize) -> Self {
        Self {
            claims: HashMap::with_capacity(commands),
            orders: HashMap::with_capacity(commands),
            buyers: HashMap::with_capacity(commands),
            keys: HashMap::with_capacity(commands),
            ..Self::default()
        }
    }

    /// The facts for a decision, with the terms of the offers. An offer without terms is left out.
    pub fn with_terms(
        self,
        sale_terms: impl Fn(PerformanceId) -> Option<Arc<SaleTerms>>,
        item_terms: impl Fn(ItemId) -> Option<Arc<ItemTerms>>,
    ) -> Facts {
        let performances = self.performances.into_iter().filter_map(|(id, (revision, version))| {
            Some((id, PerformanceFacts { terms: sale_terms(id)?, revision, version }))
        });
        let items = self.items.into_iter().filter_map(|(id, item)| {
            let LoadedItem { revision, version, stock, lapsed } = item;
            Some((id, ItemFacts { terms: item_terms(id)?, revision, version, stock, lapsed }))
        });
        Facts {
            performances: performances.collect(),
            items: items.collect(),
            claims: self.claims,
            orders: self.orders,
            buyers: self.buyers,
            payments: self.payments,
            wallets: self.wallets,
            keys: self.keys,
        }
    }

    /// Adds what was loaded afterwards in the same transaction.
    pub fn add(&mut self, later: Self) {
        self.performances.extend(later.performances);
        self.items.extend(later.items);
        self.claims.extend(later.claims);
        self.orders.extend(later.orders);
        self.buyers.extend(later.buyers);
        self.payments.extend(later.payments);
        self.wallets.extend(later.wallets);
        self.keys.extend(later.keys);
    }
}

/// An item as the database has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedItem {
    /// The revision of its terms.
    pub revision: i64,
    /// Counts the batches that changed the stock.
    pub version: i64,
    /// The stock.
    pub stock: Stock,
    /// If asked for: orders written as held whose hold had ended, at least those among the 1,000
    /// that ended first of all offers.
    pub lapsed: Vec<OrderId>,
}

/// Who has which seats of a performance.
#[derive(Clone, Debug, Default)]
pub struct ClaimsSnapshot {
    /// The performance's seat version at that moment.
    pub version: i64,
    /// Every seat with a claim.
    pub taken: Vec<TakenSeat>,
    /// Everybody who has ever had an order at this performance.
    pub buyers: Vec<UserId>,
}

/// A seat that is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenSeat {
    /// The seat.
    pub seat: SeatId,
    /// Held, sold or locked, as written.
    pub status: SeatStatus,
}

/// A hold and its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueHold {
    /// The deadline.
    pub expires_at: Timestamp,
    /// The order.
    pub order: OrderId,
    /// What it is for.
    pub offer: Offer,
    /// When it was made, by the clock of the node that made it.
    pub made_at: Timestamp,
}

/// Some of a buyer's orders.
#[derive(Clone, Debug, Default)]
pub struct OrderPage {
    /// The orders, newest first.
    pub orders: Vec<Order>,
    /// Whether there are older ones.
    pub more: bool,
}
