//! Releasing holds at their deadlines.
//!
//! This only tidies up: a hold past its deadline counts as gone whether or not it has been
//! released, so a timer that is late, or dies with the process, costs no correctness.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use onsale_domain::{
    decide::{Changes, Command, EventKind, Expire},
    ids::OrderId,
    time::Timestamp,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Shared, lane};
use crate::{
    clock::Reading,
    ports::{DueHold, StoreError},
};

/// How often holds are looked for in the database that no timer of this node knows of, because
/// another node made them and died, or its outcome was unknown.
const SWEEP_EVERY_MS: i64 = 500;

/// The same where nobody else writes.
const SWEEP_ALONE_EVERY_MS: i64 = 30_000;

/// How long after a deadline a hold is left to the node that made it.
const LEFT_TO_ITS_NODE_MS: i64 = 250;

/// How long to wait before a release that failed is tried again.
const AGAIN_AFTER_MS: i64 = 200;

/// How far ahead the clock of another node may be, in milliseconds.
const AHEAD_MAX_MS: i64 = 60_000;

/// How many holds are read at once.
const CHUNK: usize = 1_024;

/// How many holds are released at once. When very many end in the same second, a hold that comes then waits for
/// so many and no more.
const RELEASED_AT_ONCE: usize = 256;

/// The deadlines of all holds that this node knows of.
#[derive(Default)]
pub(super) struct Deadlines {
    holds: Mutex<Holds>,
    earlier: Notify,
    /// They are being released, or have been.
    has_begun: AtomicBool,
}

#[derive(Default)]
struct Holds {
    by_deadline: BTreeSet<DueHold>,
    /// Those made by a clock that was ahead, by when they end on the right one.
    made_ahead: BTreeSet<(Timestamp, DueHold)>,
    /// When each of them ends, to find it by.
    ahead: HashMap<OrderId, Timestamp>,
}

/// A hold that has ended.
#[derive(Clone, Copy)]
struct Due {
    hold: DueHold,
    made_ahead: bool,
}

impl Holds {
    fn add(&mut self, hold: DueHold) {
        if !self.ahead.contains_key(&hold.order) {
            self.by_deadline.insert(hold);
        }
    }

    fn add_ahead(&mut self, ends_at: Timestamp, hold: DueHold) {
        if let Some(before) = self.ahead.insert(hold.order, ends_at) {
            self.made_ahead.remove(&(before, hold));
        }
        self.made_ahead.insert((ends_at, hold));
    }

    fn remove(&mut self, hold: DueHold) {
        if !self.by_deadline.remove(&hold)
            && let Some(ends_at) = self.ahead.remove(&hold.order)
        {
            self.made_ahead.remove(&(ends_at, hold));
        }
    }

    fn next(&self) -> Option<Timestamp> {
        let first = self.by_deadline.first().map(|hold| hold.expires_at);
        let first_ahead = self.made_ahead.first().map(|(ends_at, _)| *ends_at);
        first.into_iter().chain(first_ahead).min()
    }

    /// Ends holds earlier that were made later than `now`: their deadlines are as far in the future as the
    /// clock was ahead. `ends_at` says when they end instead.
    fn correct(&mut self, now: Timestamp, ends_at: impl Fn(&DueHold) -> Timestamp) -> usize {
        let is_ahead = |hold: &DueHold| hold.made_at > now;
        let ahead: Vec<_> = self.by_deadline.iter().copied().filter(is_ahead).collect();
        for hold in &ahead {
            self.by_deadline.remove(hold);
            self.add_ahead(ends_at(hold).min(hold.expires_at), *hold);
        }
        ahead.len()
    }

    /// Takes out holds that are due, at most [`RELEASED_AT_ONCE`].
    fn take_due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        while due.len() < RELEASED_AT_ONCE
            && let Some(hold) = self.by_deadline.first().copied()
            && hold.expires_at <= now
        {
            self.by_deadline.pop_first();
            due.push(Due { hold, made_ahead: false });
        }
        while due.len() < RELEASED_AT_ONCE
            && let Some((ends_at, hold)) = self.made_ahead.first().copied()
            && ends_at <= now
        {
            self.made_ahead.pop_first();
            self.ahead.remove(&hold.order);
            due.push(Due { hold, made_ahead: true });
        }
        due
    }
}

