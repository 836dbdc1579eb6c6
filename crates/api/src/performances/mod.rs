//! Performances: their terms and, as it changes, what is still to be had.

use crate::{
    operation::{Operations, PARAMETERS, STORE, operation},
    problem::Kind,
    queue::ENTRY,
};

mod get_availability;
mod get_layout;
mod get_performance;
mod layout;
mod list_seats;
mod live;
mod watch_seats;

pub(crate) use layout::Layout;
pub(crate) use live::LiveCache;

const NO_SUCH_PERFORMANCE: &[Kind] = &[Kind::NoSuchPerformance];

pub(crate) fn operations() -> Operations {
    let read: &[&[Kind]] = &[PARAMETERS, STORE, NO_SUCH_PERFORMANCE, ENTRY];
    Operations::new()
        .routes(operation!(get_performance::get_performance, &[PARAMETERS, STORE, get_performance::PROBLEMS]))
        .routes(operation!(list_seats::list_seats, read))
        .routes(operation!(get_layout::get_layout, read))
        .routes(operation!(get_availability::get_availability, read))
        .routes(operation!(
            watch_seats::watch_seats,
            &[PARAMETERS, STORE, NO_SUCH_PERFORMANCE, ENTRY, watch_seats::PROBLEMS],
        ))
}
