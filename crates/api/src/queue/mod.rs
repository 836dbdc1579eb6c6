//! Waiting rooms, as visitors see them.

use crate::{
    operation::{BODY, Operations, PARAMETERS, STORE, operation},
    problem::Kind,
};

mod ask;
mod get_room;
mod join;
mod leave;
mod room;
mod token;
mod watch_room;

pub(crate) use room::{DocumentBody, ModeBody, PhaseBody, RoomCache, ScheduleBody};
pub(crate) use token::{QueueToken, give_token};

/// What is answered to a token that does not open the door.
pub(crate) const ENTRY: &[Kind] =
    &[Kind::QueueTokenRequired, Kind::InvalidQueueToken, Kind::NotYourTurn, Kind::Unavailable];

/// A token that may be shown beside an access token.
const TOKEN: &[Kind] = &[Kind::NotAuthenticated, Kind::InvalidToken, Kind::InvalidQueueToken];

const NO_SUCH_ROOM: &[Kind] = &[Kind::NotFound];

pub(crate) fn operations() -> Operations {
    Operations::new()
        .routes(operation!(join::join, &[TOKEN, BODY, STORE, join::PROBLEMS]))
        .routes(operation!(ask::ask, &[TOKEN, STORE, ask::PROBLEMS]))
        .routes(operation!(leave::leave, &[TOKEN, STORE, leave::PROBLEMS]))
        .routes(operation!(get_room::get_room, &[PARAMETERS, STORE, NO_SUCH_ROOM]))
        .routes(operation!(watch_room::watch_room, &[PARAMETERS, STORE, NO_SUCH_ROOM, watch_room::PROBLEMS],))
}
