//! `PUT /api/v1/admin/shows/{id}/owner`

use axum::{Json, extract::State};
use onsale_domain::ids::ShowId;

use super::owner::{OwnerBody, OwnerInput};
use crate::{Shared, caller::Admin, extract::ApiPath, json::JsonBody, problem::Problem};

/// Give a show to an organiser
///
/// Its performances, prices, locks and pictures go with it, and waiting rooms that are in front of its
/// performances alone.
#[utoipa::path(put, path = "/api/v1/admin/shows/{id}/owner", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The show's id", minimum = 1)),
    request_body = OwnerInput, responses((status = 200, description = "The owner", body = OwnerBody)))]
pub(super) async fn give_show(
    State(api): State<Shared>,
    _: Admin,
    ApiPath(id): ApiPath<i64>,
    JsonBody(body): JsonBody<OwnerInput>,
) -> Result<Json<OwnerBody>, Problem> {
    Ok(Json(api.engine.owners.give(ShowId(id), &body.email).await?.into()))
}
