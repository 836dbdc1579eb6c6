//! The port under waiting rooms: what of them is kept.

use async_trait::async_trait;
use onsale_domain::{
    ids::{RoomId, UserId},
    line::{RoomChange, RoomRecord},
    offer::Offer,
    time::Timestamp,
};

use super::{coordination::Admits, error::StoreError};

/// Keeps rooms.
///
/// One node at a time runs a room: who writes a room's record says which node it is, and only the
/// one that took the room last is listened to. So a node that was given up for dead cannot hand out
/// numbers beside its successor.
#[async_trait]
pub trait RoomStore: Send + Sync + 'static {
    /// Adds a room that nobody runs yet.
    ///
    /// Fails with [`StoreError::Missing`] if there is no such performance or item, and with
    /// [`StoreError::Conflict`] if one of them has a room already.
    async fn add_room(&self, room: &NewRoom) -> Result<RoomId, StoreError>;

    /// All rooms, the oldest first.
    async fn rooms(&self) -> Result<Vec<StoredRoom>, StoreError>;

    /// A room.
    async fn room(&self, id: RoomId) -> Result<Option<StoredRoom>, StoreError>;

    /// Changes a room's name, and which offers it guards. Fails as [`RoomStore::add_room`]
    /// does.
    async fn change_room(
        &self,
        id: RoomId,
        name: Option<&str>,
        offers: Option<&[Offer]>,
    ) -> Result<(), StoreError>;

    /// From now on `node` runs a room; its last record. `None` if the room is run by another node
    /// and is not to be taken `over`, or does not exist.
    async fn run_room(&self, id: RoomId, node: NodeId, over: bool) -> Result<Option<RoomRecord>, StoreError>;

    /// Writes a room's record in the place of the one before. After `Ok` it survives a crash. Fails
    /// with [`StoreError::Rejected`] if `node` does not run the room.
    async fn record_room(&self, id: RoomId, node: NodeId, record: &RoomRecord) -> Result<(), StoreError>;

    /// Adds rows to a room's log, all or none. After `Ok` they survive a crash. Fails with
    /// [`StoreError::Rejected`] if `node` does not run the room.
    async fn append_room_log(&self, id: RoomId, node: NodeId, rows: Vec<Vec<u8>>) -> Result<(), StoreError>;

    /// The rows of a room's log after the one with this number, 0 for all, in the order in which they were
    /// added, each with its number; at most 100.
    async fn room_log(&self, id: RoomId, after: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError>;

    /// Asks the node that runs a room to change it; the request's number.
    async fn ask_room_change(
        &self,
        id: RoomId,
        change: &RoomChange,
        now: Timestamp,
    ) -> Result<i64, StoreError>;

    /// The changes that have been asked for and not answered, the oldest first, at most 100.
    async fn asked_room_changes(&self) -> Result<Vec<AskedChange>, StoreError>;

    /// Answers a request: nothing if it was done, else why it was not.
    async fn answer_room_change(&self, number: i64, refusal: Option<&str>) -> Result<(), StoreError>;

    /// The answer to a request, which is forgotten then. `None` while there is none.
    async fn take_room_answer(&self, number: i64) -> Result<Option<Result<(), String>>, StoreError>;

    /// Forgets answered requests from before a time: nobody is waiting for them any more.
    async fn prune_room_changes(&self, before: Timestamp) -> Result<(), StoreError>;
}

/// A process that runs rooms; a random number above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(pub i64);

/// A room to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRoom {
    /// What organisers call it.
    pub name: String,
    /// Whose it is while nothing is behind it; nobody's, if none.
    pub owner: Option<UserId>,
    /// Whom it lets join.
    pub admits: Admits,
    /// What is behind it.
    pub offers: Vec<Offer>,
    /// Its first record.
    pub record: RoomRecord,
}

/// A room as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRoom {
    /// The room.
    pub id: RoomId,
    /// What organisers call it.
    pub name: String,
    /// Whom it lets join.
    pub admits: Admits,
    /// What is behind it, ascending: the performances, then the items.
    pub offers: Vec<Offer>,
    /// The node that runs it; none before the first.
    pub run_by: Option<NodeId>,
    /// Its last record.
    pub record: RoomRecord,
}

/// A change that somebody beside the running node asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedChange {
    /// The request's number.
    pub number: i64,
    /// The room.
    pub room: RoomId,
    /// What to do.
    pub change: RoomChange,
}
