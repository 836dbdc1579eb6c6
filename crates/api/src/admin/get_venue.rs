//! `GET /api/v1/admin/venues/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::VenueId;

use super::venue::VenueBody;
use crate::{Shared, caller::Organiser, extract::ApiPath, problem::Problem};

/// Get a venue
#[utoipa::path(get, path = "/api/v1/admin/venues/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The venue's id", minimum = 1)),
    responses((status = 200, description = "The venue", body = VenueBody)))]
pub(super) async fn get_venue(
    State(api): State<Shared>,
    _: Organiser,
    ApiPath(id): ApiPath<i64>,
) -> Result<Json<VenueBody>, Problem> {
    Ok(Json(api.engine.catalogue.venue(VenueId(id)).await?.into()))
}
