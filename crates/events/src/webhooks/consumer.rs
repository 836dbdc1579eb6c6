//! From events to deliveries.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use onsale_engine::{
    clock::Clock,
    ports::{Channel, NewDelivery, Store, StoreError, Webhook},
    webhooks::WEBHOOKS_MAX,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    ConsumeError, Consumer, Event,
    deliveries::{Gathered, Wake},
};

/// The most bytes of a delivery. What is larger is sent without its data.
pub const BODY_BYTES_MAX: usize = 60 * 1_024;

/// For how long the subscriptions are not read again: who subscribes gets what happens from a moment
/// later on.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// Adds a delivery for each subscription that wants an event.
pub struct WebhookConsumer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<(Instant, Arc<[Webhook]>)>>,
    gathered: Gathered,
}

impl WebhookConsumer {
    /// A consumer that adds deliveries to a store, and tells who makes them.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, wake: Wake) -> Self {
        let gathered = Gathered::new(store.clone(), wake);
        Self { store, clock, known: Mutex::default(), gathered }
    }

    async fn subscriptions(&self) -> Result<Arc<[Webhook]>, StoreError> {
        let known = self.known.lock().clone();
        if let Some((read_at, known)) = known
            && read_at.elapsed() < KNOWN_FOR
        {
            return Ok(known);
        }
        let read_at = Instant::now();
        let read: Arc<[Webhook]> = self.store.active_webhooks(WEBHOOKS_MAX).await?.into();
        *self.known.lock() = Some((read_at, read.clone()));
        Ok(read)
    }
}

#[async_trait]
impl Consumer for WebhookConsumer {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    async fn consume(&self, event: &Event) -> Result<(), ConsumeError> {
        let subscriptions = self.subscriptions().await?;
        let wanted_by: Vec<_> =
            subscriptions.iter().filter(|webhook| wants(webhook, event)).map(|webhook| webhook.id).collect();
        if wanted_by.is_empty() {
            return Ok(());
        }
        let (body, now) = (body(event), self.clock.now());
        let deliveries = wanted_by.into_iter().map(|webhook| NewDelivery {
            channel: Channel::Webhook(webhook),
            event_id: event.id.clone(),
            event_type: event.event_type.as_str().to_owned(),
            subject: event.key.clone(),
            body: body.clone(),
            added_at: now,
            due_at: now,
        });
        let deliveries: Vec<_> = deliveries.collect();
        Ok(self.gathered.add(deliveries).await?)
    }

    async fn flush(&self) -> Result<(), ConsumeError> {
        Ok(self.gathered.write().await?)
    }
}

/// Whether a subscription is about an event.
fn wants(webhook: &Webhook, event: &Event) -> bool {
    let name = event.event_type.as_str();
    let show = event.data["showId"].as_i64();
    (webhook.event_types.is_empty() || webhook.event_types.iter().any(|wanted| wanted == name))
        && (webhook.shows.is_empty() || webhook.shows.iter().any(|wanted| Some(wanted.0) == show))
}

/// The event as it is sent.
fn body(event: &Event) -> String {
    let whole = event.to_json();
    if whole.len() <= BODY_BYTES_MAX {
        return whole;
    }
    tracing::warn!(event = %event.id, bytes = whole.len(), "an event is too large for webhooks and is sent without its data");
    Event { data: omitted(&event.data), ..event.clone() }.to_json()
}

/// What is left of data that is too large: the ids, by which the rest can be asked for.
fn omitted(data: &Value) -> Value {
    let mut left = json!({"omitted": true});
    for name in ["orderId", "performanceId", "showId", "itemId", "userId", "status", "version"] {
        if let Some(value) = data.get(name) {
            left[name] = value.clone();
        }
    }
    left
}
