//! `POST /api/v1/users/me/points/charge`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use onsale_domain::wallet::CHARGE_MAX;
use serde::Deserialize;
use utoipa::ToSchema;

use super::PointsBody;
use crate::{
    Shared,
    caller::LoggedIn,
    idempotency::{KeyHeader, mark_replayed},
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::AmountOutOfBounds, Kind::PointsNotForSale];

/// Points to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Charge)]
pub(super) struct Body {
    /// How much, in minor units of the currency.
    #[schema(minimum = 1, maximum = 1_000_000_000_i64, example = 50_000)]
    amount: i64,
}

const _: () = assert!(CHARGE_MAX == 1_000_000_000, "the document above says what can be charged");

/// Charge points
///
/// Adds points to one's wallet, where everybody may: by default only in the demo. With an `Idempotency-Key`, sending the request again charges once.
#[utoipa::path(post, path = "/api/v1/users/me/points/charge", tag = "accounts", security(("bearer" = [])),
    request_body = Body,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this request", min_length = 1, max_length = 255)),
    responses((status = 200, description = "The wallet", body = PointsBody,
        headers(("Idempotent-Replayed" = Option<String>, description = "`true` if an earlier request with the same key had done it")))))]
pub(super) async fn charge_points(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
    key: KeyHeader,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    let key = key.key("charge", [body.amount]);
    let charged = api
        .engine
        .sales
        .charge(caller.user, key, body.amount)
        .await
        .map_err(|error| api.sale_problem(error))?;
    let points = PointsBody { balance: charged.balance, currency: api.currency.to_string() };
    let mut response = Json(points).into_response();
    mark_replayed(&mut response, charged.replayed);
    Ok(response)
}
