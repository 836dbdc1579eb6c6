//! What happened when, as seen by the buyers.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long after a fault it still counts when nobody gets a seat.
const GOES_ON: Duration = Duration::from_secs(2);

/// Something that a buyer saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// 201: a seat is theirs for a while.
    Held,
    /// 201: it is theirs.
    Paid,
    /// Another buyer was faster.
    Taken,
    /// No answer, or one that says: not now. They tried again.
    NotNow(u16),
}

/// Something that was done to the fleet.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) begun: Duration,
    /// When it was over: what was stopped runs again.
    pub(super) over: Duration,
    /// Whether nothing can be sold while it lasts.
    pub(super) stops_all: bool,
}

/// Everything since the sale began.
pub(super) struct Timeline {
    begun: Instant,
    seen: Mutex<Vec<(Duration, Seen)>>,
    faults: Mutex<Vec<Fault>>,
}

impl Timeline {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), seen: Mutex::default(), faults: Mutex::default() }
    }

    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) async fn wait_until(&self, at: Duration) {
        tokio::time::sleep_until(self.begun + at).await;
    }

    pub(super) fn saw(&self, seen: Seen) {
        self.seen.lock().push((self.now(), seen));
    }

    /// Notes a fault that has just been over.
    pub(super) fn fault(&self, what: &str, begun: Duration, stops_all: bool) {
        self.faults.lock().push(Fault { what: what.to_owned(), begun, over: self.now(), stops_all });
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        self.faults.lock().clone()
    }

    /// When `seen` happened, ascending.
    pub(super) fn times(&self, wanted: impl Fn(Seen) -> bool) -> Vec<Duration> {
        let seen = self.seen.lock();
        let mut times: Vec<_> = seen.iter().filter(|(_, seen)| wanted(*seen)).map(|(at, _)| *at).collect();
        times.sort_unstable();
        times
    }

    pub(super) fn count(&self, wanted: impl Fn(Seen) -> bool) -> usize {
        self.times(wanted).len()
    }

    /// The longest time without anybody getting a seat, from the beginning of a fault until the sale has
    /// gone on for a while after it, or the next one begins.
    pub(super) fn pause_after(&self, fault: &Fault) -> Duration {
        let sold = self.times(|seen| matches!(seen, Seen::Held | Seen::Paid));
        let next = self.faults().into_iter().map(|fault| fault.begun).find(|begun| *begun > fault.begun);
        let until = (fault.over + GOES_ON).min(next.unwrap_or(Duration::MAX));
        let mut pause = Duration::ZERO;
        let mut before = fault.begun;
        for at in sold.into_iter().filter(|at| *at > fault.begun) {
            pause = pause.max(at.min(until) - before);
            before = at;
            if at >= until {
                return pause;
            }
        }
        // Nobody got one any more: the sale was over, or it stood still until it was.
        pause.max(until.saturating_sub(before))
    }
}
