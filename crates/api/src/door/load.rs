//! Requests that are shed when there are too many.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use metrics::{Counter, counter, gauge};
use onsale_domain::shedding::{Pressure, Priority};
use tokio::sync::Notify;

use super::saturation::{Saturation, Share};
use crate::problem::{Kind, Problem};

/// How often the pressure is looked at.
const OBSERVED_EVERY: Duration = Duration::from_millis(100);

/// How often it is measured how late work is begun.
const PROBED_EVERY: Duration = Duration::from_millis(5);

/// How long a shed request waits for its answer: one that is answered at once comes again at once,
/// and turning it away costs as much as a cached answer. A connection that waits costs nothing.
const SHED_AFTER: Duration = Duration::from_secs(1);

/// From this share of its time on, the server has none to spare.
const SATURATED: f64 = 0.9;

/// After how many seconds people are to come back who only look around or wait in line: more rarely
/// than they ask of themselves, or shedding them would make more requests than it turns away, and not
/// all at once.
const WAITING_AGAIN_S: std::ops::Range<i64> = 2..8;

/// A load is our own from so many requests on in the time of an observation, those under way among them.
/// A few visitors are never shed, however late other programs make their requests.
const CROWD_MIN: f64 = 32.0;

/// And from this share of the processors on that we use ourselves.
const OWN_SHARE_MIN: f64 = 0.2;

/// And, whatever we use, from so many requests on that are under way at once: they wait for us.
const UNDER_WAY_CROWD: usize = 64;

/// The most shed requests that wait; more are answered at once.
const SHED_WAITING_MAX: usize = 100_000;

const PRIORITIES: [Priority; 4] =
    [Priority::Browsing, Priority::Arriving, Priority::Buying, Priority::Paying];

/// How many requests are under way and how late the machine is.
pub struct Load {
    under_way: AtomicUsize,
    under_way_max: usize,
    /// Requests that have come since the last observation.
    come: AtomicU32,
    /// Nothing is measured, because nobody comes.
    asleep: AtomicBool,
    woken: Notify,
    late_ms_max: Option<f64>,
    /// The share of each priority to shed, of 2^32.
    shed: [AtomicU32; PRIORITIES.len()],
    shed_waiting: AtomicUsize,
    buyers: AtomicBool,
    dice: AtomicU32,
    /// Dice of their own, or those of the next request would not be even any more.
    again_dice: AtomicU32,
    counters: [Counter; PRIORITIES.len()],
}

impl Load {
    /// At most so many requests under way; pressure is when work is begun later than `late_ms_max`.
    /// `None`: only the requests under way count.
    #[must_use]
    pub fn new(under_way_max: usize, late_ms_max: Option<u32>) -> Arc<Self> {
        let counters = ["browsing", "arriving", "buying", "paying"]
            .map(|priority| counter!("onsale_http_requests_shed_total", "priority" => priority));
        Arc::new(Self {
            under_way: AtomicUsize::new(0),
            under_way_max,
            come: AtomicU32::new(0),
            asleep: AtomicBool::new(false),
            woken: Notify::new(),
            late_ms_max: late_ms_max.map(f64::from),
            shed: Default::default(),
            shed_waiting: AtomicUsize::new(0),
            buyers: AtomicBool::new(false),
            dice: AtomicU32::new(0),
            again_dice: AtomicU32::new(0),
            counters,
        })
    }

    /// Measures the pressure for ever. To be run as a task of the runtime that serves.
    #[expect(clippy::disallowed_methods, reason = "measures how late work is begun")]
    pub async fn keep(self: Arc<Self>) {
        let Some(late_ms_max) = self.late_ms_max else { return };
        let late = gauge!("onsale_http_late_seconds");
        let busy = gauge!("onsale_http_busy_share");
        let mut pressure = Pressure::default();
        let mut saturation = Saturation::new();
        loop {
            if pressure == Pressure::default() && self.is_deserted() {
                late.set(0.0);
                busy.set(0.0);
                self.sleep().await;
                saturation = Saturation::new();
            }
            let began = Instant::now();
            let (mut late_sum, mut probes) = (Duration::ZERO, 0_u32);
            while began.elapsed() < OBSERVED_EVERY {
                let asleep = Instant::now();
                tokio::time::sleep(PROBED_EVERY).await;
                late_sum += asleep.elapsed().saturating_sub(PROBED_EVERY);
                probes += 1;
            }
            let mean = late_sum / probes.max(1);
            late.set(mean.as_secs_f64());
            let late_ms = mean.as_secs_f64() * 1_000.0;
            let share = saturation.share(began.elapsed());
            busy.set(share.busy);
            let own = self.is_our_own(began.elapsed(), share, pressure);
            // Who only looks around takes time from nobody but others who do.
            let buyers = self.buyers.swap(false, Ordering::Relaxed);
            pressure = if own && late_ms <= late_ms_max && buyers && share.busy >= SATURATED {
                pressure.after_saturation()
            } else {
                pressure.after(if own { late_ms } else { 0.0 }, late_ms_max)
            };
            for (priority, share) in PRIORITIES.into_iter().zip(&self.shed) {
                let shed = if own { pressure.shed(priority) } else { 0.0 };
                share.store((shed * f64::from(u32::MAX)) as u32, Ordering::Relaxed);
            }
        }
    }

