//! Writes a notification and hands it over.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_domain::{
    ids::{OrderId, PerformanceId, UserId},
    order::OrderStatus,
};
use onsale_engine::{
    clock::Clock,
    ports::{Delivery, Store, StoreError},
};
use serde_json::Value;

use super::{
    Message, Notifier, NotifyError,
    text::{Language, Occasion, Told},
};
use crate::{
    Event, EventType,
    deliveries::{Carried, Carrier, Verdict},
};

/// Writes notifications in one language and hands them to a [`Notifier`].
pub struct NotificationSender {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    notifier: Arc<dyn Notifier>,
    language: Language,
}

impl NotificationSender {
    /// A sender over a notifier.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        notifier: Arc<dyn Notifier>,
        language: Language,
    ) -> Self {
        Self { store, clock, notifier, language }
    }

    /// What there is to say; or why there is nothing.
    async fn message(&self, event: &Event) -> Result<Result<Message, &'static str>, StoreError> {
        let occasion = match event.event_type {
            EventType::OrderHeld => Occasion::HoldEnding,
            EventType::OrderPaid => Occasion::Paid,
            EventType::OrderCancelled => Occasion::Cancelled,
            _ => return Ok(Err("nobody is told of this")),
        };
        let ids = event.data["orderId"].as_str().and_then(|id| id.parse().ok()).map(OrderId);
        let (Some(order), Some(user)) = (ids, event.data["userId"].as_i64().map(UserId)) else {
            return Ok(Err("the event names no order and buyer"));
        };
        if occasion == Occasion::HoldEnding && !self.is_held(order).await? {
            return Ok(Err("the hold is over"));
        }
        let Some(user) = self.store.user(user).await? else { return Ok(Err("the account was closed")) };
        let listing = match event.data["performanceId"].as_i64() {
            Some(id) => self.store.performance_listing(PerformanceId(id)).await?,
            None => None,
        };
        let told = Told { occasion, event, listing: listing.as_ref(), name: &user.name };
        let (subject, text) = told.write(self.language);
        let id = event.id.clone();
        Ok(Ok(Message { id, user: user.id, name: user.name.clone(), email: user.email, subject, text }))
    }

    async fn is_held(&self, order: OrderId) -> Result<bool, StoreError> {
        let order = self.store.order(order).await?;
        Ok(order.is_some_and(|order| order.status_at(self.clock.now()) == OrderStatus::Held))
    }
}

#[async_trait]
impl Carrier for NotificationSender {
    async fn carry(&self, delivery: &Delivery) -> Carried {
        let event: Event = match delivery.body.parse() {
            Ok(event) => event,
            Err(error) => return Carried { verdict: Verdict::Refused, ..Carried::failed(error) },
        };
        let message = match self.message(&event).await {
            Ok(Ok(message)) => message,
            Ok(Err(why)) => return Carried::unneeded(why),
            Err(error) => return Carried::failed(error),
        };
        match self.notifier.notify(&message).await {
            Ok(()) => Carried { verdict: Verdict::Delivered, status: None, answer: String::new() },
            Err(NotifyError::Later(why)) => Carried::failed(why),
            Err(error @ NotifyError::Nowhere) => Carried::unneeded(error),
            Err(NotifyError::Never(why)) => Carried { verdict: Verdict::Refused, ..Carried::failed(why) },
        }
    }
}

/// A text of an event's data, empty if it is not there.
pub(super) fn text<'a>(data: &'a Value, name: &str) -> &'a str {
    data[name].as_str().unwrap_or_default()
}
