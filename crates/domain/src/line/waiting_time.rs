//! How long it takes: from what was measured, with the error that was measured.
//!
//! The first minute of a wait follows from the speed at which the line moves. What stands further
//! back follows from how many are let in, how many of those before are really there, and how many
//! of these will leave. Who has waited long leaves less: after `a` seconds the share that leaves in
//! a second is `k / a`, a survival by a power of the time in line (Lomax 1954). One measurement
//! tells `k`. `n` people who have waited for `a` seconds, and of whom `r` a second are let in,
//! become fewer by `n' = -r - n k / (a + s)`, so they are gone after
//! `a ((1 + (k + 1) n / (r a))^(1 / (k + 1)) - 1)` seconds.
//!
//! How fast a bank window empties is in `slots.rs`. Slots that are kept free for those called who do not
//! come let nobody in; right after the opening that may be half of them. What is let in less until
//! that is over comes on top of `n`.
//!
//! Time here is *open time*, the milliseconds the room has been open, not counting pauses: nobody
//! can foretell how long a pause lasts, so predictions stand still in one and so does their
//! measurement.

use std::collections::{HashMap, VecDeque};

use super::{Place, no_shows::Survival};

/// Over how much open time the line's speed is measured, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// For how long the measured speed tells the wait, in seconds.
const NEAR_S: f64 = 60.0;

/// How often a wait is estimated anew with what is let in less during it.
const IDLE_ROUNDS: u32 = 8;

/// How often the cursor is noted, in milliseconds.
const NOTE_EVERY_MS: i64 = 1_000;

/// How many predictions are followed until they come true.
const FOLLOWED_MAX: usize = 2_048;

/// Predictions of less than this are not followed: their error is that of a question's interval.
const FOLLOWED_MS_MIN: i64 = 10_000;

/// A range's half width before enough errors were measured, in percent, and its bounds.
const SPREAD_FIRST: u32 = 20;
const SPREAD_MIN: u32 = 5;
const SPREAD_MAX: u32 = 50;

/// From how many measured errors on the range follows them.
const ERRORS_ENOUGH: u32 = 100;

/// An expected wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitRange {
    /// Probably not less, in milliseconds.
    pub low_ms: i64,
    /// The likeliest, in milliseconds.
    pub expected_ms: i64,
    /// Probably not more, in milliseconds.
    pub high_ms: i64,
}

/// How far predictions were off: a count for each whole percent, the last for all above.
#[derive(Clone, Debug)]
pub struct WaitErrors {
    counts: [u32; 101],
    total: u32,
}

impl Default for WaitErrors {
    fn default() -> Self {
        Self { counts: [0; 101], total: 0 }
    }
}

impl WaitErrors {
    /// Notes a prediction that has come true.
    pub fn note(&mut self, predicted_ms: i64, actual_ms: i64) {
        let percent = (predicted_ms - actual_ms).unsigned_abs() * 100 / actual_ms.max(1).unsigned_abs();
        self.counts[usize::try_from(percent).map_or(100, |percent| percent.min(100))] += 1;
        self.total += 1;
    }

    /// How many predictions have come true.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.total
    }

    /// The error, in percent of the actual wait, that `share` (0 to 1) of the predictions stay
    /// within. `None` if none has come true.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Option<u32> {
        let wanted = (f64::from(self.total) * share).ceil().max(1.0);
        let mut seen = 0.0;
        (0..).zip(self.counts).find_map(|(percent, count)| {
            seen += f64::from(count);
            (seen >= wanted).then_some(percent)
        })
    }
}

/// Where the line was at an open time.
#[derive(Clone, Copy, Debug)]
struct Note {
    open_ms: i64,
    cursor: u32,
    /// How many have come out so far, and how many have come in.
    out: u64,
    entries: u64,
}

/// How fast people are let in, and how many are there to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) admissions_per_second: f64,
    pub(super) idle: Idle,
    pub(super) survival: Option<Survival>,
}

/// Admissions that fail to come, because slots are kept for those who have gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Idle {
    /// How many a second now.
    pub(super) per_second: f64,
    /// After how many seconds there are none any more; they become fewer evenly.
    pub(super) fades_s: f64,
}

impl Idle {
    /// How many within so many seconds.
    fn within(self, s: f64) -> f64 {
        let s = s.min(self.fades_s);
        if s > 0.0 { self.per_second * (s - s * s / (2.0 * self.fades_s)) } else { 0.0 }
    }
}

impl Flow {
    /// How long it takes from `after_s` seconds on until all before somebody who stands that many places
    /// back are let in, and `more` people.
    fn without_idle(self, places: f64, more: f64, after_s: f64) -> f64 {
        let admissions = self.admissions_per_second;
        let Some(Survival { share, leaving_per_second, age_s }) = self.survival else {
            return (places + more) / admissions;
        };
        let age_s = age_s.max(1.0);
        let k = leaving_per_second * age_s;
        let age_then_s = age_s + after_s;
        let there = places * share * (age_s / age_then_s).powf(k) + more;
        let grown = 1.0 + (k + 1.0) * there / (admissions * age_then_s);
        age_then_s * (grown.powf(1.0 / (k + 1.0)) - 1.0)
    }
}

