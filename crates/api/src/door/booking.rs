//! Bookings of one account at one performance: so many may succeed.

use std::sync::Arc;

use onsale_domain::{
    ids::{PerformanceId, UserId},
    limits::{AllowanceRule, Subject, Verdict},
};
use onsale_engine::sales::SaleError;

use super::limits::seconds_until;
use crate::{
    Api,
    problem::{Kind, Problem},
};

/// A booking that may go on, and what it took of the allowance.
pub(crate) struct Booking {
    api: Arc<Api>,
    rule: AllowanceRule,
    subject: Subject,
    token: u128,
}

impl Booking {
    /// Begins a booking. Repeating one under the same `key` is not another one. `None`: there is no
    /// limit.
    pub(crate) async fn begin(
        api: &Arc<Api>,
        user: UserId,
        performance: PerformanceId,
        key: Option<u128>,
    ) -> Result<Option<Self>, Problem> {
        let Some(limits) = &api.door.limits else { return Ok(None) };
        let Some(rule) = limits.bookings.clone() else { return Ok(None) };
        let subject = Subject::AccountAt(user, performance);
        let token = key.unwrap_or_else(|| limits.new_token());
        match limits.limiter.take(&rule, subject, token).await {
            Verdict::Allowed { .. } => Ok(Some(Self { api: api.clone(), rule, subject, token })),
            Verdict::Refused { until, .. } => {
                let seconds = seconds_until(until, api.engine.clock().now());
                let detail = format!(
                    "at most {} booking(s) of one account at one performance in {} s; try again in {seconds} s",
                    rule.requests,
                    rule.window_ms / 1_000
                );
                let problem = Problem::new(Kind::TooManyRequests, detail).with("rule", &*rule.name);
                Err(problem.retry_after(seconds))
            }
        }
    }

    /// Carries the booking out, also if the caller does not wait for it, and settles what it took:
    /// only one that succeeds costs anything. `replayed` tells whether an earlier request had.
    pub(crate) async fn carry_out<T: Send + 'static>(
        self,
        work: impl Future<Output = Result<T, SaleError>> + Send + 'static,
        replayed: impl FnOnce(&T) -> bool + Send + 'static,
    ) -> Result<T, SaleError> {
        let carried_out = tokio::spawn(async move {
            let outcome = work.await;
            let spent = match &outcome {
                Ok(done) => Some(!replayed(done)),
                // It counts until it lapses; repeating it under its key tells.
                Err(SaleError::OutcomeUnknown) => None,
                Err(_) => Some(false),
            };
            if let Some(spent) = spent {
                self.settle(spent).await;
            }
            outcome
        });
        match carried_out.await {
            Ok(outcome) => outcome,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    async fn settle(&self, spent: bool) {
        let limiter = &self.api.door.limits.as_ref().expect("there was a limit").limiter;
        if spent {
            limiter.spend(&self.rule, self.subject, self.token).await;
        } else {
            limiter.give_back(&self.rule, self.subject, self.token).await;
        }
    }
}
