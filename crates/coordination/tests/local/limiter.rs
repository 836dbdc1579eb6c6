//! The limiter's contract on the adapter in the process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use onsale_contract::coordination::{
    fixture::OPENING,
    limits::{self as cases, LimiterAdapter},
};
use onsale_coordination::LocalLimiter;
use onsale_domain::{
    limits::{Allowance, AllowanceRule, Count, CountRule, RuleName, Subject, Verdict},
    time::Timestamp,
};
use onsale_engine::{
    clock::Clock,
    ports::{Block, Limiter, LimiterError},
};

struct Local;

#[async_trait]
impl LimiterAdapter for Local {
    async fn start(&self, clock: Arc<dyn Clock>) -> Arc<dyn Limiter> {
        Arc::new(LocalLimiter::new(clock))
    }
}

async fn fresh() -> (Arc<dyn LimiterAdapter>, ()) {
    (Arc::new(Local), ())
}

onsale_contract::limiter_contract!(fresh);

/// The negative control: a limiter that reads and writes apart lets too many through, and the
/// contract notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_notices_a_limiter_that_is_not_atomic() {
    let case = cases::counts_are_exact_under_a_hundred_clients(Arc::new(Careless::default()));
    assert!(tokio::spawn(case).await.is_err_and(|error| error.is_panic()));
    let case = cases::of_a_hundred_who_take_at_once_one_gets_it(Arc::new(Careless::default()));
    assert!(tokio::spawn(case).await.is_err_and(|error| error.is_panic()));
}

#[derive(Default)]
struct Careless {
    counts: Arc<Mutex<HashMap<Subject, Count>>>,
    allowances: Arc<Mutex<HashMap<Subject, Allowance>>>,
}

#[async_trait]
impl LimiterAdapter for Careless {
    async fn start(&self, _: Arc<dyn Clock>) -> Arc<dyn Limiter> {
        Arc::new(Self { counts: self.counts.clone(), allowances: self.allowances.clone() })
    }
}

#[async_trait]
impl Limiter for Careless {
    async fn count(&self, rule: &CountRule, subject: Subject) -> Verdict {
        let mut count = self.counts.lock().unwrap().get(&subject).copied().unwrap_or_default();
        tokio::task::yield_now().await;
        let verdict = count.take(rule, OPENING);
        self.counts.lock().unwrap().insert(subject, count);
        verdict
    }

    async fn uncount(&self, _: &CountRule, subject: Subject) {
        if let Some(count) = self.counts.lock().unwrap().get_mut(&subject) {
            count.give_back();
        }
    }

    async fn take(&self, rule: &AllowanceRule, subject: Subject, token: u128) -> Verdict {
        let mut allowance = self.allowances.lock().unwrap().get(&subject).cloned().unwrap_or_default();
        tokio::task::yield_now().await;
        let verdict = allowance.take(rule, token, OPENING);
        self.allowances.lock().unwrap().insert(subject, allowance);
        verdict
    }

    async fn spend(&self, _: &AllowanceRule, _: Subject, _: u128) {}

    async fn give_back(&self, _: &AllowanceRule, subject: Subject, token: u128) {
        if let Some(allowance) = self.allowances.lock().unwrap().get_mut(&subject) {
            allowance.give_back(token);
        }
    }

    async fn restore(&self, _: &AllowanceRule, _: Subject, _: Timestamp) {}

    async fn forget(&self, _: &RuleName, _: Subject) -> Result<bool, LimiterError> {
        Ok(false)
    }

    async fn blocks(&self, _: usize) -> Result<Vec<Block>, LimiterError> {
        Ok(Vec::new())
    }
}
