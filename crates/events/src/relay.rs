//! From the outbox to the transport. Of several nodes one at a time does it.
//!
//! Rows are removed when they were published, not passed by a mark: on databases with several writers a
//! row may become visible after others with higher numbers. Rows about one order are visible in their
//! order, since each was written by a transaction that had seen the one before. Two relays at once, for
//! the moment in which a node that was given up for dead comes back, publish something twice but nothing
//! for the first time out of order: each publishes what it took in order, and what it took first comes
//! first.

use std::{sync::Arc, time::Duration};

use metrics::{Counter, Gauge, counter, gauge};
use onsale_engine::{
    clock::Clock,
    ports::{OutboxStore, StoreError},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    EventError, Transport, TransportError,
    delivery::longer,
    lease::{KEEP, Lease},
    tell,
    transport::stop_asked,
};

/// Events published at once; a few more where a row tells of several orders.
const BATCH_MAX: usize = 1_000;

/// The least time between two looks at the outbox.
const PACE: Duration = Duration::from_millis(100);

/// How often an empty outbox is looked at for what other processes have written: other nodes, and where
/// there are none, tools such as an import.
const POLL: Duration = Duration::from_millis(250);
const POLL_ALONE: Duration = Duration::from_secs(2);

/// So many looks are in vain before it is waited for more: what is announced may not be committed yet.
const LOOKS_IN_VAIN: u32 = 2;

/// How often it is measured what waits, while nothing does.
const MEASURE_IDLE: Duration = Duration::from_secs(10);

/// How often what everybody has is forgotten.
const TIDY: Duration = Duration::from_secs(30);

/// While there is more to publish, the relay rests for so many times as long as its last batch took: a
/// rush is for those who buy, and is over soon.
const REST: u32 = 2;

/// The position of a task that does not read the log.
const NO_READER: i64 = i64::MAX;

/// The name of its task.
pub(crate) const TASK: &str = "relay";

#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) outbox: Arc<dyn OutboxStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) lease: Lease,
    pub(crate) source: String,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the outbox: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("publishing: {0}")]
    Transport(#[from] TransportError),
}

impl Relay {
    /// Publishes until it is time to stop.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>) {
        tokio::select! {
            () = stop_asked(&mut stopping) => {}
            () = self.work() => {}
        }
        self.lease.leave().await;
    }

    async fn work(&self) {
        loop {
            self.lease.take().await;
            tracing::info!("this node publishes what happens");
            tokio::select! {
                () = self.lease.keep_on(|| NO_READER) => tracing::info!("another node publishes what happens"),
                () = self.publish() => {}
                () = self.measure() => {}
                () = self.tidy() => {}
            }
        }
    }

    async fn publish(&self) {
        let published = counter!("onsale_events_published_total");
        let failed = counter!("onsale_events_publish_failures_total");
        let mut delay = None;
        let mut in_vain = 0;
        loop {
            let started = Instant::now();
            match self.publish_batch(&published).await {
                Ok(events) => {
                    delay = None;
                    in_vain = if events == 0 { in_vain + 1 } else { 0 };
                    if in_vain >= LOOKS_IN_VAIN {
                        in_vain = self.more().await;
                    } else {
                        sleep(if events < BATCH_MAX { PACE } else { started.elapsed() * REST }).await;
                    }
                }
                Err(error) => {
                    failed.increment(1);
                    tracing::warn!(%error, "events are late; what is sold is not affected");
                    let longer = longer(delay).min(KEEP);
                    delay = Some(longer);
                    sleep(longer).await;
                }
            }
        }
    }

    /// Waits until there may be more; how many looks count as in vain by then.
    async fn more(&self) -> u32 {
        let poll = if self.outbox.others_write() { POLL } else { POLL_ALONE };
        match timeout(poll, self.outbox.grows()).await {
            Ok(()) => 0,
            Err(_) => LOOKS_IN_VAIN,
        }
    }

    async fn publish_batch(&self, published: &Counter) -> Result<usize, RelayError> {
        let told = self.outbox.outbox(BATCH_MAX).await?;
        if told.is_empty() {
            return Ok(0);
        }
        let events = told.iter().map(|event| tell::event(event, &self.source));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        self.transport.publish(&events).await?;
        published.increment(events.len() as u64);
        let mut rows: Vec<_> = told.iter().map(|event| event.seq).collect();
        rows.dedup();
        self.outbox.remove_outbox(&rows).await?;
        Ok(told.len())
    }

    async fn measure(&self) {
        let rows = gauge!("onsale_events_backlog_rows");
        let oldest = gauge!("onsale_events_backlog_oldest_seconds");
        loop {
            let waits = measure(&*self.outbox, &*self.lease.clock, &rows, &oldest).await;
            if let Err(error) = &waits {
                tracing::warn!(%error, "cannot tell how much waits to be published");
            }
            let is_idle = waits.is_ok_and(|rows| rows == 0) && !self.outbox.others_write();
            sleep(if is_idle { MEASURE_IDLE } else { KEEP }).await;
        }
    }

    async fn tidy(&self) {
        loop {
            sleep(TIDY).await;
            if let Err(error) = self.transport.tidy().await {
                tracing::warn!(%error, "cannot forget events that everybody has");
            }
        }
    }
}

async fn measure(
    outbox: &dyn OutboxStore,
    clock: &dyn Clock,
    rows: &Gauge,
    oldest: &Gauge,
) -> Result<i64, StoreError> {
    let backlog = outbox.outbox_backlog().await?;
    rows.set(backlog.rows as f64);
    let age_ms = backlog.oldest.map_or(0, |oldest| clock.now().since_ms(oldest).max(0));
    oldest.set(age_ms as f64 / 1_000.0);
    Ok(backlog.rows)
}
