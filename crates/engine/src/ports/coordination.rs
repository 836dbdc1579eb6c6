//! The port under the waiting rooms: state that nodes share and that may be lost.

use async_trait::async_trait;
use onsale_domain::{
    ids::{RoomId, UserId},
    line::{
        ChangeError, Pass, Refusal, RoomChange, RoomDocument, RoomRecord, SaleHealth, Standing, Tick, Ticket,
    },
    time::Timestamp,
};

use super::error::StoreError;

/// Keeps rooms. What joining, asking, entering, leaving and paying cost does not depend on how many
/// wait.
///
/// Rooms are losable: after a crash they are added again from their last [`RoomRecord`], and no
/// number is given out twice, nobody is further back than before, and passes hold. Two things are
/// forgotten: which accounts have joined, until they ask with their number again; and which places
/// below the cursor have been used up, so that these may enter once more.
#[async_trait]
pub trait Coordination: Send + Sync + 'static {
    /// Whose rooms these are.
    fn reach(&self) -> Reach;

    /// Whether this node runs a room: it is the one that calls, and that carries out what was asked
    /// for beside the nodes.
    fn runs(&self, room: RoomId) -> bool;

    /// Adds a room, a new one or one that a crash took away, from its last record, which the journal
    /// has. From now on this node serves it.
    async fn add_room(
        &self,
        room: RoomId,
        admits: Admits,
        record: RoomRecord,
    ) -> Result<(), CoordinationError>;

    /// Gives a visitor a number. An account that has a live place gets its number again.
    async fn join(&self, room: RoomId, visitor: Visitor) -> Result<Ticket, CoordinationError>;

    /// Tells how somebody stands, and remembers that they are there.
    async fn ask(&self, room: RoomId, holder: Holder) -> Result<Standing, CoordinationError>;

    /// Lets somebody in whose turn it is. Who is inside gets the same pass again.
    async fn enter(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError>;

    /// The pass of somebody who is inside; refused if they are not.
    async fn pass(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError>;

    /// As [`Coordination::pass`], for somebody who shows a pass that is good until `until`: one that
    /// was given out before a crash is taken back.
    async fn resume(&self, room: RoomId, holder: Holder, until: Timestamp)
    -> Result<Pass, CoordinationError>;

    /// Lets a pass last until `until`, but no longer than a new one would.
    async fn extend(&self, room: RoomId, holder: Holder, until: Timestamp)
    -> Result<Pass, CoordinationError>;

    /// Uses a pass up: it has been paid with.
    async fn use_up(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError>;

    /// Gives up a place, a turn or a pass.
    async fn leave(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError>;

    /// Opens, closes and calls what is due. To be done about ten times a second.
    async fn advance(&self, room: RoomId) -> Result<Tick, CoordinationError>;

    /// Tells a room how its sale fared in the last second.
    async fn observe(&self, room: RoomId, health: SaleHealth) -> Result<(), CoordinationError>;

    /// Changes a room; what it is like afterwards.
    async fn change(&self, room: RoomId, change: RoomChange) -> Result<RoomDocument, CoordinationError>;

    /// What everybody may know of a room.
    async fn document(&self, room: RoomId) -> Result<RoomDocument, CoordinationError>;

    /// The node stops: serves no room any more, and lets others run those that it ran.
    async fn retire(&self) {}
}

/// Whose rooms an adapter keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of this process. Of several nodes one runs all rooms; the others do not serve them.
    Process,
    /// Those of all nodes, which settle among themselves who runs a room. Every node serves it.
    Fleet,
}

/// Where rooms write their records: the database. A room acts only on what has been written.
#[async_trait]
pub trait RoomJournal: Send + Sync + 'static {
    /// From now on only records by this journal are written, and those of other nodes are rejected;
    /// the room's last record.
    async fn take(&self, room: RoomId) -> Result<RoomRecord, StoreError>;

    /// Writes a room's record in the place of the one before. After `Ok` it survives a crash.
    async fn record(&self, room: RoomId, record: &RoomRecord) -> Result<(), StoreError>;
}

/// Whom a room lets join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admits {
    /// Accounts, each with one live place.
    Accounts,
    /// Anybody. The signed number is the place; nobody is remembered.
    Anybody,
}

/// Who joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody who has logged in.
    Account(UserId),
    /// A browser, by its secret.
    Guest(u128),
}

/// Somebody with a number, as their token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The number.
    pub ticket: Ticket,
    /// Whose it is.
    pub visitor: Visitor,
}

/// Why something was not done. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum CoordinationError {
    /// There is no such room.
    #[error("there is no waiting room {0}")]
    NoSuchRoom(RoomId),
    /// There is such a room already.
    #[error("there is a waiting room {0} already")]
    RoomExists(RoomId),
    /// The room is for accounts.
    #[error("this waiting room is for people who have logged in")]
    AccountNeeded,
    /// The room's rules forbid it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The room cannot be changed so.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// What must be written first could not be written.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}
