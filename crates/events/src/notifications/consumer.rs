//! From events to notifications.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_domain::time::Timestamp;
use onsale_engine::{
    clock::Clock,
    ports::{Channel, NewDelivery, Store},
};

use crate::{
    ConsumeError, Consumer, Event, EventType,
    deliveries::{Gathered, Wake},
};

/// Adds a delivery for each event that its buyer is told of.
pub struct NotificationConsumer {
    clock: Arc<dyn Clock>,
    reminder_ms: i64,
    gathered: Gathered,
}

impl NotificationConsumer {
    /// A consumer that adds deliveries to a store, and tells who makes them. Buyers are reminded so long
    /// before their hold ends; not at all, if it is 0.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, wake: Wake, reminder_ms: i64) -> Self {
        Self { clock, reminder_ms, gathered: Gathered::new(store, wake) }
    }

    /// When the buyer is to be told of an event, if at all.
    fn due_at(&self, event: &Event, now: Timestamp) -> Option<Timestamp> {
        match event.event_type {
            EventType::OrderPaid | EventType::OrderCancelled => Some(now),
            EventType::OrderHeld if self.reminder_ms > 0 => {
                let ends_at: jiff::Timestamp = event.data["expiresAt"].as_str()?.parse().ok()?;
                let due_at = Timestamp(ends_at.as_millisecond()).plus_ms(-self.reminder_ms);
                // A hold that is no longer than that needs no reminder.
                (due_at > event.time).then_some(due_at)
            }
            _ => None,
        }
    }
}

#[async_trait]
impl Consumer for NotificationConsumer {
    fn name(&self) -> &'static str {
        "notifications"
    }

    async fn consume(&self, event: &Event) -> Result<(), ConsumeError> {
        let now = self.clock.now();
        let Some(due_at) = self.due_at(event, now) else { return Ok(()) };
        let delivery = NewDelivery {
            channel: Channel::Notifications,
            event_id: event.id.clone(),
            event_type: event.event_type.as_str().to_owned(),
            // Each for itself: a payment's does not wait for the reminder's time.
            subject: event.id.clone(),
            body: event.to_json(),
            added_at: now,
            due_at,
        };
        Ok(self.gathered.add([delivery]).await?)
    }

    async fn flush(&self) -> Result<(), ConsumeError> {
        Ok(self.gathered.write().await?)
    }
}
