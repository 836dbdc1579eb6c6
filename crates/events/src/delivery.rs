//! Bringing one event to one consumer, until it has taken it.

use std::{sync::Arc, time::Duration};

use metrics::{Counter, counter};
use tokio::time::sleep;

use crate::{ConsumeError, Consumer, Event};

/// How long to wait before an event is tried again, at first and at most.
const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(60);

/// The delay after one that was not enough.
pub(crate) fn longer(delay: Option<Duration>) -> Duration {
    delay.map_or(DELAY_MIN, |delay| (delay * 2).min(DELAY_MAX))
}

/// A consumer, and what is counted of it.
#[derive(Clone)]
pub(crate) struct Recipient {
    pub(crate) consumer: Arc<dyn Consumer>,
    consumed: Counter,
    failed: Counter,
}

impl Recipient {
    pub(crate) fn new(consumer: Arc<dyn Consumer>) -> Self {
        let name = consumer.name();
        assert!(!name.is_empty() && name.len() <= crate::NAME_LEN_MAX, "`{name}` is no name of a consumer");
        let consumed = counter!("onsale_events_consumed_total", "consumer" => name);
        let failed = counter!("onsale_events_consumer_failures_total", "consumer" => name);
        Self { consumer, consumed, failed }
    }

    /// Reads an event and lets the consumer act on it once. A text that is no event would be in the way
    /// for ever, so it is passed over.
    pub(crate) async fn offer(&self, text: &str) -> Result<(), ConsumeError> {
        let event: Event = match text.parse() {
            Ok(event) => event,
            Err(error) => {
                tracing::error!(%error, consumer = self.consumer.name(), text, "passed over");
                self.failed.increment(1);
                return Ok(());
            }
        };
        match self.consumer.consume(&event).await {
            Ok(()) => self.consumed.increment(1),
            Err(error) => {
                tracing::warn!(%error, consumer = self.consumer.name(), event = event.id, "tried again later");
                self.failed.increment(1);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The same, until it succeeds.
    pub(crate) async fn deliver(&self, text: &str) {
        let mut delay = None;
        while self.offer(text).await.is_err() {
            delay = Some(longer(delay));
            sleep(delay.unwrap_or_default()).await;
        }
    }

    /// Makes lasting what was consumed, however often that must be tried.
    pub(crate) async fn flush(&self) {
        let mut delay = None;
        while let Err(error) = self.consumer.flush().await {
            tracing::warn!(%error, consumer = self.consumer.name(), "cannot make it last; tried again");
            self.failed.increment(1);
            delay = Some(longer(delay));
            sleep(delay.unwrap_or_default()).await;
        }
    }
}
