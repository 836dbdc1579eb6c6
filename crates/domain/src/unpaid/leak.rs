//! An amount that is forgotten at an even pace.

use crate::time::Timestamp;

/// An amount that is forgotten at an even pace, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leak {
    level: i64,
    at: Timestamp,
}

impl Leak {
    pub(super) const EMPTY: Self = Self { level: 0, at: Timestamp(i64::MIN) };

    /// The amount now, if `full` is forgotten in `forgotten_ms`.
    pub(super) fn level(&self, full: i64, forgotten_ms: i64, now: Timestamp) -> i64 {
        let elapsed = i128::from(now.since_ms(self.at).max(0));
        let forgotten = elapsed * i128::from(full) / i128::from(forgotten_ms.max(1));
        self.level.saturating_sub(i64::try_from(forgotten).unwrap_or(i64::MAX)).max(0)
    }

    /// Adds to it; it is never more than `full`.
    pub(super) fn add(&mut self, more: i64, full: i64, forgotten_ms: i64, now: Timestamp) {
        self.level = self.level(full, forgotten_ms, now).saturating_add(more).min(full);
        // A clock that was set back does not begin anew.
        self.at = self.at.max(now);
    }

    /// When it will be down to `most`.
    pub(super) fn down_to(&self, most: i64, full: i64, forgotten_ms: i64, now: Timestamp) -> Timestamp {
        let over = i128::from((self.level(full, forgotten_ms, now) - most).max(0));
        let wait = (over * i128::from(forgotten_ms) + i128::from(full.max(1)) - 1) / i128::from(full.max(1));
        now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_forgotten_at_an_even_pace() {
        let mut leak = Leak::EMPTY;
        let now = |ms: i64| Timestamp(1_000_000 + ms);
        leak.add(3_000, 4_000, 8_000, now(0));
        assert_eq!(leak.level(4_000, 8_000, now(0)), 3_000);
        assert_eq!(leak.level(4_000, 8_000, now(2_000)), 2_000);
        assert_eq!(leak.level(4_000, 8_000, now(-5_000)), 3_000, "a clock that was set back");
        assert_eq!(leak.down_to(500, 4_000, 8_000, now(0)), now(5_000));
        leak.add(9_000, 4_000, 8_000, now(1_000));
        assert_eq!(leak.level(4_000, 8_000, now(1_000)), 4_000, "no more than full");
        assert_eq!(leak.level(4_000, 8_000, now(9_000)), 0);
    }
}
