//! `GET /api/v1/admin/venues/{id}/halls`

use axum::{Json, extract::State};
use onsale_domain::ids::VenueId;
use serde::Serialize;
use utoipa::ToSchema;

use super::hall::HallBody;
use crate::{Shared, caller::Organiser, extract::ApiPath, problem::Problem};

/// The halls of a venue.
#[derive(Serialize, ToSchema)]
pub(super) struct Halls {
    /// By id.
    halls: Vec<HallBody>,
}

/// List the halls of a venue
#[utoipa::path(get, path = "/api/v1/admin/venues/{id}/halls", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The venue's id", minimum = 1)),
    responses((status = 200, description = "The halls, by id", body = Halls)))]
pub(super) async fn list_halls(
    State(api): State<Shared>,
    _: Organiser,
    ApiPath(venue): ApiPath<i64>,
) -> Result<Json<Halls>, Problem> {
    let venue = api.engine.catalogue.venue(VenueId(venue)).await?;
    let halls = api.engine.catalogue.halls(venue.id).await?;
    Ok(Json(Halls { halls: halls.into_iter().map(HallBody::from).collect() }))
}
