//! An order for units, as it is answered.

use onsale_domain::{
    decide::Refusal,
    ids::{ItemId, OrderId},
    order::{Goods, Order, OrderStatus},
};
use onsale_engine::accounts::Caller;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Api, problem::Problem, time::Rfc3339};

/// An order for units of one item.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub(super) struct OrderBody {
    /// The order's id.
    order_id: Uuid,
    /// The item's number.
    #[schema(minimum = 1, example = 1)]
    item_number: i64,
    /// How many units.
    #[schema(minimum = 1, example = 1)]
    count: u32,
    /// The price of one unit when it was ordered, in minor units of the currency.
    #[schema(minimum = 0, example = 1_000)]
    price: i64,
    /// What it costs in all.
    #[schema(minimum = 0, example = 1_000)]
    amount: i64,
    /// The currency, by its ISO 4217 code.
    #[schema(example = "KRW")]
    currency: String,
    /// Where it stands.
    status: Status,
    /// When it was made.
    created_at: Rfc3339,
    /// When its units go back unless it is paid. At this very moment they have.
    expires_at: Rfc3339,
}

/// Where an order stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OrderStatus)]
enum Status {
    /// Kept for the buyer until `expiresAt`; not yet paid.
    Held,
    /// Paid.
    Paid,
    /// Not paid in time; the units are free again.
    Expired,
    /// Given back; refunded if it had been paid.
    Cancelled,
}

impl From<OrderStatus> for Status {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Held => Self::Held,
            OrderStatus::Paid => Self::Paid,
            OrderStatus::Expired => Self::Expired,
            OrderStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl OrderBody {
    /// The order, if it is one for units.
    pub(super) fn new(order: &Order) -> Option<Self> {
        let Goods::Units { item, count, price } = order.goods else { return None };
        Some(Self {
            order_id: order.id.0,
            item_number: item.0,
            count,
            price,
            amount: order.amount,
            currency: order.currency.to_string(),
            status: order.status.into(),
            created_at: Rfc3339(order.created_at),
            expires_at: Rfc3339(order.expires_at),
        })
    }
}

impl Api {
    /// The caller's own order for units, and of which item. A reservation is none.
    pub(super) async fn order_for_units(&self, caller: Caller, id: Uuid) -> Result<(Order, ItemId), Problem> {
        let order = self.engine.sales.order(caller.user, OrderId(id)).await;
        let order = order.map_err(|error| self.sale_problem(error))?;
        match order.offer().item() {
            Some(item) => Ok((order, item)),
            None => Err(self.sale_problem(Refusal::NoSuchOrder.into())),
        }
    }
}
