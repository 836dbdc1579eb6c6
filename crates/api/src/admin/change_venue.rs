//! `PUT /api/v1/admin/venues/{id}`

use axum::{Json, extract::State};
use onsale_domain::{catalogue::Venue, ids::VenueId};

use super::venue::{VenueBody, VenueInput};
use crate::{Shared, caller::OwnerOf, json::Edited, problem::Problem};

/// Replace a venue
///
/// The answer of a GET can be put: `id` may be sent along, as it is in the address.
#[utoipa::path(put, path = "/api/v1/admin/venues/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The venue's id", minimum = 1)),
    request_body = VenueInput, responses((status = 200, description = "The venue", body = VenueBody)))]
pub(super) async fn change_venue(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<VenueId>,
    Edited(body): Edited<VenueInput>,
) -> Result<Json<VenueBody>, Problem> {
    let venue = Venue { id, name: body.name, time_zone: body.time_zone };
    Ok(Json(api.engine.catalogue.change_venue(venue).await?.into()))
}
