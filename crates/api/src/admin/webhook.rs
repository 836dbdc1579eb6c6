//! A webhook, as it is asked for and answered.

use onsale_domain::ids::ShowId;
use onsale_engine::{
    ports::{Delivery, DeliveryState, Webhook},
    webhooks::{WebhookDetails, WebhookEdit},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json::Editable;
use crate::time::Rfc3339;

/// A webhook to add.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookInput {
    /// Where to send events: a public address, by https unless the installation allows http.
    #[schema(max_length = 2_000, example = "https://example.com/hooks/onsale")]
    url: String,
    /// The types of events. All, if left out or empty.
    #[schema(max_items = 100, example = json!(["onsale.order.paid.v1"]))]
    event_types: Option<Vec<String>>,
    /// Only what is about these shows. About anything, if left out or empty.
    #[schema(max_items = 100, example = json!([1]))]
    show_ids: Option<Vec<i64>>,
}

impl WebhookInput {
    pub(super) fn details(self) -> WebhookDetails {
        WebhookDetails {
            url: self.url,
            event_types: self.event_types.unwrap_or_default(),
            shows: self.show_ids.unwrap_or_default().into_iter().map(ShowId).collect(),
        }
    }
}

/// Changes of a webhook. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookChangeInput {
    /// Another address.
    #[schema(max_length = 2_000)]
    url: Option<String>,
    /// Other types of events; an empty list means all.
    #[schema(max_items = 100)]
    event_types: Option<Vec<String>>,
    /// Other shows; an empty list means any.
    #[schema(max_items = 100)]
    show_ids: Option<Vec<i64>>,
    /// Whether to send. What is still to be sent when it is switched off is dropped.
    active: Option<bool>,
}

impl Editable for WebhookChangeInput {
    const ID: &'static str = "id";
    const READ_ONLY: &'static [&'static str] = &["ownerId", "previousSecretUntil", "createdAt"];
}

impl WebhookChangeInput {
    pub(super) fn edit(self) -> WebhookEdit {
        WebhookEdit {
            url: self.url,
            event_types: self.event_types,
            shows: self.show_ids.map(|ids| ids.into_iter().map(ShowId).collect()),
            active: self.active,
        }
    }
}

/// A webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub(super) struct WebhookBody {
    /// The webhook's id.
    #[schema(minimum = 1, example = 1)]
    pub(super) id: i64,
    /// Whose it is.
    #[schema(minimum = 1, example = 1)]
    owner_id: i64,
    /// Where events are sent.
    #[schema(example = "https://example.com/hooks/onsale")]
    url: String,
    /// The types of events; all, if empty.
    event_types: Vec<String>,
    /// The shows; any, if empty.
    show_ids: Vec<i64>,
    /// Whether events are sent.
    active: bool,
    /// Until when the secret before signs as well, after a rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<Rfc3339>,
    /// When it was added.
    created_at: Rfc3339,
    /// What signs the requests. Answered once: when the webhook is added, and when its secret is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

impl WebhookBody {
    /// With the secret, for the moment it is new.
    pub(super) fn with_secret(webhook: Webhook) -> Self {
        let secret = Some(webhook.secret.clone());
        Self { secret, ..webhook.into() }
    }
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id.0,
            owner_id: webhook.owner.0,
            url: webhook.url,
            event_types: webhook.event_types,
            show_ids: webhook.shows.into_iter().map(|show| show.0).collect(),
            active: webhook.active,
            previous_secret_until: webhook.previous_secret.map(|(_, until)| Rfc3339(until)),
            created_at: Rfc3339(webhook.created_at),
            secret: None,
        }
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeliveryState)]
pub(super) enum DeliveryStateBody {
    /// To be sent, for the first time or again.
    Waiting,
    /// The receiver has answered 2xx.
    Delivered,
    /// Not to be sent any more: the webhook was switched off.
    Dropped,
    /// Given up after a day; it can be sent again.
    Parked,
}

impl From<DeliveryState> for DeliveryStateBody {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Waiting => Self::Waiting,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Dropped => Self::Dropped,
            DeliveryState::Parked => Self::Parked,
        }
    }
}

impl From<DeliveryStateBody> for DeliveryState {
    fn from(state: DeliveryStateBody) -> Self {
        match state {
            DeliveryStateBody::Waiting => Self::Waiting,
            DeliveryStateBody::Delivered => Self::Delivered,
            DeliveryStateBody::Dropped => Self::Dropped,
            DeliveryStateBody::Parked => Self::Parked,
        }
    }
}

/// An event on its way to a webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Delivery)]
pub(super) struct DeliveryBody {
    /// The delivery's id.
    #[schema(minimum = 1, example = 1)]
    pub(super) id: i64,
    /// The event's id: what the receiver gets as `webhook-id`.
    event_id: String,
    /// The event's type.
    #[schema(example = "onsale.order.paid.v1")]
    event_type: String,
    /// What the event is about. Deliveries of one subject are sent in order.
    subject: String,
    /// Where it stands.
    state: DeliveryStateBody,
    /// How often it was tried since it was added or sent again.
    attempts: u32,
    /// When the event came.
    created_at: Rfc3339,
    /// When it is tried next, at the earliest, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Rfc3339>,
    /// When it was delivered, dropped or parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Rfc3339>,
    /// The status of the receiver's last answer, if it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 503)]
    answer_status: Option<u16>,
    /// The beginning of the last answer, or what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        let waiting = delivery.state == DeliveryState::Waiting;
        // A ping is due before it was asked for.
        let due_at = Rfc3339(delivery.due_at.max(delivery.added_at));
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event_type: delivery.event_type,
            subject: delivery.subject,
            state: delivery.state.into(),
            attempts: delivery.attempts,
            created_at: Rfc3339(delivery.added_at),
            next_attempt_at: waiting.then_some(due_at),
            ended_at: (!waiting).then_some(due_at),
            answer_status: delivery.answer_status,
            answer: delivery.answer,
        }
    }
}
