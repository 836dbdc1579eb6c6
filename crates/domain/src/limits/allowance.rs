//! Allowances that only what comes of a request uses up.

use super::{RuleName, Verdict};
use crate::time::Timestamp;

/// The most uses that a rule may allow in a window, for they are remembered one by one.
pub const ALLOWANCE_MAX: u32 = 100;

/// At most so many requests in any window that end in a certain way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceRule {
    /// What it is called.
    pub name: RuleName,
    /// The most in any window, from 1 to [`ALLOWANCE_MAX`].
    pub requests: u32,
    /// How long a use counts, in milliseconds.
    pub window_ms: i64,
    /// How long a request counts that was never settled, because its node died, in milliseconds.
    /// Longer than any request takes.
    pub unsettled_ms: i64,
}

/// What is remembered of one key.
///
/// A request takes a use and settles it: spent or given back. Requests under the same token share
/// one use, so that repeating a request whose answer was lost costs nothing and is not refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    uses: Vec<Use>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    token: u128,
    /// Requests that have taken it and not settled it.
    unsettled: u32,
    spent: bool,
    until: Timestamp,
}

impl Allowance {
    /// Takes a use, if one is left or the token has one already.
    pub fn take(&mut self, rule: &AllowanceRule, token: u128, now: Timestamp) -> Verdict {
        self.forget_old(now);
        if let Some(mine) = self.uses.iter_mut().find(|other| other.token == token) {
            mine.unsettled = mine.unsettled.saturating_add(1);
            if !mine.spent {
                mine.until = now.plus_ms(rule.unsettled_ms);
            }
        } else if self.uses.len() < rule.requests as usize {
            let until = now.plus_ms(rule.unsettled_ms);
            self.uses.push(Use { token, unsettled: 1, spent: false, until });
        } else {
            return Verdict::Refused { until: self.more_at(now), blocked: false };
        }
        let left = rule.requests.saturating_sub(u32::try_from(self.uses.len()).unwrap_or(u32::MAX));
        Verdict::Allowed { left, more_at: self.more_at(now) }
    }

    /// Settles a use that was taken: the request came to what the rule limits.
    pub fn spend(&mut self, rule: &AllowanceRule, token: u128, now: Timestamp) {
        self.forget_old(now);
        let until = now.plus_ms(rule.window_ms);
        let full = self.uses.len() >= 2 * ALLOWANCE_MAX as usize;
        match self.uses.iter_mut().find(|other| other.token == token) {
            Some(mine) => {
                mine.unsettled = mine.unsettled.saturating_sub(1);
                // Repeating the request is not another one.
                if !mine.spent {
                    (mine.spent, mine.until) = (true, until);
                }
            }
            // It took so long that it was forgotten: noted all the same, also beyond the rule's
            // bound, so that nobody gains by being slow.
            None if full => {}
            None => self.uses.push(Use { token, unsettled: 0, spent: true, until }),
        }
    }

    /// Settles a use that was taken: the request came to nothing and costs nothing.
    pub fn give_back(&mut self, token: u128) {
        if let Some(index) = self.uses.iter().position(|other| other.token == token) {
            let mine = &mut self.uses[index];
            mine.unsettled = mine.unsettled.saturating_sub(1);
            if mine.unsettled == 0 && !mine.spent {
                self.uses.swap_remove(index);
            }
        }
    }

    /// Takes back the spent use that came about at `spent_at`, or nearest to it: what was booked has been
    /// given back. To be called once for each.
    pub fn restore(&mut self, rule: &AllowanceRule, spent_at: Timestamp, now: Timestamp) {
        self.forget_old(now);
        let until = spent_at.plus_ms(rule.window_ms);
        let spent = self.uses.iter().enumerate().filter(|(_, each)| each.spent);
        let nearest = spent.min_by_key(|(_, each)| each.until.since_ms(until).saturating_abs());
        if let Some((index, _)) = nearest {
            self.uses.swap_remove(index);
        }
    }

