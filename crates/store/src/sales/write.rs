//! Write: what a batch has changed, in one statement for each kind of change that it made.

use std::fmt::Display;

use onsale_domain::{
    decide::{Changes, ClaimChange, Event, KeyTarget, NewKey, Note, WalletChange},
    money::Currency,
    order::{Claim, Goods, Order, OrderStatus},
    time::Timestamp,
    wallet::{Account, Transfer},
};
use onsale_engine::{
    events::{note_data, note_subject},
    ports::Guard,
};
use uuid::Uuid;

use super::{
    batch::{Batch, Row, push, push_array},
    rows::{TARGET_CHARGE, TARGET_HOLD, TARGET_PAY, status_code},
    script::Script,
};
use crate::{dialect::Dialect, hot::HotStatements};

/// The most orders that one row of the outbox names. Such a row is short enough to stand in its page
/// (PostgreSQL compresses longer ones), and what is written for it hardly counts.
pub(crate) const ORDERS_PER_OUTBOX_ROW: usize = 40;

/// The statements that write the changes.
pub(super) fn script(dialect: Dialect, guard: Guard, currency: Currency, changes: &Changes) -> Script {
    let checked = guard != Guard::None;
    let mut writer = Writer { hot: dialect.hot(), script: Script::new(dialect), checked };
    // First what others may have been faster with, so that a lost race costs little.
    writer.versions(changes);
    writer.stocks(changes);
    writer.orders(changes);
    writer.claims(changes);
    writer.payments(changes);
    writer.wallets(changes);
    writer.keys(changes);
    writer.events(changes);
    writer.notes(changes, currency);
    writer.script
}

struct Writer {
    hot: &'static HotStatements,
    script: Script,
    /// Whether rows must be of the version that was loaded.
    checked: bool,
}

impl Writer {
    fn versions(&mut self, changes: &Changes) {
        let checked = self.checked;
        let batch = |to| {
            Batch::rows(to, &changes.versions, |row, change| {
                row.integer(change.performance.0);
                row.optional_integer(checked.then_some(change.version - 1));
                row.optional_integer(checked.then_some(change.revision));
                row.integer(change.version);
            })
        };
        self.script.add(self.hot.update_versions, changes.versions.len(), batch);
    }

    fn stocks(&mut self, changes: &Changes) {
        let checked = self.checked;
        let batch = |to| {
            Batch::rows(to, &changes.stocks, |row, change| {
                row.integer(change.item.0);
                row.optional_integer(checked.then_some(change.version - 1));
                row.optional_integer(checked.then_some(change.revision));
                row.integer(change.version);
                row.integer(change.stock.total - change.before.total);
                row.integer(change.stock.left - change.before.left);
            })
        };
        self.script.add(self.hot.update_stocks, changes.stocks.len(), batch);
    }

    fn orders(&mut self, changes: &Changes) {
        let new = |to| {
            let at = common(changes.orders_new.iter().map(|order| order.created_at));
            Batch::integer_and_rows(to, at, &changes.orders_new, order_row).repeating_nothing()
        };
        self.script.insert(self.hot.insert_orders, changes.orders_new.len(), new);
        let checked = self.checked;
        let changed = |to| {
            Batch::rows(to, &changes.orders_changed, |row, change| {
                row.uuid(change.id.0);
                row.optional_integer(checked.then_some(change.version_before));
                row.integer(change.version);
                row.integer(status_code(change.status).into());
            })
        };
        self.script.add(self.hot.update_orders, changes.orders_changed.len(), changed);
    }

    fn claims(&mut self, changes: &Changes) {
        let gone = |to| Batch::rows(to, &changes.claims_gone, claim_row);
        self.script.add(self.hot.delete_claims, changes.claims_gone.len(), gone);
        let new = |to| Batch::rows(to, &changes.claims_new, claim_row).repeating_nothing();
        self.script.insert(self.hot.insert_claims, changes.claims_new.len(), new);
    }

    fn payments(&mut self, changes: &Changes) {
        let new = |to| {
            Batch::rows(to, &changes.payments_new, |row, payment| {
                row.uuid(payment.order.0);
                row.uuid(payment.id.0);
                row.integer(payment.user.0);
                row.integer(payment.amount);
                row.text(payment.currency.as_str());
                row.integer(payment.balance_after);
                row.integer(payment.refunded.into());
                row.integer(payment.created_at.0);
            })
        };
        self.script.insert(self.hot.insert_payments, changes.payments_new.len(), new);
        let refunded = |to| Batch::uuids(to, changes.payments_refunded.iter().map(|order| order.0));
        self.script.add(self.hot.refund_payments, changes.payments_refunded.len(), refunded);
    }

