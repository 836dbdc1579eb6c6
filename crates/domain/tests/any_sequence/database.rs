//! A model of the database: it loads what is asked for and refuses what constraints would.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use onsale_domain::{
    decide::{Changes, Event, FactKeys, Facts, ItemFacts, KeyRecord, KeyTarget, Note, PerformanceFacts},
    ids::{ItemId, OrderId, PerformanceId, SeatId, TransferId, UserId},
    item::{ItemTerms, Stock},
    order::{Claim, Order, OrderStatus, Payment, SeatStatus},
    sale::SaleTerms,
    time::Timestamp,
    wallet::{Transfer, Wallet},
};

use crate::Violation;

#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) terms: BTreeMap<PerformanceId, Arc<SaleTerms>>,
    pub(crate) versions: BTreeMap<PerformanceId, i64>,
    pub(crate) items: BTreeMap<ItemId, Arc<ItemTerms>>,
    /// Each item's stock and its version.
    pub(crate) stocks: BTreeMap<ItemId, (Stock, i64)>,
    /// How many units each item had at first.
    pub(crate) first_totals: BTreeMap<ItemId, i64>,
    pub(crate) claims: BTreeMap<(PerformanceId, SeatId), Claim>,
    pub(crate) orders: BTreeMap<OrderId, Order>,
    pub(crate) payments: BTreeMap<OrderId, Payment>,
    pub(crate) transfers: BTreeMap<TransferId, Transfer>,
    pub(crate) wallets: BTreeMap<UserId, Wallet>,
    pub(crate) keys: BTreeMap<(UserId, u128), KeyRecord>,
    pub(crate) events: Vec<Event>,
    pub(crate) notes: Vec<Note>,
    /// What somebody knows who saw an empty hall and every announcement since.
    pub(crate) announced: BTreeMap<(PerformanceId, SeatId), SeatStatus>,
}

impl Database {
    pub(crate) fn new(terms: Vec<SaleTerms>, items: Vec<(ItemTerms, Stock)>) -> Self {
        let terms: BTreeMap<_, _> =
            terms.into_iter().map(|terms| (terms.performance, Arc::new(terms))).collect();
        Self {
            versions: terms.keys().map(|performance| (*performance, 0)).collect(),
            terms,
            first_totals: items.iter().map(|(terms, stock)| (terms.item, stock.total)).collect(),
            stocks: items.iter().map(|(terms, stock)| (terms.item, (*stock, 0))).collect(),
            items: items.into_iter().map(|(terms, _)| (terms.item, Arc::new(terms))).collect(),
            claims: BTreeMap::new(),
            orders: BTreeMap::new(),
            payments: BTreeMap::new(),
            transfers: BTreeMap::new(),
            wallets: BTreeMap::new(),
            keys: BTreeMap::new(),
            events: Vec::new(),
            notes: Vec::new(),
            announced: BTreeMap::new(),
        }
    }

    /// The facts behind these keys, as `FactKeys` promises them, and nothing else.
    pub(crate) fn load(&self, keys: &FactKeys) -> Facts {
        let mut facts = Facts::default();
        for performance in &keys.performances {
            if let Some(terms) = self.terms.get(performance) {
                let known = PerformanceFacts {
                    terms: terms.clone(),
                    revision: terms.revision,
                    version: self.versions[performance],
                };
                facts.performances.insert(*performance, known);
            }
        }
        for item in &keys.items {
            let Some(terms) = self.items.get(item) else { continue };
            let (stock, version) = self.stocks[item];
            let lapsed = self.orders.values().filter(|order| {
                order.offer() == (*item).into()
                    && order.status == OrderStatus::Held
                    && keys.lapsed_by.is_some_and(|now| order.expires_at <= now)
            });
            let lapsed: Vec<OrderId> = lapsed.map(|order| order.id).collect();
            lapsed.iter().for_each(|order| self.load_order(*order, &mut facts));
            let revision = terms.revision;
            facts.items.insert(*item, ItemFacts { terms: terms.clone(), revision, version, stock, lapsed });
        }
        for seat in &keys.seats {
            if let Some(claim) = self.claims.get(seat) {
                facts.claims.insert(*seat, *claim);
                if let Claim::Order(order) = claim {
                    self.load_order(*order, &mut facts);
                }
            }
        }
        for (user, offer) in &keys.buyers {
            let theirs = self.orders.values().filter(|order| {
                order.user == *user
                    && order.offer() == *offer
                    && matches!(order.status, OrderStatus::Held | OrderStatus::Paid)
            });
            let ids: Vec<OrderId> = theirs.map(|order| order.id).collect();
            ids.iter().for_each(|order| self.load_order(*order, &mut facts));
            facts.buyers.insert((*user, *offer), ids);
        }
        for order in &keys.orders {
            self.load_order(*order, &mut facts);
            self.load_payment(*order, &mut facts);
        }
        for user in &keys.wallets {
            facts.wallets.extend(self.wallets.get(user).map(|wallet| (*user, *wallet)));
        }
        for key in &keys.keys {
            if let Some(record) = self.keys.get(key) {
                facts.keys.insert(*key, *record);
                if let KeyTarget::Hold(order) | KeyTarget::Pay(order) = record.target {
                    self.load_order(order, &mut facts);
                    self.load_payment(order, &mut facts);
                }
            }
        }
        facts
    }

    fn load_order(&self, order: OrderId, facts: &mut Facts) {
        facts.orders.extend(self.orders.get(&order).map(|found| (order, found.clone())));
    }

    fn load_payment(&self, order: OrderId, facts: &mut Facts) {
        facts.payments.extend(self.payments.get(&order).map(|found| (order, found.clone())));
    }

