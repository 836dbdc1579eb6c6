//! `POST /api/v1/admin/items`

use axum::{Json, extract::State, http::StatusCode};
use onsale_domain::item::Stock;

use super::item::{AdminItem, NewItem};
use crate::{
    Shared,
    caller::Organiser,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Add an item
#[utoipa::path(post, path = "/api/v1/admin/items", tag = "admin", security(("bearer" = [])),
    request_body = NewItem, responses((status = 201, description = "The item", body = AdminItem)))]
pub(super) async fn add_item(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    JsonBody(body): AdminBody<NewItem>,
) -> Result<(StatusCode, Json<AdminItem>), Problem> {
    let units = body.stock;
    let item = api.engine.catalogue.add_item(body.item.details()?, units, Some(caller.user)).await?;
    Ok((StatusCode::CREATED, Json(AdminItem::new(item, Stock { total: units, left: units }))))
}
