//! What events say, as JSON. `docs/events.md` explains each field.
//!
//! What the sale writes to an order is told by [`order_data`] when it is published, because everything
//! in an order but its status and version stays as it was. What an organiser changes, and what is
//! charged, is told in the transaction that changes it, since it may have changed again by then.

use onsale_domain::{
    catalogue::{Performance, Show},
    decide::Noted,
    item::Item,
    money::Currency,
    order::{Goods, Line, OrderStatus},
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use crate::ports::OutboxOrder;

/// The most prices that an event tells. A hall may have 65,535 categories, and an event must be small.
const PRICES_MAX: usize = 200;

/// What there is to say of an order after it went to `status`.
#[must_use]
pub fn order_data(of: &OutboxOrder, status: OrderStatus) -> Value {
    let order = &of.order;
    let mut data = json!({
        "orderId": order.id.0,
        "userId": order.user.0,
        "status": status.as_str(),
        "version": of.version,
        "amount": order.amount,
        "currency": order.currency.as_str(),
        "createdAt": time(order.created_at),
        "expiresAt": time(order.expires_at),
    });
    match &order.goods {
        Goods::Seats { performance, lines } => {
            let seat = |line: &Line| json!({"seatId": line.seat.0, "price": line.price});
            data["performanceId"] = performance.0.into();
            data["seats"] = lines.iter().map(seat).collect();
        }
        Goods::Units { item, count, price } => {
            data["itemId"] = item.0.into();
            data["count"] = (*count).into();
            data["price"] = (*price).into();
        }
    }
    if let Some(show) = of.show {
        data["showId"] = show.0.into();
    }
    // Before it was paid nobody knew of the payment, whatever has happened since.
    let payment =
        of.payment.as_ref().filter(|_| matches!(status, OrderStatus::Paid | OrderStatus::Cancelled));
    if let Some(payment) = payment {
        data["payment"] = json!({
            "paymentId": payment.id.0,
            "amount": payment.amount,
            "refunded": status == OrderStatus::Cancelled,
            "paidAt": time(payment.created_at),
        });
    }
    data
}

/// What there is to say of a performance.
#[must_use]
pub fn performance_data(performance: &Performance, revision: i64, currency: Currency) -> Value {
    let details = &performance.details;
    let prices = details.prices.iter();
    let price = |level: &onsale_domain::catalogue::PriceLevel| json!({"category": level.category, "grade": level.grade, "price": level.price});
    let mut data = json!({
        "performanceId": performance.id.0,
        "showId": details.show.0,
        "hallId": details.hall.0,
        "startsAt": time(details.starts_at),
        "endsAt": time(details.ends_at),
        "onSaleAt": time(details.on_sale_at),
        "holdSeconds": details.rules.hold_ms / 1_000,
        "seatsPerBuyerMax": details.rules.seats_per_buyer_max,
        "sideBySide": details.rules.side_by_side,
        "currency": currency.as_str(),
        "cancelled": performance.cancelled,
        "revision": revision,
    });
    if prices.len() <= PRICES_MAX {
        data["prices"] = prices.map(price).collect();
    }
    data
}

/// What there is to say of a film or a concert.
#[must_use]
pub fn show_data(show: &Show) -> Value {
    let details = &show.details;
    let mut data = Map::new();
    data.insert("showId".to_owned(), show.id.0.into());
    data.insert("kind".to_owned(), details.kind.as_str().into());
    data.insert("title".to_owned(), details.title.as_str().into());
    let release_date = details.release_date.map(|date| date.to_string());
    let known = [
        ("grade", details.grade.clone().map(Value::from)),
        ("genre", details.genre.clone().map(Value::from)),
        ("releaseDate", release_date.map(Value::from)),
        ("runningTime", details.running_time_min.map(Value::from)),
        ("creator", details.creator.clone().map(Value::from)),
    ];
    data.extend(known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    data.into()
}

/// What there is to say of an item.
#[must_use]
pub fn item_data(item: &Item, revision: i64, currency: Currency) -> Value {
    let details = &item.details;
    let mut data = json!({
        "itemId": item.id.0,
        "name": details.name,
        "kind": details.kind.as_str(),
        "price": details.price,
        "currency": currency.as_str(),
        "holdSeconds": details.rules.hold_ms / 1_000,
        "unitsPerBuyerMax": details.rules.units_per_buyer_max,
        "revision": revision,
    });
    if let Some(start_at) = details.kind.start_at() {
        data["startAt"] = time(start_at).into();
    }
    data
}

/// What the sale's note is about: `items/7`, `performances/7`, `users/7`.
#[must_use]
pub fn note_subject(noted: &Noted) -> String {
    match noted {
        Noted::StockChanged { item, .. } => format!("items/{item}"),
        Noted::SeatsLocked { performance, .. } => format!("performances/{performance}"),
        Noted::PointsCharged { user, .. } => format!("users/{user}"),
    }
}

/// What there is to say of the sale's note.
#[must_use]
pub fn note_data(noted: &Noted, currency: Currency) -> Value {
    match noted {
        Noted::StockChanged { item, total_before, stock } => json!({
            "itemId": item.0,
            "totalBefore": total_before,
            "total": stock.total,
            "left": stock.left,
        }),
        Noted::SeatsLocked { performance, show, seats, .. } => json!({
            "performanceId": performance.0,
            "showId": show.0,
            "seatIds": seats.iter().map(|seat| seat.0).collect::<Vec<_>>(),
        }),
        Noted::PointsCharged { user, transfer, amount, balance } => json!({
            "userId": user.0,
            "transferId": transfer.0,
            "amount": amount,
            "balance": balance,
            "currency": currency.as_str(),
        }),
    }
}

/// A point in time as events tell it: RFC 3339, in UTC. Times that cannot be written become the last
/// that can.
#[must_use]
pub fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX).to_string()
}