    /// Whether nobody has come since this was asked last.
    fn is_deserted(&self) -> bool {
        self.come.load(Ordering::SeqCst) == 0 && self.under_way.load(Ordering::SeqCst) == 0
    }

    /// Waits until somebody comes.
    async fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        if self.is_deserted() {
            self.woken.notified().await;
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Whether the load in a time is our own, rather than that of other programs on the machine.
    fn is_our_own(&self, time: Duration, share: Share, pressure: Pressure) -> bool {
        let under_way = self.under_way.load(Ordering::Relaxed);
        let come = f64::from(self.come.swap(0, Ordering::Relaxed));
        let come = come * OBSERVED_EVERY.as_secs_f64() / time.as_secs_f64();
        let crowd = come + under_way as f64;
        // Shedding itself makes less to do.
        let goes_on = pressure != Pressure::default();
        crowd >= CROWD_MIN && (goes_on || share.own >= OWN_SHARE_MIN || under_way >= UNDER_WAY_CROWD)
    }

    /// Takes a request in, or sheds it.
    pub(crate) fn enter(self: &Arc<Self>, priority: Priority) -> Result<Permit, Shed> {
        let share = self.shed[priority as usize].load(Ordering::Relaxed);
        // Weyl's sequence: evenly spread, without a generator to wait for.
        let dice = if share == 0 { u32::MAX } else { self.dice.fetch_add(0x9E37_79B9, Ordering::Relaxed) };
        let room = self.under_way_max.saturating_mul(priority.room_percent()) / 100;
        if priority >= Priority::Buying && !self.buyers.load(Ordering::Relaxed) {
            self.buyers.store(true, Ordering::Relaxed);
        }
        let permit = Permit::new(self.clone());
        self.come.fetch_add(1, Ordering::Relaxed);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::SeqCst) {
            self.woken.notify_one();
        }
        if dice < share || permit.before >= room.max(1) {
            self.counters[priority as usize].increment(1);
            return Err(Shed { load: self.clone(), again_s: self.again_s(priority) });
        }
        Ok(permit)
    }
}

impl Load {
    /// When somebody is to come back whose request was shed, in seconds.
    fn again_s(&self, priority: Priority) -> i64 {
        if priority >= Priority::Buying {
            return 1;
        }
        let span = WAITING_AGAIN_S.end - WAITING_AGAIN_S.start;
        let dice = i64::from(self.again_dice.fetch_add(0x9E37_79B9, Ordering::Relaxed));
        WAITING_AGAIN_S.start + ((dice * span) >> u32::BITS)
    }
}

/// A request under way.
pub(crate) struct Permit {
    load: Arc<Load>,
    before: usize,
}

