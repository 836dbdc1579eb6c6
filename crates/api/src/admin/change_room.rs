//! `PATCH /api/v1/admin/rooms/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::RoomId;

use super::room::{RoomBody, RoomChangeInput};
use crate::{Shared, caller::OwnerOf, json::Edited, problem::Problem};

/// Change a waiting room
///
/// Also opens, pauses and closes it, through `phase`. Settings can be changed while people wait; what
/// is left out stays as it is.
///
/// The answer of a GET can be sent: `id` may be sent along, as it is in the address, `admits` as it is, and
/// `revision`, which is passed over; a `phase` that the room is in changes nothing.
#[utoipa::path(patch, path = "/api/v1/admin/rooms/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The room's id", minimum = 1)),
    request_body = RoomChangeInput,
    responses((status = 200, description = "The room", body = RoomBody)))]
pub(super) async fn change_room(
    State(api): State<Shared>,
    OwnerOf(caller, id): OwnerOf<RoomId>,
    Edited(body): Edited<RoomChangeInput>,
) -> Result<Json<RoomBody>, Problem> {
    let rooms = &api.engine.rooms;
    let edit = body.edit(&rooms.stored(id).await?)?;
    for offer in edit.offers.iter().flatten() {
        api.engine.owners.check(caller, *offer).await?;
    }
    Ok(Json(rooms.edit(id, edit).await?.into()))
}
