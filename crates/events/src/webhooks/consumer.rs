//! From events to deliveries.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use onsale_domain::ids::{ItemId, PerformanceId, ShowId, UserId};
use onsale_engine::{
    clock::Clock,
    owners::{OwnerCheck, Owners},
    ports::{Channel, NewDelivery, Owned, Store, StoreError, Webhook},
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

/// For how long subscriptions and owners are not read again: who subscribes gets what happens from a moment
/// later on.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// Adds a delivery for each subscription that wants an event.
pub struct WebhookConsumer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    owners: Owners,
    known: Mutex<Option<Known>>,
    gathered: Gathered,
}

/// What was read a moment ago.
struct Known {
    read_at: Instant,
    subscriptions: Arc<[Webhook]>,
    /// Whether an account may follow something.
    may_follow: HashMap<(UserId, Option<Owned>), bool>,
}

impl WebhookConsumer {
    /// A consumer that adds deliveries to a store, and tells who makes them.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, wake: Wake) -> Self {
        let gathered = Gathered::new(store.clone(), wake);
        let owners = Owners::new(store.clone(), OwnerCheck::On);
        Self { store, clock, owners, known: Mutex::default(), gathered }
    }

    /// Sends everybody everything. For negative controls only.
    #[doc(hidden)]
    #[must_use]
    pub fn without_owners(self) -> Self {
        Self { owners: Owners::new(self.store.clone(), OwnerCheck::Off), ..self }
    }

    async fn subscriptions(&self) -> Result<Arc<[Webhook]>, StoreError> {
        if let Some(known) = &*self.known.lock()
            && known.read_at.elapsed() < KNOWN_FOR
        {
            return Ok(known.subscriptions.clone());
        }
        let read_at = Instant::now();
        let subscriptions: Arc<[Webhook]> = self.store.active_webhooks(WEBHOOKS_MAX).await?.into();
        let known = Known { read_at, subscriptions: subscriptions.clone(), may_follow: HashMap::new() };
        *self.known.lock() = Some(known);
        Ok(subscriptions)
    }

    /// Whether an account may be told of what an event is about.
    async fn may_follow(&self, user: UserId, thing: Option<Owned>) -> Result<bool, StoreError> {
        let known =
            self.known.lock().as_ref().and_then(|known| known.may_follow.get(&(user, thing)).copied());
        if let Some(known) = known {
            return Ok(known);
        }
        let may = self.owners.may_follow(user, thing).await?;
        if let Some(known) = &mut *self.known.lock() {
            known.may_follow.insert((user, thing), may);
        }
        Ok(may)
    }
}

#[async_trait]
impl Consumer for WebhookConsumer {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    async fn consume(&self, event: &Event) -> Result<(), ConsumeError> {
        let subscriptions = self.subscriptions().await?;
        let mut wanted_by = Vec::new();
        for webhook in subscriptions.iter().filter(|webhook| wants(webhook, event)) {
            if self.may_follow(webhook.owner, about(event)).await? {
                wanted_by.push(webhook.id);
            }
        }
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

/// What an event is about.
fn about(event: &Event) -> Option<Owned> {
    let id = |name: &str| event.data[name].as_i64();
    let show = id("showId").map(|id| ShowId(id).into());
    let performance = || id("performanceId").map(|id| PerformanceId(id).into());
    show.or_else(performance).or_else(|| id("itemId").map(|id| ItemId(id).into()))
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
