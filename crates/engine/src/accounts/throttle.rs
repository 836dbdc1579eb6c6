//! How often somebody may try a password, or sign up.
//!
//! Only wrong passwords count as tries, and as sign-ups only what tells something: an account that was
//! made, or that there is one. What we are too busy for costs nothing.

use std::{net::IpAddr, sync::Arc};

use onsale_domain::limits::{AllowanceRule, CountRule, RuleName, Subject, Verdict};
use sha2::{Digest, Sha256};

use super::{AccountError, email::name_of};
use crate::{clock::Clock, ports::Limiter};

/// How often somebody may try a password, or sign up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogInRules {
    /// Wrong passwords. `None`: any number.
    pub tries: Option<TryRules>,
    /// Accounts made from one address, and tries to make one that there is. `None`: any number.
    pub sign_ups: Option<AllowanceRule>,
}

/// How many wrong passwords there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryRules {
    /// For one account from one address, begun anew by a right one. Nobody can lock somebody at
    /// another address out.
    pub account: CountRule,
    /// From one address.
    pub address: AllowanceRule,
}

impl LogInRules {
    /// The names of the rules.
    pub fn names(&self) -> impl Iterator<Item = &RuleName> {
        let tries = self.tries.iter().flat_map(|rules| [&rules.account.name, &rules.address.name]);
        tries.chain(self.sign_ups.iter().map(|rule| &rule.name))
    }
}

/// Counts tries.
pub(super) struct Throttle {
    pub(super) limiter: Arc<dyn Limiter>,
    pub(super) rules: LogInRules,
    pub(super) clock: Arc<dyn Clock>,
}

impl Throttle {
    /// Checks a password of the account with an address, if there were not too many wrong ones before.
    ///
    /// A try is counted before its password is checked, so many at once are no way around, and taken back
    /// if the password was not found to be wrong.
    pub(super) async fn log_in<T>(
        &self,
        email: &str,
        from: IpAddr,
        check: impl Future<Output = Result<T, AccountError>>,
    ) -> Result<T, AccountError> {
        let Self { limiter, rules, .. } = self;
        let Some(rules) = &rules.tries else { return check.await };
        let (account, address) = (Subject::log_in(digest(email), from), Subject::ip(from));
        let token = rand::random();
        if let Verdict::Refused { until, .. } = limiter.take(&rules.address, address, token).await {
            return Err(self.too_many("wrong passwords from this address", until));
        }
        if let Verdict::Refused { until, .. } = limiter.count(&rules.account, account).await {
            limiter.give_back(&rules.address, address, token).await;
            return Err(self.too_many("wrong passwords for this account from this address", until));
        }
        let outcome = check.await;
        if let Err(AccountError::WrongCredentials) = &outcome {
            limiter.spend(&rules.address, address, token).await;
            return outcome;
        }
        limiter.give_back(&rules.address, address, token).await;
        if outcome.is_err() {
            limiter.uncount(&rules.account, account).await;
        } else if limiter.forget(&rules.account.name, account).await.is_err() {
            tracing::warn!("earlier tries to log in could not be forgotten");
        }
        outcome
    }

    /// Makes an account, if there were not too many made before.
    pub(super) async fn sign_up<T>(
        &self,
        from: IpAddr,
        make: impl Future<Output = Result<T, AccountError>>,
    ) -> Result<T, AccountError> {
        let Self { limiter, rules, .. } = self;
        let Some(rule) = &rules.sign_ups else { return make.await };
        let (address, token) = (Subject::ip(from), rand::random());
        if let Verdict::Refused { until, .. } = limiter.take(rule, address, token).await {
            return Err(self.too_many("new accounts from this address", until));
        }
        let outcome = make.await;
        if matches!(outcome, Ok(_) | Err(AccountError::EmailTaken)) {
            limiter.spend(rule, address, token).await;
        } else {
            limiter.give_back(rule, address, token).await;
        }
        outcome
    }

    fn too_many(&self, of: &'static str, until: onsale_domain::time::Timestamp) -> AccountError {
        AccountError::TooMany { of, wait_ms: until.since_ms(self.clock.now()).max(1) }
    }
}