    fn wallets(&mut self, changes: &Changes) {
        let entries = |to| {
            let entries = changes.transfers.iter().flat_map(|transfer| [(transfer, true), (transfer, false)]);
            Batch::rows(to, entries, ledger_row)
        };
        self.script.insert(self.hot.insert_ledger, changes.transfers.len() * 2, entries);
        let (new, known): (Vec<WalletChange>, Vec<WalletChange>) =
            changes.wallets.iter().partition(|change| change.version_before == 0);
        let new_row = |row: &mut Row<'_>, change: &WalletChange| {
            row.integer(change.user.0);
            row.integer(change.wallet.balance);
            row.integer(change.wallet.version);
        };
        self.script.insert(self.hot.insert_wallets, new.len(), |to| Batch::rows(to, &new, new_row));
        let checked = self.checked;
        let known_row = |row: &mut Row<'_>, change: &WalletChange| {
            row.integer(change.user.0);
            row.optional_integer(checked.then_some(change.version_before));
            row.integer(change.wallet.balance);
            row.integer(change.wallet.version);
        };
        self.script.add(self.hot.update_wallets, known.len(), |to| Batch::rows(to, &known, known_row));
    }

    fn keys(&mut self, changes: &Changes) {
        let new = |to| {
            let at = common(changes.keys_new.iter().map(|key| key.created_at));
            Batch::integer_and_rows(to, at, &changes.keys_new, key_row).repeating_nothing()
        };
        self.script.insert(self.hot.insert_keys, changes.keys_new.len(), new);
    }

    fn events(&mut self, changes: &Changes) {
        let runs = changes.events.chunk_by(|one, next| one.kind == next.kind);
        let rows: Vec<&[Event]> = runs.flat_map(|run| run.chunks(ORDERS_PER_OUTBOX_ROW)).collect();
        let new = |to| {
            let at = common(changes.events.iter().map(|event| event.at));
            Batch::integer_and_rows(to, at, &rows, |row, events| event_row(row, events))
        };
        self.script.insert(self.hot.insert_events, rows.len(), new);
    }

    fn notes(&mut self, changes: &Changes, currency: Currency) {
        let new = |to| Batch::rows(to, &changes.notes, |row, note| note_row(row, note, currency));
        self.script.insert(self.hot.insert_notes, changes.notes.len(), new);
    }
}

/// The moment at which a batch was decided: the same in all its rows, so it travels once.
fn common(mut times: impl Iterator<Item = Timestamp>) -> i64 {
    let at = times.next().expect("a statement without rows is not made");
    debug_assert!(times.all(|other| other == at), "a batch is decided at one moment");
    at.0
}

/// A new order is held and of version 1, so its row says neither.
fn order_row(row: &mut Row<'_>, order: &Order) {
    debug_assert_eq!((order.status, order.version), (OrderStatus::Held, 1));
    row.uuid(order.id.0);
    row.integer(order.user.0);
    row.integer(order.offer().code());
    row.json(|text| push_goods(text, &order.goods));
    row.integer(order.amount);
    row.text(order.currency.as_str());
    row.integer(order.expires_at.0);
}

fn push_goods(text: &mut String, goods: &Goods) {
    match goods {
        Goods::Seats { lines, .. } => {
            push_array(text, lines, |text, line| push_pair(text, line.seat, line.price));
        }
        Goods::Units { count, price, .. } => {
            push_array(text, [(count, *price)], |text, (count, price)| push_pair(text, count, price));
        }
    }
}

fn push_pair(text: &mut String, what: impl Display, number: i64) {
    text.push('[');
    push(text, what);
    text.push(',');
    push(text, number);
    text.push(']');
}

fn claim_row(row: &mut Row<'_>, change: &ClaimChange) {
    row.integer(change.performance.0);
    row.integer(change.seat.0);
    row.optional_uuid(match change.claim {
        Claim::Order(order) => Some(order.0),
        Claim::Locked => None,
    });
}

/// One of the two entries of a transfer: that of the account that has more or of the one that
/// has less.
fn ledger_row(row: &mut Row<'_>, (transfer, receives): (&Transfer, bool)) {
    let (account, amount) =
        if receives { (transfer.to, transfer.amount) } else { (transfer.from, -transfer.amount) };
    row.uuid(transfer.id.0);
    row.integer(account.code());
    row.integer(amount);
    row.text(transfer.kind.as_str());
    row.optional_uuid(transfer.order.map(|order| order.0));
    row.optional_integer(matches!(account, Account::Wallet(_)).then_some(transfer.position));
    row.integer(transfer.created_at.0);
}

fn key_row(row: &mut Row<'_>, new: &NewKey) {
    let (target, order, balance_after) = match new.record.target {
        KeyTarget::Hold(order) => (TARGET_HOLD, Some(order.0), None),
        KeyTarget::Pay(order) => (TARGET_PAY, Some(order.0), None),
        KeyTarget::Charge { balance_after } => (TARGET_CHARGE, None, Some(balance_after)),
    };
    row.integer(new.user.0);
    row.uuid(Uuid::from_u128(new.key));
    row.integer(new.record.fingerprint.cast_signed());
    row.integer(target.into());
    row.optional_uuid(order);
    row.optional_integer(balance_after);
}

/// The same has happened to all these orders. A row is about the first, and names the others.
fn event_row(row: &mut Row<'_>, events: &[Event]) {
    let (first, others) = events.split_first().expect("a run has members");
    row.text(first.kind.as_str());
    row.uuid(first.order.id.0);
    row.integer(first.order.version);
    row.json(|text| {
        push_array(text, others, |text, Event { order, .. }| {
            push_pair(text, format_args!("\"{}\"", order.id.0.simple()), order.version);
        });
    });
}

/// It is about no order, and has no version: its number tells it from the others of its subject.
fn note_row(row: &mut Row<'_>, note: &Note, currency: Currency) {
    row.text(note.what.as_str());
    row.uuid(Uuid::nil());
    row.integer(0);
    row.integer(note.at.0);
    row.text(&note_subject(&note.what));
    row.json(|text| push(text, note_data(&note.what, currency)));
}
