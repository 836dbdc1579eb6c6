//! What organisers do: venues, halls, shows, performances, prices, locks.

use crate::operation::{BODY, ORGANISER, Operations, PARAMETERS, PIPELINE, STORE, operation};
use crate::problem::Kind;

mod add_hall;
mod add_performance;
mod add_room;
mod add_show;
mod add_venue;
mod change_performance;
mod change_prices;
mod change_room;
mod change_show;
mod change_venue;
mod get_hall;
mod get_hall_layout;
mod get_performance;
mod get_room;
mod get_show;
mod get_venue;
mod hall;
mod list_halls;
mod list_rooms;
mod list_venues;
mod lock_seats;
mod performance;
mod room;
mod seats;
mod set_category;
mod show;
mod unlock_seats;
mod venue;

pub(crate) use performance::{PriceBody, RulesBody};

/// What is referred to does not exist.
const NOT_FOUND: &[Kind] = &[Kind::NotFound];

/// The performance does not exist.
const NO_SUCH_PERFORMANCE: &[Kind] = &[Kind::NoSuchPerformance];

/// It clashes with what is there.
const CONFLICT: &[Kind] = &[Kind::AlreadyExists, Kind::NotPossible];

pub(crate) fn operations() -> Operations {
    let read: &[&[Kind]] = &[ORGANISER, PARAMETERS, STORE, NOT_FOUND];
    let write: &[&[Kind]] = &[ORGANISER, BODY, STORE, NOT_FOUND, CONFLICT];
    let read_performance: &[&[Kind]] = &[ORGANISER, PARAMETERS, STORE, NO_SUCH_PERFORMANCE, NOT_FOUND];
    let write_performance: &[&[Kind]] = &[ORGANISER, BODY, STORE, NO_SUCH_PERFORMANCE, NOT_FOUND, CONFLICT];
    let lock: &[&[Kind]] = &[ORGANISER, BODY, PIPELINE, NO_SUCH_PERFORMANCE, NOT_FOUND, lock_seats::PROBLEMS];
    Operations::new()
        .routes(operation!(list_venues::list_venues, &[ORGANISER, PARAMETERS, STORE]))
        .routes(operation!(add_venue::add_venue, write))
        .routes(operation!(get_venue::get_venue, read))
        .routes(operation!(change_venue::change_venue, write))
        .routes(operation!(list_halls::list_halls, read))
        .routes(operation!(add_hall::add_hall, write))
        .routes(operation!(get_hall::get_hall, read))
        .routes(operation!(get_hall_layout::get_hall_layout, read))
        .routes(operation!(set_category::set_category, write))
        .routes(operation!(add_show::add_show, write))
        .routes(operation!(get_show::get_show, read))
        .routes(operation!(change_show::change_show, write))
        .routes(operation!(add_performance::add_performance, write))
        .routes(operation!(get_performance::get_admin_performance, read_performance))
        .routes(operation!(change_performance::change_performance, write_performance))
        .routes(operation!(change_prices::change_prices, write_performance))
        .routes(operation!(lock_seats::lock_seats, lock))
        .routes(operation!(unlock_seats::unlock_seats, lock))
        .routes(operation!(list_rooms::list_rooms, &[ORGANISER, STORE]))
        .routes(operation!(add_room::add_room, write_performance))
        .routes(operation!(get_room::get_admin_room, read))
        .routes(operation!(change_room::change_room, write_performance))
}
