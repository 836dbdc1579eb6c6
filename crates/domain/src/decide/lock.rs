//! Taking seats off sale and putting them back.

use super::{Decider, EventKind, LockSeats, Noted, Outcome, Refusal, SEATS_PER_NOTE_MAX};
use crate::{
    ids::SeatId,
    order::{Claim, OrderStatus},
};

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
        let (mut changed, mut unchanged, mut taken) = (Vec::new(), 0, Vec::new());
        for seat in &lock.seats {
            let key = (lock.performance, *seat);
            match (self.facts.claims.get(&key), lock.lock) {
                (Some(Claim::Order(_)), true) => taken.push(*seat),
                (Some(Claim::Locked), false) => {
                    self.set_claim(key, None);
                    changed.push(*seat);
                }
                (None, true) => {
                    self.set_claim(key, Some(Claim::Locked));
                    changed.push(*seat);
                }
                _ => unchanged += 1,
            }
        }
        self.note_locked(lock, &changed);
        let changed = u32::try_from(changed.len()).expect("a hall has at most a million seats");
        Ok(Outcome::SeatsLocked { changed, unchanged, taken })
    }

    fn note_locked(&mut self, lock: &LockSeats, changed: &[SeatId]) {
        let show = self.facts.performances[&lock.performance].terms.show;
        for seats in changed.chunks(SEATS_PER_NOTE_MAX) {
            let &LockSeats { performance, lock: locked, .. } = lock;
            let noted = Noted::SeatsLocked { performance, show, seats: seats.to_vec(), locked };
            self.recorder.note(noted, self.now);
        }
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
