//! Time as a port, so that tests can hold it still.

mod anchored;
mod steps;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
};

use onsale_domain::time::Timestamp;
use tokio::sync::watch;

pub use anchored::{AnchoredClock, ClockSources};

/// A wait of a clock.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync + 'static {
    /// Now. It goes on evenly, but for steps: see [`Clock::reading`].
    fn now(&self) -> Timestamp;

    /// Returns when [`Clock::now`] has reached `until`, not before.
    fn sleep_until(&self, until: Timestamp) -> Wait<'_>;

    /// Now, and by how much the clock has been set. A clock that is set, say by two hours, moves what was
    /// noted by it as far into the future or the past; whoever lets something last notes both.
    fn reading(&self) -> Reading {
        Reading { now: self.now(), set_by_ms: 0 }
    }

    /// Returns `ms` milliseconds later, also if the clock is set meanwhile.
    fn sleep(&self, ms: i64) -> Wait<'_> {
        self.sleep_until(self.now().plus_ms(ms))
    }

    /// Returns when [`Reading::set_by_ms`] is another.
    fn is_set_from(&self, set_by_ms: i64) -> Wait<'_> {
        let _ = set_by_ms;
        Box::pin(std::future::pending())
    }
}

/// The reading of a clock at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time.
    pub now: Timestamp,
    /// By how many milliseconds in all the clock has been set since it began, forward if positive.
    pub set_by_ms: i64,
}

impl Reading {
    /// The time on a clock that is never set: right for spans, whatever the hour is.
    #[must_use]
    pub const fn steady(self) -> Timestamp {
        self.now.plus_ms(-self.set_by_ms)
    }
}

/// The machine's clock, as a process trusts it; see [`AnchoredClock`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static SYSTEM: LazyLock<AnchoredClock> = LazyLock::new(AnchoredClock::of_the_machine);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SYSTEM.now()
    }

    fn sleep_until(&self, until: Timestamp) -> Wait<'_> {
        SYSTEM.sleep_until(until)
    }

    fn reading(&self) -> Reading {
        SYSTEM.reading()
    }

    fn sleep(&self, ms: i64) -> Wait<'_> {
        SYSTEM.sleep(ms)
    }

    fn is_set_from(&self, set_by_ms: i64) -> Wait<'_> {
        SYSTEM.is_set_from(set_by_ms)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    moved: watch::Sender<()>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.0), moved: watch::Sender::new(()) }
    }

    /// Moves the clock.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
        self.moved.send_replace(());
    }

    /// Moves the clock forward.
    pub fn advance_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
        self.moved.send_replace(());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, until: Timestamp) -> Wait<'_> {
        Box::pin(async move {
            let mut moved = self.moved.subscribe();
            while self.now() < until {
                if moved.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}
