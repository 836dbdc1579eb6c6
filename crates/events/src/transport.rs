//! The way from the relay to consumers.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use onsale_engine::vitals::{Supervised, Vitals};
use tokio::sync::watch;

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
    stopped: watch::Receiver<bool>,
    part: Supervised,
}

impl Subscription {
    /// Starts the work of a subscription, which ends soon after it is told to stop. If it ends before, it is
    /// started again.
    pub(crate) fn start<F>(
        vitals: &Vitals,
        name: String,
        mut work: impl FnMut(watch::Receiver<bool>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stopping, is_stopping) = watch::channel(false);
        let (has_stopped, stopped) = watch::channel(false);
        let has_stopped = Arc::new(has_stopped);
        let part = vitals.supervise(name, move || {
            let (working, is_stopping) = (work(is_stopping.clone()), is_stopping.clone());
            let has_stopped = has_stopped.clone();
            async move {
                working.await;
                if *is_stopping.borrow() {
                    has_stopped.send_replace(true);
                    std::future::pending::<()>().await;
                }
            }
        });
        Self { stopping, stopped, part }
    }

    /// Stops, so that others need not wait. What was consumed in the last moment may come again.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        // An error means that it cannot work any more.
        let _ = self.stopped.wait_for(|stopped| *stopped).await;
        self.part.end().await;
    }
}

/// Waits until it is time to stop.
pub(crate) async fn stop_asked(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
