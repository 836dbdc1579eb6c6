//! Bookings of one account at one performance: so many may succeed, and what is given back is another one's.

use std::sync::Arc;

use onsale_domain::{
    decide::{Changes, EventKind},
    ids::{PerformanceId, UserId},
    limits::{AllowanceRule, Subject, Verdict},
    order::Order,
    time::Timestamp,
};
use tokio::sync::mpsc;

use super::{Held, SaleError};
use crate::ports::Limiter;

/// How many bookings that ended may wait to be returned. Those beyond are returned by time.
const ENDED_MAX: usize = 8_192;

/// The counter of bookings, and how many there may be.
pub(super) struct Bookings {
    limiter: Arc<dyn Limiter>,
    rule: AllowanceRule,
    ended: mpsc::Sender<Ended>,
}

/// A booking that ended by itself.
struct Ended {
    subject: Subject,
    booked_at: Timestamp,
}

/// A booking that may go on, and what it took of the allowance.
pub(super) struct Booking {
    subject: Subject,
    token: u128,
}

impl Bookings {
    /// Must be called inside a Tokio runtime; ends when this is dropped.
    pub(super) fn new(limiter: Arc<dyn Limiter>, rule: AllowanceRule) -> Self {
        let (ended, mut returned) = mpsc::channel::<Ended>(ENDED_MAX);
        let (by, of) = (limiter.clone(), rule.clone());
        tokio::spawn(async move {
            while let Some(Ended { subject, booked_at }) = returned.recv().await {
                by.restore(&of, subject, booked_at).await;
            }
        });
        Self { limiter, rule, ended }
    }

    pub(super) const fn rule(&self) -> &AllowanceRule {
        &self.rule
    }

    /// Begins a booking. Repeating one under the same token is not another one.
    pub(super) async fn begin(
        &self,
        user: UserId,
        performance: PerformanceId,
        token: u128,
    ) -> Result<Booking, SaleError> {
        let subject = Subject::AccountAt(user, performance);
        match self.limiter.take(&self.rule, subject, token).await {
            Verdict::Allowed { .. } => Ok(Booking { subject, token }),
            Verdict::Refused { until, .. } => Err(SaleError::TooManyBookings {
                max: self.rule.requests,
                seconds: self.rule.window_ms / 1_000,
                until,
            }),
        }
    }

    /// Settles what a booking took: only one that succeeds costs anything.
    pub(super) async fn settle(&self, booking: &Booking, outcome: &Result<Held, SaleError>) {
        let Booking { subject, token } = *booking;
        match outcome {
            Ok(held) if !held.replayed => self.limiter.spend(&self.rule, subject, token).await,
            // It counts until it lapses; repeating it under its key tells.
            Err(SaleError::OutcomeUnknown) => {}
            _ => self.limiter.give_back(&self.rule, subject, token).await,
        }
    }

    /// The buyer has given an order back: that booking does not count any more. One older than the window
    /// counts no more as it is, and returns nobody else's.
    pub(super) async fn given_back(&self, order: &Order, now: Timestamp) {
        if now.since_ms(order.created_at) >= self.rule.window_ms {
            return;
        }
        if let Some(performance) = order.offer().performance() {
            let subject = Subject::AccountAt(order.user, performance);
            self.limiter.restore(&self.rule, subject, order.created_at).await;
        }
    }

    /// Takes over what a batch changed: bookings that ended by themselves do not count any more.
    pub(super) fn follow(&self, changes: &Changes) {
        for event in &changes.events {
            let Some(performance) = event.order.offer().performance() else { continue };
            let booked_at = event.order.created_at;
            if event.kind == EventKind::OrderExpired && event.at.since_ms(booked_at) < self.rule.window_ms {
                let subject = Subject::AccountAt(event.order.user, performance);
                // One too many is returned by time.
                let _ = self.ended.try_send(Ended { subject, booked_at });
            }
        }
    }
}
