//! `POST /api/v1/queue/tokens`

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use onsale_domain::{
    ids::{ItemId, PerformanceId, RoomId},
    offer::Offer,
};
use onsale_engine::line::LineError;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{QueueToken, token::TicketBody};
use crate::{
    Api, Shared,
    caller::{Client, MaybeLoggedIn},
    json::JsonBody,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[
    Kind::NotFound,
    Kind::NoSuchPerformance,
    Kind::NoSuchItem,
    Kind::NotPossible,
    Kind::WaitingRoomNotOpen,
    Kind::WaitingRoomClosed,
    Kind::TooManyRequests,
    Kind::Overloaded,
];

/// What to wait for: exactly one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = JoinQueue)]
pub(super) struct Body {
    /// A performance that has a waiting room.
    #[schema(minimum = 1, example = 1)]
    performance_id: Option<i64>,
    /// An item that has a waiting room.
    #[schema(minimum = 1, example = 1)]
    item_number: Option<i64>,
    /// A waiting room.
    #[schema(minimum = 1, example = 1)]
    room_id: Option<i64>,
}

/// Join a waiting room
///
/// Who has a live place gets it again: an account by itself, a guest who sends their token along. While
/// there is room the token is active at once.
#[utoipa::path(post, path = "/api/v1/queue/tokens", tag = "queue", security((), ("bearer" = [])),
    request_body = Body,
    params(("Queue-Token" = Option<String>, Header, description = "The token one has already")),
    responses((status = 201, description = "The place in line", body = TicketBody,
        headers(("Location" = String, description = "Where to ask")))))]
pub(super) async fn join(
    State(api): State<Shared>,
    MaybeLoggedIn(caller): MaybeLoggedIn,
    Client(client): Client,
    token: QueueToken,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    let rooms = &api.engine.rooms;
    let room = match (body.room_id, body.performance_id, body.item_number) {
        (Some(room), None, None) => RoomId(room),
        (None, Some(id), None) => api.room_in_front_of(PerformanceId(id).into()).await?,
        (None, None, Some(id)) => api.room_in_front_of(ItemId(id).into()).await?,
        _ => {
            let reason = "give exactly one of `performanceId`, `itemNumber` and `roomId`";
            return Err(Problem::field("roomId", reason));
        }
    };
    let user = caller.map(|caller| caller.user);
    // Somebody who has a place gets it again, whatever else comes from their address.
    let line = match rooms.live(room, user, token.as_deref()).await? {
        Some(live) => live,
        None => {
            if user.is_none() && rooms.takes_guests(room) {
                api.count_guest(client).await?;
            }
            rooms.join(room, user, None).await?
        }
    };
    let mut response = (StatusCode::CREATED, Json(TicketBody::from(line))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/api/v1/queue/tokens/me"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl Api {
    /// The room in front of an offer, or why there is none to join.
    async fn room_in_front_of(&self, offer: Offer) -> Result<RoomId, Problem> {
        if let Some(room) = self.engine.rooms.room_of(offer) {
            return Ok(room);
        }
        match offer {
            Offer::Performance(id) => drop(self.engine.catalogue.performance(id).await?),
            Offer::Item(id) => drop(self.engine.catalogue.item(id).await?),
        }
        Err(LineError::NotGuarded(offer).into())
    }
}
