//! The pace of a theme park: so many every interval, spread evenly, and no more.
//!
//! An interval is cut into steps of about 100 ms; each opens its share of the admissions. What is
//! not used because nobody was waiting is lost, except the last second's, so that whoever comes to
//! an empty line goes straight through. Nothing is carried into the next interval, with one
//! exception: an admission that was called and did not come is called again in the next one, at
//! most as many as the setting itself.

use crate::time::Timestamp;

/// How long a step is, or a little more. A tick may come this late without losing admissions.
const STEP_MS: i64 = 100;

/// For how many steps what nobody used can still be used: a second.
const KEPT_STEPS: i64 = 10;

/// How many may be let in, and when.
#[derive(Clone, Debug)]
pub struct Pace {
    admissions: u32,
    interval_ms: i64,
    anchor: Timestamp,
    /// Which interval since the anchor.
    interval: i64,
    /// The setting and what this interval makes up for.
    budget: u32,
    /// Used or lost in this interval.
    spent: u32,
    /// Called without coming, to be made up for in the next interval.
    owed: u32,
    credits_empty_time: bool,
}

impl Pace {
    /// A pace that begins now with a first interval.
    #[must_use]
    pub fn new(admissions: u32, interval_ms: i64, now: Timestamp) -> Self {
        Self {
            admissions,
            interval_ms,
            anchor: now,
            interval: 0,
            budget: admissions,
            spent: 0,
            owed: 0,
            credits_empty_time: false,
        }
    }

    /// The clock has been set.
    pub(super) fn clock_set(&mut self, by_ms: i64) {
        self.anchor = self.anchor.plus_ms(by_ms);
    }

    /// For negative controls only: what an empty line did not use stays usable for ever.
    pub(super) fn credit_empty_time(&mut self) {
        self.credits_empty_time = true;
    }

    /// How many may be let in now. `idle` says that nobody has been waiting since the last time.
    pub fn available(&mut self, now: Timestamp, idle: bool) -> u32 {
        let since_ms = now.since_ms(self.anchor).max(0);
        let interval = since_ms / self.interval_ms;
        if interval > self.interval {
            let unused = self.budget.saturating_sub(self.spent);
            self.interval = interval;
            self.budget = self.admissions.saturating_add(self.owed);
            self.owed = 0;
            self.spent = 0;
            if self.credits_empty_time {
                self.budget = self.budget.saturating_add(unused);
            }
        }
        let steps = (self.interval_ms / STEP_MS).max(1);
        let step = (since_ms - self.interval * self.interval_ms).max(0) * steps / self.interval_ms;
        let open = self.open_at(step, steps);
        if idle && !self.credits_empty_time {
            let lost = self.open_at(step - KEPT_STEPS, steps).min(open.saturating_sub(1));
            self.spent = self.spent.max(lost);
        }
        open.saturating_sub(self.spent)
    }

    /// How many of the interval's admissions a step and those before it open.
    fn open_at(&self, step: i64, steps: i64) -> u32 {
        let steps_open = (step + 1).clamp(0, steps);
        let open =
            (i128::from(self.budget) * i128::from(steps_open) + i128::from(steps) - 1) / i128::from(steps);
        u32::try_from(open).expect("at most the budget")
    }

    /// So many were let in.
    pub fn spend(&mut self, count: u32) {
        self.spent = self.spent.saturating_add(count);
    }

    /// So many were called and did not come.
    pub fn owe(&mut self, count: u32) {
        self.owed = self.owed.saturating_add(count).min(self.admissions);
    }

    /// How many more than the setting this interval admits, for those called before who did not
    /// come.
    #[must_use]
    pub fn makes_up_for(&self) -> u32 {
        self.budget.saturating_sub(self.admissions)
    }

    /// When the current interval began.
    #[must_use]
    pub fn interval_began(&self) -> Timestamp {
        self.anchor.plus_ms(self.interval.saturating_mul(self.interval_ms))
    }

    /// Admissions a second as set.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        f64::from(self.admissions) * 1_000.0 / self.interval_ms as f64
    }

    /// Another number of admissions, from the next interval on.
    pub fn adapt(&mut self, admissions: u32) {
        self.admissions = admissions;
    }

    /// Another setting: the next interval begins now. What is owed stays owed.
    pub fn change(&mut self, admissions: u32, interval_ms: i64, now: Timestamp) {
        let owed = self.owed.min(admissions);
        let credits_empty_time = self.credits_empty_time;
        *self = Self { owed, credits_empty_time, ..Self::new(admissions, interval_ms, now) };
    }
}
