//! From the outbox to events.

use onsale_domain::order::OrderStatus;
use onsale_engine::{
    events::order_data,
    ports::{OutboxEvent, OutboxSubject},
};

use crate::{Event, EventError, EventType};

/// The event as it is published. The same one in the outbox always makes the same one here.
pub(crate) fn event(told: &OutboxEvent, source: &str) -> Result<Event, EventError> {
    let (id, subject, data) = match &told.subject {
        OutboxSubject::Order(of) => {
            let order = of.order.id.to_string();
            (format!("{order}.{}", of.version), order, order_data(of, status_after(&told.kind)?))
        }
        OutboxSubject::Told { subject, data } => {
            let data = serde_json::from_str(data)
                .map_err(|error| EventError(format!("row {} of the outbox: {error}", told.seq)))?;
            (format!("{subject}.{}", told.seq), subject.clone(), data)
        }
    };
    Ok(Event {
        id,
        event_type: EventType::from_name(&format!("onsale.{}.v1", told.kind)),
        source: source.to_owned(),
        key: subject.clone(),
        subject,
        time: told.at,
        data,
    })
}

/// Where an order stands after something happened to it.
fn status_after(kind: &str) -> Result<OrderStatus, EventError> {
    [OrderStatus::Held, OrderStatus::Paid, OrderStatus::Expired, OrderStatus::Cancelled]
        .into_iter()
        .find(|status| kind.strip_prefix("order.") == Some(status.as_str()))
        .ok_or_else(|| EventError(format!("nothing is known of `{kind}`")))
}
