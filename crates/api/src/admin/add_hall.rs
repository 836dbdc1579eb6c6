//! `POST /api/v1/admin/venues/{id}/halls`

use axum::{Json, extract::State, http::StatusCode};
use onsale_domain::ids::VenueId;

use super::hall::{HallBody, HallInput};
use crate::{
    Shared,
    caller::OwnerOf,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Add a hall with its seats
#[utoipa::path(post, path = "/api/v1/admin/venues/{id}/halls", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The venue's id", minimum = 1)),
    request_body = HallInput, responses((status = 201, description = "The hall", body = HallBody)))]
pub(super) async fn add_hall(
    State(api): State<Shared>,
    OwnerOf(_caller, venue): OwnerOf<VenueId>,
    JsonBody(mut body): AdminBody<HallInput>,
) -> Result<(StatusCode, Json<HallBody>), Problem> {
    let name = std::mem::take(&mut body.name);
    // A million seats take a while to lay out, and other requests share this thread.
    let plan = tokio::task::spawn_blocking(move || body.plan()).await.expect("a plan does not panic")?;
    let id = api.engine.catalogue.add_hall(venue, &name, &plan).await?;
    Ok((StatusCode::CREATED, Json(api.engine.catalogue.hall(id).await?.into())))
}
