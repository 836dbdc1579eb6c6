//! How often a visitor asks. The server tells, because only it knows how long the line is.

/// The rule: a tenth of the wait, within bounds, spread by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollPolicy {
    /// The shortest, in milliseconds.
    pub min_ms: i64,
    /// The longest before it is spread, in milliseconds.
    pub max_ms: i64,
}

/// Which part of the wait passes between two questions.
const WAIT_SHARE: i64 = 10;

/// By how much of itself an interval is spread, in percent. Proportional, so that a crowd that came
/// in one moment drifts apart whatever the interval is.
const SPREAD_PERCENT: i64 = 30;

impl Default for PollPolicy {
    fn default() -> Self {
        Self { min_ms: 1_000, max_ms: 30_000 }
    }
}

impl PollPolicy {
    /// The longest interval anybody is told, in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> i64 {
        self.max_ms.saturating_add(self.max_ms / 100 * SPREAD_PERCENT)
    }
}

/// After how many milliseconds to ask again, for somebody who waits `wait_ms` longer. Who does not
/// know how long it takes asks often. `random` is any random number; it spreads the questions.
#[must_use]
pub fn poll_after_ms(policy: PollPolicy, wait_ms: Option<i64>, random: u32) -> i64 {
    let interval_ms = wait_ms.map_or(policy.min_ms, |wait_ms| wait_ms / WAIT_SHARE);
    let interval_ms = interval_ms.clamp(policy.min_ms, policy.max_ms);
    let spread_ms = i128::from(interval_ms) * i128::from(SPREAD_PERCENT) * i128::from(random)
        / (100 * i128::from(u32::MAX));
    interval_ms + i64::try_from(spread_ms).expect("less than the interval")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_further_back_asks_less_often() {
        let policy = PollPolicy::default();
        assert_eq!(poll_after_ms(policy, None, 0), 1_000, "unknown: often");
        assert_eq!(poll_after_ms(policy, Some(0), 0), 1_000);
        assert_eq!(poll_after_ms(policy, Some(100_000), 0), 10_000);
        assert_eq!(poll_after_ms(policy, Some(i64::MAX), 0), 30_000);
        assert_eq!(poll_after_ms(policy, Some(i64::MAX), u32::MAX), policy.longest_ms());
        assert_eq!(poll_after_ms(policy, Some(-5), u32::MAX / 2), 1_149, "spread over 30 %");
    }
}
