//! `DELETE /api/order/{orderId}`

use axum::{Json, extract::State};
use uuid::Uuid;

use super::{
    envelope::{Failure, Success},
    order::OrderBody,
};
use crate::{
    Shared,
    caller::LoggedIn,
    extract::ApiPath,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::HoldExpired];

/// Cancel an order
///
/// Gives the units back; if it was paid, the points too. Cancelling twice is the same as once.
#[utoipa::path(delete, path = "/api/order/{orderId}", tag = "items", security(("bearer" = [])),
    params(("orderId" = Uuid, Path, description = "The order's id")),
    responses((status = 200, description = "The cancelled order", body = Success<OrderBody>)))]
pub(super) async fn cancel_order(
    State(api): State<Shared>,
    caller: Result<LoggedIn, Problem>,
    id: Result<ApiPath<Uuid>, Problem>,
) -> Result<Json<Success<Option<OrderBody>>>, Failure> {
    let (LoggedIn(caller), ApiPath(id)) = (caller?, id?);
    let (order, _) = api.order_for_units(caller, id).await?;
    let order = api.engine.sales.cancel(caller.user, order.id).await;
    let order = order.map_err(|error| api.sale_problem(error))?;
    Ok(Json(Success::new(OrderBody::new(&order))))
}
