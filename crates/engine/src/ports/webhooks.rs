//! The port under webhooks: who has subscribed to what.

use async_trait::async_trait;
use onsale_domain::{
    ids::{ShowId, UserId, WebhookId},
    time::Timestamp,
};

use super::error::StoreError;

/// Keeps subscriptions.
#[async_trait]
pub trait WebhookStore: Send + Sync + 'static {
    /// Adds a subscription.
    async fn add_webhook(&self, webhook: &NewWebhook) -> Result<WebhookId, StoreError>;

    /// A subscription.
    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// Subscriptions by id, those of one owner or all, at most `limit` after `after`.
    async fn webhooks(
        &self,
        owner: Option<UserId>,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError>;

    /// The subscriptions that are to be delivered to, at most `limit`, the oldest first.
    async fn active_webhooks(&self, limit: usize) -> Result<Vec<Webhook>, StoreError>;

    /// Replaces a subscription's address, event types, shows and whether it is active.
    /// [`StoreError::Missing`] if there is none.
    async fn change_webhook(&self, webhook: &Webhook) -> Result<(), StoreError>;

    /// Replaces a subscription's secret; the one before is kept until a time.
    /// [`StoreError::Rejected`] if `before` is not the secret any more.
    async fn rotate_webhook(
        &self,
        id: WebhookId,
        before: &str,
        secret: &str,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes a subscription. `false` if there was none.
    async fn remove_webhook(&self, id: WebhookId) -> Result<bool, StoreError>;
}

/// A subscription to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// Whose it is.
    pub owner: UserId,
    /// Where to deliver.
    pub url: String,
    /// The names of the events' types. None: all.
    pub event_types: Vec<String>,
    /// The shows that the events are about. None: any.
    pub shows: Vec<ShowId>,
    /// What signs deliveries.
    pub secret: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A subscription: deliver these events there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub owner: UserId,
    /// Where to deliver.
    pub url: String,
    /// The names of the events' types. None: all.
    pub event_types: Vec<String>,
    /// The shows that the events are about. None: any.
    pub shows: Vec<ShowId>,
    /// Whether it is to be delivered to.
    pub active: bool,
    /// What signs deliveries.
    pub secret: String,
    /// The secret before, and until when it signs as well.
    pub previous_secret: Option<(String, Timestamp)>,
    /// When it was added.
    pub created_at: Timestamp,
}