impl Deadlines {
    /// Takes over what a batch changed.
    pub(super) fn follow(&self, changes: &Changes) {
        let mut holds = self.holds.lock();
        let next_before = holds.next();
        for event in &changes.events {
            let order = &event.order;
            let hold = DueHold {
                expires_at: order.expires_at,
                order: order.id,
                offer: order.offer(),
                made_at: order.created_at,
            };
            match event.kind {
                EventKind::OrderHeld => holds.add(hold),
                EventKind::OrderPaid | EventKind::OrderExpired | EventKind::OrderCancelled => {
                    holds.remove(hold);
                }
            }
        }
        if holds.next() != next_before {
            self.earlier.notify_one();
        }
    }

    fn add(&self, due: impl IntoIterator<Item = DueHold>) {
        let mut holds = self.holds.lock();
        due.into_iter().for_each(|hold| holds.add(hold));
        self.earlier.notify_one();
    }

    /// After the clock has been set back: the holds that it made while it was ahead end when they were to
    /// end, on the clock that goes evenly; those that an earlier step found, too.
    fn follow_clock(&self, Reading { now, .. }: Reading, set_by_ms: i64) {
        let mut holds = self.holds.lock();
        if set_by_ms < 0 {
            for (ends_at, hold) in std::mem::take(&mut holds.made_ahead) {
                holds.add_ahead(ends_at.plus_ms(set_by_ms), hold);
            }
        }
        let corrected = holds.correct(now, |hold| hold.expires_at.plus_ms(set_by_ms));
        if corrected > 0 {
            tracing::warn!(holds = corrected, "the clock has been set back; holds end when they were to end");
        }
    }
}

/// Reads all holds there are: what a stop or a crash left behind. Those made by a clock that was far ahead
/// last from now on for as long as they were to in all.
pub(super) async fn recover(shared: &Shared) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let chunk = shared.store.due_holds(Timestamp(i64::MAX), after, CHUNK).await?;
        let Some(last) = chunk.last().copied() else {
            break;
        };
        after = Some(last);
        shared.deadlines.add(chunk);
    }
    let now = shared.clock.now();
    let corrected = shared.deadlines.holds.lock().correct(now.plus_ms(AHEAD_MAX_MS), |hold| {
        now.plus_ms(hold.expires_at.since_ms(hold.made_at).max(0))
    });
    if corrected > 0 {
        tracing::warn!(
            holds = corrected,
            "there are holds of the future: made by a clock that was ahead, or this one is behind; \
             they last no longer than they were to"
        );
    }
    Ok(())
}

/// Releases holds at their deadlines, until the task is aborted. Those that were being released when it
/// ended the last time are found again.
pub(super) async fn keep(shared: Arc<Shared>) {
    if shared.deadlines.has_begun.swap(true, Ordering::Relaxed)
        && let Err(error) = recover(&shared).await
    {
        tracing::warn!(%error, "cannot look for holds that have ended; the sweep will");
    }
    let mut set_by_ms = shared.clock.reading().set_by_ms;
    loop {
        let reading = shared.clock.reading();
        if reading.set_by_ms != set_by_ms {
            shared.deadlines.follow_clock(reading, reading.set_by_ms - set_by_ms);
            set_by_ms = reading.set_by_ms;
        }
        let due = shared.deadlines.holds.lock().take_due(reading.now);
        if due.is_empty() {
            wait(&shared, set_by_ms).await;
        } else {
            release(&shared, due).await;
        }
    }
}

async fn wait(shared: &Shared, set_by_ms: i64) {
    let until = shared.deadlines.holds.lock().next().unwrap_or(Timestamp(i64::MAX));
    tokio::select! {
        () = shared.clock.sleep_until(until) => {}
        () = shared.clock.is_set_from(set_by_ms) => {}
        () = shared.deadlines.earlier.notified() => {}
    }
}

