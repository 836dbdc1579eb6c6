//! An item in memory: its terms and what is left of it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arc_swap::ArcSwap;
use hashbrown::HashSet;
use onsale_domain::{
    decide::{Refusal, StockChange},
    ids::{ItemId, OrderId, UserId},
    item::{ItemTerms, Stock},
    time::Timestamp,
};
use parking_lot::RwLock;

use super::{SaleError, views::InMemory};
use crate::ports::{ItemSale, Store};

/// How far apart the clocks of nodes may be, and how long a commit may take, without an order being
/// overlooked when only the latest ones are read, in milliseconds.
const SLACK_MS: i64 = 600_000;

/// An item's terms and stock, kept up to date by the pipeline. May be a moment behind the database;
/// it may refuse, never grant.
pub struct ItemView {
    terms: ArcSwap<ItemTerms>,
    stock: RwLock<Versioned>,
    /// Everybody who has ever ordered it: see `PerformanceView`.
    buyers: RwLock<HashSet<UserId>>,
    /// Orders made before this are among those whose buyers are known.
    buyers_known_until: AtomicI64,
    last_used_ms: AtomicI64,
}

#[derive(Clone, Copy)]
struct Versioned {
    stock: Stock,
    version: i64,
    revision: i64,
}

impl ItemView {
    /// Reads an item from the database, with everybody who has ever ordered it.
    pub(super) async fn read(store: &dyn Store, item: ItemId, now: Timestamp) -> Result<Self, SaleError> {
        let all = OrderId::first_at(Timestamp(0));
        let sale = store.item_sale(item, all).await?.ok_or(Refusal::NoSuchItem(item))?;
        Ok(Self::new(sale, now))
    }

    /// `read_at` is a moment before the sale was read.
    pub(super) fn new(sale: ItemSale, read_at: Timestamp) -> Self {
        let ItemSale { terms, stock, version, buyers } = sale;
        let revision = terms.revision;
        Self {
            terms: ArcSwap::from_pointee(terms),
            stock: RwLock::new(Versioned { stock, version, revision }),
            buyers: RwLock::new(buyers.into_iter().collect()),
            buyers_known_until: AtomicI64::new(read_at.0),
            last_used_ms: AtomicI64::new(0),
        }
    }

    /// The terms of the sale.
    #[must_use]
    pub fn terms(&self) -> Arc<ItemTerms> {
        self.terms.load_full()
    }

    /// The stock.
    #[must_use]
    pub fn stock(&self) -> Stock {
        self.stock.read().stock
    }

    /// Names the state: (terms revision, stock version).
    #[must_use]
    pub fn tag(&self) -> (i64, i64) {
        let known = self.stock.read();
        (known.revision, known.version)
    }

    /// The gate: why an order is certainly refused, if it is. `None` means that the pipeline decides.
    pub(super) fn refuses(&self, caller: UserId, count: u32, now: Timestamp) -> Option<Refusal> {
        let refusal = match self.terms.load().opens_after(now) {
            Some(on_sale_at) => Refusal::NotOnSaleYet { on_sale_at },
            None => {
                let left = self.stock().left;
                (left < i64::from(count)).then_some(Refusal::SoldOut { left, asked: count })?
            }
        };
        (!self.has_buyer(caller)).then_some(refusal)
    }

    /// Whether somebody has ever ordered it.
    pub(super) fn has_buyer(&self, user: UserId) -> bool {
        self.buyers.read().contains(&user)
    }

    /// Takes over what a batch changed. `false` if changes in between are missing: reload.
    pub(super) fn apply(&self, change: &StockChange) -> bool {
        let mut known = self.stock.write();
        if change.version != known.version + 1 {
            return change.version <= known.version;
        }
        (known.stock, known.version) = (change.stock, change.version);
        true
    }

    /// From which order on [`ItemView::reload`] needs to know who has ordered.
    pub(super) fn buyers_unknown_since(&self) -> OrderId {
        let known_until = Timestamp(self.buyers_known_until.load(Ordering::Relaxed));
        OrderId::first_at(known_until.plus_ms(-SLACK_MS))
    }

    /// Takes over everything anew. `read_at` is a moment before the sale was read.
    pub(super) fn reload(&self, sale: ItemSale, read_at: Timestamp) {
        let ItemSale { terms, stock, version, buyers } = sale;
        self.buyers.write().extend(buyers);
        self.buyers_known_until.fetch_max(read_at.0, Ordering::Relaxed);
        let mut known = self.stock.write();
        let revision = terms.revision;
        // Otherwise a batch of this node has been announced since this was read.
        if (revision, version) >= (known.revision, known.version) {
            // Inside the lock, so that nobody sees new terms beside an old stock.
            self.terms.store(Arc::new(terms));
            *known = Versioned { stock, version, revision };
        }
    }

    pub(super) fn add_buyer(&self, user: UserId) {
        if !self.buyers.read().contains(&user) {
            self.buyers.write().insert(user);
        }
    }
}

impl InMemory for ItemView {
    fn last_used_ms(&self) -> &AtomicI64 {
        &self.last_used_ms
    }
}

#[cfg(test)]
mod tests {
    use onsale_domain::{
        ids::ItemId,
        item::{ItemKind, ItemRules},
        money::Currency,
    };

    use super::*;

    fn sale(version: i64, left: i64, buyers: &[i64]) -> ItemSale {
        let terms = ItemTerms {
            item: ItemId(1),
            revision: 1,
            price: 1_000,
            currency: Currency::KRW,
            kind: ItemKind::TimeDeal { start_at: Timestamp(1_000) },
            rules: ItemRules::default(),
        };
        let buyers = buyers.iter().copied().map(UserId).collect();
        ItemSale { terms, stock: Stock { total: 10, left }, version, buyers }
    }

    fn change(version: i64, left: i64) -> StockChange {
        let stock = |left| Stock { total: 10, left };
        StockChange { item: ItemId(1), before: stock(10), stock: stock(left), revision: 1, version }
    }

    #[test]
    fn the_gate_refuses_strangers_and_lets_buyers_through() {
        let view = ItemView::new(sale(5, 2, &[7]), Timestamp(0));
        let wants = |user: i64, count: u32| view.refuses(UserId(user), count, Timestamp(2_000));
        assert_eq!(wants(1, 2), None, "left as far as the gate knows");
        assert_eq!(wants(1, 3), Some(Refusal::SoldOut { left: 2, asked: 3 }));
        assert_eq!(wants(7, 3), None, "a buyer may be repeating a request");
        view.add_buyer(UserId(1));
        assert_eq!(wants(1, 3), None);
        let early = view.refuses(UserId(2), 1, Timestamp(999));
        assert_eq!(early, Some(Refusal::NotOnSaleYet { on_sale_at: Timestamp(1_000) }));
    }

    #[test]
    fn a_gap_is_noticed_and_nothing_goes_back() {
        let view = ItemView::new(sale(5, 9, &[]), Timestamp(0));
        assert!(view.apply(&change(6, 8)));
        assert!(!view.apply(&change(8, 6)), "version 7 is missing");
        assert!(view.apply(&change(6, 1)), "already known");
        assert_eq!((view.stock().left, view.tag()), (8, (1, 6)));
        view.reload(sale(5, 9, &[4]), Timestamp(0));
        assert_eq!(view.stock().left, 8, "read before the latest change");
        assert_eq!(view.refuses(UserId(4), 9, Timestamp(2_000)), None, "but a buyer is one");
        view.reload(sale(8, 6, &[]), Timestamp(0));
        assert_eq!((view.stock().left, view.tag()), (6, (1, 8)));
    }
}
