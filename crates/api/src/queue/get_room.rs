//! `GET /api/v1/queue/rooms/{id}`

use axum::{extract::State, response::Response};
use onsale_domain::ids::RoomId;

use super::DocumentBody;
use crate::{
    Shared,
    extract::{ApiPath, Head},
    problem::Problem,
};

/// Get what everybody may know of a waiting room
///
/// The same bytes for everybody, at most a second old. With its own place a client computes its
/// position (`place` less `cursor`) and, between two of `waits`, its wait.
#[utoipa::path(get, path = "/api/v1/queue/rooms/{id}", tag = "queue",
    params(("id" = i64, Path, description = "The room's id", minimum = 1)),
    responses((status = 200, description = "The room", body = DocumentBody,
            headers(("ETag" = String, description = "A digest"))),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_room(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    head: Head,
) -> Result<Response, Problem> {
    let (encoded, _) = api.room_document(RoomId(id)).await?;
    Ok(encoded.answer(&head.0.headers).await)
}
