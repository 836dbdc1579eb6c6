//! `GET /api/v1/admin/rooms/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::RoomId;

use super::room::RoomBody;
use crate::{Shared, caller::OwnerOf, problem::Problem};

/// Get a waiting room as an organiser sees it
#[utoipa::path(get, path = "/api/v1/admin/rooms/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The room's id", minimum = 1)),
    responses((status = 200, description = "The room", body = RoomBody)))]
pub(super) async fn get_admin_room(
    State(api): State<Shared>,
    OwnerOf(_caller, id): OwnerOf<RoomId>,
) -> Result<Json<RoomBody>, Problem> {
    Ok(Json(api.engine.rooms.stored(id).await?.into()))
}
