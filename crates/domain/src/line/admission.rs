//! How many a second a sale bears: found from its latency and its queue.
//!
//! The gradient rule of Netflix's concurrency-limits (2018) and of Envoy's adaptive concurrency
//! filter, turned from a number of requests in flight to a rate of admissions: in a second of
//! trouble the rate falls to those who entered, times how near the sale's latency is to its calm
//! value (never below half the rate), and while it is calm the rate grows by its square root.
//! Unlike additive increase with a fixed cut (AIMD), it cuts as deep as the trouble is, so it
//! neither swings nor needs a step size that fits the sale.
//!
//! What is compared is the median latency, as Envoy does by default. The slowest hundredth is what
//! visitors mind, but of a few answers a second it is one of them, and chance; median and slowest
//! hundredth of a queue grow alike. Calm is what the lowest medians come close to: one lucky second
//! does not decide it.
//!
//! After long trouble the way back is short: up to half of the rate that the sale bore before, the
//! rate doubles each second, as a TCP connection does up to its slow start threshold (RFC 5681,
//! section 3.1).
//!
//! People enter some seconds after they are called, and some never. So the trouble of one second
//! comes from calls before it, and cutting the rate for it again and again would cut far too deep:
//! what is cut is the measured number of entries, and the rate itself only while the sale is several
//! times as slow as when it is calm. And calls are the rate over the measured share of
//! those called who come.

/// Latencies up to so many times the calm one are calm. A little less than the twice that the sale may
/// take: who has been called already still comes.
const TOLERANCE: f64 = 1.75;

/// How much a second that is faster than calm counts in what calm is.
const CALM_WEIGHT: f64 = 0.5;

/// Up to this share of the rate before the last trouble the rate doubles each second.
const PROVEN_SHARE: f64 = 0.5;

/// A queue fuller than this share counts as trouble, whatever the latency says.
const QUEUE_SHARE_CALM: f64 = 0.25;

/// The deepest cut in one second.
const GRADIENT_MIN: f64 = 0.5;

/// How much the last second counts in the mean of entries that a cut starts from, and in the means
/// that tell the share of those called who come.
const ENTRIES_WEIGHT: f64 = 0.8;
const COMING_WEIGHT: f64 = 0.03;

/// The least share of those called who come that is made up for: at most twice as many are called.
const COMING_MIN: f64 = 0.5;

/// By how much the calm latency may drift upwards each second while all is well, and while the rate
/// lies on its floor: then it is the sale that has become slower, not the crowd that is too large.
const DRIFT_CALM: f64 = 1.001;
const DRIFT_FLOOR: f64 = 1.02;

/// How the sale fared in the last second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaleHealth {
    /// The median latency of its answers, in milliseconds. `None` if there were too few to tell.
    pub latency_ms: Option<f64>,
    /// How full its fullest queue is, from 0 to 1.
    pub queue_share: f64,
}

/// What the room did in the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many were called.
    pub calls: u32,
    /// How many entered.
    pub entries: u32,
    /// Whether the line used what the rate allowed: only then has the rate been tried.
    pub fully_used: bool,
}

/// Finds the rate.
#[derive(Clone, Debug)]
pub struct AdmissionControl {
    floor: f64,
    ceiling: f64,
    rate: f64,
    calm_ms: Option<f64>,
    /// The rate at which the last trouble began; 0 if there was none.
    proven: f64,
    /// Whether there was trouble when it was last known how the sale fares.
    in_trouble: bool,
    /// Entries a second, over the last few.
    entries: Option<f64>,
    /// Calls and entries a second, over the last half minute or so.
    coming: Option<(f64, f64)>,
}

impl AdmissionControl {
    /// Starts in the geometric middle of floor and ceiling, both in admissions a second.
    #[must_use]
    pub fn new(floor: u32, ceiling: u32) -> Self {
        let (floor, ceiling) = (f64::from(floor), f64::from(ceiling));
        Self {
            floor,
            ceiling,
            rate: (floor * ceiling).sqrt(),
            calm_ms: None,
            proven: 0.0,
            in_trouble: false,
            entries: None,
            coming: None,
        }
    }

    /// Other bounds; the rate goes on from where it is.
    pub fn change(&mut self, floor: u32, ceiling: u32) {
        (self.floor, self.ceiling) = (f64::from(floor), f64::from(ceiling));
        self.rate = self.rate.clamp(self.floor, self.ceiling);
    }

    /// Admissions a second.
    #[must_use]
    pub fn rate(&self) -> u32 {
        // Bounds are u32, so the cast cannot lose anything but the fraction.
        self.rate.round() as u32
    }

    /// How many to call a second, so that the rate enters.
    #[must_use]
    pub fn calls(&self) -> u32 {
        let coming = self.coming.map_or(1.0, |(calls, entries)| entries / calls.max(1.0));
        // As with the rate.
        (self.rate / coming.clamp(COMING_MIN, 1.0)).round() as u32
    }

