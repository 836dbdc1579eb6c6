//! Why something about a room was not done.

use onsale_domain::{
    ids::RoomId,
    line::{ChangeError, Refusal, SettingsError},
    offer::Offer,
};

use super::TokenError;
use crate::ports::{CoordinationError, StoreError};

/// Why something about a room was not done. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// There is no such room.
    #[error("there is no waiting room {0}")]
    NoSuchRoom(RoomId),
    /// The performance or item has no room, or does not exist: there is nothing to wait for.
    #[error("{0} has no waiting room; nobody has to wait for it")]
    NotGuarded(Offer),
    /// The room is for accounts.
    #[error("this waiting room is for people who have logged in")]
    AccountNeeded,
    /// The token is not accepted.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The room's rules forbid it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The room cannot be changed so.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A field is not acceptable; the text says why and what is.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Why not.
        reason: String,
    },
    /// The database failed, or something referred to does not exist, or another node runs the room.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CoordinationError> for LineError {
    fn from(error: CoordinationError) -> Self {
        match error {
            // It is kept but not run, so another node does.
            CoordinationError::NoSuchRoom(room) => elsewhere(room).into(),
            CoordinationError::RoomExists(room) => {
                StoreError::Broken(format!("the waiting room {room} was added twice")).into()
            }
            CoordinationError::AccountNeeded => Self::AccountNeeded,
            CoordinationError::OtherAccount => Self::Token(TokenError::OtherVisitor),
            CoordinationError::Refused(refusal) => Self::Refused(refusal),
            CoordinationError::Change(error) => Self::Change(error),
            CoordinationError::Unavailable(error) => Self::Store(error),
        }
    }
}

impl From<SettingsError> for LineError {
    fn from(error: SettingsError) -> Self {
        Self::Invalid { field: error.setting, reason: error.to_string() }
    }
}

/// A room that this node does not run.
pub(super) fn elsewhere(room: RoomId) -> StoreError {
    StoreError::Unavailable(format!("the waiting room {room} is not run by this node"))
}

/// Why somebody is not let into a sale. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct EntryError {
    /// The room in front of the sale: the one to join.
    pub room: RoomId,
    /// Why not.
    pub reason: EntryRefusal,
}

impl EntryError {
    /// Whether it is somebody's own pass, which has been used up or has run out.
    pub(crate) fn has_been_inside(&self) -> bool {
        matches!(self.reason, EntryRefusal::Over)
    }
}

/// See [`EntryError`].
#[derive(Debug, thiserror::Error)]
pub enum EntryRefusal {
    /// No token was shown.
    #[error("this sale has a waiting room: join it, and send your token once it is active")]
    NoToken,
    /// The token is of a place that has not been called.
    #[error("this token is not active yet: wait until it is your turn")]
    NotYourTurn,
    /// The token is not accepted.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The pass has been used up, has run out, or was given back.
    #[error("this token has been used up; join again")]
    Over,
    /// The room does not answer.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

impl From<LineError> for EntryRefusal {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Token(error) => Self::Token(error),
            LineError::Refused(Refusal::NotYourTurn) => Self::NotYourTurn,
            LineError::Refused(_) => Self::Over,
            LineError::AccountNeeded => Self::Token(TokenError::OtherVisitor),
            LineError::Store(error) => Self::Unavailable(error),
            other @ (LineError::NoSuchRoom(_)
            | LineError::NotGuarded(_)
            | LineError::Change(_)
            | LineError::Invalid { .. }) => Self::Unavailable(StoreError::Broken(other.to_string())),
        }
    }
}
