//! Offers, and the terms that orders were made on.

use std::collections::HashMap;

use onsale_domain::{
    ids::SeatId,
    offer::Offer,
    order::{Goods, Order},
};

use super::{Look, pages, report::Violation};
use crate::ports::{OfferFacts, OfferRevision, StoreError};

impl Look<'_> {
    /// Those of these offers that exist.
    pub(super) async fn offers(
        &mut self,
        offers: &[Offer],
    ) -> Result<HashMap<Offer, OfferFacts>, StoreError> {
        let found = self.store.offers(offers).await?;
        Ok(found.into_iter().map(|facts| (facts.offer, facts)).collect())
    }

    /// Compares the terms of each offer with those that were kept of the same revision.
    pub(super) async fn terms(&mut self) -> Result<(), StoreError> {
        pages!(self.terms, rows => {
            for row in rows {
                // A later revision than was kept is one of a node that keeps none.
                let Some((kept, digest)) = row.kept else { continue };
                if kept > row.revision || (kept == row.revision && digest != row.digest) {
                    self.report.add(Violation::TermsDiffer, || {
                        format!("{}: its terms are of revision {}, those kept of {kept}", row.offer, row.revision)
                    });
                }
            }
        });
        Ok(())
    }

    /// Compares an order with its offer.
    pub(super) fn check_terms(&mut self, order: &Order, offer: Option<&OfferFacts>) {
        let Some(offer) = offer else {
            self.report.add(Violation::OrderOfNoOffer, || format!("order {}: {}", order.id, order.offer()));
            return;
        };
        for line in order.lines() {
            if !has_seat(offer, line.seat) {
                self.report.add(Violation::OrderSeat, || {
                    format!("order {}: {}, seat {}", order.id, offer.offer, line.seat)
                });
            }
        }
        let Some(revisions) = history(offer, order) else { return };
        let held_ms = order.expires_at.since_ms(order.created_at);
        if revisions.iter().all(|revision| revision.hold_ms != held_ms) {
            self.report.add(Violation::OrderDeadline, || {
                format!("order {}: held for {held_ms} ms, as {} never was", order.id, offer.offer)
            });
        }
        let mut prices = match &order.goods {
            Goods::Seats { lines, .. } => lines.iter().map(|line| line.price).collect(),
            Goods::Units { price, .. } => vec![*price],
        };
        prices.retain(|price| !revisions.iter().any(|revision| has_price(revision, *price)));
        if let Some(price) = prices.first() {
            self.report.add(Violation::OrderPrice, || {
                format!("order {}: sold for {price}, as {} never was", order.id, offer.offer)
            });
        }
    }
}

/// The most that a buyer was ever allowed of an offer, if that is known.
pub(super) fn per_buyer_max(offer: &OfferFacts, order: &Order) -> Option<i64> {
    history(offer, order)?.iter().map(|revision| revision.per_buyer_max).max()
}

/// Whether it is a seat of the offer's hall.
pub(super) fn has_seat(offer: &OfferFacts, seat: SeatId) -> bool {
    offer.seats.is_some_and(|(first, count)| seat >= first && seat.0.saturating_sub(first.0) < count)
}

/// All terms that an order may have been made on. None if some may be missing: they were changed before revisions
/// were kept, or by nodes that keep none.
fn history<'a>(offer: &'a OfferFacts, order: &Order) -> Option<&'a [OfferRevision]> {
    let (first, last) = (offer.revisions.first()?, offer.revisions.last()?);
    let is_whole = offer.revisions.windows(2).all(|pair| pair[0].revision + 1 == pair[1].revision)
        && last.revision >= offer.revision;
    let is_since = first.revision <= 1 || first.since <= order.created_at;
    (is_whole && is_since).then_some(&offer.revisions)
}

fn has_price(revision: &OfferRevision, price: i64) -> bool {
    revision.prices.as_ref().is_none_or(|prices| prices.contains(&price))
}
