//! What must be true of the rows after every batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use onsale_domain::{
    decide::Noted,
    ids::{ItemId, OrderId, PerformanceId, SeatId, UserId},
    offer::Offer,
    order::{Claim, Goods, Order, OrderStatus},
    time::Timestamp,
    wallet::{Account, TransferKind},
};

use crate::{
    Violation,
    database::{Database, ensure},
    oracle::is_one_run,
};

pub(crate) fn check(database: &Database, now: Timestamp) -> Result<(), Violation> {
    claims_match_orders(database)?;
    stocks_match_orders(database)?;
    buyers_keep_their_limit(database, now)?;
    orders_follow_their_terms(database)?;
    money_adds_up(database)?;
    events_tell_every_change(database)?;
    notes_tell_every_change(database)?;
    announcements_tell_every_seat(database)
}

/// No seat has two orders, and claims are exactly the seats of orders written as held or paid
/// (apart from locks).
fn claims_match_orders(database: &Database) -> Result<(), Violation> {
    let mut owners: BTreeMap<(PerformanceId, SeatId), OrderId> = BTreeMap::new();
    for order in database.orders.values().filter(|order| is_live(order)) {
        let Goods::Seats { performance, lines } = &order.goods else { continue };
        for line in lines {
            let other = owners.insert((*performance, line.seat), order.id);
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

/// What an item's orders have, held or paid, and what is left make up its stock.
fn stocks_match_orders(database: &Database) -> Result<(), Violation> {
    let mut taken: BTreeMap<ItemId, i64> = BTreeMap::new();
    for order in database.orders.values().filter(|order| is_live(order)) {
        if let Goods::Units { item, count, .. } = order.goods {
            *taken.entry(item).or_default() += i64::from(count);
        }
    }
    for (item, (stock, _)) in &database.stocks {
        let taken = taken.get(item).copied().unwrap_or_default();
        ensure(stock.left >= 0 && stock.taken() == taken, || {
            format!("item {item} has {stock:?}, its orders {taken}")
        })?;
    }
    Ok(())
}

fn is_live(order: &Order) -> bool {
    matches!(order.status, OrderStatus::Held | OrderStatus::Paid)
}

fn buyers_keep_their_limit(database: &Database, now: Timestamp) -> Result<(), Violation> {
    let mut counts: HashMap<(UserId, Offer), u32> = HashMap::new();
    for order in database.orders.values().filter(|order| order.is_live_at(now)) {
        *counts.entry((order.user, order.offer())).or_default() += order.count();
    }
    for ((user, offer), count) in counts {
        let max = match offer {
            Offer::Performance(performance) => database.terms[&performance].rules.seats_per_buyer_max,
            Offer::Item(item) => database.items[&item].rules.units_per_buyer_max,
        };
        ensure(count <= max, || format!("{user} has {count} of {offer}"))?;
    }
    Ok(())
}

fn orders_follow_their_terms(database: &Database) -> Result<(), Violation> {
    for order in database.orders.values() {
        let (performance, lines) = match &order.goods {
            Goods::Seats { performance, lines } => (performance, lines),
            Goods::Units { item, count, price } => {
                units_follow_their_terms(database, order, *item, *count, *price)?;
                continue;
            }
        };
        let terms = &database.terms[performance];
        let sum: i64 = lines.iter().map(|line| line.price).sum();
        ensure(order.amount == sum, || format!("amount and lines differ: {order:?}"))?;
        let hold_ms = order.expires_at.since_ms(order.created_at);
        ensure(hold_ms == terms.rules.hold_ms, || format!("held for {hold_ms} ms: {order:?}"))?;
        let seats: Vec<SeatId> = lines.iter().map(|line| line.seat).collect();
        ensure(!seats.is_empty(), || format!("no seats: {order:?}"))?;
        ensure(!terms.rules.side_by_side || is_one_run(&terms.seats, &seats), || {
            format!("not side by side: {order:?}")
        })?;
        for line in lines {
            let seat = terms.seats.seats().iter().find(|seat| seat.id == line.seat);
            let price = seat.and_then(|seat| terms.price(seat.category)).map(|price| price.amount);
            ensure(price == Some(line.price), || format!("{line:?} costs {price:?}"))?;
        }
    }
    Ok(())
}

fn units_follow_their_terms(
    database: &Database,
    order: &Order,
    item: ItemId,
    count: u32,
    price: i64,
) -> Result<(), Violation> {
    let terms = &database.items[&item];
    let hold_ms = order.expires_at.since_ms(order.created_at);
    let right = price == terms.price
        && count > 0
        && order.amount == price * i64::from(count)
        && hold_ms == terms.rules.hold_ms
        && terms.kind.start_at().is_none_or(|start_at| order.created_at >= start_at);
    ensure(right, || format!("{order:?} differs from {terms:?}"))
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

/// Who hears of nothing but notes knows which seats are locked, how many units there are, and what was
/// charged.
fn notes_tell_every_change(database: &Database) -> Result<(), Violation> {
    let mut locked = BTreeSet::new();
    let mut totals = database.first_totals.clone();
    let mut charged = BTreeMap::new();
    for note in &database.notes {
        match &note.what {
            Noted::SeatsLocked { performance, show, seats, locked: lock } => {
                ensure(*show == database.terms[performance].show, || format!("of another show: {note:?}"))?;
                for seat in seats.iter().map(|seat| (*performance, *seat)) {
                    let new = if *lock { locked.insert(seat) } else { locked.remove(&seat) };
                    ensure(new, || format!("{seat:?} was so already: {note:?}"))?;
                }
            }
            Noted::StockChanged { item, total_before, stock } => {
                let before = totals.insert(*item, stock.total);
                let right = before == Some(*total_before) && *total_before != stock.total;
                ensure(right, || format!("{note:?} after {before:?}"))?;
            }
            Noted::PointsCharged { user, transfer, amount, .. } => {
                charged.insert(*transfer, (Account::Wallet(*user), *amount));
            }
        }
    }
    let claimed = database.claims.iter().filter(|(_, claim)| **claim == Claim::Locked);
    let claimed: BTreeSet<_> = claimed.map(|(seat, _)| *seat).collect();
    ensure(locked == claimed, || format!("told of locks {locked:?}, written {claimed:?}"))?;
    let differs = totals.iter().find(|(item, total)| database.stocks[item].0.total != **total);
    ensure(differs.is_none(), || format!("told of stocks {differs:?}, written {:?}", database.stocks))?;
    let charges = database.transfers.values().filter(|transfer| transfer.kind == TransferKind::Charge);
    let charges: BTreeMap<_, _> =
        charges.map(|transfer| (transfer.id, (transfer.to, transfer.amount))).collect();
    ensure(charged == charges, || format!("told of charges {charged:?}, written {charges:?}"))
}

fn announcements_tell_every_seat(database: &Database) -> Result<(), Violation> {
    for (seat, announced) in &database.announced {
        let written = database.status(*seat);
        ensure(written == *announced, || format!("{seat:?} was announced as {announced:?}, is {written:?}"))?;
    }
    let silent = database.claims.keys().find(|seat| !database.announced.contains_key(seat));
    ensure(silent.is_none(), || format!("{silent:?} was never announced"))
}
