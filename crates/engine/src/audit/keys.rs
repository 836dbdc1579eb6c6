//! Idempotency keys and what they stand for.

use onsale_domain::{
    decide::KeyTarget,
    ids::{OrderId, UserId},
};

use super::{
    orders::{OrderFacts, Orders},
    report::{AuditReport, Violation},
};
use crate::ports::KeyRow;

/// Checks the keys, which come in order of user and key.
pub(super) fn check_keys() -> KeyCheck {
    KeyCheck { last: None }
}

#[derive(Debug)]
pub(super) struct KeyCheck {
    last: Option<(UserId, u128)>,
}

impl KeyCheck {
    pub(super) fn chunk(&mut self, keys: &[KeyRow], orders: &mut Orders, report: &mut AuditReport) {
        for row in keys {
            report.counts.keys += 1;
            if self.last.replace((row.user, row.key)) == Some((row.user, row.key)) {
                report.add(Violation::KeyTwice, || key_text(row));
            }
            match row.record.target {
                KeyTarget::Hold(order) => {
                    check(row, order, orders, report, |order| Some(&mut order.hold_keys));
                }
                KeyTarget::Pay(order) => check(row, order, orders, report, |order| {
                    order.has_payment().then_some(&mut order.pay_keys)
                }),
                KeyTarget::Charge { .. } => {}
            }
        }
    }
}

/// `count` gives the order's counter of such keys, or nothing if the order lacks what they name.
fn check(
    row: &KeyRow,
    id: OrderId,
    orders: &mut Orders,
    report: &mut AuditReport,
    count: impl FnOnce(&mut OrderFacts) -> Option<&mut u8>,
) {
    let place = || format!("{}, order {id}", key_text(row));
    let Some(order) = orders.get_mut(id) else {
        report.add(Violation::KeyWithoutOrder, place);
        return;
    };
    if order.user != row.user {
        report.add(Violation::KeyOfAnotherUser, || format!("{} of user {}", place(), order.user));
    }
    let Some(count) = count(order) else {
        report.add(Violation::KeyWithoutOrder, || format!("{}, which has no payment", place()));
        return;
    };
    *count = count.saturating_add(1);
    if *count > 1 {
        report.add(Violation::OrderWithTwoKeys, place);
    }
}

fn key_text(row: &KeyRow) -> String {
    format!("user {}, key {:032x}", row.user, row.key)
}
