//! `GET /api/order`

use axum::{Json, extract::State};
use onsale_domain::{ids::OrderId, offer::OfferKind};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    envelope::{Failure, Success},
    order::OrderBody,
};
use crate::{
    Shared,
    caller::LoggedIn,
    extract::{self, ApiQuery},
    problem::Problem,
};

/// Which orders are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Only orders older than this one: the last of the page before.
    before: Option<Uuid>,
    /// Orders a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<u32>,
}

/// List one's orders
#[utoipa::path(get, path = "/api/order", tag = "items", security(("bearer" = [])), params(Paging),
    responses((status = 200, description = "The orders, the newest first", body = Success<Vec<OrderBody>>)))]
pub(super) async fn list_orders(
    State(api): State<Shared>,
    caller: Result<LoggedIn, Problem>,
    paging: Result<ApiQuery<Paging>, Problem>,
) -> Result<Json<Success<Vec<OrderBody>>>, Failure> {
    let (LoggedIn(caller), ApiQuery(paging)) = (caller?, paging?);
    let size = extract::size(paging.size, 20, 100)?;
    let before = paging.before.map(OrderId);
    let page = api.engine.sales.orders(caller.user, OfferKind::Item, before, size as usize).await;
    let page = page.map_err(|error| api.sale_problem(error))?;
    Ok(Json(Success::new(page.orders.iter().filter_map(OrderBody::new).collect())))
}
