//! `DELETE /api/v1/admin/items/{id}/image`

use axum::{extract::State, http::StatusCode};
use onsale_domain::ids::ItemId;

use crate::{Shared, caller::OwnerOf, problem::Problem};

/// Take an item's picture away
#[utoipa::path(delete, path = "/api/v1/admin/items/{id}/image", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 204, description = "The item has no picture")))]
pub(super) async fn remove_item_image(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ItemId>,
) -> Result<StatusCode, Problem> {
    api.engine.remove_image(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
