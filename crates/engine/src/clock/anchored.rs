//! A clock that goes by a monotonic one, and follows the wall clock where that has been set for good.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use metrics::{counter, gauge};
use onsale_domain::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use super::{
    Clock, Reading, Wait,
    steps::{Look, Steps},
};

/// How often the wall clock is looked at, and while it differs.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Two clocks that are read further apart than this are read again, in microseconds: whoever reads them had
/// to wait for a processor in between.
const READ_APART_MAX_US: i64 = 2_000;
const READINGS_MAX: usize = 20;

/// The longest wait in one piece, in milliseconds.
const WAIT_MAX_MS: i64 = 86_400_000;

/// Where a clock gets its time from, each in microseconds.
pub struct ClockSources {
    /// Since 1970, as the machine says at the moment. It may jump.
    pub wall_us: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Since some moment, evenly. Sleep of the machine counts.
    pub steady_us: Box<dyn Fn() -> i64 + Send + Sync>,
}

/// The wall clock as it was when this one began, carried on by a monotonic clock.
///
/// # Steps
/// A wall clock may be set: by a time service, by hand, or because a virtual machine was paused. Whatever it
/// says for less than a second is passed over. What it has said for about a second is the time from then
/// on, and is told in the log and in the metric `onsale_clock_set_seconds`. So sales open when they
/// should, also on a machine that began with a wrong clock.
///
/// # Invariants
/// Between steps the time goes neither backwards nor by leaps. At a step [`Reading::set_by_ms`] changes by
/// as much as the time does, in one and the same reading: spans stay right.
///
/// # Limits
/// Sleep of the machine counts as time. A process that does not live through a step cannot know of it.
pub struct AnchoredClock {
    shared: Arc<Shared>,
}

struct Shared {
    sources: ClockSources,
    /// The time less the steady clock, in microseconds.
    offset_us: AtomicI64,
    first_offset_us: i64,
    set: watch::Sender<()>,
}

impl AnchoredClock {
    /// Goes by the machine's clocks.
    pub(super) fn of_the_machine() -> Self {
        Self::over(ClockSources { wall_us: Box::new(wall_us), steady_us: Box::new(steady_us) })
    }

    /// Goes by other clocks, for tests.
    #[must_use]
    pub fn over(sources: ClockSources) -> Self {
        let offset_us = (sources.wall_us)() - (sources.steady_us)();
        let shared = Arc::new(Shared {
            sources,
            offset_us: AtomicI64::new(offset_us),
            first_offset_us: offset_us,
            set: watch::Sender::new(()),
        });
        let watched = Arc::downgrade(&shared);
        let started = thread::Builder::new().name("onsale-clock".to_owned()).spawn(move || keep(&watched));
        if let Err(error) = started {
            tracing::error!(%error, "nobody looks whether the machine's clock is set; its first time is kept");
        }
        Self { shared }
    }
}

/// Looks at the wall clock for as long as there is somebody whom it concerns.
fn keep(shared: &Weak<Shared>) {
    let mut steps = Steps::default();
    let mut slept = 0;
    loop {
        thread::sleep(if steps.in_doubt() { LOOK_AGAIN_AFTER } else { LOOK_EVERY });
        let Some(shared) = shared.upgrade() else { return };
        shared.look(&mut steps);
        // Timers stand still while the machine sleeps: whoever waits for a time looks again.
        let sleeps = (shared.sources.steady_us)() - awake_us();
        if (sleeps - slept).abs() > 100_000 {
            slept = sleeps;
            shared.set.send_replace(());
        }
    }
}

impl Shared {
    fn reading(&self) -> Reading {
        let offset_us = self.offset_us.load(Ordering::Acquire);
        let now = Timestamp(((self.sources.steady_us)() + offset_us).div_euclid(1_000));
        Reading { now, set_by_ms: (offset_us - self.first_offset_us).div_euclid(1_000) }
    }

    fn look(&self, steps: &mut Steps) {
        let Some((steady_us, wall_us)) = self.read_both() else { return };
        let offset_us = self.offset_us.load(Ordering::Acquire);
        match steps.look(steady_us, wall_us - steady_us - offset_us) {
            Look::Nothing => {}
            Look::Differs(by_us) => {
                tracing::warn!(
                    by_seconds = by_us as f64 / 1e6,
                    "the machine's clock has been set; the time is kept until it is clear that this is to stay"
                );
                counter!("onsale_clock_steps_total").increment(1);
            }
            Look::WasOut => tracing::warn!("the machine's clock is as before; it was not followed"),
            Look::IsSet(by_us) => {
                // Whole milliseconds, so that what was noted moves by exactly as much as the time does.
                let by_us = by_us.div_euclid(1_000) * 1_000;
                self.offset_us.store(offset_us + by_us, Ordering::Release);
                gauge!("onsale_clock_set_seconds")
                    .set((offset_us + by_us - self.first_offset_us) as f64 / 1e6);
                tracing::error!(
                    by_seconds = by_us as f64 / 1e6,
                    "the machine's clock has been set and is followed from now on: look after its time service; \
                     holds and passes last as long as they were to, except holds that a clock set forward ends"
                );
                self.set.send_replace(());
            }
        }
    }

