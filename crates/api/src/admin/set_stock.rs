//! `PUT /api/v1/admin/items/{id}/stock`

use axum::{Json, extract::State};
use onsale_domain::ids::ItemId;

use super::item::{StockBody, StockInput};
use crate::{
    Shared,
    caller::OwnerOf,
    json::Edited,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::StockOutOfBounds];

/// Change how many units an item has
///
/// Up or down, but not below what orders have.
///
/// `taken` and `left` may be sent along and are passed over.
#[utoipa::path(put, path = "/api/v1/admin/items/{id}/stock", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    request_body = StockInput, responses((status = 200, description = "The stock", body = StockBody)))]
pub(super) async fn set_stock(
    State(api): State<Shared>,
    OwnerOf(caller, id): OwnerOf<ItemId>,
    Edited(body): Edited<StockInput>,
) -> Result<Json<StockBody>, Problem> {
    let stock = api.engine.sales.set_stock(caller.user, id, body.total).await;
    Ok(Json(stock.map_err(|error| api.sale_problem(error))?.into()))
}
