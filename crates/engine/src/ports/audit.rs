//! The port under the audit: everything there is, in pages, at one moment.

use async_trait::async_trait;
use onsale_domain::{
    decide::KeyRecord,
    ids::{ItemId, OrderId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    money::Currency,
    offer::Offer,
    order::{Claim, Order, Payment},
    popularity::Subject,
    time::Timestamp,
    wallet::TransferKind,
};

use super::error::StoreError;

/// Opens a view of one unchanging moment.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Begins reading. All calls on the answer see the same state, whatever is written meanwhile, unless
    /// [`FrozenStore::is_one_moment`] says otherwise.
    async fn freeze(&self) -> Result<Box<dyn FrozenStore>, StoreError>;
}

/// Rows of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, K> {
    /// Those that can be read.
    pub rows: Vec<T>,
    /// Those that cannot: which, and why.
    pub unreadable: Vec<String>,
    /// The key of the last row, readable or not; none after the last page.
    pub last: Option<K>,
}

/// The database at one moment. Pages are in ascending order of their key, of rows after `after`, and of about
/// `limit` rows. Rows come as they are written, duplicates included, so that the audit sees what constraints
/// should have prevented.
#[async_trait]
pub trait FrozenStore: Send {
    /// Whether the database confirms that all calls see one moment. Something between us and it may have lost
    /// what was asked for.
    fn is_one_moment(&self) -> bool;

    /// The faults that the database itself finds in its file, at most `limit`; none where it cannot be asked.
    async fn damage(&mut self, limit: usize) -> Result<Vec<String>, StoreError>;

    /// How many rows the pages have in all, about, for a progress bar.
    async fn rows(&mut self) -> Result<u64, StoreError>;

    /// The currency that the database was begun in.
    async fn currency(&mut self) -> Result<Option<Currency>, StoreError>;

