//! The parts of a node that must go on, and how each fares.
//!
//! # Parts
//! A part is a thread or a task that works beside requests: a lane of the sale, the timer of holds, the
//! relay of events. One that panics, or ends without having been asked to, is said in [`Vitals::troubles`]
//! and in the log, and is started again: after a moment, then after longer ones, so that a part that
//! cannot live costs little. It is in trouble until it has gone on for `PROVEN_AFTER`.
//!
//! # Conditions
//! Trouble without a part having ended, such as a database that takes no writes, is [noted](Vitals::note)
//! by whoever finds out, until it is over.
//!
//! A node in trouble of either kind is not ready ([`crate::Engine::ready`]).

use std::{
    any::Any,
    borrow::Cow,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use metrics::counter;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep},
};

/// How long to wait before a part is started again, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A part that went on for so long is started again as soon as if it had never ended.
const GOOD_AFTER: Duration = Duration::from_secs(30);

/// How long a part that was started again is still said to be in trouble: long enough for whoever probes
/// the node to see it.
const PROVEN_AFTER: Duration = Duration::from_secs(2);

/// The parts of one node and how they fare. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Vitals {
    all: Arc<Mutex<All>>,
    writes_in_doubt: Arc<Notify>,
    restarts: bool,
}

#[derive(Debug, Default)]
struct All {
    /// How many parts there have ever been.
    numbers: u64,
    parts: BTreeMap<u64, Part>,
    conditions: BTreeMap<&'static str, String>,
}

#[derive(Debug)]
struct Part {
    name: Cow<'static, str>,
    /// Why it ended the last time.
    ended: Option<String>,
    /// Since when it goes on. `None` while it does not.
    since: Option<Instant>,
}

impl Default for Vitals {
    fn default() -> Self {
        Self { all: Arc::default(), writes_in_doubt: Arc::default(), restarts: true }
    }
}

impl Vitals {
    /// Of a node that leaves what has ended alone. For negative controls only.
    #[doc(hidden)]
    #[must_use]
    pub fn without_restarts() -> Self {
        Self { restarts: false, ..Self::default() }
    }

    /// Begins a part that works in a task, and begins it again whenever it ends. Must be called inside a
    /// Tokio runtime.
    #[must_use = "a part ends when it is dropped"]
    pub fn supervise<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        mut begin: impl FnMut() -> F + Send + 'static,
    ) -> Supervised
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut member = self.enrol(name);
        let restarts = self.restarts;
        let task = tokio::spawn(async move {
            loop {
                let lived = AssertUnwindSafe(async { begin().await }).catch_unwind().await;
                let pause = member.ended(lived.err());
                if !restarts {
                    return member.stays_dead();
                }
                sleep(pause).await;
                member.goes_on();
            }
        });
        Supervised(task)
    }

    /// Does the work of a thread until it returns, which it does when it is asked to end; does it again
    /// whenever it panics.
    pub fn supervise_thread(&self, name: impl Into<Cow<'static, str>>, mut work: impl FnMut()) {
        let mut member = self.enrol(name);
        loop {
            let Err(panic) = catch_unwind(AssertUnwindSafe(&mut work)) else { return };
            let pause = member.ended(Some(panic));
            if !self.restarts {
                return member.stays_dead();
            }
            std::thread::sleep(pause);
            member.goes_on();
        }
    }

    /// Says that something is wrong, or with `None` that it is over.
    pub fn note(&self, condition: &'static str, trouble: Option<String>) {
        let mut all = self.all.lock();
        match trouble {
            Some(why) => {
                let before = all.conditions.insert(condition, why.clone());
                drop(all);
                if before.as_ref() != Some(&why) {
                    tracing::error!(condition, why, "this node is not ready");
                }
            }
            None => {
                let was_in_trouble = all.conditions.remove(condition).is_some();
                drop(all);
                if was_in_trouble {
                    tracing::info!(
                        condition,
                        "it is over: this trouble no longer keeps the node from being ready"
                    );
                }
            }
        }
    }

    /// Something could not be written: the engine looks whether the database takes writes.
    pub fn doubt_writes(&self) {
        self.writes_in_doubt.notify_one();
    }

    /// Returns when it has been doubted since this was asked last.
    pub(crate) async fn writes_are_doubted(&self) {
        self.writes_in_doubt.notified().await;
    }

    /// Everything that is wrong, for people; nothing on a node that is well.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let all = self.all.lock();
        let conditions = all.conditions.iter().map(|(condition, why)| format!("{condition}: {why}"));
        let parts = all.parts.values().filter_map(Part::trouble);
        conditions.chain(parts).collect()
    }

    fn enrol(&self, name: impl Into<Cow<'static, str>>) -> Member {
        let mut all = self.all.lock();
        all.numbers += 1;
        let number = all.numbers;
        all.parts.insert(number, Part { name: name.into(), ended: None, since: Some(Instant::now()) });
        Member { all: self.all.clone(), number, pause: PAUSE_MIN, leaves: true }
    }
}

