//! Payments from the wallet.

use crate::{
    operation::{BODY, KEYED, LOGGED_IN, Operations, PIPELINE, operation},
    queue::ENTRY,
};

mod pay;

pub(crate) fn operations() -> Operations {
    Operations::new().routes(operation!(pay::pay, &[LOGGED_IN, BODY, KEYED, PIPELINE, ENTRY, pay::PROBLEMS]))
}
