//! What a batch changes, as rows to write.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, ItemFacts, KeyRecord};
use crate::{
    ids::{ItemId, OrderId, PerformanceId, SeatId, ShowId, TransferId, UserId},
    item::Stock,
    order::{Claim, Order, OrderStatus, Payment, SeatStatus},
    time::Timestamp,
    wallet::{Transfer, Wallet},
};

/// The difference a batch makes. Rows are sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Orders to insert.
    pub orders_new: Vec<Order>,
    /// Orders to update.
    pub orders_changed: Vec<OrderChange>,
    /// Claims to insert, after those in `claims_gone` are deleted.
    pub claims_new: Vec<ClaimChange>,
    /// Claims to delete.
    pub claims_gone: Vec<ClaimChange>,
    /// Payments to insert.
    pub payments_new: Vec<Payment>,
    /// Orders whose payment is to be marked as refunded.
    pub payments_refunded: Vec<OrderId>,
    /// Transfers to insert, two ledger entries each.
    pub transfers: Vec<Transfer>,
    /// Wallets to insert (version 0 before) or update.
    pub wallets: Vec<WalletChange>,
    /// Idempotency keys to insert.
    pub keys_new: Vec<NewKey>,
    /// Outbox rows to insert, in this order.
    pub events: Vec<Event>,
    /// Outbox rows about other things than orders, in this order.
    pub notes: Vec<Note>,
    /// Performances with a changed seat, to update.
    pub versions: Vec<VersionChange>,
    /// Items whose stock has changed.
    pub stocks: Vec<StockChange>,
    /// The changed seats' new status, for everyone who watches.
    pub seats: BTreeMap<PerformanceId, Vec<(SeatId, SeatStatus)>>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A claim to insert or to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimChange {
    /// The performance.
    pub performance: PerformanceId,
    /// The seat.
    pub seat: SeatId,
    /// The claim.
    pub claim: Claim,
}

/// A performance's version to update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionChange {
    /// The performance.
    pub performance: PerformanceId,
    /// The revision of the terms on which it was decided. It stays.
    pub revision: i64,
    /// Its new version, one more than it was.
    pub version: i64,
}

/// An item's stock to update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockChange {
    /// The item.
    pub item: ItemId,
    /// What it was when it was loaded. The difference is what is written.
    pub before: Stock,
    /// What it is now.
    pub stock: Stock,
    /// The revision of the terms on which it was decided. It stays.
    pub revision: i64,
    /// Its new version, one more than it was.
    pub version: i64,
}

/// An order to update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderChange {
    /// The order.
    pub id: OrderId,
    /// The version it had when it was loaded.
    pub version_before: i64,
    /// Its new version.
    pub version: i64,
    /// Its new status.
    pub status: OrderStatus,
}

/// A wallet to update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletChange {
    /// Whose.
    pub user: UserId,
    /// The version it had when it was loaded; 0 if there was none.
    pub version_before: i64,
    /// What it is now.
    pub wallet: Wallet,
}

/// An idempotency key to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Whose.
    pub user: UserId,
    /// The key's digest.
    pub key: u128,
    /// What it stands for.
    pub record: KeyRecord,
    /// When it was used.
    pub created_at: Timestamp,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Seats or units were held.
    OrderHeld,
    /// It was paid.
    OrderPaid,
    /// Its hold ended.
    OrderExpired,
    /// It was cancelled, and refunded if it had been paid.
    OrderCancelled,
}

impl EventKind {
    /// The event's type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderHeld => "order.held",
            Self::OrderPaid => "order.paid",
            Self::OrderExpired => "order.expired",
            Self::OrderCancelled => "order.cancelled",
        }
    }
}

/// A change of an order, for the outbox: the order as it was right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The order; order and version together identify the event.
    pub order: Order,
    /// When.
    pub at: Timestamp,
}

/// The most seats that one [`Note`] names, so that an event stays small. Of more seats several tell.
pub const SEATS_PER_NOTE_MAX: usize = 1_000;

/// A change of something else than an order, for the outbox: told in full, since it may have changed
/// again when it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What happened.
    pub what: Noted,
    /// When.
    pub at: Timestamp,
}

/// See [`Note`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// An organiser changed how many units an item has.
    StockChanged {
        /// The item.
        item: ItemId,
        /// All units before, those in orders included.
        total_before: i64,
        /// What it is now.
        stock: Stock,
    },
    /// An organiser took seats off sale or put them back.
    SeatsLocked {
        /// The performance.
        performance: PerformanceId,
        /// What is shown there.
        show: ShowId,
        /// The seats that changed, at most [`SEATS_PER_NOTE_MAX`].
        seats: Vec<SeatId>,
        /// `true` if they were taken off sale.
        locked: bool,
    },
    /// Somebody added points to their wallet.
    PointsCharged {
        /// Whose wallet.
        user: UserId,
        /// The ledger's transfer.
        transfer: TransferId,
        /// How much, in minor units.
        amount: i64,
        /// The balance after it.
        balance: i64,
    },
}

