//! `DELETE /api/v1/queue/tokens/me`

use axum::{extract::State, http::StatusCode};

use super::QueueToken;
use crate::{
    Shared,
    caller::MaybeLoggedIn,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NotFound];

/// Leave a waiting room
///
/// Gives the place, or the turn, to somebody else. Leaving twice is the same as once.
#[utoipa::path(delete, path = "/api/v1/queue/tokens/me", tag = "queue", security((), ("bearer" = [])),
    params(("Queue-Token" = String, Header, description = "The token")),
    responses((status = 204, description = "The place is given up")))]
pub(super) async fn leave(
    State(api): State<Shared>,
    MaybeLoggedIn(caller): MaybeLoggedIn,
    token: QueueToken,
) -> Result<StatusCode, Problem> {
    api.engine.rooms.leave(token.required()?, caller.map(|caller| caller.user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
