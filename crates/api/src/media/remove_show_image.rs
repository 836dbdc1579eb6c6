//! `DELETE /api/v1/admin/shows/{id}/image`

use axum::{extract::State, http::StatusCode};
use onsale_domain::ids::ShowId;

use crate::{Shared, caller::OwnerOf, problem::Problem};

/// Take a show's picture away
#[utoipa::path(delete, path = "/api/v1/admin/shows/{id}/image", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The show's id", minimum = 1)),
    responses((status = 204, description = "The show has no picture")))]
pub(super) async fn remove_show_image(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ShowId>,
) -> Result<StatusCode, Problem> {
    api.engine.remove_image(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
