//! `GET /api/v1/admin/halls/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::HallId;

use super::hall::HallBody;
use crate::{Shared, caller::Organiser, extract::ApiPath, problem::Problem};

/// Get a hall
#[utoipa::path(get, path = "/api/v1/admin/halls/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The hall's id", minimum = 1)),
    responses((status = 200, description = "The hall, without its seats", body = HallBody)))]
pub(super) async fn get_hall(
    State(api): State<Shared>,
    _: Organiser,
    ApiPath(id): ApiPath<i64>,
) -> Result<Json<HallBody>, Problem> {
    Ok(Json(api.engine.catalogue.hall(HallId(id)).await?.into()))
}
