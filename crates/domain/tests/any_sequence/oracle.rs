//! The rules once more, read directly off the rows, as slowly and plainly as possible.

use std::collections::BTreeSet;

use onsale_domain::{
    decide::{Cancel, Command, Hold, HoldUnits, Pay, Request, SetStock},
    hall::SeatMap,
    ids::{ItemId, SeatId},
    item::UNITS_MAX,
    offer::Offer,
    order::{Claim, Order, OrderStatus},
    time::Timestamp,
    wallet::CHARGE_MAX,
};

use crate::database::Database;

/// Whether a request is to be accepted. Exact only for a request that is decided alone.
pub(crate) fn accepts(database: &Database, request: &Request, now: Timestamp) -> bool {
    if let Some(key) = &request.key
        && let Some(record) = database.keys.get(&(request.caller, key.id))
    {
        return record.fingerprint == key.fingerprint;
    }
    match &request.command {
        Command::Hold(hold) => accepts_hold(database, request, hold, now),
        Command::HoldUnits(hold) => accepts_units(database, request, *hold, now),
        Command::SetStock(set) => accepts_stock(database, *set, now),
        Command::Pay(pay) => accepts_pay(database, request, *pay, now),
        Command::Cancel(cancel) => accepts_cancel(database, request, *cancel, now),
        Command::Expire(_) | Command::Release(_) => true,
        Command::Charge(charge) => (1..=CHARGE_MAX).contains(&charge.amount),
        Command::LockSeats(lock) => database
            .terms
            .get(&lock.performance)
            .is_some_and(|terms| lock.seats.iter().all(|seat| exists(&terms.seats, *seat))),
    }
}

fn accepts_hold(database: &Database, request: &Request, hold: &Hold, now: Timestamp) -> bool {
    let Some(terms) = database.terms.get(&hold.performance) else { return false };
    let distinct: BTreeSet<SeatId> = hold.seats.iter().copied().collect();
    let theirs: usize = database
        .orders
        .values()
        .filter(|order| order.user == request.caller && order.offer() == hold.performance.into())
        .filter(|order| has_its_seats(order, now))
        .map(|order| order.lines().len())
        .sum();
    let for_sale = |seat: &SeatId| {
        let seat = terms.seats.seats().iter().find(|other| other.id == *seat);
        seat.is_some_and(|seat| terms.price(seat.category).is_some())
    };
    // A hold past its deadline is in nobody's way, whether or not it has been released.
    let free = |seat: &SeatId| match database.claims.get(&(hold.performance, *seat)) {
        None => true,
        Some(Claim::Locked) => false,
        Some(Claim::Order(order)) => !has_its_seats(&database.orders[order], now),
    };
    !terms.cancelled
        && (terms.on_sale_at..terms.starts_at).contains(&now)
        && !hold.seats.is_empty()
        && distinct.len() == hold.seats.len()
        && theirs + hold.seats.len() <= terms.rules.seats_per_buyer_max as usize
        && hold.seats.iter().all(for_sale)
        && (!terms.rules.side_by_side || is_one_run(&terms.seats, &hold.seats))
        && hold.seats.iter().all(free)
}

fn accepts_units(database: &Database, request: &Request, hold: HoldUnits, now: Timestamp) -> bool {
    let Some(terms) = database.items.get(&hold.item) else { return false };
    let theirs: u64 = database
        .orders
        .values()
        .filter(|order| order.user == request.caller && order.offer() == hold.item.into())
        .filter(|order| has_its_seats(order, now))
        .map(|order| u64::from(order.count()))
        .sum();
    terms.kind.start_at().is_none_or(|start_at| now >= start_at)
        && hold.count > 0
        && theirs + u64::from(hold.count) <= terms.rules.units_per_buyer_max.into()
        && taken_units(database, hold.item, now) + i64::from(hold.count)
            <= database.stocks[&hold.item].0.total
}

fn accepts_stock(database: &Database, set: SetStock, now: Timestamp) -> bool {
    database.stocks.contains_key(&set.item)
        && (taken_units(database, set.item, now)..=UNITS_MAX).contains(&set.total)
}

/// Units in orders. A hold past its deadline has none, whether or not it has been released.
fn taken_units(database: &Database, item: ItemId, now: Timestamp) -> i64 {
    let orders = database.orders.values().filter(|order| order.offer() == item.into());
    orders.filter(|order| has_its_seats(order, now)).map(|order| i64::from(order.count())).sum()
}

fn accepts_pay(database: &Database, request: &Request, pay: Pay, now: Timestamp) -> bool {
    let balance = database.wallets.get(&request.caller).map_or(0, |wallet| wallet.balance);
    database.orders.get(&pay.order).is_some_and(|order| {
        order.user == request.caller
            && order.status == OrderStatus::Held
            && now < order.expires_at
            && balance >= order.amount
    })
}

fn accepts_cancel(database: &Database, request: &Request, cancel: Cancel, now: Timestamp) -> bool {
    database.orders.get(&cancel.order).is_some_and(|order| {
        let started = match order.offer() {
            Offer::Performance(performance) => now >= database.terms[&performance].starts_at,
            Offer::Item(_) => false,
        };
        order.user == request.caller
            && match order.status {
                OrderStatus::Held => now < order.expires_at,
                OrderStatus::Paid => !started,
                OrderStatus::Cancelled => true,
                OrderStatus::Expired => false,
            }
    })
}

fn has_its_seats(order: &Order, now: Timestamp) -> bool {
    match order.status {
        OrderStatus::Held => now < order.expires_at,
        OrderStatus::Paid => true,
        OrderStatus::Expired | OrderStatus::Cancelled => false,
    }
}

fn exists(seats: &SeatMap, seat: SeatId) -> bool {
    seats.seats().iter().any(|other| other.id == seat)
}

/// Whether seats fill one unbroken run of places in one row.
pub(crate) fn is_one_run(seats: &SeatMap, wanted: &[SeatId]) -> bool {
    let found: Vec<_> = seats.seats().iter().filter(|seat| wanted.contains(&seat.id)).collect();
    let Some(least) = found.iter().map(|seat| seat.place).min() else { return false };
    let run = least..least + i32::try_from(found.len()).expect("few");
    found.len() == wanted.len()
        && found.iter().all(|seat| seat.row == found[0].row && run.contains(&seat.place))
}
