//! Requests counted in windows, and blocks.

use super::{RuleName, Verdict};
use crate::time::Timestamp;

/// At most so many requests in a window; who asks for more is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRule {
    /// What it is called.
    pub name: RuleName,
    /// The most requests in a window, at least 1.
    pub requests: u32,
    /// How long a window is, in milliseconds. It begins with the first request.
    pub window_ms: i64,
    /// The most requests at once; further ones at the pace of `requests` per window. `requests` or
    /// more: all may come at once.
    pub burst: u32,
    /// How long the request too many blocks, in milliseconds. 0: until the window ends.
    pub block_ms: i64,
    /// If above `block_ms`: each block is twice as long as the one before, up to this, and after
    /// it a single request is let through, until a window has passed without any.
    pub block_ms_max: i64,
}

impl CountRule {
    const fn grows(&self) -> bool {
        self.block_ms_max > self.block_ms
    }

    fn block_ms(&self, strikes: u32) -> i64 {
        let times = 1_i64.checked_shl(strikes.min(62)).unwrap_or(i64::MAX);
        self.block_ms.saturating_mul(times).min(self.block_ms_max.max(self.block_ms))
    }

    /// How long one request takes at the even pace, in microseconds.
    const fn pace_us(&self) -> i64 {
        self.window_ms.saturating_mul(1_000) / self.requests as i64
    }
}

/// What is remembered of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// `None`: the next request begins a window.
    began_at: Option<Timestamp>,
    used: u32,
    /// Theoretical arrival time of the next request at the even pace, in microseconds after
    /// `began_at`.
    due_us: i64,
    blocked_until: Option<Timestamp>,
    strikes: u32,
}

impl Count {
    /// Counts a request, if it is allowed.
    ///
    /// A clock that was set back by less than a window is waited for: nothing is counted anew.
    pub fn take(&mut self, rule: &CountRule, now: Timestamp) -> Verdict {
        let now = match self.began_at {
            Some(began_at) if began_at.since_ms(now) < rule.window_ms => now.max(began_at),
            _ => now,
        };
        if let Some(until) = self.blocked_until {
            if now < until {
                return Verdict::Refused { until, blocked: true };
            }
            self.end_block(rule, until, now);
        }
        let began_at = match self.began_at {
            // A clock that was set back by more than a window begins a new one, too.
            Some(began_at) if (0..rule.window_ms).contains(&now.since_ms(began_at)) => began_at,
            _ => {
                *self = Self { began_at: Some(now), ..Self::default() };
                now
            }
        };
        let window_end = began_at.plus_ms(rule.window_ms);
        if self.used >= rule.requests {
            if rule.block_ms == 0 {
                return Verdict::Refused { until: window_end, blocked: false };
            }
            let until = now.plus_ms(rule.block_ms(self.strikes));
            self.blocked_until = Some(until);
            self.strikes = self.strikes.saturating_add(1);
            return Verdict::Refused { until, blocked: true };
        }
        if rule.burst < rule.requests {
            let now_us = now.since_ms(began_at).saturating_mul(1_000);
            let tolerance_us = rule.pace_us().saturating_mul(i64::from(rule.burst.max(1)) - 1);
            let early_us = self.due_us - tolerance_us - now_us;
            if early_us > 0 {
                return Verdict::Refused { until: now.plus_ms((early_us + 999) / 1_000), blocked: false };
            }
            self.due_us = self.due_us.max(now_us) + rule.pace_us();
        }
        self.used += 1;
        Verdict::Allowed { left: rule.requests - self.used, more_at: window_end }
    }

    /// Takes back a request that was allowed. A block stays, and so does the pace of a burst.
    pub fn give_back(&mut self) {
        self.used = self.used.saturating_sub(u32::from(self.blocked_until.is_none()));
    }

