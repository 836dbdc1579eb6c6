//! Accounts that give up one number and take another: a hundred cost nothing, then one a minute.
//!
//! Of all its numbers an account has one that is live, so more of them win nothing; but each takes a
//! few bits of the room's memory and a row's share on disk for as long as the room lives.

use std::collections::HashMap;

use crate::{ids::UserId, time::Timestamp};

/// How many numbers beyond its first an account may take at once.
const AT_ONCE: i64 = 100;

/// After how long it may take one more, in milliseconds.
const EACH_MS: i64 = 60_000;

/// From how many accounts on those are forgotten that may take all at once again.
const FORGOTTEN_FROM: usize = 1_024;

/// Accounts that have taken more than one number lately.
#[derive(Debug)]
pub struct Renewals {
    /// When an account has all of its numbers again.
    restored_at: HashMap<UserId, Timestamp>,
    forget_from: usize,
}

impl Default for Renewals {
    fn default() -> Self {
        Self { restored_at: HashMap::new(), forget_from: FORGOTTEN_FROM }
    }
}

impl Renewals {
    /// Whether an account that has had a number may take another one.
    #[must_use]
    pub fn may_take(&self, account: UserId, now: Timestamp) -> bool {
        let restored_at = self.restored_at.get(&account);
        restored_at.is_none_or(|at| at.since_ms(now) <= (AT_ONCE - 1) * EACH_MS)
    }

    /// An account that has had a number takes another one.
    pub fn taken(&mut self, account: UserId, now: Timestamp) {
        if self.restored_at.len() >= self.forget_from {
            self.restored_at.retain(|_, at| *at > now);
            self.forget_from = FORGOTTEN_FROM.max(2 * self.restored_at.len());
        }
        let restored_at = self.restored_at.entry(account).or_insert(now);
        *restored_at = (*restored_at).max(now).plus_ms(EACH_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_hundred_are_taken_at_once_and_then_one_a_minute() {
        let mut renewals = Renewals::default();
        let mut take = |account, now| {
            let may = renewals.may_take(UserId(account), now);
            if may {
                renewals.taken(UserId(account), now);
            }
            may
        };
        assert_eq!((0..1_000).filter(|_| take(1, NOW)).count(), 100);
        assert!(take(2, NOW), "another account");
        assert!(!take(1, NOW.plus_ms(59_999)));
        assert!(take(1, NOW.plus_ms(60_000)) && !take(1, NOW.plus_ms(60_000)));
        let later = NOW.plus_ms(100 * 60_000 + 60_000);
        assert_eq!((0..1_000).filter(|_| take(1, later)).count(), 100);
    }

    #[test]
    fn accounts_that_have_all_of_theirs_again_are_forgotten() {
        let mut renewals = Renewals::default();
        for account in 0..100_000 {
            renewals.taken(UserId(account), NOW.plus_ms(account * 1_000));
        }
        assert!(renewals.restored_at.len() <= 2 * FORGOTTEN_FROM, "{}", renewals.restored_at.len());
    }
}
