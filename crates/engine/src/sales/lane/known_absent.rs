//! Look-ups that the database is spared, because memory knows that there is nothing to find, or a lock.
//!
//! Nearly every hold of a rush asks for free seats on behalf of somebody who has no order there:
//! two look-ups in tables that grow with the sale, to find nothing. A view that is at the version
//! which the transaction loads knows both as well as the database does, for no claim and no order
//! comes to be without a new version. If it is at another version, somebody else has written, and
//! the transaction loads what was left out. The same goes for seats that an organiser has locked:
//! unlike an order, a lock says nothing but that it is there.
//!
//! So the decision still rests on what the transaction has loaded under the batch's guard: on the
//! version, instead of on the rows that the version stands for.

use std::mem::take;

use hashbrown::HashMap;
use onsale_domain::{
    decide::FactKeys,
    ids::{PerformanceId, SeatId},
    offer::Offer,
    order::Claim,
};

use super::batch_views::BatchViews;
use crate::ports::LoadedFacts;

/// Keys of facts that are absent, or locks, if the offers are at these versions.
#[derive(Debug)]
pub(super) struct KnownAbsent {
    keys: FactKeys,
    locked: Vec<(PerformanceId, SeatId)>,
    versions: HashMap<Offer, i64>,
}

impl KnownAbsent {
    /// Takes out of `keys` what the views know to be absent.
    pub(super) fn take(keys: &mut FactKeys, views: &BatchViews) -> Self {
        // Before anything else is asked of the views: one that moves on meanwhile only makes this
        // version differ from the database's.
        let versions = views.versions();
        let mut absent = FactKeys::default();
        let mut locked = Vec::new();
        (absent.seats, keys.seats) = take(&mut keys.seats).into_iter().partition(|(performance, seat)| {
            let known = views.known_claim(*performance, *seat);
            if known == Some(Some(Claim::Locked)) {
                locked.push((*performance, *seat));
            }
            known.is_some()
        });
        (absent.buyers, keys.buyers) = take(&mut keys.buyers)
            .into_iter()
            .partition(|(user, offer)| views.knows_no_order_of(*user, *offer));
        Self { keys: absent, locked, versions }
    }

    /// Adds the locks to what was loaded. Otherwise gives what must be loaded after all, because somebody else
    /// has changed one of the offers.
    pub(super) fn add_to(self, loaded: &mut LoadedFacts) -> Option<FactKeys> {
        if self.is_outdated_by(loaded) {
            return Some(self.keys);
        }
        loaded.claims.extend(self.locked.into_iter().map(|seat| (seat, Claim::Locked)));
        None
    }

    fn is_outdated_by(&self, loaded: &LoadedFacts) -> bool {
        let performances = loaded.performances.iter().map(|(id, (_, version))| (Offer::from(*id), version));
        let items = loaded.items.iter().map(|(id, item)| (Offer::from(*id), &item.version));
        performances
            .chain(items)
            .any(|(offer, version)| self.versions.get(&offer).is_some_and(|known| known != version))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use onsale_domain::{
        ids::{ItemId, UserId},
        item::{ItemKind, ItemRules, ItemTerms, Stock},
        money::Currency,
        time::Timestamp,
    };

    use super::*;
    use crate::{
        ports::{ItemSale, LoadedItem},
        sales::ItemView,
    };

    pub(in crate::sales) const ITEM: ItemId = ItemId(1);

    /// An item at version 5, of terms of revision 3, that user 7 has ordered.
    pub(in crate::sales) fn views() -> BatchViews {
        let terms = ItemTerms {
            item: ITEM,
            revision: 3,
            price: 1_000,
            currency: Currency::KRW,
            kind: ItemKind::General,
            rules: ItemRules::default(),
        };
        let stock = Stock { total: 10, left: 9 };
        let sale = ItemSale { terms, stock, version: 5, buyers: vec![UserId(7)] };
        let mut views = BatchViews::default();
        views.items.insert(ITEM, Arc::new(ItemView::new(sale, Timestamp(0))));
        views
    }

    fn asked() -> FactKeys {
        let buyers = [UserId(7), UserId(8)].map(|user| (user, ITEM.into()));
        FactKeys { items: [ITEM].into(), buyers: buyers.into(), ..FactKeys::default() }
    }

    fn loaded_at(version: i64) -> LoadedFacts {
        let item = LoadedItem { version, ..LoadedItem::default() };
        LoadedFacts { items: [(ITEM, item)].into(), ..LoadedFacts::default() }
    }

    #[test]
    fn orders_of_strangers_are_not_asked_for() {
        let mut keys = asked();
        let absent = KnownAbsent::take(&mut keys, &views());
        assert_eq!(keys.buyers, [(UserId(7), ITEM.into())].into());
        assert_eq!(keys.items, [ITEM].into());
        assert_eq!(absent.add_to(&mut loaded_at(5)), None);
    }

    #[test]
    fn what_was_left_out_is_loaded_if_somebody_else_has_written() {
        let absent = KnownAbsent::take(&mut asked(), &views());
        let left_out = absent.add_to(&mut loaded_at(6)).expect("the item has moved on");
        assert_eq!(left_out.buyers, [(UserId(8), ITEM.into())].into());
        assert!(left_out.items.is_empty(), "it has been loaded");
    }

    #[test]
    fn what_is_not_in_memory_is_asked_for() {
        let mut keys = asked();
        KnownAbsent::take(&mut keys, &BatchViews::default());
        assert_eq!(keys, asked());
    }
}
