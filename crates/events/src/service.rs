//! The relay and the consumers of one node.

use std::sync::Arc;

use onsale_engine::{
    clock::Clock,
    ports::{EventLogStore, NodeId, OutboxStore},
    vitals::Vitals,
};
use tokio::sync::Mutex;

use crate::{
    Consumer, Subscription, Transport,
    lease::Lease,
    relay::{self, Relay},
};

/// What a node needs to publish what happens and to act on it.
pub struct Parts {
    /// Where it is published from.
    pub outbox: Arc<dyn OutboxStore>,
    /// Where nodes agree on who does what.
    pub log: Arc<dyn EventLogStore>,
    /// Which way events go.
    pub transport: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This node.
    pub node: NodeId,
    /// The events' source, a URI reference.
    pub source: String,
    /// Where what works here is enrolled.
    pub vitals: Vitals,
}

/// Events of one node: published, and brought to its consumers.
pub struct Events {
    relay: Mutex<Option<Subscription>>,
    subscriptions: Mutex<Vec<Subscription>>,
}

impl Events {
    /// Starts to publish, in turn with other nodes, and to bring events to `consumers`. Must be called
    /// inside a Tokio runtime.
    #[must_use]
    pub fn start(parts: Parts, consumers: Vec<Arc<dyn Consumer>>) -> Self {
        let Parts { outbox, log, transport, clock, node, source, vitals } = parts;
        let subscriptions = consumers.into_iter().map(|consumer| transport.subscribe(consumer)).collect();
        let lease = Lease { store: log, clock, task: relay::TASK.to_owned(), node };
        let relay = Relay { outbox, transport, lease, source };
        let name = "the relay of events".to_owned();
        let relay = Subscription::start(&vitals, name, move |stopping| relay.clone().run(stopping));
        Self { relay: Mutex::new(Some(relay)), subscriptions: Mutex::new(subscriptions) }
    }

    /// Stops publishing, and lets the consumers finish the events they are at.
    pub async fn stop(&self) {
        if let Some(relay) = self.relay.lock().await.take() {
            relay.stop().await;
        }
        for subscription in self.subscriptions.lock().await.drain(..) {
            subscription.stop().await;
        }
    }
}
