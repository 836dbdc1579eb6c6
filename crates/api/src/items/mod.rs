//! Items: what is sold by the unit, and orders for it. Answers stand in an envelope.

use crate::{
    operation::{BODY, KEYED, LOGGED_IN, Operations, PARAMETERS, PIPELINE, STORE, enveloped_operation},
    problem::Kind,
    queue::ENTRY,
};

mod cancel_order;
mod envelope;
mod get_item;
mod get_order;
mod get_stock;
mod item;
mod list_items;
mod list_orders;
mod order;
mod pay_order;
mod place_order;

pub(crate) use envelope::{Failure, FailureBody};
pub(crate) use item::{SummaryBody, TypeBody};

/// The item does not exist.
const NO_SUCH_ITEM: &[Kind] = &[Kind::NoSuchItem];

/// The order does not exist.
const NO_SUCH_ORDER: &[Kind] = &[Kind::NoSuchOrder];

pub(crate) fn operations() -> Operations {
    let read_order: &[&[Kind]] = &[LOGGED_IN, PARAMETERS, STORE, NO_SUCH_ORDER];
    let place: &[&[Kind]] = &[LOGGED_IN, BODY, KEYED, PIPELINE, ENTRY, NO_SUCH_ITEM, place_order::PROBLEMS];
    let pay: &[&[Kind]] =
        &[LOGGED_IN, PARAMETERS, KEYED, PIPELINE, ENTRY, NO_SUCH_ORDER, pay_order::PROBLEMS];
    let cancel: &[&[Kind]] = &[LOGGED_IN, PARAMETERS, PIPELINE, NO_SUCH_ORDER, cancel_order::PROBLEMS];
    Operations::new()
        .routes(enveloped_operation!(list_items::list_items, &[PARAMETERS, STORE]))
        .routes(enveloped_operation!(get_item::get_item, &[PARAMETERS, STORE, NO_SUCH_ITEM]))
        .routes(enveloped_operation!(get_stock::get_stock, &[PARAMETERS, PIPELINE, NO_SUCH_ITEM]))
        .routes(enveloped_operation!(place_order::place_order, place))
        .routes(enveloped_operation!(list_orders::list_orders, &[LOGGED_IN, PARAMETERS, STORE]))
        .routes(enveloped_operation!(get_order::get_order, read_order))
        .routes(enveloped_operation!(pay_order::pay_order, pay))
        .routes(enveloped_operation!(cancel_order::cancel_order, cancel))
}
