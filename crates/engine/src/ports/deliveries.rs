//! The port under deliveries: what is on its way to somebody outside.

use async_trait::async_trait;
use onsale_domain::{ids::WebhookId, time::Timestamp};
use uuid::Uuid;

use super::error::StoreError;

/// Keeps deliveries until they have been made, and for a while after.
///
/// Deliveries of one channel about one subject are made in the order in which they were added; each
/// waits until the one before is delivered, dropped or parked. A node that makes a delivery leases it
/// first, so that no two do at the same time.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// Adds deliveries. Those of a channel and event that are there already are passed over, so
    /// adding them again is harmless.
    async fn add_deliveries(&self, deliveries: &[NewDelivery]) -> Result<(), StoreError>;

    /// The channels that have something to deliver at `now` that nobody has leased, at most `limit`.
    async fn due_channels(&self, now: Timestamp, limit: usize) -> Result<Vec<Channel>, StoreError>;

    /// Leases the deliveries of a channel that are due, at most `limit`, the longest due first.
    async fn lease_deliveries(
        &self,
        channel: Channel,
        lease: Lease,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Notes attempts and ends their leases. Passes over those whose lease is somebody else's by now.
    /// How many were noted.
    async fn note_attempts(&self, attempts: &[Attempt]) -> Result<usize, StoreError>;

    /// A channel's deliveries, the newest first, those before `before` if given.
    async fn deliveries(
        &self,
        channel: Channel,
        state: Option<DeliveryState>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Makes deliveries of a channel due at `now`, as if they were new; at most `limit`. How many. What is under
    /// way meanwhile is tried once more if it fails. Asked again with the same `now`, it goes on with the rest.
    async fn deliver_again(
        &self,
        channel: Channel,
        which: Again,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// How much waits and is parked, by channel.
    async fn backlogs(&self) -> Result<Vec<DeliveryBacklog>, StoreError>;

    /// Forgets deliveries, at most `limit`: those that ended before `ended_before`, and those that
    /// were parked before `parked_before`. How many.
    async fn prune_deliveries(
        &self,
        ended_before: Timestamp,
        parked_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// Forgets a channel's deliveries in whatever state, at most `limit`. How many.
    async fn forget_channel(&self, channel: Channel, limit: usize) -> Result<usize, StoreError>;
}

/// Whom deliveries go to. What is slow in one channel does not hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// Buyers, who are told of their orders.
    Notifications,
    /// A subscriber.
    Webhook(WebhookId),
}

/// A delivery to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// To whom.
    pub channel: Channel,
    /// The event's id, at most 191 characters. A channel gets each event once.
    pub event_id: String,
    /// The event's type, at most 191 characters.
    pub event_type: String,
    /// What is kept in order, at most 191 characters.
    pub subject: String,
    /// What is delivered.
    pub body: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// Not before. What has been due for longer goes first, so a time long ago puts it before all others.
    pub due_at: Timestamp,
}

/// A delivery as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Rises from each delivery to the next.
    pub id: i64,
    /// To whom.
    pub channel: Channel,
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// What is kept in order.
    pub subject: String,
    /// What is delivered.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried since it was added or asked for again.
    pub attempts: u32,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was to be delivered at first, or was asked for again: its time runs from there.
    pub since: Timestamp,
    /// When it is tried next while it waits, else when it ended.
    pub due_at: Timestamp,
    /// The status of the last answer.
    pub answer_status: Option<u16>,
    /// What the last attempt brought: the beginning of the answer, or what went wrong.
    pub answer: Option<String>,
}

/// Which deliveries are to be made at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// One that waits or is parked.
    One(i64),
    /// All that wait.
    Waiting,
    /// All that wait, and those that are parked.
    WaitingAndParked,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be made.
    Waiting,
    /// Made.
    Delivered,
    /// Not needed any more.
    Dropped,
    /// Given up for now; somebody may ask for it again.
    Parked,
}

/// The right to make a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// A new id, which nobody else has.
    pub id: Uuid,
    /// From now.
    pub now: Timestamp,
    /// Until then; after it somebody else may lease the same.
    pub until: Timestamp,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// At which delivery.
    pub delivery: i64,
    /// By whose lease.
    pub lease: Uuid,
    /// Since when the delivery waited as it was leased. If somebody has asked for it again meanwhile, a failure
    /// does not put it off.
    pub since: Timestamp,
    /// When.
    pub at: Timestamp,
    /// What follows.
    pub outcome: AttemptOutcome,
    /// The status of the answer, if there was one.
    pub answer_status: Option<u16>,
    /// The beginning of the answer, or what went wrong.
    pub answer: String,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It is delivered.
    Delivered,
    /// It is not needed any more.
    Dropped,
    /// Try again then.
    Retry(Timestamp),
    /// Enough.
    Parked,
}

/// How much of a channel is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryBacklog {
    /// The channel.
    pub channel: Channel,
    /// How many wait.
    pub waiting: u64,
    /// How many are parked.
    pub parked: u64,
    /// Since when the oldest waits.
    pub oldest_since: Option<Timestamp>,
}
