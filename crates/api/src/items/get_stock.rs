//! `GET /api/stock/{itemNumber}`

use axum::{Json, extract::State};
use onsale_domain::ids::ItemId;

use super::envelope::{Failure, Success};
use crate::{Api, Shared, extract::ApiPath, problem::Problem};

/// Get what is left of an item
///
/// As of a moment ago: an order may still be refused.
#[utoipa::path(get, path = "/api/stock/{itemNumber}", tag = "items",
    params(("itemNumber" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, description = "How many units are left", body = Success<i64>)))]
pub(super) async fn get_stock(
    State(api): State<Shared>,
    id: Result<ApiPath<i64>, Problem>,
) -> Result<Json<Success<i64>>, Failure> {
    let ApiPath(id) = id?;
    Ok(Json(Success::new(units_left(&api, ItemId(id)).await?)))
}

/// How many units of an item are left, from memory.
pub(super) async fn units_left(api: &Api, item: ItemId) -> Result<i64, Problem> {
    let view = api.engine.sales.item(item).await.map_err(|error| api.sale_problem(error))?;
    // The memory may be of a moment when more was sold than there is only if a guard is off.
    Ok(view.stock().left.max(0))
}
