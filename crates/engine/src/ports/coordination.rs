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
/// Rooms are losable: after a crash they are added again from their last [`RoomRecord`] and their log. No
/// number is given out twice, nobody is further back than before, passes hold, and what was given up or
/// used up stays so: entering, paying and leaving are answered once the log has them. Who joined in the
/// last moment before a crash is known again when they show their number, or takes another.
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
    /// was given out before a crash is taken back. A guest's pass becomes that of the first account that
    /// shows it; should the account have a number of its own, that one is given up.
    async fn resume(&self, room: RoomId, holder: Holder, until: Timestamp)
    -> Result<Pass, CoordinationError>;

    /// Lets a pass last until `until`, if it did not before.
    async fn extend(&self, room: RoomId, holder: Holder, until: Timestamp)
    -> Result<Pass, CoordinationError>;

    /// Uses a pass up: it has been paid with.
    async fn use_up(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError>;

    /// Gives up a place, a turn or a pass, for good.
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

    /// Adds rows to a room's log, each of at most [`LOG_ROW_BYTES_MAX`]. After `Ok` all of them survive a
    /// crash; after an error none or all do.
    async fn append(&self, room: RoomId, rows: Vec<Vec<u8>>) -> Result<(), StoreError>;

    /// The rows of a room's log after the one with this number, 0 for all, in the order in which they were
    /// added, each with its number; at most some hundred. None: there are no more.
    async fn log(&self, room: RoomId, after: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError>;
}

/// The most bytes of a row in a room's log: what the smallest column of bytes holds.
pub const LOG_ROW_BYTES_MAX: usize = 60_000;

/// Whom a room lets join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admits {
    /// Accounts, each with one live place.
    Accounts,
    /// Anybody. An account has one live place here, too; of guests nobody is remembered, the signed number
    /// is the place.
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
    /// The account that wants to use a guest's pass, if it is for that that the number is shown.
    pub used_by: Option<UserId>,
}

impl Holder {
    /// Somebody who shows their number.
    #[must_use]
    pub const fn new(ticket: Ticket, visitor: Visitor) -> Self {
        Self { ticket, visitor, used_by: None }
    }
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
    /// The guest's pass has been used by another account.
    #[error("this pass has been used by another account")]
    OtherAccount,
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
