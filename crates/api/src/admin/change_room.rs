//! `PATCH /api/v1/admin/rooms/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::RoomId;

use super::room::{RoomBody, RoomChangeInput};
use crate::{Shared, caller::Organiser, extract::ApiPath, json::JsonBody, problem::Problem};

/// Change a waiting room
///
/// Also opens, pauses and closes it, through `phase`. Settings can be changed while people wait; what
/// is left out stays as it is.
#[utoipa::path(patch, path = "/api/v1/admin/rooms/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The room's id", minimum = 1)),
    request_body = RoomChangeInput,
    responses((status = 200, description = "The room", body = RoomBody)))]
pub(super) async fn change_room(
    State(api): State<Shared>,
    _: Organiser,
    ApiPath(id): ApiPath<i64>,
    JsonBody(body): JsonBody<RoomChangeInput>,
) -> Result<Json<RoomBody>, Problem> {
    let rooms = &api.engine.rooms;
    let stored = rooms.stored(RoomId(id)).await?;
    Ok(Json(rooms.edit(stored.id, body.edit(&stored)?).await?.into()))
}