    /// Learns how the sale fared in the last second, and what the room did to it.
    pub fn observe(&mut self, health: SaleHealth, traffic: Traffic) {
        let (calls, entries) = (f64::from(traffic.calls), f64::from(traffic.entries));
        let mean = |before: f64, now: f64, weight: f64| before + weight * (now - before);
        let recent = self.entries.map_or(entries, |before| mean(before, entries, ENTRIES_WEIGHT));
        self.entries = Some(recent);
        let (calls_before, entries_before) = self.coming.unwrap_or((self.rate, self.rate));
        self.coming =
            Some((mean(calls_before, calls, COMING_WEIGHT), mean(entries_before, entries, COMING_WEIGHT)));

        let latency_ms = health.latency_ms.filter(|ms| ms.is_finite() && *ms > 0.0);
        let gradient = self.latency_gradient(latency_ms).min(queue_gradient(health.queue_share));
        if gradient < 1.0 {
            self.cut(gradient, recent);
            self.in_trouble = true;
        } else if latency_ms.is_some() {
            if traffic.fully_used {
                self.grow();
            }
            self.in_trouble = false;
        }
        self.rate = self.rate.clamp(self.floor, self.ceiling);
        self.drift(gradient);
    }

    fn cut(&mut self, gradient: f64, entries: f64) {
        if !self.in_trouble {
            // Trouble on the way back says that less is borne than before, but not how much less.
            self.proven = self.rate.max(self.proven / 2.0);
        }
        let least = GRADIENT_MIN * self.rate;
        self.rate =
            if gradient > GRADIENT_MIN { self.rate.min((gradient * entries).max(least)) } else { least };
    }

    fn grow(&mut self) {
        let proven = PROVEN_SHARE * self.proven;
        self.rate =
            if self.rate < proven { proven.min(2.0 * self.rate) } else { self.rate + self.rate.sqrt() };
    }

    fn latency_gradient(&mut self, latency_ms: Option<f64>) -> f64 {
        let Some(latency_ms) = latency_ms else { return 1.0 };
        let calm_ms = self.calm_ms.unwrap_or(latency_ms);
        let calm_ms = calm_ms + CALM_WEIGHT * (latency_ms - calm_ms).min(0.0);
        self.calm_ms = Some(calm_ms);
        (TOLERANCE * calm_ms / latency_ms).clamp(GRADIENT_MIN, 1.0)
    }

    fn drift(&mut self, gradient: f64) {
        let drift = if gradient >= 1.0 {
            DRIFT_CALM
        } else if self.rate <= self.floor {
            DRIFT_FLOOR
        } else {
            1.0
        };
        self.calm_ms = self.calm_ms.map(|calm_ms| calm_ms * drift);
    }
}

