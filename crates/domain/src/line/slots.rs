//! For how long somebody has a slot of a bank window, and so how fast it empties.
//!
//! By Little's law (1961) a window of `n` slots that are always taken lets in `n / t` a second, if each
//! entry takes one for `t` seconds on average. How long people stay is measured as in a life table:
//! of those who have been inside for so long, which share comes out in the next interval. So whoever is
//! still inside counts, too, as far as they have come; an average over those who have come out would
//! have too few long stays in it for as long as a pass lasts.
//!
//! When the window has just been filled nobody has been inside for long. For times that nobody has
//! reached, some are taken to come out at a steady rate, and the others to keep their slot until the
//! pass runs out: a mixture cure model (Boag 1949), told by three points of the measured curve.

use crate::time::Timestamp;

/// Into how many intervals the life of a pass is divided.
const INTERVALS: usize = 60;

/// From how many people on the share of those who come out in an interval is believed.
const AT_RISK_MIN: f64 = 10.0;

/// A mean is told once people have been watched for this part of a pass's life.
const WATCHED_PART: i64 = 5;

/// How many points of the curve are needed.
const POINTS_MIN: usize = 3;

/// What is left of a count after an interval: what was measured two passes ago counts for a third.
const KEPT: f64 = 1.0 - 1.0 / (2.0 * INTERVALS as f64);

/// How long people stay inside. Nothing is known of those who were inside before a restart.
#[derive(Clone, Debug)]
pub(super) struct SlotTimes {
    pass_ms: i64,
    width_ms: i64,
    /// The interval that goes on, since 1970.
    interval: i64,
    /// The one in which somebody came in first.
    first: Option<i64>,
    /// How many are inside who came in so many intervals ago, and how many of them came out in this one.
    inside: [u32; INTERVALS + 1],
    coming_out: [u32; INTERVALS + 1],
    /// How many had been inside for so many intervals, and how many of them came out in that one.
    at_risk: [f64; INTERVALS],
    came_out: [f64; INTERVALS],
    entries: f64,
    /// Entries, and passes that were extended: a stay begins anew.
    stays: f64,
    /// The time between call and entry, all entries taken together.
    entering_ms: f64,
    mean_s: Option<f64>,
}

impl SlotTimes {
    pub(super) fn new(pass_ms: i64, now: Timestamp) -> Self {
        let width_ms = (pass_ms / INTERVALS as i64).max(1);
        Self {
            pass_ms,
            width_ms,
            interval: now.0.div_euclid(width_ms),
            first: None,
            inside: [0; INTERVALS + 1],
            coming_out: [0; INTERVALS + 1],
            at_risk: [0.0; INTERVALS],
            came_out: [0.0; INTERVALS],
            entries: 0.0,
            stays: 0.0,
            entering_ms: 0.0,
            mean_s: None,
        }
    }

    /// Passes last for another time from now on: what was measured is not true any more.
    pub(super) fn set_pass_ms(&mut self, pass_ms: i64, now: Timestamp) {
        if pass_ms != self.pass_ms {
            *self = Self::new(pass_ms, now);
        }
    }

    /// Somebody comes in, so many milliseconds after the call.
    pub(super) fn entered(&mut self, now: Timestamp, after_ms: i64) {
        self.go_on(now);
        self.first.get_or_insert(self.interval);
        self.inside[0] += 1;
        self.entries += 1.0;
        self.stays += 1.0;
        self.entering_ms += after_ms.max(0) as f64;
    }

    /// A pass that was good until `before` lasts until `until`: a stay begins anew.
    pub(super) fn extended(&mut self, before: Timestamp, until: Timestamp, now: Timestamp) {
        self.left(before, now);
        self.inside[self.age(until)] += 1;
        self.stays += 1.0;
    }

