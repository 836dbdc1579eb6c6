//! `GET /api/v1/admin/items/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::ItemId;

use super::item::AdminItem;
use crate::{Shared, caller::OwnerOf, problem::Problem};

/// Get an item with its stock
#[utoipa::path(get, path = "/api/v1/admin/items/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, description = "The item", body = AdminItem)))]
pub(super) async fn get_admin_item(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ItemId>,
) -> Result<Json<AdminItem>, Problem> {
    let view = api.engine.sales.item(id).await.map_err(|error| api.sale_problem(error))?;
    let item = api.engine.catalogue.item(id).await?;
    Ok(Json(AdminItem::new(item, view.stock())))
}
