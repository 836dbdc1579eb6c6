//! The way from the relay to consumers.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use tokio::{sync::watch, task::JoinHandle};

use crate::{Consumer, Event};

/// Carries events. What was published survives a crash, and reaches every consumer at least once, events
/// with the same key in the order in which they were published first.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Publishes events in this order. After `Ok` they are safe; after an error some may be, and all are to
    /// be published again.
    async fn publish(&self, events: &[Event]) -> Result<(), TransportError>;

    /// From now on brings events to a consumer. Where several subscribe under the same name, on one node
    /// or on several, they share the events among them; one takes over what another leaves.
    fn subscribe(&self, consumer: Arc<dyn Consumer>) -> Subscription;

    /// Forgets what every consumer has.
    async fn tidy(&self) -> Result<(), TransportError> {
        Ok(())
    }
}

/// Why events could not be published, or not be tidied up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);

impl TransportError {
    pub(crate) fn new(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

/// A consumer being brought events. Dropping it is like the death of its node.
#[derive(Debug)]
pub struct Subscription {
    stopping: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Subscription {
    /// Starts the work of a subscription, which ends soon after it is told to stop.
    pub(crate) fn start<F>(work: impl FnOnce(watch::Receiver<bool>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stopping, stopped) = watch::channel(false);
        Self { stopping, task: tokio::spawn(work(stopped)) }
    }

    /// Stops, so that others need not wait. What was consumed in the last moment may come again.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        // Its panic has been told by now.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until it is time to stop.
pub(crate) async fn stop_asked(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