async fn release(shared: &Shared, all_due: Vec<Due>) {
    let (mut answers, mut again) = (Vec::with_capacity(all_due.len()), Vec::new());
    for due in all_due {
        let DueHold { order, offer, .. } = due.hold;
        let command = Command::Expire(Expire { order, offer, made_ahead: due.made_ahead });
        answers.push((due, shared.command_waiting(lane::HOUSE, command).await));
    }
    for (due, answer) in answers {
        let failed = match answer {
            Ok(answer) => !matches!(answer.await, Ok(Ok(_))),
            Err(_) => true,
        };
        if failed {
            tracing::warn!(order = %due.hold.order, "a hold that has ended could not be released yet");
            again.push(due);
        }
    }
    if !again.is_empty() {
        shared.clock.sleep(AGAIN_AFTER_MS).await;
        let now = shared.clock.now();
        let mut holds = shared.deadlines.holds.lock();
        for Due { hold, made_ahead } in again {
            if made_ahead {
                holds.add_ahead(now, hold);
            } else {
                holds.add(hold);
            }
        }
    }
}

/// Looks for forgotten holds from time to time, until the task is aborted.
pub(super) async fn sweep(shared: Arc<Shared>) {
    loop {
        let now = shared.clock.now();
        let (every_ms, left_ms) = match shared.store.is_shared() {
            true => (SWEEP_EVERY_MS, LEFT_TO_ITS_NODE_MS),
            false => (SWEEP_ALONE_EVERY_MS, 0),
        };
        match shared.store.due_holds(now.plus_ms(-left_ms), None, CHUNK).await {
            Ok(due) if due.is_empty() => {}
            Ok(due) => shared.deadlines.add(due),
            Err(error) => tracing::warn!(%error, "cannot look for holds that have ended"),
        }
        shared.clock.sleep(every_ms).await;
    }
}

#[cfg(test)]
mod tests {
    use onsale_domain::{
        ids::{OrderId, PerformanceId},
        offer::Offer,
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn holds_that_end_in_the_same_second_are_released_a_few_at_a_time() {
        let deadlines = Deadlines::default();
        let hold = |number: u128| DueHold {
            expires_at: Timestamp(1_000),
            order: OrderId(Uuid::from_u128(number)),
            offer: Offer::Performance(PerformanceId(1)),
            made_at: Timestamp(0),
        };
        let take_due = |now| -> Vec<DueHold> {
            deadlines.holds.lock().take_due(now).into_iter().map(|due| due.hold).collect()
        };
        deadlines.add((0..1_000).map(hold));
        assert_eq!(take_due(Timestamp(999)), []);
        let mut released = Vec::new();
        loop {
            let due = take_due(Timestamp(1_000));
            assert!(due.len() <= RELEASED_AT_ONCE);
            if due.is_empty() {
                break;
            }
            released.extend(due);
        }
        assert_eq!(released, (0..1_000).map(hold).collect::<Vec<_>>());
    }

    #[test]
    fn holds_made_ahead_follow_every_step_back_and_are_found_when_they_are_over() {
        let mut holds = Holds::default();
        let hold = |number: u128| DueHold {
            expires_at: Timestamp(10_000),
            order: OrderId(Uuid::from_u128(number)),
            offer: Offer::Performance(PerformanceId(1)),
            made_at: Timestamp(9_000),
        };
        for number in 0..3 {
            holds.add(hold(number));
        }
        assert_eq!(holds.correct(Timestamp(5_000), |hold| hold.expires_at.plus_ms(-4_000)), 3);
        holds.add(hold(0));
        assert!(holds.by_deadline.is_empty(), "it is known already");
        holds.add_ahead(Timestamp(5_500), hold(1));
        holds.remove(hold(2));
        assert_eq!(holds.next(), Some(Timestamp(5_500)));
        let due: Vec<_> = holds.take_due(Timestamp(6_000)).into_iter().map(|due| due.hold).collect();
        assert_eq!(due, [hold(1), hold(0)]);
        assert!(holds.ahead.is_empty() && holds.made_ahead.is_empty());
    }
}
