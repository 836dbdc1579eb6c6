//! The transport without a broker: a log in the database that every node shares.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use metrics::gauge;
use onsale_engine::{
    clock::Clock,
    ports::{EventLogStore, LogEntry, LoggedEvent, NodeId, StoreError},
    vitals::Vitals,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    Consumer, Event, Subscription, Transport, TransportError, delivery::Recipient, lease::Lease,
    transport::stop_asked,
};

/// Events read at once.
const BATCH_MAX: usize = 500;

/// How often the log is looked at for what other nodes have published.
const POLL: Duration = Duration::from_millis(200);

/// The same where there are none.
const POLL_ALONE: Duration = Duration::from_secs(5);

/// How often a consumer's position is noted while it works.
const NOTE: Duration = Duration::from_millis(250);

/// How long to wait after the database has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// For how long the log keeps events for consumers that are gone, in milliseconds: a week.
const KEPT_FOR_ABSENT_MS: i64 = 7 * 86_400_000;

/// How many events are forgotten in one statement.
const PRUNED_MAX: usize = 5_000;

/// Events in a log in the database. Of those who subscribe under one name, one at a time is at work.
pub struct LocalTransport {
    store: Arc<dyn EventLogStore>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    /// Changes when something was published by this node.
    published: watch::Sender<()>,
    vitals: Vitals,
}

impl LocalTransport {
    /// A log in a store, as `node` sees it. Each subscriber under one name needs a node of its own.
    #[must_use]
    pub fn new(store: Arc<dyn EventLogStore>, clock: Arc<dyn Clock>, node: NodeId) -> Self {
        Self { store, clock, node, published: watch::Sender::new(()), vitals: Vitals::default() }
    }

    /// Enrols what brings events to consumers among the parts of a node.
    #[must_use]
    pub fn among(self, vitals: Vitals) -> Self {
        Self { vitals, ..self }
    }
}

#[async_trait]
impl Transport for LocalTransport {
    async fn publish(&self, events: &[Event]) -> Result<(), TransportError> {
        let entries: Vec<_> =
            events.iter().map(|event| LogEntry { text: event.to_json(), at: event.time }).collect();
        self.store.append_events(&entries).await.map_err(TransportError::new)?;
        self.published.send_replace(());
        Ok(())
    }

    fn subscribe(&self, consumer: Arc<dyn Consumer>) -> Subscription {
        let lease = Lease {
            store: self.store.clone(),
            clock: self.clock.clone(),
            task: format!("consume {}", consumer.name()),
            node: self.node,
        };
        let name = format!("the consumer of events `{}`", consumer.name());
        let (recipient, published) = (Recipient::new(consumer), self.published.clone());
        Subscription::start(&self.vitals, name, move |stopping| {
            let reader = Reader {
                recipient: recipient.clone(),
                lease: lease.clone(),
                published: published.subscribe(),
                noted: AtomicI64::new(0),
            };
            reader.run(stopping)
        })
    }

    async fn tidy(&self) -> Result<(), TransportError> {
        let before = self.clock.now().plus_ms(-KEPT_FOR_ABSENT_MS);
        while self.store.prune_events(before, PRUNED_MAX).await.map_err(TransportError::new)? == PRUNED_MAX {}
        Ok(())
    }
}

/// Brings the log's events to one consumer.
struct Reader {
    recipient: Recipient,
    lease: Lease,
    published: watch::Receiver<()>,
    /// The position up to which the effects last.
    noted: AtomicI64,
}

impl Reader {
    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        tokio::select! {
            () = stop_asked(&mut stopping) => {}
            () = self.work() => {}
        }
        self.recipient.flush().await;
        self.lease.leave().await;
    }

    async fn work(&mut self) {
        loop {
            let position = self.lease.take().await;
            self.noted.store(position, Ordering::Relaxed);
            let (noted, lease) = (&self.noted, &self.lease);
            tokio::select! {
                () = lease.keep_on(|| noted.load(Ordering::Relaxed)) => {
                    tracing::info!(task = lease.task, "another node has taken it over");
                }
                () = read(lease, &self.recipient, noted, &mut self.published) => {}
            }
        }
    }
}

/// Reads on and on from where `noted` stands. Returns when another node has taken over.
async fn read(lease: &Lease, recipient: &Recipient, noted: &AtomicI64, published: &mut watch::Receiver<()>) {
    let lag = gauge!("onsale_events_consumer_lag", "consumer" => recipient.consumer.name());
    let mut position = noted.load(Ordering::Relaxed);
    let mut last_note = Instant::now();
    loop {
        published.mark_unchanged();
        let batch = match next(lease, position, &lag).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(%error, task = lease.task, "cannot read events");
                sleep(PAUSE).await;
                continue;
            }
        };
        for entry in &batch {
            recipient.deliver(&entry.text).await;
            position = entry.position;
        }
        let idle = batch.len() < BATCH_MAX;
        if position != noted.load(Ordering::Relaxed) && (idle || last_note.elapsed() >= NOTE) {
            recipient.flush().await;
            noted.store(position, Ordering::Relaxed);
            last_note = Instant::now();
            match lease.keep(position).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, task = lease.task, "cannot note a position"),
            }
        }
        if idle {
            // Not at once, so that many small changes share a note.
            sleep(NOTE.saturating_sub(last_note.elapsed())).await;
            let poll = if lease.store.has_other_nodes() { POLL } else { POLL_ALONE };
            let _ = timeout(poll, published.changed()).await;
        }
    }
}

async fn next(lease: &Lease, position: i64, lag: &metrics::Gauge) -> Result<Vec<LoggedEvent>, StoreError> {
    let batch = lease.store.logged_events(position, BATCH_MAX).await?;
    let end = if batch.len() < BATCH_MAX { position } else { lease.store.log_end().await? };
    lag.set((end - position) as f64);
    Ok(batch)
}