impl Permit {
    fn new(load: Arc<Load>) -> Self {
        let before = load.under_way.fetch_add(1, Ordering::Relaxed);
        Self { load, before }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.load.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that is turned away.
pub(crate) struct Shed {
    load: Arc<Load>,
    again_s: i64,
}

impl Shed {
    /// The answer, after a while.
    pub(crate) async fn answer(self) -> Problem {
        struct Waiting(Arc<Load>);
        impl Drop for Waiting {
            fn drop(&mut self) {
                self.0.shed_waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if self.load.shed_waiting.fetch_add(1, Ordering::Relaxed) < SHED_WAITING_MAX {
            let _waiting = Waiting(self.load);
            tokio::time::sleep(SHED_AFTER).await;
        } else {
            drop(Waiting(self.load));
        }
        Problem::new(Kind::Overloaded, "too many requests at this moment; try again in a moment")
            .retry_after(self.again_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(load: &Load, priority: Priority, share: f64) {
        load.shed[priority as usize].store((share * f64::from(u32::MAX)) as u32, Ordering::Relaxed);
    }

    #[test]
    fn there_is_always_room_for_what_matters_more() {
        let load = Load::new(10, None);
        let mut permits = Vec::new();
        for (priority, most) in PRIORITIES.into_iter().zip([5, 7, 9, 10]) {
            while let Ok(permit) = load.enter(priority) {
                permits.push(permit);
            }
            assert_eq!(permits.len(), most);
        }
        drop(permits.pop());
        assert!(load.enter(Priority::Buying).is_err() && load.enter(Priority::Paying).is_ok());
        permits.clear();
        assert!(load.enter(Priority::Browsing).is_ok());
    }

    fn crowd(load: &Arc<Load>) -> Vec<Permit> {
        (0..UNDER_WAY_CROWD).map(|_| load.enter(Priority::Browsing).ok().expect("there is room")).collect()
    }

    /// Whatever keeps the processors from a crowd's requests counts, here something that blocks the runtime.
    #[tokio::test]
    async fn browsing_is_shed_while_work_is_begun_late_and_comes_back_by_itself() {
        let load = Load::new(1_000, Some(200));
        let _crowd = crowd(&load);
        let keeper = tokio::spawn(load.clone().keep());
        let is_shed = |priority| load.enter(priority).is_err();
        let mut turns = 0;
        while !(0..10).all(|_| is_shed(Priority::Browsing)) {
            turns += 1;
            assert!(turns < 100, "nothing is shed");
            std::thread::sleep(Duration::from_millis(400));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!(0..100).any(|_| is_shed(Priority::Paying)), "payments are never shed");
        // Five seconds of its own time, which passes only as observations do.
        for _ in 0..50 {
            tokio::time::sleep(OBSERVED_EVERY).await;
        }
        assert!(!(0..1_000).any(|_| is_shed(Priority::Browsing)), "it is over");
        keeper.abort();
    }

    /// Of which the test above is the control: late as there, but with nobody who makes it so.
    #[tokio::test]
    async fn a_visitor_who_is_nearly_alone_is_never_shed() {
        let load = Load::new(1_000, Some(20));
        let keeper = tokio::spawn(load.clone().keep());
        for _ in 0..20 {
            let permits: Vec<_> = (0..4).map(|_| load.enter(Priority::Browsing)).collect();
            assert!(permits.iter().all(Result::is_ok));
            std::thread::sleep(Duration::from_millis(200));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        keeper.abort();
    }

    #[tokio::test]
    async fn while_nobody_comes_nothing_is_measured() {
        let load = Load::new(1_000, Some(1_000));
        let keeper = tokio::spawn(load.clone().keep());
        tokio::time::sleep(OBSERVED_EVERY).await;
        assert!(load.asleep.load(Ordering::SeqCst));
        let visitor = load.enter(Priority::Browsing);
        tokio::time::sleep(OBSERVED_EVERY * 5).await;
        assert!(!load.asleep.load(Ordering::SeqCst));
        drop(visitor);
        for _ in 0..100 {
            if load.asleep.load(Ordering::SeqCst) {
                return keeper.abort();
            }
            tokio::time::sleep(OBSERVED_EVERY).await;
        }
        panic!("it is measured for nobody");
    }

    #[tokio::test]
    async fn browsing_gives_way_to_buyers_while_there_is_no_time_to_spare() {
        let load = Load::new(1_000, Some(1_000));
        let _crowd = crowd(&load);
        let keeper = tokio::spawn(load.clone().keep());
        let is_shed = |priority| load.enter(priority).is_err();
        let busy = async || {
            std::thread::sleep(Duration::from_millis(60));
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        for _ in 0..20 {
            busy().await;
            assert!(!is_shed(Priority::Browsing), "nobody buys");
        }
        for _ in 0..20 {
            busy().await;
            assert!(!is_shed(Priority::Buying));
        }
        let shed = (0..1_000).filter(|_| is_shed(Priority::Browsing)).count();
        assert!((500..=910).contains(&shed), "{shed}: most of them, and never all");
        assert!(!(0..1_000).any(|_| is_shed(Priority::Arriving)), "only browsing gives way");
        keeper.abort();
    }

    #[test]
    fn who_waits_comes_back_later_than_who_buys_and_not_with_everybody_else() {
        let load = Load::new(1, None);
        let _full = load.enter(Priority::Paying);
        let mut times = [0; WAITING_AGAIN_S.end as usize];
        for _ in 0..600 {
            let shed = load.enter(Priority::Arriving).err().expect("it is full");
            times[usize::try_from(shed.again_s).unwrap()] += 1;
            assert_eq!(load.enter(Priority::Buying).err().expect("it is full").again_s, 1);
        }
        assert_eq!(times[..2], [0; 2]);
        assert!(times[2..].iter().all(|times| (90..=110).contains(times)), "{times:?}");
    }

    #[test]
    fn the_share_that_is_to_be_shed_is_shed() {
        let load = Load::new(10, Some(20));
        share(&load, Priority::Browsing, 0.25);
        let taken = (0..10_000).filter(|_| load.enter(Priority::Browsing).is_ok()).count();
        assert!((7_400..=7_600).contains(&taken), "{taken}");
        assert!((0..10_000).all(|_| load.enter(Priority::Buying).is_ok()));
        share(&load, Priority::Browsing, 1.0);
        assert!((0..10_000).all(|_| load.enter(Priority::Browsing).is_err()));
    }
}