    /// Somebody comes out whose pass was good until `until`.
    pub(super) fn left(&mut self, until: Timestamp, now: Timestamp) {
        self.go_on(now);
        let age = self.age(until);
        if self.inside[age] > 0 {
            self.inside[age] -= 1;
            self.coming_out[age] += 1;
        }
    }

    /// In how many intervals' age a pass is that is good until then.
    fn age(&self, until: Timestamp) -> usize {
        let began = until.plus_ms(-self.pass_ms).0.div_euclid(self.width_ms);
        usize::try_from(self.interval - began).unwrap_or(0).min(INTERVALS)
    }

    /// For how long an entry takes a slot, on average, in seconds. `None` until enough has been watched.
    pub(super) fn mean_s(&self) -> Option<f64> {
        self.mean_s
    }

    /// Closes the intervals that are over.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        let interval = now.0.div_euclid(self.width_ms);
        let over = interval - self.interval;
        if over <= 0 {
            return;
        }
        // After so many nobody is inside any more.
        for _ in 0..over.min(2 * INTERVALS as i64) {
            self.close_interval();
        }
        self.interval = interval;
        self.mean_s = self.measure();
    }

    fn close_interval(&mut self) {
        for age in 0..INTERVALS {
            let came_out = f64::from(self.coming_out[age]);
            self.at_risk[age] = self.at_risk[age] * KEPT + f64::from(self.inside[age]) + came_out;
            self.came_out[age] = self.came_out[age] * KEPT + came_out;
        }
        for count in [&mut self.entries, &mut self.stays, &mut self.entering_ms] {
            *count *= KEPT;
        }
        self.coming_out = [0; INTERVALS + 1];
        self.inside.rotate_right(1);
        self.inside[0] = 0;
    }

    fn measure(&self) -> Option<f64> {
        if (self.interval - self.first?) * WATCHED_PART < INTERVALS as i64 {
            return None;
        }
        let width_s = self.width_ms as f64 / 1_000.0;
        // Who is still there at the end of each interval. In the first one they come in, so it takes
        // half the time.
        let mut curve = Vec::with_capacity(INTERVALS);
        let (mut there, mut stay_s) = (1.0, 0.0);
        for (at_risk, came_out) in self.at_risk.iter().zip(self.came_out) {
            if *at_risk < AT_RISK_MIN {
                break;
            }
            let still = there * (1.0 - came_out / at_risk);
            stay_s += width_s * (there + still) / if curve.is_empty() { 4.0 } else { 2.0 };
            curve.push(still);
            there = still;
        }
        if curve.len() < POINTS_MIN {
            return None;
        }
        let watched_s = (curve.len() as f64 - 0.5) * width_s;
        stay_s += unwatched_s(&curve, width_s, self.pass_ms as f64 / 1_000.0 - watched_s);
        Some(stay_s * self.stays / self.entries + self.entering_ms / self.entries / 1_000.0)
    }
}

/// How long those stay who are still inside after the watched intervals, times their share, if passes
/// run out `rest_s` later.
fn unwatched_s(curve: &[f64], width_s: f64, rest_s: f64) -> f64 {
    let there = curve[curve.len() - 1];
    let half = (curve.len() - 1) / 2;
    let [begin, middle, end] = [curve[0], curve[half], curve[2 * half]];
    // Of those who come out at a steady rate, this share is left after half of the time.
    let left = (middle - end) / (begin - middle);
    if !(left > 0.0 && left < 1.0) {
        // Nobody comes out any more, or ever more do.
        return if left > 0.0 {
            there * steady_s(middle / end, half as f64 * width_s, rest_s)
        } else {
            there * rest_s
        };
    }
    let stays = ((middle * middle - begin * end) / (2.0 * middle - begin - end)).clamp(0.0, there);
    stays * rest_s + (there - stays) * steady_s(1.0 / left, half as f64 * width_s, rest_s)
}

