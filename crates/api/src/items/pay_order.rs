//! `POST /api/order/{orderId}`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use onsale_engine::line::Shopper;
use uuid::Uuid;

use super::{
    envelope::{Failure, Success},
    get_stock::units_left,
};
use crate::{
    Shared,
    caller::LoggedIn,
    extract::ApiPath,
    idempotency::{KeyHeader, mark_replayed},
    problem::{Kind, Problem},
    queue::QueueToken,
};

pub(super) const PROBLEMS: &[Kind] =
    &[Kind::HoldExpired, Kind::OrderCancelled, Kind::AlreadyPaid, Kind::TooFewPoints];

/// Pay an order
///
/// From one's points. Answers how many units of the item are left. With an `Idempotency-Key`, sending
/// the request again pays nothing twice. If there is a waiting room, paying uses the token up.
#[utoipa::path(post, path = "/api/order/{orderId}", tag = "items", security(("bearer" = [])),
    params(("orderId" = Uuid, Path, description = "The order's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this request", min_length = 1, max_length = 255),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room")),
    responses((status = 200, description = "How many units of the item are left", body = Success<i64>,
        headers(("Idempotent-Replayed" = Option<String>, description = "`true` if an earlier request with the same key had done it")))))]
pub(super) async fn pay_order(
    State(api): State<Shared>,
    caller: Result<LoggedIn, Problem>,
    id: Result<ApiPath<Uuid>, Problem>,
    key: Result<KeyHeader, Problem>,
    token: Result<QueueToken, Problem>,
) -> Result<Response, Failure> {
    let (LoggedIn(caller), ApiPath(id), key, token) = (caller?, id?, key?, token?);
    let (order, item) = api.order_for_units(caller, id).await?;
    let (high, low) = id.as_u64_pair();
    let key = key.key("pay", [high.cast_signed(), low.cast_signed()]);
    let shopper = Shopper { user: caller.user, pass: token.as_deref(), from: None };
    let paid = api.engine.sales.pay(shopper, key, order.id).await.map_err(|error| api.sale_problem(error))?;
    let mut response = Json(Success::new(units_left(&api, item).await?)).into_response();
    mark_replayed(&mut response, paid.replayed);
    Ok(response)
}