/// Predicts waits and watches how well.
#[derive(Clone, Debug, Default)]
pub struct WaitingTimes {
    /// What was noted over the window, oldest first.
    notes: VecDeque<Note>,
    /// (open time, predicted wait) of the places that are followed.
    followed: HashMap<Place, (i64, i64)>,
    errors: WaitErrors,
}

impl WaitingTimes {
    /// Notes where the cursor is, and how many have come out and in so far.
    pub(super) fn note(&mut self, open_ms: i64, cursor: u32, out: u64, entries: u64) {
        if self.notes.back().is_some_and(|note| open_ms - note.open_ms < NOTE_EVERY_MS) {
            return;
        }
        self.notes.push_back(Note { open_ms, cursor, out, entries });
        while self.notes.get(1).is_some_and(|note| open_ms - note.open_ms >= WINDOW_MS) {
            self.notes.pop_front();
        }
    }

    /// Forgets the speed, because the rate was changed.
    pub(super) fn forget_speed(&mut self) {
        self.notes.clear();
    }

    /// How many places a second the line moves, those stepped over included, if it has moved.
    #[must_use]
    pub fn places_per_second(&self) -> Option<f64> {
        let (from, to) = (self.notes.front()?, self.notes.back()?);
        (to.cursor > from.cursor)
            .then(|| f64::from(to.cursor - from.cursor) * 1_000.0 / (to.open_ms - from.open_ms) as f64)
    }

    /// How many come out a second, once that has been measured for a whole window.
    pub(super) fn out_per_second(&self) -> Option<f64> {
        let (from, to) = (self.notes.front()?, self.notes.back()?);
        let over_ms = to.open_ms - from.open_ms;
        (over_ms >= WINDOW_MS && to.out > from.out)
            .then(|| (to.out - from.out) as f64 * 1_000.0 / over_ms as f64)
    }

    /// The share of places the cursor has gone over lately whose visitors have come in.
    pub(super) fn entering_share(&self) -> Option<f64> {
        let (from, to) = (self.notes.front()?, self.notes.back()?);
        (to.cursor > from.cursor && to.entries > from.entries)
            .then(|| ((to.entries - from.entries) as f64 / f64::from(to.cursor - from.cursor)).min(1.0))
    }

    /// The wait behind so many places, until one's own turn. `None` if nothing is known yet.
    pub(super) fn wait(&self, ahead: u32, flow: Flow) -> Option<WaitRange> {
        let ahead = f64::from(ahead) + 1.0;
        let speed = self.places_per_second();
        let far_s = |places: f64, after_s: f64| {
            // Each estimate is longer than the one before, by ever less.
            (0..IDLE_ROUNDS).fold(flow.without_idle(places, 0.0, after_s), |wait_s, _| {
                let idle = flow.idle.within(after_s + wait_s) - flow.idle.within(after_s);
                if idle > 0.0 { flow.without_idle(places, idle, after_s) } else { wait_s }
            })
        };
        let wait_s = match (speed, flow.survival) {
            (Some(speed), _) if ahead <= speed * NEAR_S => ahead / speed,
            (Some(speed), Some(_)) => NEAR_S + far_s(ahead - speed * NEAR_S, NEAR_S),
            (Some(speed), None) => ahead / speed,
            (None, _) => far_s(ahead, 0.0),
        };
        // A float's cast to an integer saturates.
        let expected_ms = (wait_s * 1_000.0) as i64;
        let part_ms = expected_ms / 100 * i64::from(self.spread_percent());
        Some(WaitRange {
            low_ms: expected_ms - part_ms,
            expected_ms,
            high_ms: expected_ms.saturating_add(part_ms),
        })
    }

    /// Half the width of the ranges, in percent: four of five measured predictions were within it.
    #[must_use]
    pub fn spread_percent(&self) -> u32 {
        if self.errors.total() < ERRORS_ENOUGH {
            return SPREAD_FIRST;
        }
        self.errors.percentile(0.8).unwrap_or(SPREAD_FIRST).clamp(SPREAD_MIN, SPREAD_MAX)
    }

    /// Follows the prediction for a place, if there is room for one more.
    pub(super) fn follow(&mut self, place: Place, open_ms: i64, predicted_ms: i64) {
        if predicted_ms >= FOLLOWED_MS_MIN && self.followed.len() < FOLLOWED_MAX {
            self.followed.entry(place).or_insert((open_ms, predicted_ms));
        }
    }

    /// Somebody has entered: measures the error if their prediction was followed.
    pub(super) fn entered(&mut self, place: Place, open_ms: i64) {
        if let Some((asked_ms, predicted_ms)) = self.followed.remove(&place) {
            self.errors.note(predicted_ms, open_ms - asked_ms);
        }
    }