    /// Until when the key is blocked, if it is.
    #[must_use]
    pub fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked_until.filter(|until| now < *until)
    }

    /// From when on nothing of it matters any more.
    #[must_use]
    pub fn forgotten_at(&self, rule: &CountRule) -> Timestamp {
        match (self.blocked_until, self.began_at) {
            (Some(until), _) if rule.grows() => until.plus_ms(rule.window_ms),
            (Some(until), _) => until,
            (None, Some(began_at)) => began_at.plus_ms(rule.window_ms),
            (None, None) => Timestamp(i64::MIN),
        }
    }

    /// After a block the next request begins a window; under a growing rule a single one is left
    /// in it.
    fn end_block(&mut self, rule: &CountRule, until: Timestamp, now: Timestamp) {
        *self = if rule.grows() && now.since_ms(until) < rule.window_ms {
            let strikes = self.strikes;
            Self { began_at: Some(now), used: rule.requests - 1, strikes, ..Self::default() }
        } else {
            Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(requests: u32, window_ms: i64, burst: u32, block_ms: i64, block_ms_max: i64) -> CountRule {
        CountRule { name: "test".into(), requests, window_ms, burst, block_ms, block_ms_max }
    }

    fn allowed(count: &mut Count, rule: &CountRule, times: u32, now_ms: i64) -> u32 {
        (0..times).map(|_| u32::from(count.take(rule, Timestamp(now_ms)).is_allowed())).sum()
    }

    #[test]
    fn the_fifty_first_request_in_a_minute_blocks_for_an_hour() {
        let rule = rule(50, 60_000, 50, 3_600_000, 0);
        let mut count = Count::default();
        assert_eq!(allowed(&mut count, &rule, 25, 0), 25);
        assert_eq!(allowed(&mut count, &rule, 25, 59_999), 25);
        let until = Timestamp(59_999 + 3_600_000);
        let refused = Verdict::Refused { until, blocked: true };
        assert_eq!(count.take(&rule, Timestamp(59_999)), refused);
        // Asking on does not make the block longer, and it ends on the millisecond.
        assert_eq!(count.take(&rule, until.plus_ms(-1)), refused);
        assert_eq!(count.forgotten_at(&rule), until);
        let first = count.take(&rule, until);
        assert_eq!(first, Verdict::Allowed { left: 49, more_at: until.plus_ms(60_000) });
        assert_eq!(allowed(&mut count, &rule, 49, until.0), 49);
    }

    #[test]
    fn fifty_requests_every_minute_are_never_refused() {
        let rule = rule(50, 60_000, 50, 3_600_000, 0);
        let mut count = Count::default();
        let all = (0..10_000).map(|turn| count.take(&rule, Timestamp(turn / 50 * 60_000 + turn % 50)));
        assert!(all.into_iter().all(Verdict::is_allowed));
    }

    #[test]
    fn a_request_that_is_given_back_is_not_counted_and_lifts_no_block() {
        let rule = rule(2, 1_000, 2, 5_000, 0);
        let mut count = Count::default();
        count.give_back();
        for _ in 0..100 {
            assert_eq!(allowed(&mut count, &rule, 1, 0), 1);
            count.give_back();
        }
        assert_eq!(allowed(&mut count, &rule, 3, 0), 2);
        count.give_back();
        assert_eq!(allowed(&mut count, &rule, 1, 4_999), 0);
        assert_eq!(allowed(&mut count, &rule, 3, 5_000), 2);
    }

    #[test]
    fn without_a_block_the_window_is_waited_for() {
        let rule = rule(2, 1_000, 2, 0, 0);
        let mut count = Count::default();
        assert_eq!(allowed(&mut count, &rule, 2, 10), 2);
        let refused = Verdict::Refused { until: Timestamp(1_010), blocked: false };
        assert_eq!(count.take(&rule, Timestamp(1_009)), refused);
        assert_eq!(
            count.take(&rule, Timestamp(1_010)),
            Verdict::Allowed { left: 1, more_at: Timestamp(2_010) }
        );
    }

    #[test]
    fn beyond_a_burst_requests_come_at_the_even_pace() {
        let rule = rule(60, 60_000, 3, 0, 0);
        let mut count = Count::default();
        assert_eq!(allowed(&mut count, &rule, 5, 0), 3);
        let refused = Verdict::Refused { until: Timestamp(1_000), blocked: false };
        assert_eq!(count.take(&rule, Timestamp(1)), refused);
        assert_eq!((1..30).map(|second| allowed(&mut count, &rule, 2, second * 1_000)).sum::<u32>(), 29);
        // Who was away may come in a burst again, no more.
        assert_eq!(allowed(&mut count, &rule, 9, 45_000), 3);
    }

    #[test]
    fn blocks_grow_with_each_repetition_and_are_forgotten_after_a_quiet_window() {
        let rule = rule(5, 10_000, 5, 1_000, 4_000);
        let mut count = Count::default();
        assert_eq!(allowed(&mut count, &rule, 5, 0), 5);
        let mut now = Timestamp(0);
        for (block_ms, left) in [(1_000, 1), (2_000, 1), (4_000, 1), (4_000, 1)] {
            let until = now.plus_ms(block_ms);
            assert_eq!(count.take(&rule, now), Verdict::Refused { until, blocked: true });
            assert_eq!(allowed(&mut count, &rule, left, until.0), left);
            now = until;
        }
        assert_eq!(allowed(&mut count, &rule, 9, now.0 + 10_000), 5);
    }

    #[test]
    fn a_clock_that_goes_back_blocks_nobody_for_ever() {
        let rule = rule(1, 1_000, 1, 0, 0);
        let mut count = Count::default();
        assert_eq!(allowed(&mut count, &rule, 1, 1_000_000), 1);
        assert_eq!(allowed(&mut count, &rule, 1, 0), 1);
    }

    /// Two requests may be counted in another order than they came in.
    #[test]
    fn a_request_that_was_overtaken_begins_no_window() {
        let rule = rule(3, 60_000, 3, 3_600_000, 0);
        let mut count = Count::default();
        let times = [1_000_002, 1_000_000, 1_000_001, 999_000, 1_000_003];
        let all = times.map(|now| allowed(&mut count, &rule, 1, now));
        assert_eq!(all, [1, 1, 1, 0, 0]);
    }
}
