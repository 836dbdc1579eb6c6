//! Locks of many seats at once, in portions that let the sale through in between.
//!
//! A lock of a whole hall in one transaction would keep everybody waiting who buys meanwhile. So it goes
//! through the lane in portions, each a command like any other: decided, written, committed and announced by
//! itself. Holds that arrive during a portion are in the next batch, together with the next portion.
//!
//! # Invariants
//! - A node has one portion under way, however many organisers are at it: they take turns. So a batch has
//!   [`SaleSettings::seats_per_portion`] seats of locks at the most, and a hold waits for two portions at the most.
//! - Every seat is looked at before the first portion: a change that names a seat of another hall does nothing.
//! - A portion is whole or not at all, and so is each version that watchers see.
//! - A lock of what is locked changes nothing. So a change that ended half-way, by a crash or because the
//!   database was away, is finished by asking for it again; what had been done then counts as unchanged.
//! - It goes on when whoever asked hangs up, as a single command does that has reached its lane.

use std::sync::Arc;

use onsale_domain::{
    decide::{Command, LockSeats, Outcome, Refusal},
    ids::{PerformanceId, SeatId, UserId},
};

#[cfg(doc)]
use super::SaleSettings;
use super::{SaleError, Sales, SeatsLocked, Shared};

impl Sales {
    /// Takes seats off sale (`lock`) or puts them back. Seats that buyers have stay as they are.
    /// `caller` is the organiser. More than [`SaleSettings::seats_per_portion`] seats are changed in portions:
    /// if this fails half-way, some have been changed, and the same call again changes the rest.
    ///
    /// # Errors
    /// See [`SaleError`].
    pub async fn lock_seats(
        &self,
        caller: UserId,
        performance: PerformanceId,
        seats: Vec<SeatId>,
        lock: bool,
    ) -> Result<SeatsLocked, SaleError> {
        let terms = self.view_of_house(performance).await?.terms();
        if let Some(seat) = seats.iter().find(|seat| terms.seats.ordinal(**seat).is_none()) {
            return Err(Refusal::NoSuchSeat(*seat).into());
        }
        let shared = self.shared.clone();
        let carried_out = tokio::spawn(in_portions(shared, caller, performance, seats, lock));
        match carried_out.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is being shut down.
                Err(_) => Err(SaleError::OutcomeUnknown),
            },
        }
    }
}

async fn in_portions(
    shared: Arc<Shared>,
    caller: UserId,
    performance: PerformanceId,
    seats: Vec<SeatId>,
    lock: bool,
) -> Result<SeatsLocked, SaleError> {
    let mut done = SeatsLocked::default();
    for portion in seats.chunks(shared.settings.seats_per_portion.max(1)) {
        let command = Command::LockSeats(LockSeats { performance, seats: portion.to_vec(), lock });
        // Given in turn, so that everybody's change moves on.
        let _turn = shared.portions.lock().await;
        let answer = shared.command_waiting(caller, command).await?;
        // A lane that goes away without an answer was stopped in the middle of a batch.
        match answer.await.unwrap_or(Err(SaleError::OutcomeUnknown))? {
            Outcome::SeatsLocked { changed, unchanged, taken } => done.add(changed, unchanged, taken),
            other => unreachable!("a lock was answered {other:?}"),
        }
    }
    Ok(done)
}

impl SeatsLocked {
    fn add(&mut self, changed: u32, unchanged: u32, taken: Vec<SeatId>) {
        self.changed += changed;
        self.unchanged += unchanged;
        self.taken.extend(taken);
    }
}
