//! What a batch has to know before it can be decided.

use std::{collections::BTreeSet, sync::Arc};

// Every command is hashed a dozen times. What is hashed are ids and digests of ours, so nobody can
// choose them to collide, and the standard library's hasher would take a third of a lane's time.
use hashbrown::HashMap;

use super::command::{Command, Request};
use crate::{
    ids::{ItemId, OrderId, PerformanceId, SeatId, UserId},
    item::{ItemTerms, Stock},
    offer::Offer,
    order::{Claim, Order, Payment},
    sale::SaleTerms,
    time::Timestamp,
    wallet::Wallet,
};

/// Which facts a batch needs. Sorted, so that two nodes ask for them in the same order
/// and never wait for each other in a circle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactKeys {
    /// Performances.
    pub performances: BTreeSet<PerformanceId>,
    /// Items, whose stock is wanted.
    pub items: BTreeSet<ItemId>,
    /// If given, unpaid orders of those items whose hold had ended by then.
    pub lapsed_by: Option<Timestamp>,
    /// Seats, whose claims, and the orders behind those, are wanted.
    pub seats: BTreeSet<(PerformanceId, SeatId)>,
    /// Buyers, whose orders of an offer are wanted while they are held or paid.
    pub buyers: BTreeSet<(UserId, Offer)>,
    /// Orders, with their payments.
    pub orders: BTreeSet<OrderId>,
    /// Wallets.
    pub wallets: BTreeSet<UserId>,
    /// Idempotency keys, with the orders and payments behind them.
    pub keys: BTreeSet<(UserId, u128)>,
}

impl FactKeys {
    /// The facts that these requests need.
    #[must_use]
    pub fn of<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Self {
        let mut keys = Self::default();
        for request in requests {
            keys.add(request);
        }
        keys
    }

    /// Also the unpaid orders, of the items among these keys, whose hold has ended at `now` and
    /// that nobody may have released yet. Without them their units still count as taken.
    #[must_use]
    pub fn with_lapsed_by(mut self, now: Timestamp) -> Self {
        self.lapsed_by = (!self.items.is_empty()).then_some(now);
        self
    }

    fn add(&mut self, request: &Request) {
        self.keys.extend(request.key.as_ref().map(|key| (request.caller, key.id)));
        match request.command.offer() {
            Some(Offer::Performance(performance)) => _ = self.performances.insert(performance),
            Some(Offer::Item(item)) => _ = self.items.insert(item),
            None => {}
        }
        match &request.command {
            Command::Hold(hold) => {
                self.buyers.insert((request.caller, hold.performance.into()));
                self.seats.extend(hold.seats.iter().map(|seat| (hold.performance, *seat)));
            }
            Command::HoldUnits(hold) => {
                self.buyers.insert((request.caller, hold.item.into()));
            }
            Command::SetStock(_) => {}
            Command::LockSeats(lock) => {
                self.seats.extend(lock.seats.iter().map(|seat| (lock.performance, *seat)));
            }
            Command::Pay(pay) => {
                self.orders.insert(pay.order);
                self.wallets.insert(request.caller);
            }
            Command::Cancel(cancel) => {
                self.orders.insert(cancel.order);
                self.wallets.insert(request.caller);
            }
            Command::Expire(expire) => {
                self.orders.insert(expire.order);
            }
            Command::Release(release) => {
                self.orders.insert(release.order);
            }
            Command::Charge(_) => {
                self.wallets.insert(request.caller);
            }
        }
    }
}

/// What is known of an item.
#[derive(Clone, Debug)]
pub struct ItemFacts {
    /// Its terms, as the node has them in memory.
    pub terms: Arc<ItemTerms>,
    /// The revision of the terms in the database; if it differs, the terms are old.
    pub revision: i64,
    /// Counts the batches that changed the stock.
    pub version: i64,
    /// The stock.
    pub stock: Stock,
    /// Unpaid orders whose hold had ended when the facts were loaded.
    pub lapsed: Vec<OrderId>,
}

/// What is known of a performance.
#[derive(Clone, Debug)]
pub struct PerformanceFacts {
    /// Its terms, as the node has them in memory.
    pub terms: Arc<SaleTerms>,
    /// The revision of the terms in the database; if it differs, the terms are old.
    pub revision: i64,
    /// Counts the batches that changed a seat's status.
    pub version: i64,
}

/// What an idempotency key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The digest of the first request.
    pub fingerprint: u64,
    /// What it did.
    pub target: KeyTarget,
}

/// What the request behind an idempotency key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTarget {
    /// It made this order.
    Hold(OrderId),
    /// It paid this order.
    Pay(OrderId),
    /// It charged points.
    Charge {
        /// The balance after it.
        balance_after: i64,
    },
}

/// Everything a batch knows. What is not in a map does not exist.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Performances.
    pub performances: HashMap<PerformanceId, PerformanceFacts>,
    /// Items.
    pub items: HashMap<ItemId, ItemFacts>,
    /// Who has a seat.
    pub claims: HashMap<(PerformanceId, SeatId), Claim>,
    /// Orders: those asked for, those behind claims, buyers and keys, those of the offers' buyers,
    /// and those of items that have lapsed.
    pub orders: HashMap<OrderId, Order>,
    /// The orders that a buyer has of an offer.
    pub buyers: HashMap<(UserId, Offer), Vec<OrderId>>,
    /// Payments, by order.
    pub payments: HashMap<OrderId, Payment>,
    /// Wallets; a missing one is empty.
    pub wallets: HashMap<UserId, Wallet>,
    /// Idempotency keys.
    pub keys: HashMap<(UserId, u128), KeyRecord>,
}
