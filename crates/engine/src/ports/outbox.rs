//! The ports under events: the outbox, and what the local transport keeps.

use async_trait::async_trait;
use onsale_domain::{
    ids::ShowId,
    order::{Order, Payment},
    time::Timestamp,
};

use super::{error::StoreError, rooms::NodeId};

/// Keeps what has happened from the transaction it happened in until it is published.
#[async_trait]
pub trait OutboxStore: Send + Sync + 'static {
    /// The events of the first rows; no further row's once they are `limit`. A row may stand for the
    /// same event of several orders, so a few more may come.
    ///
    /// Events of one subject are in the order in which they were committed. Others need not be: a row
    /// may become visible after one with a higher number. So none is ever passed over for good: each
    /// is given again until its row is removed.
    async fn outbox(&self, limit: usize) -> Result<Vec<OutboxEvent>, StoreError>;

    /// Returns when this node has written to it since this was asked last, or is about to.
    async fn grows(&self) {
        std::future::pending::<()>().await;
    }

    /// Whether other nodes write to it, too.
    fn others_write(&self) -> bool {
        true
    }

    /// Removes rows that were published, by number.
    async fn remove_outbox(&self, rows: &[i64]) -> Result<(), StoreError>;

    /// How much waits to be published.
    async fn outbox_backlog(&self) -> Result<Backlog, StoreError>;
}

/// Keeps what the nodes of an installation share to work through events: who does what, and the log of
/// the local transport.
#[async_trait]
pub trait EventLogStore: Send + Sync + 'static {
    /// Who does a task, and where in the log it is; a task that nobody has ever done is added.
    async fn event_task(&self, task: &str, now: Timestamp) -> Result<EventTask, StoreError>;

    /// From now on `node` does a task, if it is still as it was `seen`. Whether it is.
    async fn take_event_task(
        &self,
        task: &str,
        node: NodeId,
        seen: EventTask,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Whether there may be other nodes to share tasks with.
    fn has_other_nodes(&self) -> bool {
        true
    }

    /// Notes that `node` is at work, and where in the log it is now. False if another node has taken the
    /// task; then nothing is noted.
    async fn keep_event_task(
        &self,
        task: &str,
        node: NodeId,
        position: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// `node` gives a task up, so that another node need not wait. Nothing happens if it has it no more.
    async fn leave_event_task(&self, task: &str, node: NodeId) -> Result<(), StoreError>;

    /// Adds events to the end of the log, in this order. Whoever sees one sees all before it.
    async fn append_events(&self, events: &[LogEntry]) -> Result<(), StoreError>;

    /// The events after a position, at most `limit`.
    async fn logged_events(&self, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, StoreError>;

    /// Removes events that every task has passed, at most `limit`. Tasks that nobody has kept since
    /// `before` are forgotten: what they have not passed is not kept for them. Returns how many events.
    async fn prune_events(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// The position of the log's end.
    async fn log_end(&self) -> Result<i64, StoreError>;
}

/// An event in the outbox, with what is needed to tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// The number of its row; never given out twice.
    pub seq: i64,
    /// What happened: `order.held`, `performance.changed`.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// What it happened to.
    pub subject: OutboxSubject,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxSubject {
    /// An order, whose changes are written by the sale.
    Order(Box<OutboxOrder>),
    /// Something else, told in full when it happened.
    Told {
        /// `performances/7`, `shows/7`, `items/7`, `users/7`.
        subject: String,
        /// What there is to say, as a JSON object.
        data: String,
    },
}

/// An order of which an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxOrder {
    /// The order as it is now. Of it, nothing changes but the status and the version.
    pub order: Order,
    /// Its version right after what happened.
    pub version: i64,
    /// Its payment, if there is one by now.
    pub payment: Option<Payment>,
    /// What is shown at its performance.
    pub show: Option<ShowId>,
}

/// How much waits to be published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many rows, of which each tells of one order or of some; a little too high where transactions
    /// were undone.
    pub rows: i64,
    /// When the oldest was written.
    pub oldest: Option<Timestamp>,
}

/// What one node at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTask {
    /// Who does it; none if it was given up, or never done.
    pub node: Option<NodeId>,
    /// Rises each time that its node is at work. One that stands still for long has died.
    pub beat: i64,
    /// How far it is in the log.
    pub position: i64,
}

/// An event to add to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The event, as text.
    pub text: String,
    /// When it happened.
    pub at: Timestamp,
}

/// An event in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Where it is: higher than those before it.
    pub position: i64,
    /// The event, as text.
    pub text: String,
}
