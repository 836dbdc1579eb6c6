//! Sends a webhook.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use onsale_domain::{time::Timestamp, user::Role};
use onsale_engine::{
    clock::Clock,
    ports::{Channel, Delivery, Store, StoreError, Webhook},
    webhooks::TargetPolicy,
};
use reqwest::{Client, Response, header, redirect};

use super::{
    resolver::{self, Judging, Lookup},
    retry_after::pause_ms,
    signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign},
};
use crate::{
    Event,
    deliveries::{Carried, Carrier, Verdict},
};

/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 4 * 1_024;

/// How long an idle connection is kept for the next delivery.
const IDLE: Duration = Duration::from_secs(30);

/// When an address is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// As the connection is made: what is judged is what is called.
    AtTheConnection,
    /// Before it, on a look-up of its own. For negative controls only: the name may stand for another
    /// address a moment later.
    #[doc(hidden)]
    Before,
}

/// Sends webhooks: follows no redirects, uses no proxy, and connects to nothing that the policy does not
/// allow.
pub struct WebhookSender {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policy: TargetPolicy,
    lookup: Arc<dyn Lookup>,
    judged: Judged,
    client: Client,
}

impl WebhookSender {
    /// A sender whose requests take at most `timeout` each.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        policy: TargetPolicy,
        timeout: Duration,
        lookup: Arc<dyn Lookup>,
        judged: Judged,
    ) -> Result<Self, reqwest::Error> {
        let policy_at_connection = (judged == Judged::AtTheConnection).then(|| policy.clone());
        let client = Client::builder()
            .dns_resolver(Arc::new(Judging { lookup: lookup.clone(), policy: policy_at_connection }))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(timeout)
            .connect_timeout(timeout / 2)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(2)
            .user_agent(concat!("Onsale/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { store, clock, policy, lookup, judged, client })
    }

    /// The subscription, if it is still to be delivered to.
    async fn receiver(&self, channel: Channel) -> Result<Result<Webhook, &'static str>, StoreError> {
        let Channel::Webhook(id) = channel else { return Ok(Err("it is no webhook")) };
        let Some(webhook) = self.store.webhook(id).await? else { return Ok(Err("the webhook was removed")) };
        if !webhook.active {
            return Ok(Err("the webhook is not active"));
        }
        let owner = self.store.user(webhook.owner).await?;
        if owner.is_none_or(|owner| owner.role < Role::Organiser) {
            return Ok(Err("the webhook's owner is no organiser any more"));
        }
        Ok(Ok(webhook))
    }

    async fn send(&self, webhook: &Webhook, delivery: &Delivery) -> Carried {
        let url = match self.policy.check_url(&webhook.url) {
            Ok(url) => url,
            Err(error) => return Carried::failed(format!("the address {error}")),
        };
        if self.judged == Judged::Before
            && let Some(host) = url.domain()
        {
            let found = self.lookup.lookup(host).await;
            if let Err(error) = found.and_then(|found| resolver::allowed(&self.policy, found)) {
                return Carried::failed(error);
            }
        }
        let now = self.clock.now();
        let (id, timestamp_s) = (&delivery.event_id, now.0.div_euclid(1_000));
        let secrets = webhook.secrets_at(now);
        let signature = match sign(&secrets, id, timestamp_s, delivery.body.as_bytes()) {
            Ok(signature) => signature,
            Err(error) => return Carried { verdict: Verdict::Refused, ..Carried::failed(error) },
        };
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, Event::MEDIA_TYPE)
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, timestamp_s)
            .header(SIGNATURE_HEADER, signature)
            .body(delivery.body.clone());
        match request.send().await {
            Ok(response) => judge(response, self.clock.now()).await,
            Err(error) => Carried::failed(innermost(&error)),
        }
    }
}

#[async_trait]
impl Carrier for WebhookSender {
    async fn carry(&self, delivery: &Delivery) -> Carried {
        match self.receiver(delivery.channel).await {
            Ok(Ok(webhook)) => self.send(&webhook, delivery).await,
            Ok(Err(why)) => Carried::unneeded(why),
            Err(error) => Carried::failed(error),
        }
    }
}

/// What an answer means: 2xx that it arrived, everything else that it did not.
async fn judge(mut response: Response, now: Timestamp) -> Carried {
    let status = response.status();
    let retry_after_ms = pause_ms(status, response.headers(), now);
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - bytes.len())]);
    }
    let mut answer = String::from_utf8_lossy(&bytes).into_owned();
    let verdict = match status.is_success() {
        true => Verdict::Delivered,
        false => Verdict::Failed { retry_after_ms },
    };
    if status.is_redirection() {
        answer = "redirects are not followed; change the webhook's address".to_owned();
    }
    Carried { verdict, status: Some(status.as_u16()), answer }
}

/// The cause at the bottom, which says what happened; the client's own errors only say where.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
