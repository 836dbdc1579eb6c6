//! Taking seats off sale and putting them back.

use super::{Decider, EventKind, LockSeats, Outcome, Refusal};
use crate::order::{Claim, OrderStatus};

impl Decider {
    pub(super) fn lock_seats(&mut self, lock: &LockSeats) -> Result<Outcome, Refusal> {
        let performance = self
            .facts
            .performances
            .get(&lock.performance)
            .ok_or(Refusal::NoSuchPerformance(lock.performance))?;
        let unknown = lock.seats.iter().find(|seat| performance.terms.seats.ordinal(**seat).is_none());
        if let Some(seat) = unknown {
            return Err(Refusal::NoSuchSeat(*seat));
        }
        self.end_lapsed(lock);
        let (mut changed, mut unchanged, mut taken) = (0, 0, Vec::new());
        for seat in &lock.seats {
            let key = (lock.performance, *seat);
            match (self.facts.claims.get(&key), lock.lock) {
                (Some(Claim::Order(_)), true) => taken.push(*seat),
                (Some(Claim::Locked), false) => {
                    self.set_claim(key, None);
                    changed += 1;
                }
                (None, true) => {
                    self.set_claim(key, Some(Claim::Locked));
                    changed += 1;
                }
                _ => unchanged += 1,
            }
        }
        Ok(Outcome::SeatsLocked { changed, unchanged, taken })
    }

    /// Ends the orders in the way whose hold is over and that nobody has released yet.
    fn end_lapsed(&mut self, lock: &LockSeats) {
        for seat in &lock.seats {
            if let Some(Claim::Order(order)) = self.facts.claims.get(&(lock.performance, *seat)).copied()
                && self.facts.orders.get(&order).is_some_and(|order| !order.is_live_at(self.now))
            {
                self.end(order, OrderStatus::Expired, EventKind::OrderExpired);
            }
        }
    }
}