    /// Stops following those below the cursor who have not entered for so long that they have left.
    pub(super) fn forget_below(&mut self, cursor: u32, open_ms: i64, claim_ms: i64) {
        self.followed.retain(|place, (asked_ms, predicted_ms)| {
            place.0 >= cursor || open_ms < *asked_ms + 2 * *predicted_ms + claim_ms
        });
    }

    /// The errors measured.
    #[must_use]
    pub fn errors(&self) -> &WaitErrors {
        &self.errors
    }

    pub(super) fn bytes(&self) -> usize {
        self.followed.capacity() * 8 / 7 * (size_of::<(Place, (i64, i64))>() + 1)
            + self.notes.capacity() * size_of::<Note>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(admissions: f64, share: f64, leaving_per_second: f64) -> Flow {
        Flow {
            admissions_per_second: admissions,
            idle: Idle::default(),
            survival: Some(Survival { share, leaving_per_second, age_s: 100.0 }),
        }
    }

    #[test]
    fn the_speed_is_that_of_the_last_minute() {
        let mut waits = WaitingTimes::default();
        assert_eq!(waits.places_per_second(), None);
        for second in 0..=300 {
            let cursor = if second <= 200 { second * 10 } else { 2_000 + (second - 200) * 50 };
            waits.note(i64::from(second) * 1_000, cursor, u64::from(second) * 7, u64::from(cursor) / 2);
            waits.note(i64::from(second) * 1_000 + 1, cursor + 1_000_000, 0, 0);
        }
        assert_eq!((waits.places_per_second(), waits.out_per_second()), (Some(50.0), Some(7.0)));
        assert_eq!(waits.entering_share(), Some(0.5));
        assert!(waits.notes.len() <= 62, "{}", waits.notes.len());
        let wait = waits.wait(2_499, flow(1.0, 1.0, 0.0)).expect("the speed is known");
        assert_eq!((wait.low_ms, wait.expected_ms, wait.high_ms), (40_000, 50_000, 60_000));
    }

    #[test]
    fn far_back_it_counts_who_is_there_and_who_will_leave() {
        let waits = WaitingTimes::default();
        let expected_s = |ahead, flow| waits.wait(ahead, flow).map(|wait| wait.expected_ms / 1_000);
        assert_eq!(expected_s(999, flow(10.0, 1.0, 0.0)), Some(100));
        assert_eq!(expected_s(1_000, flow(10.0, 0.4, 0.0)), Some(40), "six of ten are gone");
        assert_eq!(expected_s(0, flow(0.1, 1.0, 0.0)), Some(10), "the first is called with the next");
        // 1,000 people, 10 let in a second, one in a hundred leaves now, in 100 s one in 200:
        // 100 (sqrt(3) - 1) seconds.
        assert_eq!(expected_s(999, flow(10.0, 1.0, 0.01)), Some(73));
    }

    #[test]
    fn what_is_let_in_less_for_a_while_comes_on_top() {
        let waits = WaitingTimes::default();
        let expected_s = |ahead, idle| {
            let flow = Flow { idle, ..flow(10.0, 1.0, 0.0) };
            waits.wait(ahead, flow).map(|wait| (wait.expected_ms as f64 / 1_000.0).round())
        };
        // Half of all admissions fail at first, none any more after 100 s: 250 in all.
        let half = Idle { per_second: 5.0, fades_s: 100.0 };
        assert_eq!(expected_s(1_999, half), Some(225.0));
        // 10 s - 5 s + s^2 / 40 = 300 people are let in within 48.3 s.
        assert_eq!(expected_s(299, half), Some(48.0));
        assert_eq!(expected_s(1_999, Idle::default()), Some(200.0), "the control");
    }

    #[test]
    fn the_range_is_as_wide_as_the_measured_error() {
        let mut waits = WaitingTimes::default();
        for place in 0..200 {
            waits.follow(Place(place), 0, 100_000);
            waits.follow(Place(place), 50_000, 10);
        }
        for place in 0..200 {
            let actual_ms = if place < 170 { 100_000 / 107 * 100 } else { 300_000 };
            waits.entered(Place(place), actual_ms);
        }
        waits.entered(Place(1), 5);
        assert_eq!(waits.errors().total(), 200);
        assert_eq!(waits.errors().percentile(0.5), Some(7));
        assert_eq!(waits.errors().percentile(1.0), Some(66));
        assert_eq!(waits.spread_percent(), 7);
    }

    #[test]
    fn what_is_followed_is_bounded() {
        let mut waits = WaitingTimes::default();
        for place in 0..10_000 {
            waits.follow(Place(place), 0, 20_000);
        }
        assert_eq!(waits.followed.len(), FOLLOWED_MAX);
        waits.forget_below(2_000, 200_000, 60_000);
        assert_eq!(waits.followed.len(), FOLLOWED_MAX - 2_000);
    }
}
