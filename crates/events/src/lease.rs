//! What one node at a time does. No machines' clocks are compared: a node at work raises a number, and
//! whoever has seen the number stand still for long enough by its own clock takes the work over.

use std::{sync::Arc, time::Duration};

use onsale_engine::{
    clock::Clock,
    ports::{EventLogStore, EventTask, NodeId, StoreError},
};
use tokio::time::{Instant, sleep};

/// How often a node at work says so.
pub(crate) const KEEP: Duration = Duration::from_secs(2);

/// How often a node that is the only one says so: for whoever looks into the database.
const KEEP_ALONE: Duration = Duration::from_secs(60);

/// How long a node is silent before another takes its work over.
const SILENT_MAX: Duration = Duration::from_secs(6);

/// How often a node that would like to work looks whether it may.
const LOOK: Duration = Duration::from_millis(500);

/// The right to do a task.
#[derive(Clone)]
pub(crate) struct Lease {
    pub(crate) store: Arc<dyn EventLogStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) task: String,
    pub(crate) node: NodeId,
}

impl Lease {
    /// Waits until the task is this node's. Returns where in the log it is.
    pub(crate) async fn take(&self) -> i64 {
        let mut watched: Option<(EventTask, Instant)> = None;
        loop {
            match self.try_take(&mut watched).await {
                Ok(Some(position)) => return position,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, task = self.task, "cannot tell who works through events");
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn try_take(&self, watched: &mut Option<(EventTask, Instant)>) -> Result<Option<i64>, StoreError> {
        let seen = self.store.event_task(&self.task, self.clock.now()).await?;
        let free = seen.node.is_none_or(|node| node == self.node);
        let dead = match watched {
            Some((before, since)) if *before == seen => since.elapsed() >= SILENT_MAX,
            _ => {
                *watched = Some((seen, Instant::now()));
                false
            }
        };
        let taken = (free || dead)
            && self.store.take_event_task(&self.task, self.node, seen, self.clock.now()).await?;
        Ok(taken.then_some(seen.position))
    }

    /// Notes that this node is at work, and where. False if another node has taken the task.
    pub(crate) async fn keep(&self, position: i64) -> Result<bool, StoreError> {
        self.store.keep_event_task(&self.task, self.node, position, self.clock.now()).await
    }

    /// Keeps the task again and again. Returns when another node has taken it.
    pub(crate) async fn keep_on(&self, position: impl Fn() -> i64) {
        loop {
            match self.keep(position()).await {
                Ok(true) => {}
                Ok(false) => return,
                // Whoever takes the task over has the same trouble.
                Err(error) => tracing::warn!(%error, task = self.task, "cannot say that it is at work"),
            }
            sleep(if self.store.has_other_nodes() { KEEP } else { KEEP_ALONE }).await;
        }
    }

    /// Gives the task up.
    pub(crate) async fn leave(&self) {
        if let Err(error) = self.store.leave_event_task(&self.task, self.node).await {
            tracing::warn!(%error, task = self.task, "cannot give it up; another node takes it over soon");
        }
    }
}
