//! How much each buyer has of each offer.

use onsale_domain::order::{Order, OrderStatus};

use super::{
    Look,
    offers::per_buyer_max,
    report::Violation,
    spool::{Spool, from_signed, signed},
};
use crate::ports::{OfferFacts, StoreError};

/// (offer, buyer, when, until when, how much, the most allowed) of each live order.
#[derive(Default)]
pub(super) struct Buyers(Spool<6>);

impl Buyers {
    /// Takes in an order.
    pub(super) fn take(&mut self, order: &Order, offer: Option<&OfferFacts>) -> Result<(), StoreError> {
        let until = match order.status {
            OrderStatus::Held => order.expires_at.0,
            OrderStatus::Paid => i64::MAX,
            OrderStatus::Expired | OrderStatus::Cancelled => return Ok(()),
        };
        let Some(max) = offer.and_then(|offer| per_buyer_max(offer, order)) else { return Ok(()) };
        let numbers =
            [order.offer().code(), order.user.0, order.created_at.0, until, order.count().into(), max];
        self.0.push(numbers.map(signed))
    }
}

impl Look<'_> {
    /// Nobody has more than the offer ever allowed, at the moment of their latest order.
    pub(super) fn buyers(&mut self, buyers: Buyers) -> Result<(), StoreError> {
        let mut sorted = buyers.0.sorted()?;
        while let Some(first) = sorted.pop()? {
            let mut orders = vec![first.map(from_signed)];
            while let Some(next) = sorted.pop_if(|next| next[..2] == first[..2])? {
                orders.push(next.map(from_signed));
            }
            let [offer, buyer, latest, ..] = orders[orders.len() - 1];
            let has: i64 = orders.iter().filter(|order| order[3] > latest).map(|order| order[4]).sum();
            let max = orders.iter().map(|order| order[5]).max().unwrap_or(i64::MAX);
            if has > max {
                let offer = onsale_domain::offer::Offer::from_code(offer);
                self.report.add(Violation::OverLimit, || {
                    format!("user {buyer}, {offer}: has {has}, allowed were {max}")
                });
            }
        }
        Ok(())
    }
}