    /// Writes changes; an error where a constraint or a version check would stop them.
    pub(crate) fn apply(&mut self, changes: &Changes, now: Timestamp) -> Result<(), Violation> {
        for order in &changes.orders_new {
            unique(self.orders.insert(order.id, order.clone()).as_ref(), "order")?;
        }
        for change in &changes.orders_changed {
            let order = self.orders.get_mut(&change.id).ok_or("a changed order does not exist")?;
            ensure(order.version == change.version_before, || format!("stale {change:?}"))?;
            check_transition(order, change.status, now)?;
            (order.version, order.status) = (change.version, change.status);
        }
        for gone in &changes.claims_gone {
            let removed = self.claims.remove(&(gone.performance, gone.seat));
            ensure(removed == Some(gone.claim), || format!("{gone:?} is to go, {removed:?} is there"))?;
        }
        for new in &changes.claims_new {
            let before = self.claims.insert((new.performance, new.seat), new.claim);
            ensure(before.is_none(), || format!("claimed twice: {new:?}, before {before:?}"))?;
        }
        for payment in &changes.payments_new {
            unique(self.payments.insert(payment.order, payment.clone()).as_ref(), "payment")?;
        }
        for order in &changes.payments_refunded {
            self.payments.get_mut(order).ok_or("a refunded payment does not exist")?.refunded = true;
        }
        for transfer in &changes.transfers {
            unique(self.transfers.insert(transfer.id, transfer.clone()).as_ref(), "transfer")?;
        }
        for change in &changes.wallets {
            let before = self.wallets.insert(change.user, change.wallet).unwrap_or_default();
            ensure(before.version == change.version_before, || format!("stale {change:?}"))?;
        }
        for key in &changes.keys_new {
            unique(self.keys.insert((key.user, key.key), key.record).as_ref(), "key")?;
        }
        for change in &changes.versions {
            let before = self.versions.insert(change.performance, change.version);
            ensure(before == Some(change.version - 1), || format!("stale {change:?}, before {before:?}"))?;
        }
        for change in &changes.stocks {
            let (stock, version) =
                self.stocks.get_mut(&change.item).ok_or("a changed item does not exist")?;
            *version += 1;
            ensure(*version == change.version, || format!("stale {change:?}"))?;
            // The difference is written, so that the constraint sees what there really is.
            stock.total += change.stock.total - change.before.total;
            stock.left += change.stock.left - change.before.left;
            ensure(stock.left >= 0, || format!("oversold: {change:?} leaves {stock:?}"))?;
        }
        for (performance, seats) in &changes.seats {
            self.announced.extend(seats.iter().map(|(seat, status)| ((*performance, *seat), *status)));
        }
        self.events.extend(changes.events.iter().cloned());
        self.notes.extend(changes.notes.iter().cloned());
        Ok(())
    }

    /// Compares everything but the offers' versions, which count batches.
    pub(crate) fn same_rows(&self, other: &Self) -> Result<(), Violation> {
        ensure(self.claims == other.claims, || format!("{:?} or {:?}", self.claims, other.claims))?;
        ensure(self.orders == other.orders, || format!("{:?} or {:?}", self.orders, other.orders))?;
        ensure(self.payments == other.payments, || format!("{:?} or {:?}", self.payments, other.payments))?;
        ensure(self.transfers == other.transfers, || "other transfers".to_owned())?;
        ensure(self.wallets == other.wallets, || format!("{:?} or {:?}", self.wallets, other.wallets))?;
        ensure(self.keys == other.keys, || "other keys".to_owned())?;
        ensure(self.events == other.events, || format!("{:?} or {:?}", self.events, other.events))?;
        ensure(self.notes == other.notes, || format!("{:?} or {:?}", self.notes, other.notes))?;
        let stocks = |database: &Self| database.stocks.values().map(|(stock, _)| *stock).collect::<Vec<_>>();
        ensure(stocks(self) == stocks(other), || format!("{:?} or {:?}", self.stocks, other.stocks))?;
        let announced: HashMap<_, _> = other.announced.iter().collect();
        let differs = self.announced.iter().find(|(seat, status)| announced.get(seat) != Some(status));
        ensure(differs.is_none(), || format!("announced otherwise: {differs:?}"))
    }

    /// A seat's status as it is written.
    pub(crate) fn status(&self, seat: (PerformanceId, SeatId)) -> SeatStatus {
        match self.claims.get(&seat) {
            None => SeatStatus::Available,
            Some(Claim::Locked) => SeatStatus::Locked,
            Some(Claim::Order(order)) => match self.orders[order].status {
                OrderStatus::Paid => SeatStatus::Sold,
                _ => SeatStatus::Held,
            },
        }
    }
}

/// Nothing is released before its deadline, paid or cancelled as a hold at or after it, and what
/// has ended stays so.
fn check_transition(order: &Order, to: OrderStatus, now: Timestamp) -> Result<(), Violation> {
    let over = now >= order.expires_at;
    let allowed = match (order.status, to) {
        (OrderStatus::Held, OrderStatus::Expired) => over,
        (OrderStatus::Held, OrderStatus::Paid | OrderStatus::Cancelled) => !over,
        (OrderStatus::Paid, OrderStatus::Cancelled) => true,
        _ => false,
    };
    ensure(allowed, || format!("{order:?} became {to:?} at {now:?}"))
}

fn unique<T>(before: Option<&T>, what: &str) -> Result<(), Violation> {
    ensure(before.is_none(), || format!("the same {what} twice"))
}

pub(crate) fn ensure(holds: bool, violation: impl FnOnce() -> Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(violation()) }
}
