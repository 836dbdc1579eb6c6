//! Releasing holds at their deadlines.
//!
//! This only tidies up: a hold past its deadline counts as gone whether or not it has been
//! released, so a timer that is late, or dies with the process, costs no correctness.

use std::{collections::BTreeSet, sync::Arc};

use onsale_domain::{
    decide::{Changes, Command, EventKind, Expire},
    time::Timestamp,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Shared, lane};
use crate::ports::{DueHold, StoreError};

/// How often holds are looked for in the database that no timer of this node knows of, because
/// another node made them and died, or its outcome was unknown.
const SWEEP_EVERY_MS: i64 = 500;

/// The same where nobody else writes.
const SWEEP_ALONE_EVERY_MS: i64 = 30_000;

/// How long after a deadline a hold is left to the node that made it.
const LEFT_TO_ITS_NODE_MS: i64 = 250;

/// How long to wait before a release that failed is tried again.
const AGAIN_AFTER_MS: i64 = 200;

/// How many holds are read at once.
const CHUNK: usize = 1_024;

/// How many holds are released at once. When very many end in the same second, a hold that comes then waits for
/// so many and no more.
const RELEASED_AT_ONCE: usize = 256;

/// The deadlines of all holds that this node knows of.
#[derive(Default)]
pub(super) struct Deadlines {
    holds: Mutex<BTreeSet<DueHold>>,
    earlier: Notify,
}

impl Deadlines {
    /// Takes over what a batch changed.
    pub(super) fn follow(&self, changes: &Changes) {
        let mut holds = self.holds.lock();
        let first_before = holds.first().copied();
        for event in &changes.events {
            let order = &event.order;
            let hold = DueHold { expires_at: order.expires_at, order: order.id, offer: order.offer() };
            match event.kind {
                EventKind::OrderHeld => holds.insert(hold),
                EventKind::OrderPaid | EventKind::OrderExpired | EventKind::OrderCancelled => {
                    holds.remove(&hold)
                }
            };
        }
        if holds.first().copied() != first_before {
            self.earlier.notify_one();
        }
    }

    fn add(&self, due: impl IntoIterator<Item = DueHold>) {
        self.holds.lock().extend(due);
        self.earlier.notify_one();
    }

    fn next(&self) -> Option<Timestamp> {
        self.holds.lock().first().map(|hold| hold.expires_at)
    }

    /// Takes out holds that are due, at most [`RELEASED_AT_ONCE`].
    fn take_due(&self, now: Timestamp) -> Vec<DueHold> {
        let mut holds = self.holds.lock();
        let mut due = Vec::new();
        while due.len() < RELEASED_AT_ONCE
            && let Some(first) = holds.first().copied()
            && first.expires_at <= now
        {
            holds.pop_first();
            due.push(first);
        }
        due
    }
}

/// Reads all holds there are: what a stop or a crash left behind.
pub(super) async fn recover(shared: &Shared) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let chunk = shared.store.due_holds(Timestamp(i64::MAX), after, CHUNK).await?;
        let Some(last) = chunk.last().copied() else {
            return Ok(());
        };
        after = Some(last);
        shared.deadlines.add(chunk);
    }
}

/// Releases holds at their deadlines, until the task is aborted.
pub(super) async fn release_when_due(shared: Arc<Shared>) {
    loop {
        let due = shared.deadlines.take_due(shared.clock.now());
        if due.is_empty() {
            wait(&shared).await;
        } else {
            release(&shared, due).await;
        }
    }
}

async fn wait(shared: &Shared) {
    let until = shared.deadlines.next().unwrap_or(Timestamp(i64::MAX));
    tokio::select! {
        () = shared.clock.sleep_until(until) => {}
        () = shared.deadlines.earlier.notified() => {}
    }
}

async fn release(shared: &Shared, due: Vec<DueHold>) {
    let (mut answers, mut again) = (Vec::with_capacity(due.len()), Vec::new());
    for hold in due {
        let command = Command::Expire(Expire { order: hold.order, offer: hold.offer });
        answers.push((hold, shared.command_waiting(lane::HOUSE, command).await));
    }
    for (hold, answer) in answers {
        let failed = match answer {
            Ok(answer) => !matches!(answer.await, Ok(Ok(_))),
            Err(_) => true,
        };
        if failed {
            tracing::warn!(order = %hold.order, "a hold that has ended could not be released yet");
            again.push(hold);
        }
    }
    if !again.is_empty() {
        shared.clock.sleep_until(shared.clock.now().plus_ms(AGAIN_AFTER_MS)).await;
        shared.deadlines.add(again);
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
        shared.clock.sleep_until(now.plus_ms(every_ms)).await;
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
        };
        deadlines.add((0..1_000).map(hold));
        assert_eq!(deadlines.take_due(Timestamp(999)), []);
        let mut released = Vec::new();
        loop {
            let due = deadlines.take_due(Timestamp(1_000));
            assert!(due.len() <= RELEASED_AT_ONCE);
            if due.is_empty() {
                break;
            }
            released.extend(due);
        }
        assert_eq!(released, (0..1_000).map(hold).collect::<Vec<_>>());
    }
}
