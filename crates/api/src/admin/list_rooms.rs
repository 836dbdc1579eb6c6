//! `GET /api/v1/admin/rooms`

use axum::{Json, extract::State};

use super::room::RoomBody;
use crate::{Shared, caller::Organiser, problem::Problem};

/// List the waiting rooms
///
/// An organiser sees their own, an administrator all. The oldest first. There are at most 1,000.
#[utoipa::path(get, path = "/api/v1/admin/rooms", tag = "admin", security(("bearer" = [])),
    responses((status = 200, description = "The rooms", body = Vec<RoomBody>)))]
pub(super) async fn list_rooms(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
) -> Result<Json<Vec<RoomBody>>, Problem> {
    let rooms = api.engine.owners.own_rooms(caller, api.engine.rooms.list().await?).await?;
    Ok(Json(rooms.into_iter().map(RoomBody::from).collect()))
}
