//! Webhooks: who subscribes to events, and what became of their deliveries. What makes the deliveries
//! is in `onsale-events`.

mod target;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use onsale_domain::{
    ids::{ShowId, UserId, WebhookId},
    time::Timestamp,
    user::Role,
};
use serde_json::json;

pub use target::{Network, NotANetwork, TargetError, TargetPolicy, URL_BYTES_MAX, is_public};

use crate::{
    accounts::Caller,
    clock::Clock,
    ids::Ids,
    owners::{OwnerCheck, OwnerError, Owners},
    ports::{Again, Channel, Delivery, DeliveryState, NewDelivery, NewWebhook, Store, StoreError, Webhook},
};

/// The most subscriptions of one owner.
pub const WEBHOOKS_PER_OWNER_MAX: usize = 50;

/// The most subscriptions that are delivered to.
pub const WEBHOOKS_MAX: usize = 10_000;

/// The most types of events, and the most shows, that a subscription names.
pub const FILTERS_MAX: usize = 100;

/// How long the secret before signs as well, after a rotation.
pub const ROTATION: Duration = Duration::from_hours(24);

/// What secrets begin with, as Standard Webhooks has it.
pub const SECRET_PREFIX: &str = "whsec_";

/// The type of the event that [`Webhooks::ping`] sends.
pub const PING: &str = "onsale.webhook.ping.v1";

/// The settings of webhooks.
#[derive(Clone, Debug, Default)]
pub struct WebhookSettings {
    /// Which addresses may be subscribed and called.
    pub target: TargetPolicy,
    /// The names of the events' types that can be subscribed to.
    pub event_types: Vec<String>,
}

/// What a subscription is to be.
#[derive(Clone, Debug)]
pub struct WebhookDetails {
    /// Where to deliver.
    pub url: String,
    /// The names of the events' types. None: all.
    pub event_types: Vec<String>,
    /// The shows that the events are about. None: any.
    pub shows: Vec<ShowId>,
}

/// What to change of a subscription; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookEdit {
    /// Another address.
    pub url: Option<String>,
    /// Other types of events. None at all: all.
    pub event_types: Option<Vec<String>>,
    /// Other shows. None at all: any.
    pub shows: Option<Vec<ShowId>>,
    /// Whether to deliver. What waits when a delivery is due and this is off is dropped.
    pub active: Option<bool>,
}

/// Why something about a subscription was not done.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A field is not acceptable.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// A show is not the subscriber's.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The store failed, or there is no such thing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Subscriptions. An organiser sees and changes their own, an administrator all.
#[derive(Clone)]
pub struct Webhooks {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    owners: Owners,
    settings: Arc<WebhookSettings>,
}

