//! `POST /api/order`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use onsale_domain::ids::ItemId;
use onsale_engine::line::Shopper;
use serde::Deserialize;
use utoipa::ToSchema;

use super::envelope::{Failure, Success};
use crate::{
    Shared,
    caller::{Client, LoggedIn},
    idempotency::{KeyHeader, mark_replayed},
    json::JsonBody,
    problem::{Kind, Problem},
    queue::{QueueToken, give_token},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NoUnits, Kind::NotOnSaleYet, Kind::SoldOut, Kind::TooManyUnits];

/// Units to order.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PlaceOrder)]
pub(super) struct Body {
    /// The item.
    #[schema(minimum = 1, example = 1)]
    item_number: i64,
    /// How many units; all of them or none are held.
    #[schema(minimum = 1, maximum = 1_000, example = 1)]
    count: u32,
}

/// Order units of an item
///
/// Holds all the units for the buyer, or none, until the order's `expiresAt`. When this is answered,
/// the hold is on disk and can be paid. With an `Idempotency-Key`, sending the request again gives the
/// same answer and orders nothing twice.
#[utoipa::path(post, path = "/api/order", tag = "items", security(("bearer" = [])),
    request_body = Body,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this request", min_length = 1, max_length = 255),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room")),
    responses((status = 200, description = "The order's id", body = Success<Uuid>,
        headers(("Queue-Token" = Option<String>, description = "The token to go on with, if there is a waiting room: it lasts as long as the hold"),
            ("Idempotent-Replayed" = Option<String>, description = "`true` if an earlier request with the same key had done it")))))]
pub(super) async fn place_order(
    State(api): State<Shared>,
    caller: Result<LoggedIn, Problem>,
    Client(from): Client,
    key: Result<KeyHeader, Problem>,
    token: Result<QueueToken, Problem>,
    body: Result<JsonBody<Body>, Problem>,
) -> Result<Response, Failure> {
    let (LoggedIn(caller), key, token, JsonBody(body)) = (caller?, key?, token?, body?);
    let key = key.key("order", [body.item_number, body.count.into()]);
    let shopper = Shopper { user: caller.user, pass: token.as_deref(), from: Some(from) };
    let held = api.engine.sales.hold_units(shopper, key, ItemId(body.item_number), body.count).await;
    let held = held.map_err(|error| api.sale_problem(error))?;
    let mut response = Json(Success::new(held.order.id.0)).into_response();
    give_token(&mut response, held.pass);
    mark_replayed(&mut response, held.replayed);
    Ok(response)
}
