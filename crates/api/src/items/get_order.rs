//! `GET /api/order/{orderId}`

use axum::{Json, extract::State};
use uuid::Uuid;

use super::{
    envelope::{Failure, Success},
    order::OrderBody,
};
use crate::{Shared, caller::LoggedIn, extract::ApiPath, problem::Problem};

/// Get an order
///
/// One's own; somebody else's is not found.
#[utoipa::path(get, path = "/api/order/{orderId}", tag = "items", security(("bearer" = [])),
    params(("orderId" = Uuid, Path, description = "The order's id")),
    responses((status = 200, description = "The order", body = Success<OrderBody>)))]
pub(super) async fn get_order(
    State(api): State<Shared>,
    caller: Result<LoggedIn, Problem>,
    id: Result<ApiPath<Uuid>, Problem>,
) -> Result<Json<Success<Option<OrderBody>>>, Failure> {
    let (LoggedIn(caller), ApiPath(id)) = (caller?, id?);
    let (order, _) = api.order_for_units(caller, id).await?;
    Ok(Json(Success::new(OrderBody::new(&order))))
}