/// For how long people stay, at most `rest_s`, who become `fewer` times fewer in `in_s` seconds.
fn steady_s(fewer: f64, in_s: f64, rest_s: f64) -> f64 {
    let rate = fewer.ln() / in_s;
    (1.0 - (-rate * rest_s).exp()) / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS_MS: i64 = 300_000;
    const SLOTS: u32 = 2_000;

    /// Somebody inside: (comes out at, pass is good until), in milliseconds.
    type Inside = (i64, i64);

    /// Eight of ten leave at a steady rate, after 30 s on average, two stay until their pass runs out.
    fn stay_ms(number: u32) -> i64 {
        if number % 5 == 4 {
            return PASS_MS;
        }
        // Evenly spread quantiles.
        let quantile = f64::from(number.wrapping_mul(2_654_435_769) >> 8) / f64::from(1 << 24);
        ((-30_000.0 * (1.0 - quantile).ln()) as i64).min(PASS_MS)
    }

    /// The mean of all stays.
    fn true_mean_s() -> f64 {
        (0..100_000).map(|number| stay_ms(number) as f64).sum::<f64>() / 1e8
    }

    /// A window that is filled at once and stays full: what is measured after so many seconds, and the
    /// mean stay of those who have come out.
    fn watched(seconds: i64) -> (Option<f64>, f64) {
        let mut slots = SlotTimes::new(PASS_MS, Timestamp(0));
        let mut inside: Vec<Inside> = Vec::new();
        let (mut number, mut out, mut out_ms) = (0, 0.0, 0.0);
        for now in (0..seconds * 1_000).step_by(100) {
            inside.retain(|(leaves, until)| {
                let gone = *leaves <= now;
                if gone {
                    slots.left(Timestamp(*until), Timestamp(now));
                    (out, out_ms) = (out + 1.0, out_ms + (leaves - (until - PASS_MS)) as f64);
                }
                !gone
            });
            while inside.len() < SLOTS as usize {
                slots.entered(Timestamp(now), 0);
                inside.push((now + stay_ms(number), now + PASS_MS));
                number += 1;
            }
        }
        (slots.mean_s(), out_ms / out / 1_000.0)
    }

    #[test]
    fn long_stays_are_foreseen_before_anybody_has_stayed_so_long() {
        let truth_s = true_mean_s();
        assert!((80.0..88.0).contains(&truth_s), "{truth_s}");
        for seconds in [66, 90, 150, 250, 400, 900] {
            let (mean_s, naive_s) = watched(seconds);
            let off = mean_s.expect("enough has been watched") / truth_s - 1.0;
            assert!(off.abs() < 0.08, "after {seconds} s: {off}");
            // The control: those who have come out so far.
            assert!(seconds > 150 || naive_s < 0.5 * truth_s, "after {seconds} s: {naive_s} s");
        }
        assert_eq!(watched(55).0, None, "too early to tell");
    }

    #[test]
    fn an_extended_pass_takes_its_slot_for_longer() {
        // Everybody reserves after 10 s, whereby the pass lasts 300 s more, and pays 10 s later.
        let mut slots = SlotTimes::new(PASS_MS, Timestamp(0));
        let at = |seconds: i64| Timestamp(seconds * 1_000);
        for second in 0..1_000 {
            slots.entered(at(second), 2_000);
            if second >= 10 {
                let began = second - 10;
                slots.extended(at(began + 300), at(second + 300), at(second));
            }
            if second >= 20 {
                slots.left(at(second - 10 + 300), at(second));
            }
        }
        // 5 s are an interval.
        let mean_s = slots.mean_s().expect("enough has been watched");
        assert!((mean_s - 22.0).abs() < 3.0, "{mean_s}");
    }

    #[test]
    fn who_came_in_before_a_restart_is_passed_over() {
        let mut slots = SlotTimes::new(PASS_MS, Timestamp(0));
        for second in 0..200 {
            slots.left(Timestamp(second * 1_000 + 50), Timestamp(second * 1_000));
        }
        assert_eq!(slots.mean_s(), None);
    }
}
