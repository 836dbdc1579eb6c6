//! `POST /api/v1/admin/users/{id}/points`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use onsale_domain::{ids::UserId, wallet::CHARGE_MAX};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    Shared,
    accounts::PointsBody,
    caller::Organiser,
    extract::ApiPath,
    idempotency::{KeyHeader, mark_replayed},
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::AmountOutOfBounds, Kind::PointsNotForSale, Kind::NoSuchUser];

/// Points that somebody has paid for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Credit)]
pub(super) struct CreditInput {
    /// How much, in minor units of the currency.
    #[schema(minimum = 1, maximum = 1_000_000_000_i64, example = 50_000)]
    amount: i64,
}

const _: () = assert!(CHARGE_MAX == 1_000_000_000, "the document above says what can be credited");

/// Credit an account with points
///
/// For whoever has been paid: the bridge to a payment provider, a box office. `accounts.points_from` in the
/// configuration says whether administrators may, organisers too, or nobody. With an `Idempotency-Key`, such
/// as the payment's number, sending the request again credits once.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/points", tag = "admin", security(("bearer" = [])),
    request_body = CreditInput,
    params(("id" = i64, Path, description = "The account's id", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this request", min_length = 1, max_length = 255)),
    responses((status = 200, description = "The account's wallet", body = PointsBody,
        headers(("Idempotent-Replayed" = Option<String>, description = "`true` if an earlier request with the same key had done it")))))]
pub(super) async fn credit_points(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    ApiPath(id): ApiPath<i64>,
    key: KeyHeader,
    JsonBody(body): JsonBody<CreditInput>,
) -> Result<Response, Problem> {
    let account = api.engine.accounts.profile(UserId(id)).await?.id;
    let key = key.by(caller.user).key("credit", [body.amount]);
    let credited = api.engine.sales.credit(caller, account, key, body.amount).await;
    let credited = credited.map_err(|error| api.sale_problem(error))?;
    let points = PointsBody { balance: credited.balance, currency: api.currency.to_string() };
    let mut response = Json(points).into_response();
    mark_replayed(&mut response, credited.replayed);
    Ok(response)
}
