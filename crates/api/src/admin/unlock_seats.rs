//! `POST /api/v1/admin/performances/{id}/seats/unlock`

use axum::{Json, extract::State};
use onsale_domain::ids::PerformanceId;

use super::{
    lock_seats::{SeatsLocked, set_locked},
    seats::SeatsInput,
};
use crate::{
    Shared,
    caller::OwnerOf,
    json::{AdminBody, JsonBody},
    problem::Problem,
};

/// Put seats back on sale
///
/// In portions, as they are taken off sale.
#[utoipa::path(post, path = "/api/v1/admin/performances/{id}/seats/unlock", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The performance's id", minimum = 1)),
    request_body = SeatsInput, responses((status = 200, description = "What was done", body = SeatsLocked)))]
pub(super) async fn unlock_seats(
    State(api): State<Shared>,
    OwnerOf(caller, id): OwnerOf<PerformanceId>,
    JsonBody(seats): AdminBody<SeatsInput>,
) -> Result<Json<SeatsLocked>, Problem> {
    set_locked(&api, caller, id, seats, false).await
}