    /// Orders.
    async fn orders(
        &mut self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Page<Order, OrderId>, StoreError>;

    /// Claims. The last seat of a page is never split over two pages, so a page may be longer than `limit`
    /// when seats are claimed twice.
    async fn claims(
        &mut self,
        after: Option<(PerformanceId, SeatId)>,
        limit: usize,
    ) -> Result<Page<ClaimRow, (PerformanceId, SeatId)>, StoreError>;

    /// Payments, by order.
    async fn payments(
        &mut self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Page<Payment, OrderId>, StoreError>;

    /// Ledger entries. A transfer is never split over two pages.
    async fn ledger(
        &mut self,
        after: Option<TransferId>,
        limit: usize,
    ) -> Result<Page<LedgerRow, TransferId>, StoreError>;

    /// Wallets.
    async fn wallets(
        &mut self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Page<WalletRow, UserId>, StoreError>;

    /// Stocks.
    async fn stocks(
        &mut self,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Page<StockRow, ItemId>, StoreError>;

    /// Idempotency keys, in the order of their use.
    async fn keys(&mut self, after: Option<i64>, limit: usize) -> Result<Page<KeyRow, i64>, StoreError>;

    /// Events of orders that the outbox still has.
    async fn outbox(&mut self, after: Option<i64>, limit: usize) -> Result<Page<OutboxRow, i64>, StoreError>;

    /// Those of these offers that exist.
    async fn offers(&mut self, offers: &[Offer]) -> Result<Vec<OfferFacts>, StoreError>;

    /// The terms of all offers, by [`Offer::code`].
    async fn terms(&mut self, after: Option<i64>, limit: usize) -> Result<Page<TermsRow, i64>, StoreError>;

    /// The titles of shows.
    async fn titles(&mut self, after: Option<i64>, limit: usize) -> Result<Page<TitleRow, i64>, StoreError>;

    /// The counts and published charts of rankings. Their key is the store's own.
    async fn counts(
        &mut self,
        after: Option<[i64; 4]>,
        limit: usize,
    ) -> Result<Page<CountRow, [i64; 4]>, StoreError>;

    /// Whether all sales that were told are counted; `false` if it cannot be known.
    async fn is_all_counted(&mut self) -> Result<bool, StoreError>;

    /// How many promises there are that the database can check by itself: references, and what a row says of
    /// itself.
    fn promises(&self) -> usize;

    /// Checks one of them.
    async fn promise(&mut self, number: usize, limit: usize) -> Result<BrokenPromise, StoreError>;
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

/// A wallet as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletRow {
    /// Whose.
    pub user: UserId,
    /// In minor units.
    pub balance: i64,
    /// How often it has changed.
    pub version: i64,
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
    /// Its number among those of its wallet; none for accounts of the house, and if it was written by a version
    /// that did not count.
    pub position: Option<i64>,
    /// When.
    pub created_at: Timestamp,
}

/// An idempotency key as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its number.
    pub seq: i64,
    /// Whose.
    pub user: UserId,
    /// Its digest.
    pub key: u128,
    /// What it stands for.
    pub record: KeyRecord,
    /// When it was used.
    pub created_at: Timestamp,
}

/// The outbox's story of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The number of the outbox's row, which may tell of several.
    pub seq: i64,
    /// The event's type.
    pub kind: String,
    /// The order.
    pub order: OrderId,
    /// The order's version then.
    pub version: i64,
}

/// An offer as orders are compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferFacts {
    /// Which one.
    pub offer: Offer,
    /// The first seat of its hall, and how many there are; none for items.
    pub seats: Option<(SeatId, i64)>,
    /// The subject that all its sales count for, if that has always been the same.
    pub subject: Option<Subject>,
    /// How often its terms have changed.
    pub revision: i64,
    /// The terms it has had as far as they are kept, the oldest first.
    pub revisions: Vec<OfferRevision>,
}

/// A revision of an offer's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRevision {
    /// Its number.
    pub revision: i64,
    /// When it was written.
    pub since: Timestamp,
    /// How long a hold lasts.
    pub hold_ms: i64,
    /// The most seats or units for one buyer.
    pub per_buyer_max: i64,
    /// The prices; none if there are too many to keep.
    pub prices: Option<Vec<i64>>,
    /// Of all terms.
    pub digest: i64,
}

/// An offer's terms as they are, and as they were kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermsRow {
    /// Which one.
    pub offer: Offer,
    /// How often they have changed.
    pub revision: i64,
    /// Of the terms as they are.
    pub digest: i64,
    /// The latest revision that was kept, and its digest.
    pub kept: Option<(i64, i64)>,
}

/// A show's title and what finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TitleRow {
    /// The show.
    pub show: i64,
    /// Its title.
    pub title: String,
    /// By which it is sorted.
    pub title_folded: String,
    /// Its genre.
    pub genre: Option<String>,
    /// By which it is chosen.
    pub genre_folded: Option<String>,
    /// By which parts of the title are found, in order.
    pub grams: Vec<String>,
}

/// A count of what was sold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountRow {
    /// Of what.
    pub subject: Subject,
    /// The count.
    pub count: Count,
}

/// See [`CountRow`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    /// Sold on a day and not given back; days since 1970-01-01.
    Day {
        /// The day.
        day: i64,
        /// How many.
        units: i64,
    },
    /// Published in a chart.
    Chart {
        /// The first of its days.
        first: i64,
        /// The last one.
        last: i64,
        /// How many.
        units: f64,
    },
    /// A decaying count, by which rankings show what sells now.
    Now {
        /// As it was at its time.
        count: f64,
        /// Its time.
        as_of: Timestamp,
        /// The value by which it is sorted.
        heat: f64,
    },
}

/// Rows that break a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPromise {
    /// The fault of these rows, in words.
    pub what: &'static str,
    /// Whether they refer to an account that does not exist.
    pub of_nobody: bool,
    /// Their keys; of more than the limit, one more than that.
    pub rows: Vec<String>,
}
