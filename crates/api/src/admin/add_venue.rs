//! `POST /api/v1/admin/venues`

use axum::{Json, extract::State, http::StatusCode};

use super::venue::{VenueBody, VenueInput};
use crate::{
    Shared,
    caller::Organiser,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Add a venue
#[utoipa::path(post, path = "/api/v1/admin/venues", tag = "admin", security(("bearer" = [])),
    request_body = VenueInput, responses((status = 201, description = "The venue", body = VenueBody)))]
pub(super) async fn add_venue(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    JsonBody(body): AdminBody<VenueInput>,
) -> Result<(StatusCode, Json<VenueBody>), Problem> {
    let venue = api.engine.catalogue.add_venue(&body.name, &body.time_zone, Some(caller.user)).await?;
    Ok((StatusCode::CREATED, Json(venue.into())))
}