impl Noted {
    /// The event's type.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::StockChanged { .. } => "stock.changed",
            Self::SeatsLocked { locked: true, .. } => "seats.locked",
            Self::SeatsLocked { locked: false, .. } => "seats.unlocked",
            Self::PointsCharged { .. } => "points.charged",
        }
    }
}

/// Remembers what each touched row was before the batch.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    orders: BTreeMap<OrderId, Option<i64>>,
    claims: BTreeMap<(PerformanceId, SeatId), Option<Claim>>,
    seats: BTreeMap<(PerformanceId, SeatId), SeatStatus>,
    stocks: BTreeMap<ItemId, Stock>,
    wallets: BTreeMap<UserId, i64>,
    payments_new: BTreeSet<OrderId>,
    payments_refunded: BTreeSet<OrderId>,
    transfers: Vec<Transfer>,
    keys: Vec<NewKey>,
    events: Vec<Event>,
    notes: Vec<Note>,
}

impl Recorder {
    pub(super) fn new_order(&mut self, order: &Order, kind: EventKind, at: Timestamp) {
        self.orders.insert(order.id, None);
        self.event(kind, order, at);
    }

    /// Notes an order before it changes.
    pub(super) fn order(&mut self, order: &Order) {
        self.orders.entry(order.id).or_insert(Some(order.version));
    }

    /// Notes a claim before it changes.
    pub(super) fn claim(&mut self, seat: (PerformanceId, SeatId), before: Option<Claim>) {
        self.claims.entry(seat).or_insert(before);
    }

    /// Notes what a seat looks like from now on.
    pub(super) fn seat(&mut self, seat: (PerformanceId, SeatId), status: SeatStatus) {
        self.seats.insert(seat, status);
    }

    /// Notes a stock before it changes.
    pub(super) fn stock(&mut self, item: ItemId, before: Stock) {
        self.stocks.entry(item).or_insert(before);
    }

    /// Notes a wallet before it changes.
    pub(super) fn wallet(&mut self, user: UserId, before: Wallet) {
        self.wallets.entry(user).or_insert(before.version);
    }

    pub(super) fn new_payment(&mut self, order: OrderId) {
        self.payments_new.insert(order);
    }

    pub(super) fn refunded(&mut self, order: OrderId) {
        self.payments_refunded.insert(order);
    }

    pub(super) fn transfer(&mut self, transfer: Transfer) {
        self.transfers.push(transfer);
    }

    pub(super) fn key(&mut self, key: NewKey) {
        self.keys.push(key);
    }

    pub(super) fn event(&mut self, kind: EventKind, order: &Order, at: Timestamp) {
        self.events.push(Event { kind, order: order.clone(), at });
    }

    pub(super) fn note(&mut self, what: Noted, at: Timestamp) {
        self.notes.push(Note { what, at });
    }

    pub(super) fn into_changes(self, facts: &Facts) -> Changes {
        let mut changes = Changes {
            transfers: self.transfers,
            keys_new: self.keys,
            events: self.events,
            notes: self.notes,
            ..Changes::default()
        };
        for (id, version_before) in self.orders {
            let order = &facts.orders[&id];
            match version_before {
                None => changes.orders_new.push(order.clone()),
                Some(version_before) => changes.orders_changed.push(OrderChange {
                    id,
                    version_before,
                    version: order.version,
                    status: order.status,
                }),
            }
        }
        for ((performance, seat), before) in self.claims {
            let after = facts.claims.get(&(performance, seat)).copied();
            if before != after {
                let change = |claim| ClaimChange { performance, seat, claim };
                changes.claims_gone.extend(before.map(change));
                changes.claims_new.extend(after.map(change));
            }
        }
        for ((performance, seat), status) in self.seats {
            changes.seats.entry(performance).or_default().push((seat, status));
        }
        for performance in changes.seats.keys() {
            let known = facts.performances.get(performance);
            let (revision, version) = known.map_or((0, 0), |facts| (facts.revision, facts.version));
            let performance = *performance;
            changes.versions.push(VersionChange { performance, revision, version: version + 1 });
        }
        for (item, before) in self.stocks {
            let ItemFacts { stock, revision, version, .. } = facts.items[&item];
            // Also if nothing is left of what came and went: the version guards more than the stock.
            changes.stocks.push(StockChange { item, before, stock, revision, version: version + 1 });
        }
        for order in self.payments_new {
            changes.payments_new.push(facts.payments[&order].clone());
        }
        // A payment made and given back in one batch is inserted as refunded.
        changes.payments_refunded = self.payments_refunded.into_iter().collect();
        for (user, version_before) in self.wallets {
            changes.wallets.push(WalletChange { user, version_before, wallet: facts.wallets[&user] });
        }
        changes
    }
}