impl Webhooks {
    /// Subscriptions over a store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: WebhookSettings,
    ) -> Self {
        let owners = Owners::new(store.clone(), OwnerCheck::On);
        Self { store, clock, ids, owners, settings: Arc::new(settings) }
    }

    /// The same with other owners.
    #[must_use]
    pub(crate) fn with_owners(self, owners: Owners) -> Self {
        Self { owners, ..self }
    }

    /// Subscribes the caller.
    ///
    /// # Errors
    /// If a field is not acceptable, a show is not the caller's, or they have too many subscriptions.
    pub async fn add(&self, caller: Caller, details: WebhookDetails) -> Result<Webhook, WebhookError> {
        self.check(caller, &details.url, &details.event_types, &details.shows).await?;
        let own = self.store.webhooks(Some(caller.user), None, WEBHOOKS_PER_OWNER_MAX).await?;
        if own.len() >= WEBHOOKS_PER_OWNER_MAX {
            let reason = format!("you have {WEBHOOKS_PER_OWNER_MAX} webhooks already; remove one first");
            return Err(StoreError::Rejected(reason).into());
        }
        let new = NewWebhook {
            owner: caller.user,
            url: details.url,
            event_types: details.event_types,
            shows: details.shows,
            secret: new_secret(),
            created_at: self.clock.now(),
        };
        let id = self.store.add_webhook(&new).await?;
        self.get(caller, id).await
    }

    /// The subscriptions that the caller may see, by id, at most `limit` after `after`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn list(
        &self,
        caller: Caller,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, WebhookError> {
        Ok(self.store.webhooks(only_own(caller), after, limit).await?)
    }

    /// A subscription.
    ///
    /// # Errors
    /// If there is none that the caller may see.
    pub async fn get(&self, caller: Caller, id: WebhookId) -> Result<Webhook, WebhookError> {
        let webhook = self.store.webhook(id).await?;
        let visible = |webhook: &Webhook| caller.role.may_change(caller.user, Some(webhook.owner));
        Ok(webhook.filter(visible).ok_or(StoreError::Missing(WEBHOOK))?)
    }

    /// Changes a subscription. What waits for another attempt is tried at once if there is a new address or it
    /// was switched on.
    ///
    /// # Errors
    /// If a field is not acceptable, or there is none that the caller may see.
    pub async fn change(
        &self,
        caller: Caller,
        id: WebhookId,
        edit: WebhookEdit,
    ) -> Result<Webhook, WebhookError> {
        let mut webhook = self.get(caller, id).await?;
        let before = (webhook.url.clone(), webhook.active);
        webhook.url = edit.url.unwrap_or(webhook.url);
        webhook.event_types = edit.event_types.unwrap_or(webhook.event_types);
        webhook.shows = edit.shows.unwrap_or(webhook.shows);
        webhook.active = edit.active.unwrap_or(webhook.active);
        self.check(caller, &webhook.url, &webhook.event_types, &webhook.shows).await?;
        self.store.change_webhook(&webhook).await?;
        if webhook.active && before != (webhook.url.clone(), true) {
            self.again(id, Again::Waiting).await?;
        }
        Ok(webhook)
    }

    /// Gives a subscription a new secret. The one before signs as well for [`ROTATION`], so that the
    /// receiver can change over.
    ///
    /// # Errors
    /// If there is none that the caller may see.
    pub async fn rotate(&self, caller: Caller, id: WebhookId) -> Result<Webhook, WebhookError> {
        let before = self.get(caller, id).await?.secret;
        let until = self.clock.now().plus_ms(ROTATION.as_millis() as i64);
        self.store.rotate_webhook(id, &before, &new_secret(), until).await?;
        self.get(caller, id).await
    }

    /// Ends a subscription, and with it what was to be delivered.
    ///
    /// # Errors
    /// If there is none that the caller may see.
    pub async fn remove(&self, caller: Caller, id: WebhookId) -> Result<(), WebhookError> {
        self.get(caller, id).await?;
        self.store.remove_webhook(id).await?;
        // A few at a time, so that nobody waits behind it. What a crash leaves, the worker drops.
        while self.store.forget_channel(Channel::Webhook(id), PORTION).await? == PORTION {}
        Ok(())
    }

    /// Has a test event delivered at once, whatever else waits; its id.
    ///
    /// # Errors
    /// If there is no subscription that the caller may see.
    pub async fn ping(&self, caller: Caller, id: WebhookId) -> Result<String, WebhookError> {
        self.get(caller, id).await?;
        let now = self.clock.now();
        let event_id = self.ids.next(now).to_string();
        let subject = format!("webhooks/{id}");
        let time = jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::MAX);
        let body = json!({
            "specversion": "1.0", "id": event_id, "source": "/onsale", "type": PING, "subject": subject,
            "time": time.to_string(), "datacontenttype": "application/json", "partitionkey": subject,
            "data": {"webhookId": id.0},
        });
        let ping = NewDelivery {
            channel: Channel::Webhook(id),
            event_id: event_id.clone(),
            event_type: PING.to_owned(),
            // One that failed before holds up none that comes after.
            subject: format!("{subject}/{event_id}"),
            body: body.to_string(),
            added_at: now,
            due_at: now.plus_ms(-BEFORE_ALL_OTHERS_MS),
        };
        self.store.add_deliveries(&[ping]).await?;
        Ok(event_id)
    }

    /// A subscription's deliveries, the newest first.
    ///
    /// # Errors
    /// If there is none that the caller may see.
    pub async fn deliveries(
        &self,
        caller: Caller,
        id: WebhookId,
        state: Option<DeliveryState>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Delivery>, WebhookError> {
        self.get(caller, id).await?;
        Ok(self.store.deliveries(Channel::Webhook(id), state, before, limit).await?)
    }

    /// Sends deliveries at once that wait for another attempt or are parked, one or all; how many.
    ///
    /// # Errors
    /// If there is no subscription that the caller may see, or no such delivery that waits or is parked.
    pub async fn deliver_again(
        &self,
        caller: Caller,
        id: WebhookId,
        delivery: Option<i64>,
    ) -> Result<u64, WebhookError> {
        self.get(caller, id).await?;
        let asked = self.again(id, delivery.map_or(Again::WaitingAndParked, Again::One)).await?;
        if delivery.is_some() && asked == 0 {
            return Err(StoreError::Missing("delivery that waits or is parked").into());
        }
        Ok(asked)
    }

    /// A few at a time, so that nobody waits behind it.
    async fn again(&self, id: WebhookId, which: Again) -> Result<u64, WebhookError> {
        let (now, mut asked) = (self.clock.now(), 0);
        loop {
            let some = self.store.deliver_again(Channel::Webhook(id), which, now, PORTION).await?;
            asked += some as u64;
            if some < PORTION {
                return Ok(asked);
            }
        }
    }

    async fn check(
        &self,
        caller: Caller,
        url: &str,
        event_types: &[String],
        shows: &[ShowId],
    ) -> Result<(), WebhookError> {
        let invalid = |field, reason| Err(WebhookError::Invalid { field, reason });
        if let Err(error) = self.settings.target.check_url(url) {
            return invalid("url", error.to_string());
        }
        if event_types.len() > FILTERS_MAX {
            return invalid("eventTypes", format!("at most {FILTERS_MAX}"));
        }
        let known = &self.settings.event_types;
        if let Some(unknown) = event_types.iter().find(|name| !known.contains(name)) {
            let reason = format!("there are no `{unknown}` events; there are {}", known.join(", "));
            return invalid("eventTypes", reason);
        }
        if shows.len() > FILTERS_MAX {
            return invalid("showIds", format!("at most {FILTERS_MAX}"));
        }
        for show in shows {
            self.owners.check(caller, *show).await?;
        }
        Ok(())
    }
}

const WEBHOOK: &str = "webhook";

/// Deliveries changed or forgotten in one transaction.
const PORTION: usize = 1_000;

/// A ping counts as due for so long: longer than anything waits that a receiver is still tried with.
const BEFORE_ALL_OTHERS_MS: i64 = 30 * 86_400_000;

/// Whose subscriptions a caller may see; nothing means everybody's.
fn only_own(caller: Caller) -> Option<UserId> {
    (caller.role < Role::Admin).then_some(caller.user)
}

fn new_secret() -> String {
    let random: [u8; 32] = rand::random();
    format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(random))
}

impl Webhook {
    /// The secrets that sign at a time, the newest first.
    #[must_use]
    pub fn secrets_at(&self, now: Timestamp) -> Vec<&str> {
        let previous = self.previous_secret.as_ref().filter(|(_, until)| now < *until);
        [self.secret.as_str()].into_iter().chain(previous.map(|(secret, _)| secret.as_str())).collect()
    }
}