impl Part {
    fn trouble(&self) -> Option<String> {
        let why = self.ended.as_ref()?;
        match self.since {
            None => Some(format!("{} has ended: {why}", self.name)),
            Some(since) if since.elapsed() < PROVEN_AFTER => {
                Some(format!("{} had ended and has been started again: {why}", self.name))
            }
            Some(_) => None,
        }
    }
}

/// A part's entry, which is gone when the part has ended as it was asked to.
struct Member {
    all: Arc<Mutex<All>>,
    number: u64,
    pause: Duration,
    leaves: bool,
}

impl Member {
    /// Notes how it ended; when it may be started again.
    fn ended(&mut self, panic: Option<Box<dyn Any + Send>>) -> Duration {
        let why = panic.as_deref().map_or_else(|| "without having been asked to".to_owned(), panic_text);
        let mut all = self.all.lock();
        let Some(part) = all.parts.get_mut(&self.number) else { return PAUSE_MAX };
        let lived = part.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        part.ended = Some(why.clone());
        let name = part.name.clone();
        drop(all);
        let pause = if lived >= GOOD_AFTER { PAUSE_MIN } else { self.pause };
        self.pause = (pause * 2).min(PAUSE_MAX);
        counter!("onsale_parts_ended_total", "part" => name.clone()).increment(1);
        tracing::error!(part = %name, why, again_after = ?pause, "a part of this node has ended");
        pause
    }

    fn goes_on(&self) {
        if let Some(part) = self.all.lock().parts.get_mut(&self.number) {
            part.since = Some(Instant::now());
            tracing::info!(part = %part.name, "started again");
        }
    }

    fn stays_dead(mut self) {
        self.leaves = false;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.leaves {
            self.all.lock().parts.remove(&self.number);
        }
    }
}

/// The message of a panic.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a panic: {}", text.unwrap_or("of no known kind"))
}

/// A part that works in a task. It ends when this is dropped.
#[derive(Debug)]
pub struct Supervised(JoinHandle<()>);

impl Supervised {
    /// Ends it, and waits until it has let go of what it holds, such as the store.
    pub async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }

    /// Waits until it has ended by itself, which it only does on a node that leaves what has ended alone,
    /// or with its runtime.
    pub async fn ended(&mut self) {
        let _ = (&mut self.0).await;
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A part that panics the first time, returns the second, and then goes on.
    fn fragile(
        begun: &Arc<AtomicU32>,
    ) -> impl FnMut() -> futures_util::future::BoxFuture<'static, ()> + use<> {
        let begun = begun.clone();
        move || {
            let time = begun.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                match time {
                    0 => panic!("it was dropped"),
                    1 => {}
                    _ => std::future::pending().await,
                }
            })
        }
    }

    async fn until(done: impl Fn() -> bool) {
        for _ in 0..500 {
            if done() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing happens for five seconds");
    }

    #[tokio::test]
    async fn a_part_that_ends_is_said_and_started_again() {
        let (vitals, begun) = (Vitals::default(), Arc::default());
        let part = vitals.supervise("the timer", fragile(&begun));
        until(|| vitals.troubles() == ["the timer has ended: a panic: it was dropped"]).await;
        until(|| vitals.troubles() == ["the timer has ended: without having been asked to"]).await;
        until(|| begun.load(Ordering::SeqCst) == 3).await;
        assert_eq!(vitals.troubles().len(), 1, "it has yet to prove itself");
        until(|| vitals.troubles().is_empty()).await;
        part.end().await;
        assert_eq!(vitals.troubles(), [""; 0], "it was asked to");
    }

    /// Negative control of the test above.
    #[tokio::test]
    async fn without_restarts_it_stays_dead() {
        let (vitals, begun) = (Vitals::without_restarts(), Arc::default());
        let _part = vitals.supervise("the timer", fragile(&begun));
        sleep(PAUSE_MIN * 5).await;
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert_eq!(vitals.troubles(), ["the timer has ended: a panic: it was dropped"]);
    }

    #[test]
    fn a_part_that_cannot_live_is_started_more_and_more_rarely() {
        let vitals = Vitals::default();
        let mut member = vitals.enrol("the timer");
        let pauses: Vec<_> = (0..8).map(|_| member.ended(None).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        member.goes_on();
        assert_eq!(vitals.troubles().len(), 1, "it has yet to prove itself");
        drop(member);
        assert_eq!(vitals.troubles(), [""; 0]);
    }

    #[test]
    fn a_thread_goes_on_after_a_panic() {
        let (vitals, mut times) = (Vitals::default(), 0);
        vitals.supervise_thread("the thread", || {
            times += 1;
            assert!(times > 2, "not yet");
        });
        assert_eq!(times, 3);
        assert_eq!(vitals.troubles(), [""; 0]);
    }

    #[test]
    fn a_condition_is_said_until_it_is_over() {
        let vitals = Vitals::default();
        vitals.note("the database", Some("it takes no writes".to_owned()));
        vitals.clone().note("the database", Some("its disk is full".to_owned()));
        assert_eq!(vitals.troubles(), ["the database: its disk is full"]);
        vitals.note("the database", None);
        assert_eq!(vitals.troubles(), [""; 0]);
    }
}
