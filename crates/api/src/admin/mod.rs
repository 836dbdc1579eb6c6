//! What organisers do: venues, halls, shows, performances, prices, locks.

use crate::operation::{BODY, KEYED, ORGANISER, OWNER, Operations, PARAMETERS, PIPELINE, STORE, operation};
use crate::problem::Kind;

mod account;
mod add_hall;
mod add_item;
mod add_performance;
mod add_room;
mod add_show;
mod add_venue;
mod add_webhook;
mod change_account;
mod change_item;
mod change_performance;
mod change_prices;
mod change_room;
mod change_show;
mod change_venue;
mod change_webhook;
mod credit_points;
mod end_sessions;
mod end_unpaid_seats;
mod end_unpaid_units;
mod get_account;
mod get_hall;
mod get_hall_layout;
mod get_item;
mod get_performance;
mod get_room;
mod get_show;
mod get_venue;
mod get_webhook;
mod give_item;
mod give_show;
mod give_venue;
mod hall;
mod item;
mod lift_block;
mod list_accounts;
mod list_blocks;
mod list_deliveries;
mod list_halls;
mod list_rooms;
mod list_unpaid_seats;
mod list_unpaid_units;
mod list_venues;
mod list_webhooks;
mod lock_seats;
mod owner;
mod performance;
mod ping_webhook;
mod remove_webhook;
mod retry_deliveries;
mod room;
mod rotate_webhook_secret;
mod seats;
mod set_category;
mod set_stock;
mod show;
mod unlock_seats;
mod unpaid;
mod venue;
mod webhook;

pub(crate) use performance::{PriceBody, RulesBody};

/// What is referred to does not exist.
const NOT_FOUND: &[Kind] = &[Kind::NotFound];

/// The performance does not exist.
const NO_SUCH_PERFORMANCE: &[Kind] = &[Kind::NoSuchPerformance];

/// The item does not exist.
const NO_SUCH_ITEM: &[Kind] = &[Kind::NoSuchItem];

/// The account does not exist.
const NO_SUCH_USER: &[Kind] = &[Kind::NoSuchUser];

/// It clashes with what is there.
const CONFLICT: &[Kind] = &[Kind::AlreadyExists, Kind::NotPossible];

