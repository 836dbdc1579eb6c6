//! `POST /api/v1/admin/rooms`

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::room::{RoomBody, RoomInput};
use crate::{Shared, caller::Organiser, json::JsonBody, problem::Problem};

/// Add a waiting room
///
/// From now on the performances and items behind it are sold to those whom it lets in, and until it is
/// opened, by time or by hand, to nobody.
#[utoipa::path(post, path = "/api/v1/admin/rooms", tag = "admin", security(("bearer" = [])),
    request_body = RoomInput,
    responses((status = 201, description = "The room", body = RoomBody,
        headers(("Location" = String, description = "The room")))))]
pub(super) async fn add_room(
    State(api): State<Shared>,
    Organiser(caller): Organiser,
    JsonBody(body): JsonBody<RoomInput>,
) -> Result<Response, Problem> {
    let details = body.details(caller.user);
    for offer in &details.offers {
        api.engine.owners.check(caller, *offer).await?;
    }
    let room = RoomBody::from(api.engine.rooms.add(details).await?);
    let location = format!("/api/v1/admin/rooms/{}", room.id);
    let mut response = (StatusCode::CREATED, Json(room)).into_response();
    let location = HeaderValue::try_from(location).expect("a path is plain ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}
