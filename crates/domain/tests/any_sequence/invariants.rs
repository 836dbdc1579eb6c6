//! What must be true of the rows after every batch.

use std::collections::{BTreeMap, HashMap};

use onsale_domain::{
    ids::{OrderId, PerformanceId, SeatId, UserId},
    order::{Claim, Order, OrderStatus},
    time::Timestamp,
    wallet::Account,
};

use crate::{
    Violation,
    database::{Database, ensure},
    oracle::is_one_run,
};

pub(crate) fn check(database: &Database, now: Timestamp) -> Result<(), Violation> {
    claims_match_orders(database)?;
    buyers_keep_their_limit(database, now)?;
    orders_follow_their_terms(database)?;
    money_adds_up(database)?;
    events_tell_every_change(database)?;
    announcements_tell_every_seat(database)
}

/// No seat has two orders, and claims are exactly the seats of orders written as held or paid
/// (apart from locks).
fn claims_match_orders(database: &Database) -> Result<(), Violation> {
    let mut owners: BTreeMap<(PerformanceId, SeatId), OrderId> = BTreeMap::new();
    for order in database.orders.values().filter(|order| is_live(order)) {
        for line in &order.lines {
            let other = owners.insert((order.performance, line.seat), order.id);
            ensure(other.is_none(), || format!("claimed twice: {line:?} by {other:?} and {order:?}"))?;
        }
    }
    let claimed: BTreeMap<_, _> = database
        .claims
        .iter()
        .filter_map(|(seat, claim)| match claim {
            Claim::Order(order) => Some((*seat, *order)),
            Claim::Locked => None,
        })
        .collect();
    ensure(owners == claimed, || format!("orders have {owners:?}, claims say {claimed:?}"))
}

fn is_live(order: &Order) -> bool {
    matches!(order.status, OrderStatus::Held | OrderStatus::Paid)
}

fn buyers_keep_their_limit(database: &Database, now: Timestamp) -> Result<(), Violation> {
    let mut seats: HashMap<(UserId, PerformanceId), usize> = HashMap::new();
    for order in database.orders.values().filter(|order| order.is_live_at(now)) {
        *seats.entry((order.user, order.performance)).or_default() += order.lines.len();
    }
    for ((user, performance), count) in seats {
        let max = database.terms[&performance].rules.seats_per_buyer_max as usize;
        ensure(count <= max, || format!("{user} has {count} seats of {performance}"))?;
    }
    Ok(())
}

fn orders_follow_their_terms(database: &Database) -> Result<(), Violation> {
    for order in database.orders.values() {
        let terms = &database.terms[&order.performance];
        let sum: i64 = order.lines.iter().map(|line| line.price).sum();
        ensure(order.amount == sum, || format!("amount and lines differ: {order:?}"))?;
        let hold_ms = order.expires_at.since_ms(order.created_at);
        ensure(hold_ms == terms.rules.hold_ms, || format!("held for {hold_ms} ms: {order:?}"))?;
        let seats: Vec<SeatId> = order.lines.iter().map(|line| line.seat).collect();
        ensure(!seats.is_empty(), || format!("no seats: {order:?}"))?;
        ensure(!terms.rules.side_by_side || is_one_run(&terms.seats, &seats), || {
            format!("not side by side: {order:?}")
        })?;
        for line in &order.lines {
            let seat = terms.seats.seats().iter().find(|seat| seat.id == line.seat);
            let price = seat.and_then(|seat| terms.price(seat.category)).map(|price| price.amount);
            ensure(price == Some(line.price), || format!("{line:?} costs {price:?}"))?;
        }
    }
    Ok(())
}

/// Wallets are the sum of their entries and never negative; the house has exactly what paid orders
/// cost; every paid order has one payment that was not given back.
fn money_adds_up(database: &Database) -> Result<(), Violation> {
    let mut accounts: BTreeMap<Account, i64> = BTreeMap::new();
    for transfer in database.transfers.values() {
        ensure(transfer.amount > 0 && transfer.from != transfer.to, || format!("{transfer:?}"))?;
        *accounts.entry(transfer.from).or_default() -= transfer.amount;
        *accounts.entry(transfer.to).or_default() += transfer.amount;
    }
    let sum: i64 = accounts.values().sum();
    ensure(sum == 0, || format!("the ledger sums to {sum}"))?;
    for user in 0..10 {
        let user = UserId(user);
        let balance = database.wallets.get(&user).map_or(0, |wallet| wallet.balance);
        let entries = accounts.get(&Account::Wallet(user)).copied().unwrap_or_default();
        ensure(balance == entries && balance >= 0, || format!("{user} has {balance}, entries {entries}"))?;
    }
    let paid = |order: &&Order| order.status == OrderStatus::Paid;
    let taken: i64 = database.orders.values().filter(paid).map(|order| order.amount).sum();
    let sales = accounts.get(&Account::Sales).copied().unwrap_or_default();
    ensure(taken == sales, || format!("paid orders cost {taken}, the house has {sales}"))?;
    for order in database.orders.values() {
        let payment = database.payments.get(&order.id);
        let right = match (order.status, payment) {
            (OrderStatus::Paid, Some(payment)) => !payment.refunded && payment.amount == order.amount,
            (OrderStatus::Cancelled, Some(payment)) => payment.refunded,
            (OrderStatus::Paid, None) | (OrderStatus::Held | OrderStatus::Expired, Some(_)) => false,
            (_, None) => true,
        };
        ensure(right, || format!("{order:?} with {payment:?}"))?;
    }
    Ok(())
}

/// The outbox has every version of every order once, in order, and the last is the row.
fn events_tell_every_change(database: &Database) -> Result<(), Violation> {
    let mut told: BTreeMap<OrderId, &Order> = BTreeMap::new();
    for event in &database.events {
        let before = told.insert(event.order.id, &event.order).map_or(0, |order| order.version);
        ensure(event.order.version == before + 1, || format!("{event:?} after version {before}"))?;
    }
    let rows: BTreeMap<OrderId, &Order> = database.orders.iter().map(|(id, order)| (*id, order)).collect();
    ensure(told == rows, || format!("told {told:?}, written {rows:?}"))
}

fn announcements_tell_every_seat(database: &Database) -> Result<(), Violation> {
    for (seat, announced) in &database.announced {
        let written = database.status(*seat);
        ensure(written == *announced, || format!("{seat:?} was announced as {announced:?}, is {written:?}"))?;
    }
    let silent = database.claims.keys().find(|seat| !database.announced.contains_key(seat));
    ensure(silent.is_none(), || format!("{silent:?} was never announced"))
}
