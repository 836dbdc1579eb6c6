//! Nodes tell each other what has changed, over publish and subscribe.
//!
//! A message is the sender's name, the codes of offers, and a word if sessions or accounts have changed. A node publishes a few times a second even
//! if there is nothing to tell: as long as it hears itself, it hears the others, too.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt;
use onsale_domain::offer::Offer;
use onsale_engine::{
    ports::{Broadcast, StoreError},
    vitals::Supervised,
};
use parking_lot::Mutex;
use redis::Client;
use tokio::time::{Instant, sleep, timeout};

use super::{RedisOptions, link::Link};
use crate::broadcast::{Gathered, Said};

/// How often a node says something.
const BEAT: Duration = Duration::from_millis(500);

/// A node that has not heard itself for so long does not hear the others.
const SILENCE_MAX: Duration = Duration::from_millis(2_000);

/// The shortest time between two messages of a node: what is told meanwhile gathers into the next.
const GATHER: Duration = Duration::from_millis(50);

/// The word of a message that says that sessions have ended or accounts have changed. Nodes that do not
/// know it pass it over: it is no number.
const ACCOUNTS: &str = "accounts";

/// How long to wait before listening again when that failed.
const RETRY: Duration = Duration::from_millis(200);

/// A node that tells the others, and hears them.
pub struct RedisBroadcast {
    shared: Arc<Shared>,
    _tasks: [Supervised; 2],
}

struct Shared {
    link: Link,
    channel: String,
    node: String,
    to_tell: Gathered,
    accounts_to_tell: Said,
    heard: Gathered,
    heard_accounts: Said,
    heard_itself_at: Mutex<Option<Instant>>,
}

impl RedisBroadcast {
    /// Nodes that hear each other over the Redis at `url`, as in [`super::RedisCoordination::start`].
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn start(url: &str, options: &RedisOptions) -> Result<Self, StoreError> {
        let link = Link::open(url, Duration::ZERO, &options.breaker).map_err(StoreError::Rejected)?;
        let listener = link.any_node();
        let shared = Arc::new(Shared {
            link,
            channel: format!("{}:changes", options.prefix),
            node: format!("{:016x}", rand::random::<u64>()),
            to_tell: Gathered::default(),
            accounts_to_tell: Said::default(),
            heard: Gathered::default(),
            heard_accounts: Said::default(),
            heard_itself_at: Mutex::default(),
        });
        let (speaking, listening) = (Arc::downgrade(&shared), Arc::downgrade(&shared));
        let channel = shared.channel.clone();
        let speak = options.vitals.supervise("the speaker to other nodes", move || speak(speaking.clone()));
        let listen = options.vitals.supervise("the listener to other nodes", move || {
            listen(listener.clone(), listening.clone(), channel.clone())
        });
        Ok(Self { shared, _tasks: [speak, listen] })
    }
}

async fn speak(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let message = shared.next_message().await;
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(&shared.channel).arg(message);
        // What is lost is found by looking.
        if let Err(away) = shared.link.command::<i64>(&publish).await {
            tracing::debug!(%away, "the other nodes are not told what has changed");
        }
        drop(shared);
        sleep(GATHER).await;
    }
}

async fn listen(client: Client, shared: Weak<Shared>, channel: String) {
    loop {
        if let Ok(Ok(mut connection)) = timeout(SILENCE_MAX, client.get_async_pubsub()).await
            && let Ok(Ok(())) = timeout(SILENCE_MAX, connection.subscribe(&channel)).await
        {
            let mut messages = connection.on_message();
            // One's own are among them: silence is a connection that is lost.
            while let Ok(Some(message)) = timeout(SILENCE_MAX, messages.next()).await {
                let Some(shared) = shared.upgrade() else { return };
                if let Ok(text) = message.get_payload::<String>() {
                    shared.hear(&text);
                }
            }
        }
        sleep(RETRY).await;
    }
}

impl Shared {
    /// Waits until there is something to tell, but not for ever.
    async fn next_message(&self) -> String {
        let (mut offers, mut accounts) = (HashSet::new(), false);
        let something = async {
            tokio::select! {
                gathered = self.to_tell.wait() => offers = gathered,
                () = self.accounts_to_tell.wait() => accounts = true,
            }
        };
        let _ = timeout(BEAT, something).await;
        let mut message = self.node.clone();
        for offer in offers {
            message.push(' ');
            message += &offer.code().to_string();
        }
        if accounts || self.accounts_to_tell.take() {
            message.push(' ');
            message += ACCOUNTS;
        }
        message
    }

    fn hear(&self, message: &str) {
        let mut words = message.split(' ');
        if words.next() == Some(&self.node) {
            *self.heard_itself_at.lock() = Some(Instant::now());
            return;
        }
        let (accounts, offers): (Vec<_>, Vec<_>) = words.partition(|word| *word == ACCOUNTS);
        self.heard.add(offers.into_iter().filter_map(|word| word.parse().ok()).map(Offer::from_code));
        if !accounts.is_empty() {
            self.heard_accounts.say();
        }
    }
}

#[async_trait]
impl Broadcast for RedisBroadcast {
    fn tell(&self, offer: Offer) {
        self.shared.to_tell.add([offer]);
    }

    async fn heard(&self) -> HashSet<Offer> {
        self.shared.heard.wait().await
    }

    fn tell_accounts(&self) {
        self.shared.accounts_to_tell.say();
    }

    async fn heard_accounts(&self) {
        self.shared.heard_accounts.wait().await;
    }

    fn works(&self) -> bool {
        self.shared.heard_itself_at.lock().is_some_and(|at| at.elapsed() < SILENCE_MAX)
    }
}
