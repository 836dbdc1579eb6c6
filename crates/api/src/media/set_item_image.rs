//! `PUT /api/v1/admin/items/{id}/image`

use axum::{extract::State, http::StatusCode};
use onsale_domain::ids::ItemId;

use super::picture::Picture;
use crate::{Shared, caller::OwnerOf, problem::Problem};

/// Set an item's picture
///
/// The body is the picture itself: PNG, JPEG, WebP or GIF, at most 5 MiB, it and each of its frames of at
/// most 16,384 pixels on a side and 50 million in all. Positions, comments and the like are taken out; the
/// orientation stays. It becomes the item's `imageUrl`. What follows the picture in the body is
/// cut off.
#[utoipa::path(put, path = "/api/v1/admin/items/{id}/image", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    request_body(content = Vec<u8>, content_type = "image/*"),
    responses((status = 204, description = "The item has the picture")))]
pub(super) async fn set_item_image(
    State(api): State<Shared>,
    OwnerOf(caller, id): OwnerOf<ItemId>,
    picture: Picture,
) -> Result<StatusCode, Problem> {
    api.engine.set_image(caller.user, id, picture.media_type, picture.bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}
