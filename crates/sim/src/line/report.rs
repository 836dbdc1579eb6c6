//! What a simulation measured.

use std::ops::Range;

use onsale_domain::line::Mode;

/// What somebody was told, and what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// When it was told, in open milliseconds.
    pub at_ms: u32,
    /// Told, in milliseconds.
    pub predicted_ms: u32,
    /// The open time until they were let in, in milliseconds.
    pub actual_ms: u32,
    /// The told range's half width, in percent.
    pub spread: u8,
}

impl Prediction {
    /// The error, as a share of the actual wait.
    #[must_use]
    pub fn error(&self) -> f64 {
        (f64::from(self.predicted_ms) - f64::from(self.actual_ms)).abs() / f64::from(self.actual_ms.max(1))
    }

    /// Whether the wait was within the range that was told.
    #[must_use]
    pub fn within(&self) -> bool {
        let off = (f64::from(self.predicted_ms) - f64::from(self.actual_ms)).abs();
        off <= f64::from(self.predicted_ms) * f64::from(self.spread) / 100.0
    }
}

/// A second of the adaptive mode.
#[derive(Clone, Copy, Debug)]
pub struct Second {
    /// What the sale could serve.
    pub capacity: f64,
    /// What the room admitted a second.
    pub rate: f64,
    /// The sale's latency, in milliseconds.
    pub latency_ms: f64,
}

/// The figures of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// How visitors were let in.
    pub mode: Mode,
    /// How many came.
    pub visitors: u32,
    /// How many went in.
    pub entered: u32,
    /// How many of those called came back for it, after their place was stepped over or lapsed.
    pub returned_called: u32,
    /// How long it took from the opening until the last was in, in open milliseconds.
    pub open_ms: i64,
    /// Intervals of a theme park in which people waited from beginning to end.
    pub intervals: u32,
    /// How many of them did not call exactly the setting and what it made up for.
    pub inexact: u32,
    /// The most calls in an interval beyond the setting and what it made up for.
    pub over_setting: u32,
    /// Entries against the setting over all those intervals but the first ones: 1 is exact.
    pub entries_share: f64,
    /// The most that were inside at once.
    pub inside_max: u32,
    /// The most bytes the room took.
    pub bytes_max: usize,
    /// What everybody who went in was told at the first question after the opening.
    pub first: Vec<Prediction>,
    /// What they were told at one of their questions, any as likely.
    pub any: Vec<Prediction>,
    /// The median error as the room itself measured it, in percent.
    pub own_error_percent: Option<u32>,
    /// The adaptive mode, second by second since the opening.
    pub seconds: Vec<Second>,
    /// How many promises were broken.
    pub broken: u64,
    /// Some of them.
    pub told: Vec<String>,
}

/// The error of waits of at least ten seconds, as a share of the wait, that a share of the
/// predictions stay within.
#[must_use]
pub fn error(predictions: &[Prediction], share: f64) -> f64 {
    let mut errors: Vec<_> = long_waits(predictions).map(Prediction::error).collect();
    if errors.is_empty() {
        return f64::NAN;
    }
    errors.sort_unstable_by(f64::total_cmp);
    errors[((errors.len() - 1) as f64 * share).round() as usize]
}

/// Which share of those waits was within the range that was told.
#[must_use]
pub fn within_range(predictions: &[Prediction]) -> f64 {
    let (within, all) = long_waits(predictions)
        .fold((0_u32, 0_u32), |(within, all), wait| (within + u32::from(wait.within()), all + 1));
    f64::from(within) / f64::from(all)
}

/// By how much more than the actual wait was told, in the median, as a share of it: below 0 if waits
/// were told too short.
#[must_use]
pub fn bias(predictions: &[Prediction]) -> f64 {
    let mut off: Vec<_> = long_waits(predictions)
        .map(|wait| f64::from(wait.predicted_ms) / f64::from(wait.actual_ms) - 1.0)
        .collect();
    off.sort_unstable_by(f64::total_cmp);
    off.get(off.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What was told within some open milliseconds.
#[must_use]
pub fn told_within(predictions: &[Prediction], ms: Range<u32>) -> Vec<Prediction> {
    predictions.iter().filter(|wait| ms.contains(&wait.at_ms)).copied().collect()
}

fn long_waits(predictions: &[Prediction]) -> impl Iterator<Item = &Prediction> {
    predictions.iter().filter(|prediction| prediction.actual_ms >= 10_000)
}