pub(crate) fn operations() -> Operations {
    let read: &[&[Kind]] = &[ORGANISER, PARAMETERS, STORE, NOT_FOUND];
    let write: &[&[Kind]] = &[ORGANISER, BODY, STORE, NOT_FOUND, CONFLICT];
    let read_own: &[&[Kind]] = &[OWNER, PARAMETERS, STORE, NOT_FOUND];
    let write_own: &[&[Kind]] = &[OWNER, BODY, STORE, NOT_FOUND, CONFLICT];
    let read_performance: &[&[Kind]] = &[OWNER, PARAMETERS, STORE, NO_SUCH_PERFORMANCE, NOT_FOUND];
    let write_performance: &[&[Kind]] = &[OWNER, BODY, STORE, NO_SUCH_PERFORMANCE, NOT_FOUND, CONFLICT];
    let write_room: &[&[Kind]] =
        &[OWNER, BODY, STORE, NO_SUCH_PERFORMANCE, NO_SUCH_ITEM, NOT_FOUND, CONFLICT];
    let lock: &[&[Kind]] = &[OWNER, BODY, PIPELINE, NO_SUCH_PERFORMANCE, NOT_FOUND, lock_seats::PROBLEMS];
    let read_item: &[&[Kind]] = &[OWNER, PARAMETERS, PIPELINE, NO_SUCH_ITEM];
    let unpaid_seats: &[&[Kind]] = &[OWNER, PARAMETERS, PIPELINE, NO_SUCH_PERFORMANCE, NOT_FOUND];
    let write_item: &[&[Kind]] = &[OWNER, BODY, PIPELINE, NO_SUCH_ITEM];
    let set_stock: &[&[Kind]] = &[OWNER, BODY, PIPELINE, NO_SUCH_ITEM, set_stock::PROBLEMS];
    let account: &[&[Kind]] = &[ORGANISER, PARAMETERS, STORE, NO_SUCH_USER];
    Operations::new()
        .routes(operation!(list_venues::list_venues, &[ORGANISER, PARAMETERS, STORE]))
        .routes(operation!(add_venue::add_venue, write))
        .routes(operation!(get_venue::get_venue, read))
        .routes(operation!(change_venue::change_venue, write_own))
        .routes(operation!(give_venue::give_venue, write))
        .routes(operation!(list_halls::list_halls, read))
        .routes(operation!(add_hall::add_hall, write_own))
        .routes(operation!(get_hall::get_hall, read))
        .routes(operation!(get_hall_layout::get_hall_layout, read))
        .routes(operation!(set_category::set_category, write_own))
        .routes(operation!(add_show::add_show, write))
        .routes(operation!(get_show::get_show, read_own))
        .routes(operation!(change_show::change_show, write_own))
        .routes(operation!(give_show::give_show, write))
        .routes(operation!(add_performance::add_performance, write_own))
        .routes(operation!(get_performance::get_admin_performance, read_performance))
        .routes(operation!(change_performance::change_performance, write_performance))
        .routes(operation!(change_prices::change_prices, write_performance))
        .routes(operation!(lock_seats::lock_seats, lock))
        .routes(operation!(unlock_seats::unlock_seats, lock))
        .routes(operation!(list_unpaid_seats::list_unpaid_seats, unpaid_seats))
        .routes(operation!(end_unpaid_seats::end_unpaid_seats, unpaid_seats))
        .routes(operation!(list_unpaid_units::list_unpaid_units, read_item))
        .routes(operation!(end_unpaid_units::end_unpaid_units, read_item))
        .routes(operation!(add_item::add_item, &[ORGANISER, BODY, STORE]))
        .routes(operation!(get_item::get_admin_item, read_item))
        .routes(operation!(change_item::change_item, write_item))
        .routes(operation!(set_stock::set_stock, set_stock))
        .routes(operation!(give_item::give_item, &[ORGANISER, BODY, STORE, NO_SUCH_ITEM, CONFLICT]))
        .routes(operation!(list_rooms::list_rooms, &[ORGANISER, STORE]))
        .routes(operation!(add_room::add_room, write_room))
        .routes(operation!(get_room::get_admin_room, read_own))
        .routes(operation!(change_room::change_room, write_room))
        .routes(operation!(list_webhooks::list_webhooks, &[ORGANISER, PARAMETERS, STORE]))
        .routes(operation!(add_webhook::add_webhook, write_own))
        .routes(operation!(get_webhook::get_webhook, read))
        .routes(operation!(change_webhook::change_webhook, write_own))
        .routes(operation!(remove_webhook::remove_webhook, read))
        .routes(operation!(
            rotate_webhook_secret::rotate_webhook_secret,
            &[ORGANISER, PARAMETERS, STORE, NOT_FOUND, CONFLICT]
        ))
        .routes(operation!(ping_webhook::ping_webhook, read))
        .routes(operation!(list_deliveries::list_deliveries, read))
        .routes(operation!(retry_deliveries::retry_deliveries, write))
        .routes(operation!(
            credit_points::credit_points,
            &[ORGANISER, BODY, KEYED, PIPELINE, credit_points::PROBLEMS]
        ))
        .routes(operation!(list_accounts::list_accounts, &[ORGANISER, PARAMETERS, STORE]))
        .routes(operation!(get_account::get_account, account))
        .routes(operation!(
            change_account::change_account,
            &[ORGANISER, BODY, STORE, NO_SUCH_USER, change_account::PROBLEMS]
        ))
        .routes(operation!(end_sessions::end_sessions, account))
        .routes(operation!(list_blocks::list_blocks, &[ORGANISER, STORE]))
        .routes(operation!(lift_block::lift_block, read))
}