    /// Both clocks at the same moment, if that can be had.
    fn read_both(&self) -> Option<(i64, i64)> {
        for _ in 0..READINGS_MAX {
            let before = (self.sources.steady_us)();
            let wall = (self.sources.wall_us)();
            let after = (self.sources.steady_us)();
            if after - before <= READ_APART_MAX_US {
                return Some((before + (after - before) / 2, wall));
            }
        }
        None
    }
}

impl Clock for AnchoredClock {
    fn now(&self) -> Timestamp {
        self.shared.reading().now
    }

    fn reading(&self) -> Reading {
        self.shared.reading()
    }

    fn sleep_until(&self, until: Timestamp) -> Wait<'_> {
        Box::pin(async move {
            let mut set = self.shared.set.subscribe();
            while let Ok(left_ms @ 1..) = u64::try_from(until.since_ms(self.now()).min(WAIT_MAX_MS)) {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(left_ms)) => {}
                    _ = set.changed() => {}
                }
            }
        })
    }

    fn sleep(&self, ms: i64) -> Wait<'_> {
        Box::pin(tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
    }

    fn is_set_from(&self, set_by_ms: i64) -> Wait<'_> {
        Box::pin(async move {
            let mut set = self.shared.set.subscribe();
            while self.reading().set_by_ms == set_by_ms && set.changed().await.is_ok() {}
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the ambient clock is read")]
fn wall_us() -> i64 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

/// Counts the time in which the machine sleeps, where it can.
fn steady_us() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    micros(clock)
}

fn awake_us() -> i64 {
    micros(ClockId::Monotonic)
}

fn micros(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wall clock that can be set, beside the machine's own steady one.
    fn settable() -> (AnchoredClock, Arc<AtomicI64>) {
        let set_by = Arc::new(AtomicI64::new(0));
        let setting = set_by.clone();
        let wall = move || 1_700_000_000_000_000 + steady_us() + setting.load(Ordering::SeqCst);
        let sources = ClockSources { wall_us: Box::new(wall), steady_us: Box::new(steady_us) };
        (AnchoredClock::over(sources), set_by)
    }

    const TWO_HOURS_MS: i64 = 7_200_000;

    #[tokio::test]
    async fn what_is_set_for_good_is_followed_within_a_second_and_spans_stay_right() {
        let (clock, set_by) = settable();
        let (begun, steady) = (clock.now(), clock.reading().steady());
        set_by.store(-TWO_HOURS_MS * 1_000, Ordering::SeqCst);
        tokio::time::timeout(Duration::from_secs(20), clock.is_set_from(0)).await.unwrap();
        let reading = clock.reading();
        assert_eq!(reading.set_by_ms, -TWO_HOURS_MS);
        let passed = reading.steady().since_ms(steady);
        assert_eq!(reading.now.since_ms(begun), passed - TWO_HOURS_MS);
        assert!((600..10_000).contains(&passed), "{passed} ms");
    }

    #[tokio::test]
    async fn what_is_set_for_a_moment_is_passed_over() {
        let (clock, set_by) = settable();
        let begun = clock.now();
        set_by.store(TWO_HOURS_MS * 1_000, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(clock.now().since_ms(begun) < 60_000);
        set_by.store(0, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!(clock.reading().set_by_ms, 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_time_is_woken_by_a_step_and_who_waits_for_a_while_is_not() {
        let (clock, set_by) = settable();
        let clock = Arc::new(clock);
        let (for_a_time, for_a_while) = (clock.clone(), clock.clone());
        let for_a_time =
            tokio::spawn(async move { for_a_time.sleep_until(for_a_time.now().plus_ms(TWO_HOURS_MS)).await });
        let for_a_while = tokio::spawn(async move { for_a_while.sleep(TWO_HOURS_MS).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        set_by.store(TWO_HOURS_MS * 1_000, Ordering::SeqCst);
        tokio::time::timeout(Duration::from_secs(20), for_a_time).await.unwrap().unwrap();
        assert!(!for_a_while.is_finished());
        for_a_while.abort();
    }
}