    /// From when on nothing of it matters any more.
    #[must_use]
    pub fn forgotten_at(&self) -> Timestamp {
        self.uses.iter().map(|each| each.until).max().unwrap_or(Timestamp(i64::MIN))
    }

    fn more_at(&self, now: Timestamp) -> Timestamp {
        self.uses.iter().map(|each| each.until).min().unwrap_or(now)
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.uses.retain(|each| now < each.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_MINUTES: i64 = 300_000;

    fn rule(requests: u32) -> AllowanceRule {
        AllowanceRule { name: "test".into(), requests, window_ms: FIVE_MINUTES, unsettled_ms: 30_000 }
    }

    fn taken(allowance: &mut Allowance, token: u128, now_ms: i64) -> bool {
        allowance.take(&rule(1), token, Timestamp(now_ms)).is_allowed()
    }

    #[test]
    fn one_that_succeeds_uses_the_allowance_up_for_five_minutes() {
        let mut allowance = Allowance::default();
        assert!(taken(&mut allowance, 1, 0));
        allowance.spend(&rule(1), 1, Timestamp(10));
        let until = Timestamp(10 + FIVE_MINUTES);
        let refused = Verdict::Refused { until, blocked: false };
        assert_eq!(allowance.take(&rule(1), 2, until.plus_ms(-1)), refused);
        assert!(taken(&mut allowance, 2, until.0));
    }

    #[test]
    fn one_that_is_refused_costs_nothing_and_two_at_once_do_not_both_pass() {
        let mut allowance = Allowance::default();
        assert!(taken(&mut allowance, 1, 0));
        assert!(!taken(&mut allowance, 2, 0));
        allowance.give_back(1);
        assert!(taken(&mut allowance, 2, 0));
        assert_eq!(allowance.uses.len(), 1);
    }

    #[test]
    fn repeating_a_request_shares_its_use_whatever_becomes_of_each() {
        let mut allowance = Allowance::default();
        assert!(taken(&mut allowance, 1, 0) && taken(&mut allowance, 1, 0));
        allowance.give_back(1);
        assert!(!taken(&mut allowance, 2, 1), "the other one is still under way");
        allowance.spend(&rule(1), 1, Timestamp(2));
        assert!(taken(&mut allowance, 1, 1_000), "an answer that was lost is asked for again");
        allowance.give_back(1);
        assert!(!taken(&mut allowance, 2, 1_001), "what was spent is not given back");
        allowance.spend(&rule(1), 1, Timestamp(2_000));
        assert!(taken(&mut allowance, 2, 2 + FIVE_MINUTES), "repeating does not prolong");
    }

    #[test]
    fn a_node_that_dies_uses_up_nothing_for_long() {
        let mut allowance = Allowance::default();
        assert!(taken(&mut allowance, 1, 0));
        assert!(!taken(&mut allowance, 2, 29_999));
        assert!(taken(&mut allowance, 2, 30_000));
        // It was only slow.
        allowance.spend(&rule(1), 1, Timestamp(30_001));
        allowance.give_back(2);
        assert!(!taken(&mut allowance, 3, 30_002));
    }

    #[test]
    fn any_window_has_at_most_as_many_as_allowed() {
        let rule = rule(3);
        let mut allowance = Allowance::default();
        let mut spent: Vec<i64> = Vec::new();
        for step in 0..2_000 {
            let now = step * 7_001;
            if allowance.take(&rule, step.try_into().unwrap(), Timestamp(now)).is_allowed() {
                allowance.spend(&rule, step.try_into().unwrap(), Timestamp(now));
                spent.push(now);
            }
        }
        assert!(spent.windows(4).all(|four| four[3] - four[0] >= FIVE_MINUTES));
        assert!(spent.len() >= 2_000 * 7_001 / 300_000 * 3 - 10, "{}", spent.len());
    }
}
