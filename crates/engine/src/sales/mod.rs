//! Selling: the use cases around the pipeline.

use std::sync::Arc;

use onsale_domain::{
    decide::{IdempotencyKey, Refusal},
    ids::{OrderId, PerformanceId, SeatId, UserId},
    order::{Order, Payment},
    wallet::Wallet,
};

use crate::{
    clock::Clock,
    engine::Settings,
    ids::Ids,
    ports::{OrderPage, Store, StoreError},
};

mod view;

pub use view::{PerformanceView, SeatChanges, SeatCounts, SeatSnapshot};

/// The settings of the sale pipeline.
#[derive(Clone, Copy, Debug)]
pub struct SaleSettings {
    /// The most commands in one transaction. 1 is the classic design.
    pub batch_max: usize,
    /// The most commands that wait in one lane; more are refused with [`SaleError::Overloaded`].
    pub queue_max: usize,
    /// Whether the gate refuses what is certainly gone before it reaches the pipeline.
    pub gate: bool,
}

impl Default for SaleSettings {
    fn default() -> Self {
        Self { batch_max: 1_024, queue_max: 8_192, gate: true }
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SaleError {
    /// The rules forbid it. Nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many wait already. Nothing has changed.
    #[error("too many requests are waiting; try again in a moment")]
    Overloaded,
    /// The database failed before the commit. Nothing has changed.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
    /// It may or may not have happened. The same idempotency key tells.
    #[error("whether it was done is unknown; ask again with the same idempotency key")]
    OutcomeUnknown,
}

/// Seats held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The order.
    pub order: Order,
    /// Whether an earlier request with the same key had done it.
    pub replayed: bool,
}

/// An order paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The payment.
    pub payment: Payment,
    /// Whether an earlier request with the same key had done it.
    pub replayed: bool,
}

/// Points charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    /// The balance after it.
    pub balance: i64,
    /// Whether an earlier request with the same key had done it.
    pub replayed: bool,
}

/// Seats locked or unlocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatsLocked {
    /// How many changed.
    pub changed: u32,
    /// How many already were as asked.
    pub unchanged: u32,
    /// Those that buyers have, left as they are.
    pub taken: Vec<SeatId>,
}

/// Selling. Cheap to clone.
#[derive(Clone)]
pub struct Sales {}

impl Sales {
    pub(crate) async fn start(
        _store: Arc<dyn Store>,
        _clock: Arc<dyn Clock>,
        _ids: Arc<dyn Ids>,
        _settings: &Settings,
    ) -> Result<Self, StoreError> {
        Ok(Self {})
    }

    /// Holds seats for a buyer. When this returns `Ok`, the hold is on disk.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn hold(
        &self,
        _caller: UserId,
        _key: Option<IdempotencyKey>,
        _performance: PerformanceId,
        _seats: Vec<SeatId>,
    ) -> Result<Held, SaleError> {
        unimplemented!()
    }

    /// Pays a held order from the buyer's wallet.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn pay(
        &self,
        _caller: UserId,
        _key: Option<IdempotencyKey>,
        _order: OrderId,
    ) -> Result<Paid, SaleError> {
        unimplemented!()
    }

    /// Gives an order back; refunds it if it was paid. Cancelling twice is the same as once.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn cancel(&self, _caller: UserId, _order: OrderId) -> Result<Order, SaleError> {
        unimplemented!()
    }

    /// Adds points to a buyer's wallet. `amount` is in minor units.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn charge(
        &self,
        _caller: UserId,
        _key: Option<IdempotencyKey>,
        _amount: i64,
    ) -> Result<Charged, SaleError> {
        unimplemented!()
    }

    /// A buyer's points.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn wallet(&self, _caller: UserId) -> Result<Wallet, SaleError> {
        unimplemented!()
    }

    /// A buyer's order, its status as of now. Somebody else's is [`Refusal::NoSuchOrder`].
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn order(&self, _caller: UserId, _order: OrderId) -> Result<Order, SaleError> {
        unimplemented!()
    }

    /// A buyer's orders, newest first, statuses as of now; those before `before`, at most `limit`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn orders(
        &self,
        _caller: UserId,
        _before: Option<OrderId>,
        _limit: usize,
    ) -> Result<OrderPage, SaleError> {
        unimplemented!()
    }

    /// Takes seats off sale (`lock`) or puts them back. Seats that buyers have stay as they are.
    /// `caller` is the organiser.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn lock_seats(
        &self,
        _caller: UserId,
        _performance: PerformanceId,
        _seats: Vec<SeatId>,
        _lock: bool,
    ) -> Result<SeatsLocked, SaleError> {
        unimplemented!()
    }

    /// What everybody may see of a performance's seats, kept up to date in memory.
    ///
    /// # Errors
    /// [`Refusal::NoSuchPerformance`], or if the database cannot be read.
    pub async fn view(&self, _performance: PerformanceId) -> Result<Arc<PerformanceView>, SaleError> {
        unimplemented!()
    }

    /// Reads a performance's terms again after an organiser has changed them.
    pub(crate) async fn terms_changed(&self, _performance: PerformanceId) {}

    pub(crate) async fn stop(&self) {}
}
