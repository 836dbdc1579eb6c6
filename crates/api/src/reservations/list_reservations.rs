//! `GET /api/v1/reservations`

use axum::{Json, extract::State};
use onsale_domain::{ids::OrderId, offer::OfferKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::reservation::Reservation;
use crate::{
    Shared,
    caller::LoggedIn,
    extract::{self, ApiQuery},
    problem::Problem,
};

/// Which page is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Only reservations older than this one: `next` of the page before.
    before: Option<Uuid>,
    /// Reservations a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<u32>,
}

/// Some of one's reservations.
#[derive(Serialize, ToSchema)]
pub(super) struct Reservations {
    /// The newest first.
    reservations: Vec<Reservation>,
    /// What to ask for as `before` to get the next page; none if this is the last.
    next: Option<Uuid>,
}

/// List one's reservations
#[utoipa::path(get, path = "/api/v1/reservations", tag = "reservations", security(("bearer" = [])),
    params(Paging),
    responses((status = 200, description = "The reservations, the newest first", body = Reservations)))]
pub(super) async fn list_reservations(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
    ApiQuery(paging): ApiQuery<Paging>,
) -> Result<Json<Reservations>, Problem> {
    let size = extract::size(paging.size, 20, 100)?;
    let before = paging.before.map(OrderId);
    let page = api
        .engine
        .sales
        .orders(caller.user, OfferKind::Performance, before, size as usize)
        .await
        .map_err(|error| api.sale_problem(error))?;
    let next = page.orders.last().filter(|_| page.more).map(|order| order.id.0);
    let mut reservations = Vec::with_capacity(page.orders.len());
    for order in page.orders {
        reservations.push(api.reservation(order).await?);
    }
    Ok(Json(Reservations { reservations, next }))
}
