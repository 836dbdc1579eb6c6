//! The offers of a batch, as memory has them.

use std::sync::Arc;

use hashbrown::HashMap;
use onsale_domain::{
    decide::Facts,
    ids::{ItemId, PerformanceId, SeatId, UserId},
    offer::Offer,
    order::{Claim, SeatStatus},
};

use crate::{
    ports::LoadedFacts,
    sales::{item_view::ItemView, view::PerformanceView},
};

/// The views that a batch is about.
#[derive(Default)]
pub(super) struct BatchViews {
    pub(super) performances: HashMap<PerformanceId, Arc<PerformanceView>>,
    pub(super) items: HashMap<ItemId, Arc<ItemView>>,
}

impl BatchViews {
    /// The versions that they are at.
    pub(super) fn versions(&self) -> HashMap<Offer, i64> {
        let performances = self.performances.iter().map(|(id, view)| ((*id).into(), view.version()));
        performances.chain(self.items.iter().map(|(id, view)| ((*id).into(), view.tag().1))).collect()
    }

    /// An offer whose terms in memory are older than the database's.
    pub(super) fn stale_terms(&self, loaded: &LoadedFacts) -> Option<Offer> {
        let performance = loaded.performances.iter().find(|(id, (revision, _))| {
            self.performances.get(*id).is_none_or(|view| view.terms().revision != *revision)
        });
        let item = || {
            loaded.items.iter().find(|(id, item)| {
                self.items.get(*id).is_none_or(|view| view.terms().revision != item.revision)
            })
        };
        let performance = performance.map(|(id, _)| Offer::Performance(*id));
        performance.or_else(|| item().map(|(id, _)| Offer::Item(*id)))
    }

    /// Facts for the decision: what was loaded, with the terms that memory has.
    pub(super) fn facts(&self, loaded: LoadedFacts) -> Facts {
        loaded.with_terms(
            |id| self.performances.get(&id).map(|view| view.terms()),
            |id| self.items.get(&id).map(|view| view.terms()),
        )
    }

    /// Whether somebody has never had an order of an offer, for all that memory knows.
    pub(super) fn knows_no_order_of(&self, user: UserId, offer: Offer) -> bool {
        match offer {
            Offer::Performance(id) => self.performances.get(&id).is_some_and(|view| !view.has_buyer(user)),
            Offer::Item(id) => self.items.get(&id).is_some_and(|view| !view.has_buyer(user)),
        }
    }

    /// Whether nobody has a claim on a seat, for all that memory knows.
    pub(super) fn knows_free(&self, performance: PerformanceId, seat: SeatId) -> bool {
        self.performances.get(&performance).is_some_and(|view| view.is_free(seat))
    }

    /// The claim on a seat or its absence, if memory knows: of a claim of an order it does not know which.
    pub(super) fn known_claim(&self, performance: PerformanceId, seat: SeatId) -> Option<Option<Claim>> {
        match self.performances.get(&performance)?.claimed(seat)? {
            SeatStatus::Available => Some(None),
            SeatStatus::Locked => Some(Some(Claim::Locked)),
            SeatStatus::Held | SeatStatus::Sold => None,
        }
    }

    /// Remembers that somebody has an order.
    pub(super) fn add_buyer(&self, offer: Offer, user: UserId) {
        match offer {
            Offer::Performance(performance) => {
                self.performances.get(&performance).inspect(|view| view.add_buyer(user));
            }
            Offer::Item(item) => {
                self.items.get(&item).inspect(|view| view.add_buyer(user));
            }
        }
    }
}
