//! Rows to domain types and back.

use onsale_domain::{
    decide::{KeyRecord, KeyTarget},
    ids::{OrderId, PaymentId, SeatId, UserId},
    offer::Offer,
    order::{Claim, Goods, Line, Order, OrderStatus, Payment},
    time::Timestamp,
};
use onsale_engine::ports::StoreError;
use sea_orm::{QueryResult, TryGetable};
use uuid::Uuid;

use crate::{
    entity::{order, payment},
    error::{broken, store_error},
};

/// What an idempotency key stands for, as a number.
pub(super) const TARGET_HOLD: i16 = 0;
pub(super) const TARGET_PAY: i16 = 1;
pub(super) const TARGET_CHARGE: i16 = 2;

/// An order's status as a number.
pub(crate) const fn status_code(status: OrderStatus) -> i16 {
    match status {
        OrderStatus::Held => 0,
        OrderStatus::Paid => 1,
        OrderStatus::Expired => 2,
        OrderStatus::Cancelled => 3,
    }
}

pub(crate) fn order_status(code: i16) -> Result<OrderStatus, StoreError> {
    Ok(match code {
        0 => OrderStatus::Held,
        1 => OrderStatus::Paid,
        2 => OrderStatus::Expired,
        3 => OrderStatus::Cancelled,
        _ => return Err(broken(format!("an order has status {code}"))),
    })
}

pub(crate) fn order_from_model(model: &order::Model) -> Result<Order, StoreError> {
    Ok(Order {
        id: OrderId(model.id),
        user: UserId(model.user_id),
        goods: goods(Offer::from_code(model.performance_id), &model.seats)?,
        status: order_status(model.status)?,
        amount: model.amount,
        currency: model.currency.parse().map_err(broken)?,
        created_at: Timestamp(model.created_at),
        expires_at: Timestamp(model.expires_at),
        version: model.version,
    })
}

/// The order in a row of a hot statement, whose columns begin at `first`.
pub(super) fn order_from_row(row: &QueryResult, first: usize) -> Result<Order, StoreError> {
    order_from_model(&order::Model {
        id: get(row, first)?,
        user_id: get(row, first + 1)?,
        performance_id: get(row, first + 2)?,
        status: get(row, first + 3)?,
        seats: get(row, first + 4)?,
        amount: get(row, first + 5)?,
        currency: get(row, first + 6)?,
        created_at: get(row, first + 7)?,
        expires_at: get(row, first + 8)?,
        version: get(row, first + 9)?,
    })
}

pub(crate) fn payment_from_model(model: &payment::Model) -> Result<Payment, StoreError> {
    Ok(Payment {
        id: PaymentId(model.id),
        order: OrderId(model.order_id),
        user: UserId(model.user_id),
        amount: model.amount,
        currency: model.currency.parse().map_err(broken)?,
        balance_after: model.balance_after,
        refunded: model.refunded,
        created_at: Timestamp(model.created_at),
    })
}

pub(crate) fn claim_of(order: Option<Uuid>) -> Claim {
    order.map_or(Claim::Locked, |order| Claim::Order(OrderId(order)))
}

pub(crate) fn key_record(
    fingerprint: i64,
    target: i16,
    order: Option<Uuid>,
    balance_after: Option<i64>,
) -> Result<KeyRecord, StoreError> {
    let target = match (target, order, balance_after) {
        (TARGET_HOLD, Some(order), _) => KeyTarget::Hold(OrderId(order)),
        (TARGET_PAY, Some(order), _) => KeyTarget::Pay(OrderId(order)),
        (TARGET_CHARGE, _, Some(balance_after)) => KeyTarget::Charge { balance_after },
        _ => return Err(broken(format!("an idempotency key has target {target}"))),
    };
    Ok(KeyRecord { fingerprint: fingerprint.cast_unsigned(), target })
}

/// One column of a row.
pub(super) fn get<T: TryGetable>(row: &QueryResult, index: usize) -> Result<T, StoreError> {
    row.try_get_by_index(index).map_err(store_error)
}

/// What an order is for: pairs of (seat, price), or one pair of (count, price).
fn goods(offer: Offer, json: &str) -> Result<Goods, StoreError> {
    let pairs: Vec<(i64, i64)> = serde_json::from_str(json).map_err(broken)?;
    match (offer, &pairs[..]) {
        (Offer::Performance(performance), _) => {
            let line = |(seat, price)| Line { seat: SeatId(seat), price };
            Ok(Goods::Seats { performance, lines: pairs.into_iter().map(line).collect() })
        }
        (Offer::Item(item), &[(count, price)]) => {
            Ok(Goods::Units { item, count: u32::try_from(count).map_err(broken)?, price })
        }
        (Offer::Item(_), _) => Err(broken(format!("an order for units has {} pairs", pairs.len()))),
    }
}
