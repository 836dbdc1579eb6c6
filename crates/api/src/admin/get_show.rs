//! `GET /api/v1/admin/shows/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::ShowId;

use super::show::ShowBody;
use crate::{Shared, caller::OwnerOf, problem::Problem};

/// Get a show
#[utoipa::path(get, path = "/api/v1/admin/shows/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The show's id", minimum = 1)),
    responses((status = 200, description = "The show", body = ShowBody)))]
pub(super) async fn get_show(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<ShowId>,
) -> Result<Json<ShowBody>, Problem> {
    Ok(Json(api.engine.catalogue.show(id).await?.into()))
}
