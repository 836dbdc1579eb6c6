//! Nodes tell each other what has changed, over publish and subscribe.
//!
//! A message is the sender's name and the codes of offers. A node publishes a few times a second even
//! if there is nothing to tell: as long as it hears itself, it hears the others, too.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt;
use onsale_domain::offer::Offer;
use onsale_engine::ports::{Broadcast, StoreError};
use parking_lot::Mutex;
use redis::Client;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{RedisOptions, link::Link};
use crate::broadcast::Gathered;

/// How often a node says something.
const BEAT: Duration = Duration::from_millis(500);

/// A node that has not heard itself for so long does not hear the others.
const SILENCE_MAX: Duration = Duration::from_millis(2_000);

/// The shortest time between two messages of a node: what is told meanwhile gathers into the next.
const GATHER: Duration = Duration::from_millis(50);

/// How long to wait before listening again when that failed.
const RETRY: Duration = Duration::from_millis(200);

/// A node that tells the others, and hears them.
pub struct RedisBroadcast {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

struct Shared {
    link: Link,
    channel: String,
    node: String,
    to_tell: Gathered,
    heard: Gathered,
    heard_itself_at: Mutex<Option<Instant>>,
}

impl RedisBroadcast {
    /// Nodes that hear each other over the Redis at `url`, as in [`super::RedisCoordination::start`].
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn start(url: &str, options: &RedisOptions) -> Result<Self, StoreError> {
        let link = Link::open(url, Duration::ZERO).map_err(StoreError::Rejected)?;
        let listener = link.any_node();
        let shared = Arc::new(Shared {
            link,
            channel: format!("{}:changes", options.prefix),
            node: format!("{:016x}", rand::random::<u64>()),
            to_tell: Gathered::default(),
            heard: Gathered::default(),
            heard_itself_at: Mutex::default(),
        });
        let (speaking, listening) = (Arc::downgrade(&shared), Arc::downgrade(&shared));
        let channel = shared.channel.clone();
        let tasks = [tokio::spawn(speak(speaking)), tokio::spawn(listen(listener, listening, channel))];
        Ok(Self { shared, tasks })
    }
}

impl Drop for RedisBroadcast {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn speak(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let offers = timeout(BEAT, shared.to_tell.wait()).await.unwrap_or_default();
        let mut message = shared.node.clone();
        for offer in offers {
            message.push(' ');
            message += &offer.code().to_string();
        }
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
    fn hear(&self, message: &str) {
        let mut words = message.split(' ');
        if words.next() == Some(&self.node) {
            *self.heard_itself_at.lock() = Some(Instant::now());
        } else {
            self.heard.add(words.filter_map(|word| word.parse().ok()).map(Offer::from_code));
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

    fn works(&self) -> bool {
        self.shared.heard_itself_at.lock().is_some_and(|at| at.elapsed() < SILENCE_MAX)
    }
}
