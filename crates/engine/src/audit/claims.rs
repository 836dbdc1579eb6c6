//! Claims: each seat once, and seats that there are.

use std::collections::{HashMap, HashSet};

use onsale_domain::{ids::PerformanceId, offer::Offer, order::Claim};

use super::{Look, facts::OrderFact, offers::has_seat, pages, report::Violation};
use crate::ports::{ClaimRow, OfferFacts, StoreError};

impl Look<'_> {
    pub(super) async fn claims(&mut self) -> Result<(), StoreError> {
        pages!(self.claims, rows => {
            let performances: HashSet<PerformanceId> = rows.iter().map(|row| row.performance).collect();
            let offers: Vec<Offer> = performances.into_iter().map(Offer::Performance).collect();
            let offers = self.offers(&offers).await?;
            for of_seat in rows.chunk_by(|a, b| (a.performance, a.seat) == (b.performance, b.seat)) {
                self.seat(of_seat, &offers)?;
            }
        });
        Ok(())
    }

    /// All claims on one seat.
    fn seat(&mut self, claims: &[ClaimRow], offers: &HashMap<Offer, OfferFacts>) -> Result<(), StoreError> {
        let ClaimRow { performance, seat, .. } = claims[0];
        if claims.len() > 1 {
            self.report.add(Violation::SeatClaimedTwice, || {
                let whose: Vec<String> = claims.iter().map(|row| claim_text(row.claim)).collect();
                format!("performance {performance}, seat {seat}: {}", whose.join(", "))
            });
        }
        let known = offers.get(&Offer::Performance(performance));
        if !known.is_some_and(|offer| has_seat(offer, seat)) {
            self.report.add(Violation::ClaimOfNoSeat, || {
                let lacking =
                    if known.is_some() { "its hall has no such seat" } else { "no such performance" };
                format!("performance {performance}, seat {seat}: {lacking}")
            });
        }
        for row in claims {
            match row.claim {
                Claim::Locked => self.report.counts.seats_locked += 1,
                Claim::Order(order) => self.of_order(order, OrderFact::Claim { performance, seat })?,
            }
        }
        Ok(())
    }
}

fn claim_text(claim: Claim) -> String {
    match claim {
        Claim::Order(order) => format!("order {order}"),
        Claim::Locked => "locked".to_owned(),
    }
}
