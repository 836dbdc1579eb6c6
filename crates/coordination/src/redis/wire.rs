//! What nodes say to each other about rooms, as JSON.

use onsale_domain::{
    ids::RoomId,
    line::{ChangeError, Pass, Phase, Refusal, RoomChange, RoomDocument, SaleHealth, Standing, Ticket},
    time::Timestamp,
};
use onsale_engine::ports::{CoordinationError, Holder, StoreError, Visitor};
use serde::{Deserialize, Serialize};

use super::wire_domain::{
    HolderDef, PassDef, PhaseDef, RefusalDef, RoomChangeDef, RoomDocumentDef, SaleHealthDef, StandingDef,
    TicketDef, TimestampDef, VisitorDef,
};

/// What one node sends to another in one go.
#[derive(Serialize, Deserialize)]
pub(super) struct Message {
    /// The sender.
    pub(super) from: String,
    pub(super) items: Vec<Item>,
}

/// A part of a message.
#[derive(Serialize, Deserialize)]
pub(super) enum Item {
    /// Something to do to a room that the receiver runs.
    Request { number: u64, room: i64, request: Request },
    /// What came of it.
    Answer { number: u64, answer: Result<Answer, Failure> },
}

/// What is asked of the node that runs a room.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Request {
    Join(#[serde(with = "VisitorDef")] Visitor),
    Ask(#[serde(with = "HolderDef")] Holder),
    Enter(#[serde(with = "HolderDef")] Holder),
    Pass(#[serde(with = "HolderDef")] Holder),
    Resume(#[serde(with = "HolderDef")] Holder, #[serde(with = "TimestampDef")] Timestamp),
    Extend(#[serde(with = "HolderDef")] Holder, #[serde(with = "TimestampDef")] Timestamp),
    UseUp(#[serde(with = "HolderDef")] Holder),
    Leave(#[serde(with = "HolderDef")] Holder),
    Observe(#[serde(with = "SaleHealthDef")] SaleHealth),
    Change(#[serde(with = "RoomChangeDef")] RoomChange),
    Document,
}

/// What it answers.
#[derive(Serialize, Deserialize)]
pub(super) enum Answer {
    Ticket(#[serde(with = "TicketDef")] Ticket),
    Standing(#[serde(with = "StandingDef")] Standing),
    Pass(#[serde(with = "PassDef")] Pass),
    Document(Box<Document>),
    Done,
}

/// See [`Answer`].
#[derive(Serialize, Deserialize)]
pub(super) struct Document(#[serde(with = "RoomDocumentDef")] pub(super) RoomDocument);

impl Answer {
    pub(super) fn document(document: RoomDocument) -> Self {
        Self::Document(Box::new(Document(document)))
    }
}

/// Why it was not done.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Failure {
    /// The receiver does not run the room.
    NotRunHere,
    AccountNeeded,
    OtherAccount,
    Refused(#[serde(with = "RefusalDef")] Refusal),
    WrongPhase(#[serde(with = "PhaseDef")] Phase),
    PublicRandomness,
    Unavailable(String),
}

impl From<CoordinationError> for Failure {
    fn from(error: CoordinationError) -> Self {
        match error {
            CoordinationError::NoSuchRoom(_) => Self::NotRunHere,
            CoordinationError::AccountNeeded => Self::AccountNeeded,
            CoordinationError::OtherAccount => Self::OtherAccount,
            CoordinationError::Refused(refusal) => Self::Refused(refusal),
            CoordinationError::Change(ChangeError::Phase(phase)) => Self::WrongPhase(phase),
            CoordinationError::Change(ChangeError::PublicRandomness) => Self::PublicRandomness,
            // Settings are checked before they are sent.
            error @ (CoordinationError::RoomExists(_)
            | CoordinationError::Change(ChangeError::Settings(_))) => Self::Unavailable(error.to_string()),
            CoordinationError::Unavailable(error) => Self::Unavailable(error.to_string()),
        }
    }
}

impl Failure {
    pub(super) fn error(self, room: RoomId) -> CoordinationError {
        match self {
            Self::NotRunHere => unavailable(format!("the waiting room {room} is changing nodes")),
            Self::AccountNeeded => CoordinationError::AccountNeeded,
            Self::OtherAccount => CoordinationError::OtherAccount,
            Self::Refused(refusal) => refusal.into(),
            Self::WrongPhase(phase) => ChangeError::Phase(phase).into(),
            Self::PublicRandomness => ChangeError::PublicRandomness.into(),
            Self::Unavailable(why) => unavailable(why),
        }
    }
}

pub(super) fn unavailable(why: impl Into<String>) -> CoordinationError {
    StoreError::Unavailable(why.into()).into()
}