/// The same for all spellings of an address.
fn digest(email: &str) -> u64 {
    let digest = Sha256::digest(name_of(email));
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use async_trait::async_trait;
    use onsale_domain::{
        limits::{Allowance, Count},
        time::Timestamp,
    };
    use parking_lot::Mutex;

    use super::*;
    use crate::{
        clock::ManualClock,
        ports::{Block, LimiterError},
    };

    const NOW: Timestamp = Timestamp(1_000);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Counts one subject.
    #[derive(Default)]
    struct One(Mutex<(Count, Allowance)>);

    #[async_trait]
    impl Limiter for One {
        async fn count(&self, rule: &CountRule, _: Subject) -> Verdict {
            self.0.lock().0.take(rule, NOW)
        }

        async fn uncount(&self, _: &CountRule, _: Subject) {
            self.0.lock().0.give_back();
        }

        async fn take(&self, rule: &AllowanceRule, _: Subject, token: u128) -> Verdict {
            self.0.lock().1.take(rule, token, NOW)
        }

        async fn spend(&self, rule: &AllowanceRule, _: Subject, token: u128) {
            self.0.lock().1.spend(rule, token, NOW);
        }

        async fn give_back(&self, _: &AllowanceRule, _: Subject, token: u128) {
            self.0.lock().1.give_back(token);
        }

        async fn restore(&self, rule: &AllowanceRule, _: Subject, spent_at: Timestamp) {
            self.0.lock().1.restore(rule, spent_at, NOW);
        }

        async fn forget(&self, _: &RuleName, _: Subject) -> Result<bool, LimiterError> {
            self.0.lock().0 = Count::default();
            Ok(true)
        }

        async fn blocks(&self, _: usize) -> Result<Vec<Block>, LimiterError> {
            Ok(Vec::new())
        }
    }

    fn throttle(tries: u32, failures: u32) -> Throttle {
        let account = CountRule {
            name: "tries".into(),
            requests: tries,
            window_ms: 60_000,
            burst: tries,
            block_ms: 1_000,
            block_ms_max: 60_000,
        };
        let address = AllowanceRule {
            name: "failures".into(),
            requests: failures,
            window_ms: 60_000,
            unsettled_ms: 30_000,
        };
        Throttle {
            limiter: Arc::new(One::default()),
            rules: LogInRules { tries: Some(TryRules { account, address }), sign_ups: None },
            clock: Arc::new(ManualClock::new(NOW)),
        }
    }

    async fn outcome(throttle: &Throttle, of: Result<(), AccountError>) -> Result<(), AccountError> {
        throttle.log_in("kim@example.com", HERE, async { of }).await
    }

    #[tokio::test]
    async fn what_we_are_too_busy_for_is_no_try() {
        let throttle = throttle(3, 5);
        for _ in 0..100 {
            let busy = outcome(&throttle, Err(AccountError::Overloaded)).await;
            assert!(matches!(busy, Err(AccountError::Overloaded)), "{busy:?}");
        }
        for _ in 0..3 {
            let wrong = outcome(&throttle, Err(AccountError::WrongCredentials)).await;
            assert!(matches!(wrong, Err(AccountError::WrongCredentials)), "{wrong:?}");
        }
        let many = outcome(&throttle, Ok(())).await;
        assert!(matches!(many, Err(AccountError::TooMany { wait_ms: 1_000, .. })), "{many:?}");
    }

    #[tokio::test]
    async fn tries_at_the_same_moment_are_no_way_around() {
        let throttle = throttle(3, 100);
        let slow = async || {
            let check = async {
                tokio::task::yield_now().await;
                Err::<(), _>(AccountError::WrongCredentials)
            };
            throttle.log_in("kim@example.com", HERE, check).await
        };
        let all = futures_util::future::join_all((0..50).map(|_| slow())).await;
        let wrong = all.iter().filter(|one| matches!(one, Err(AccountError::WrongCredentials))).count();
        assert_eq!(wrong, 3);
    }

    #[tokio::test]
    async fn an_address_that_is_refused_costs_the_account_nothing() {
        let throttle = throttle(10, 2);
        for _ in 0..2 {
            let _ = outcome(&throttle, Err(AccountError::WrongCredentials)).await;
        }
        for _ in 0..50 {
            let many = outcome(&throttle, Ok(())).await;
            assert!(
                matches!(many, Err(AccountError::TooMany { of, .. }) if of.ends_with("from this address"))
            );
        }
        let (account, address) = (Subject::log_in(digest("KIM@example.com"), HERE), Subject::ip(HERE));
        assert_ne!(account, address);
        let rules = throttle.rules.tries.as_ref().unwrap();
        assert!(matches!(
            throttle.limiter.count(&rules.account, account).await,
            Verdict::Allowed { left: 7, .. }
        ));
    }
}
