//! `PUT /api/v1/admin/items/{id}/owner`

use axum::{Json, extract::State};
use onsale_domain::ids::ItemId;

use super::owner::{OwnerBody, OwnerInput};
use crate::{Shared, caller::Admin, extract::ApiPath, json::JsonBody, problem::Problem};

/// Give an item to an organiser
///
/// Its stock goes with it.
#[utoipa::path(put, path = "/api/v1/admin/items/{id}/owner", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    request_body = OwnerInput, responses((status = 200, description = "The owner", body = OwnerBody)))]
pub(super) async fn give_item(
    State(api): State<Shared>,
    _: Admin,
    ApiPath(id): ApiPath<i64>,
    JsonBody(body): JsonBody<OwnerInput>,
) -> Result<Json<OwnerBody>, Problem> {
    Ok(Json(api.engine.owners.give(ItemId(id), &body.email).await?.into()))
}
