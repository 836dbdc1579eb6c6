//! `GET /api/v1/queue/tokens/me`

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{QueueToken, token::TicketBody};
use crate::{
    Shared,
    caller::MaybeLoggedIn,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NotFound];

/// Ask how one stands
///
/// Also says that one is still there. When it is one's turn, `status` is `active` and `token` another
/// one, which opens the sale.
#[utoipa::path(get, path = "/api/v1/queue/tokens/me", tag = "queue", security((), ("bearer" = [])),
    params(("Queue-Token" = String, Header, description = "The token")),
    responses((status = 200, description = "The place in line", body = TicketBody)))]
pub(super) async fn ask(
    State(api): State<Shared>,
    MaybeLoggedIn(caller): MaybeLoggedIn,
    token: QueueToken,
) -> Result<Response, Problem> {
    let line = api.engine.rooms.ask(token.required()?, caller.map(|caller| caller.user)).await?;
    let mut response = Json(TicketBody::from(line)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
