//! The port under the audit: everything there is, in chunks, at one moment.

use async_trait::async_trait;
use onsale_domain::{
    decide::KeyRecord,
    ids::{ItemId, OrderId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    order::{Claim, Order, Payment},
    wallet::TransferKind,
};

use super::error::StoreError;

/// Opens a view of one unchanging moment.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Begins reading. All calls on the answer see the same state, whatever is written meanwhile.
    async fn freeze(&self) -> Result<Box<dyn FrozenStore>, StoreError>;
}

/// The database at one moment. Every call gives rows in ascending order of their key, those after
/// `after`, at most `limit`. Rows come as they are written, duplicates included, so that the audit
/// sees what constraints should have prevented.
#[async_trait]
pub trait FrozenStore: Send {
    /// How many rows there are in all, for a progress bar.
    async fn rows(&mut self) -> Result<u64, StoreError>;

    /// Orders.
    async fn orders(&mut self, after: Option<OrderId>, limit: usize) -> Result<Vec<Order>, StoreError>;

    /// Claims. The last seat of a chunk is never split over two chunks, so a chunk may be longer
    /// than `limit` when seats are claimed twice.
    async fn claims(
        &mut self,
        after: Option<(PerformanceId, SeatId)>,
        limit: usize,
    ) -> Result<Vec<ClaimRow>, StoreError>;

    /// Payments, by order.
    async fn payments(&mut self, after: Option<OrderId>, limit: usize) -> Result<Vec<Payment>, StoreError>;

    /// Ledger entries. A transfer is never split over two chunks.
    async fn ledger(&mut self, after: Option<TransferId>, limit: usize)
    -> Result<Vec<LedgerRow>, StoreError>;

    /// Wallets: (whose, balance).
    async fn wallets(
        &mut self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, i64)>, StoreError>;

    /// Stocks.
    async fn stocks(&mut self, after: Option<ItemId>, limit: usize) -> Result<Vec<StockRow>, StoreError>;

    /// Idempotency keys.
    async fn keys(&mut self, after: Option<(UserId, u128)>, limit: usize) -> Result<Vec<KeyRow>, StoreError>;
}

/// A claim as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// The performance.
    pub performance: PerformanceId,
    /// The seat.
    pub seat: SeatId,
    /// The claim.
    pub claim: Claim,
}

/// An item's stock as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockRow {
    /// The item.
    pub item: ItemId,
    /// Its stock.
    pub stock: Stock,
}

/// One entry of the ledger as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The transfer it belongs to.
    pub transfer: TransferId,
    /// [`onsale_domain::wallet::Account::code`].
    pub account: i64,
    /// What the account has more (or less), in minor units.
    pub amount: i64,
    /// Why.
    pub kind: TransferKind,
    /// The order it belongs to, if any.
    pub order: Option<OrderId>,
}

/// An idempotency key as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose.
    pub user: UserId,
    /// Its digest.
    pub key: u128,
    /// What it stands for.
    pub record: KeyRecord,
}
