//! `PUT /api/v1/admin/items/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::ItemId;

use super::item::{AdminItem, ItemInput};
use crate::{Shared, caller::OwnerOf, json::Edited, problem::Problem};

/// Replace an item
///
/// Its stock stays as it is, and what is ordered already costs what it did.
///
/// The answer of a GET can be put: `itemNumber` may be sent along, as it is in the address, and `stock`,
/// which is passed over.
#[utoipa::path(put, path = "/api/v1/admin/items/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    request_body = ItemInput, responses((status = 200, description = "The item", body = AdminItem)))]
pub(super) async fn change_item(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ItemId>,
    Edited(body): Edited<ItemInput>,
) -> Result<Json<AdminItem>, Problem> {
    let item = api.engine.catalogue.change_item(id, body.details()?).await?;
    let view = api.engine.sales.item(item.id).await.map_err(|error| api.sale_problem(error))?;
    Ok(Json(AdminItem::new(item, view.stock())))
}
