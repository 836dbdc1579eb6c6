//! Payments from the wallet.

use crate::operation::{BODY, KEYED, LOGGED_IN, Operations, PIPELINE, operation};

mod pay;

pub(crate) fn operations() -> Operations {
    Operations::new().routes(operation!(pay::pay, &[LOGGED_IN, BODY, KEYED, PIPELINE, pay::PROBLEMS]))
}
