//! `PUT /api/v1/admin/venues/{id}/owner`

use axum::{Json, extract::State};
use onsale_domain::ids::VenueId;

use super::owner::{OwnerBody, OwnerInput};
use crate::{Shared, caller::Admin, extract::ApiPath, json::JsonBody, problem::Problem};

/// Give a venue to an organiser
///
/// Its halls go with it.
#[utoipa::path(put, path = "/api/v1/admin/venues/{id}/owner", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The venue's id", minimum = 1)),
    request_body = OwnerInput, responses((status = 200, description = "The owner", body = OwnerBody)))]
pub(super) async fn give_venue(
    State(api): State<Shared>,
    _: Admin,
    ApiPath(id): ApiPath<i64>,
    JsonBody(body): JsonBody<OwnerInput>,
) -> Result<Json<OwnerBody>, Problem> {
    Ok(Json(api.engine.owners.give(VenueId(id), &body.email).await?.into()))
}