fn queue_gradient(queue_share: f64) -> f64 {
    if queue_share > QUEUE_SHARE_CALM { (1.0 - queue_share).clamp(GRADIENT_MIN, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(latency_ms: f64, queue_share: f64) -> SaleHealth {
        SaleHealth { latency_ms: Some(latency_ms), queue_share }
    }

    /// Seconds in which everybody called comes at once.
    fn after(control: &mut AdmissionControl, seconds: u32, health: SaleHealth) -> u32 {
        for _ in 0..seconds {
            let rate = control.rate();
            control.observe(health, Traffic { calls: rate, entries: rate, fully_used: true });
        }
        control.rate()
    }

    #[test]
    fn a_calm_sale_is_given_more_up_to_the_ceiling() {
        let mut control = AdmissionControl::new(10, 1_000);
        assert_eq!(control.rate(), 100);
        assert_eq!(after(&mut control, 1, health(5.0, 0.0)), 110);
        assert_eq!(after(&mut control, 1_000, health(5.0, 0.0)), 1_000);
    }

    #[test]
    fn a_slow_sale_is_given_less_down_to_the_floor_and_more_again_when_it_recovers() {
        let mut control = AdmissionControl::new(10, 1_000);
        after(&mut control, 100, health(5.0, 0.0));
        assert_eq!(after(&mut control, 10, health(50.0, 0.0)), 10, "ten times as slow");
        assert!(after(&mut control, 20, health(5.0, 0.0)) > 100);
    }

    #[test]
    fn what_was_borne_before_the_trouble_is_reached_again_within_ten_seconds() {
        let mut control = AdmissionControl::new(10, 300);
        after(&mut control, 100, health(5.0, 0.0));
        let silent = SaleHealth { latency_ms: None, queue_share: 0.0 };
        for _ in 0..15 {
            after(&mut control, 1, health(50.0, 0.0));
            after(&mut control, 1, silent);
        }
        assert_eq!(control.rate(), 10);
        assert!(after(&mut control, 5, health(5.0, 0.0)) >= 150);
        assert!(after(&mut control, 5, health(5.0, 0.0)) >= 210);

        let mut never_more = AdmissionControl::new(10, 300);
        assert_eq!(after(&mut never_more, 1, health(5.0, 1.0)), 27);
        assert_eq!(after(&mut never_more, 30, health(5.0, 1.0)), 10);
        let back = after(&mut never_more, 5, health(5.0, 0.0));
        assert!(back < 80, "{back}: no more was borne than 55");
    }

    #[test]
    fn a_sale_that_bears_less_than_before_is_not_tried_as_if_it_bore_as_much() {
        let mut control = AdmissionControl::new(10, 1_000);
        after(&mut control, 200, health(5.0, 0.0));
        let mut seconds_in_trouble = 0;
        for _ in 0..60 {
            let slow = control.rate() > 100;
            seconds_in_trouble += u32::from(slow);
            after(&mut control, 1, health(if slow { 50.0 } else { 5.0 }, 0.0));
        }
        assert!(seconds_in_trouble < 20, "{seconds_in_trouble}");
    }

    /// Latencies as they are measured: around 2 ms, one in thirty ten times as slow.
    fn noise(state: &mut u64) -> f64 {
        let mut uniform = || {
            // Knuth's linear congruential generator (MMIX).
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let usual = 2.0 * (0.4 * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0)).exp();
        if uniform() < 1.0 / 30.0 { 10.0 * usual } else { usual }
    }

    /// The rate after an hour with ten answers a second, of which this one is told.
    fn after_noise(told: usize) -> u32 {
        let mut control = AdmissionControl::new(10, 300);
        let mut state = 1;
        for _ in 0..3_600 {
            let mut answers: Vec<f64> = (0..10).map(|_| noise(&mut state)).collect();
            answers.sort_unstable_by(f64::total_cmp);
            after(&mut control, 1, health(answers[told], 0.0));
        }
        control.rate()
    }

    #[test]
    fn chance_among_a_few_answers_is_not_trouble() {
        assert!(after_noise(5) >= 270, "{}", after_noise(5));
        assert!(after_noise(9) <= 100, "{}: the slowest of ten would be", after_noise(9));
    }

    #[test]
    fn without_answers_nothing_is_known_and_nothing_more_let_in() {
        let mut control = AdmissionControl::new(10, 1_000);
        let silent = SaleHealth { latency_ms: None, queue_share: 0.0 };
        assert_eq!(after(&mut control, 60, silent), 100);
        assert_eq!(after(&mut control, 1, health(5.0, 0.0)), 110);
    }

    #[test]
    fn a_full_queue_is_trouble_even_if_the_latency_is_calm() {
        let mut control = AdmissionControl::new(10, 1_000);
        assert_eq!(after(&mut control, 1, health(5.0, 0.5)), 50);
        assert_eq!(after(&mut control, 1, health(5.0, 1.0)), 25, "at most halved in a second");
        assert_eq!(after(&mut control, 1, health(5.0, 0.25)), 50, "calm again, and 100 were borne");
    }

    #[test]
    fn a_rate_that_nobody_used_does_not_grow() {
        let mut control = AdmissionControl::new(10, 1_000);
        for _ in 0..100 {
            control.observe(health(5.0, 0.0), Traffic::default());
        }
        assert_eq!(control.rate(), 100);
    }

    #[test]
    fn a_sale_that_has_become_slower_for_good_is_accepted_in_the_end() {
        let mut control = AdmissionControl::new(10, 1_000);
        after(&mut control, 100, health(5.0, 0.0));
        assert_eq!(after(&mut control, 5, health(15.0, 0.0)), 10.max(control.rate()));
        assert!(after(&mut control, 200, health(15.0, 0.0)) > 100);
    }

    #[test]
    fn those_called_before_the_trouble_are_not_cut_for_again() {
        let mut control = AdmissionControl::new(10, 10_000);
        let late = Traffic { calls: 100, entries: 316, fully_used: true };
        control.observe(health(5.0, 0.0), late);
        assert_eq!(control.rate(), 334);
        for _ in 0..10 {
            control.observe(health(10.5, 0.0), late);
        }
        assert!(control.rate() > 250, "{}: they enter by calls of ten seconds ago", control.rate());
    }

    #[test]
    fn those_who_do_not_come_are_made_up_for() {
        let mut control = AdmissionControl::new(100, 100);
        assert_eq!(control.calls(), 100);
        for (percent, calls_then) in [(80, 125), (0, 200)] {
            for _ in 0..500 {
                let calls = control.calls();
                let entries = calls * percent / 100;
                control.observe(health(5.0, 0.0), Traffic { calls, entries, fully_used: true });
            }
            assert_eq!(control.calls(), calls_then, "at most twice the rate");
        }
    }

    #[test]
    fn nonsense_is_ignored() {
        let mut control = AdmissionControl::new(10, 1_000);
        for latency_ms in [Some(f64::NAN), Some(0.0), Some(-1.0), Some(f64::INFINITY), None] {
            control.observe(SaleHealth { latency_ms, queue_share: f64::NAN }, Traffic::default());
        }
        assert_eq!(control.rate(), 100);
    }
}
