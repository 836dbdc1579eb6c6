//! What a batch has to know before it can be decided.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::command::{Command, Request};
use crate::{
    ids::{OrderId, PerformanceId, SeatId, UserId},
    order::{Claim, Order, Payment},
    sale::SaleTerms,
    wallet::Wallet,
};

/// Which facts a batch needs. Sorted, so that two nodes ask for them in the same order
/// and never wait for each other in a circle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactKeys {
    /// Performances.
    pub performances: BTreeSet<PerformanceId>,
    /// Seats, whose claims, and the orders behind those, are wanted.
    pub seats: BTreeSet<(PerformanceId, SeatId)>,
    /// Buyers, whose orders at a performance are wanted while they are held or paid.
    pub buyers: BTreeSet<(UserId, PerformanceId)>,
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

    fn add(&mut self, request: &Request) {
        self.keys.extend(request.key.as_ref().map(|key| (request.caller, key.id)));
        match &request.command {
            Command::Hold(hold) => {
                self.performances.insert(hold.performance);
                self.buyers.insert((request.caller, hold.performance));
                self.seats.extend(hold.seats.iter().map(|seat| (hold.performance, *seat)));
            }
            Command::LockSeats(lock) => {
                self.performances.insert(lock.performance);
                self.seats.extend(lock.seats.iter().map(|seat| (lock.performance, *seat)));
            }
            Command::Pay(pay) => {
                self.performances.insert(pay.performance);
                self.orders.insert(pay.order);
                self.wallets.insert(request.caller);
            }
            Command::Cancel(cancel) => {
                self.performances.insert(cancel.performance);
                self.orders.insert(cancel.order);
                self.wallets.insert(request.caller);
            }
            Command::Expire(expire) => {
                self.performances.insert(expire.performance);
                self.orders.insert(expire.order);
            }
            Command::Charge(_) => {
                self.wallets.insert(request.caller);
            }
        }
    }
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
    /// Who has a seat.
    pub claims: HashMap<(PerformanceId, SeatId), Claim>,
    /// Orders: those asked for, those behind claims, buyers and keys, and those of the
    /// performances' buyers.
    pub orders: HashMap<OrderId, Order>,
    /// The orders that a buyer has at a performance.
    pub buyers: HashMap<(UserId, PerformanceId), Vec<OrderId>>,
    /// Payments, by order.
    pub payments: HashMap<OrderId, Payment>,
    /// Wallets; a missing one is empty.
    pub wallets: HashMap<UserId, Wallet>,
    /// Idempotency keys.
    pub keys: HashMap<(UserId, u128), KeyRecord>,
}
