//! Reservations: orders for seats.

use crate::{
    operation::{BODY, KEYED, LOGGED_IN, Operations, PARAMETERS, PIPELINE, STORE, operation},
    queue::ENTRY,
};

mod cancel;
mod get_reservation;
mod list_reservations;
mod reservation;
mod reserve;

pub(crate) fn operations() -> Operations {
    Operations::new()
        .routes(operation!(reserve::reserve, &[LOGGED_IN, BODY, KEYED, PIPELINE, ENTRY, reserve::PROBLEMS]))
        .routes(operation!(list_reservations::list_reservations, &[LOGGED_IN, PARAMETERS, STORE]))
        .routes(operation!(
            get_reservation::get_reservation,
            &[LOGGED_IN, PARAMETERS, STORE, get_reservation::PROBLEMS],
        ))
        .routes(operation!(cancel::cancel, &[LOGGED_IN, PARAMETERS, PIPELINE, cancel::PROBLEMS]))
}
