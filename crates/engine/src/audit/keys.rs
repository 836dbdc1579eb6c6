//! Idempotency keys, and what the outbox tells.

use onsale_domain::{
    decide::{EventKind, KeyTarget},
    ids::UserId,
    order::OrderStatus,
};

use super::{
    Look,
    facts::OrderFact,
    pages,
    report::Violation,
    spool::{Spool, from_halves, from_signed, halves, signed},
};
use crate::ports::{KeyRow, StoreError};

/// (user, time, balance, key) of keys of charges.
pub(super) type ChargeKeys = Spool<6>;

/// Events of orders; a code is an index.
const EVENTS: [EventKind; 4] =
    [EventKind::OrderHeld, EventKind::OrderPaid, EventKind::OrderExpired, EventKind::OrderCancelled];

impl Look<'_> {
    pub(super) async fn keys(&mut self) -> Result<(), StoreError> {
        let mut by_user = Spool::<4>::default();
        pages!(self.keys, rows => {
            for row in rows {
                self.report.counts.keys += 1;
                let [high, low] = halves(row.key);
                by_user.push([signed(row.user.0), high, low, signed(row.seq)])?;
                self.key(&row)?;
            }
        });
        let (mut by_user, mut last) = (by_user.sorted()?, None);
        while let Some([user, high, low, _]) = by_user.pop()? {
            if last.replace((user, high, low)) == Some((user, high, low)) {
                self.report
                    .add(Violation::KeyTwice, || key_text(UserId(from_signed(user)), from_halves(high, low)));
            }
        }
        Ok(())
    }

    fn key(&mut self, row: &KeyRow) -> Result<(), StoreError> {
        let &KeyRow { user, key, created_at: at, .. } = row;
        match row.record.target {
            KeyTarget::Hold(order) => self.of_order(order, OrderFact::Key { pays: false, user, at, key }),
            KeyTarget::Pay(order) => self.of_order(order, OrderFact::Key { pays: true, user, at, key }),
            KeyTarget::Charge { balance_after } => {
                let [high, low] = halves(key);
                self.charge_keys.push([signed(user.0), signed(at.0), 1, signed(balance_after), high, low])
            }
        }
    }

    pub(super) async fn outbox(&mut self) -> Result<(), StoreError> {
        pages!(self.outbox, rows => {
            for row in rows {
                match EVENTS.iter().position(|kind| kind.as_str() == row.kind) {
                    Some(code) => {
                        let fact = OrderFact::Event { code: code as u64, version: row.version, seq: row.seq };
                        self.of_order(row.order, fact)?;
                    }
                    None => self.report.add(Violation::EventWrong, || {
                        format!("row {} of the outbox: order {}, {}", row.seq, row.order, row.kind)
                    }),
                }
            }
        });
        Ok(())
    }
}

/// The status that an order has after an event, by the event's code, and whether it can be the order's version
/// then.
pub(super) fn status_told(code: u64, version: i64) -> Option<OrderStatus> {
    let (status, versions) = match EVENTS.get(usize::try_from(code).ok()?)? {
        EventKind::OrderHeld => (OrderStatus::Held, 1..=1),
        EventKind::OrderPaid => (OrderStatus::Paid, 2..=2),
        EventKind::OrderExpired => (OrderStatus::Expired, 2..=2),
        EventKind::OrderCancelled => (OrderStatus::Cancelled, 2..=3),
    };
    versions.contains(&version).then_some(status)
}

pub(super) fn key_text(user: UserId, key: u128) -> String {
    format!("user {user}, key {key:032x}")
}
