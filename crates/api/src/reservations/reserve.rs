//! `POST /api/v1/reservations`

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use onsale_domain::{
    decide::Refusal,
    ids::{PerformanceId, SeatId},
    sale::SEATS_PER_ORDER_MAX,
};
use onsale_engine::{line::Shopper, sales::SaleError};
use serde::Deserialize;
use utoipa::ToSchema;

use super::reservation::Reservation;
use crate::{
    Api, Shared,
    caller::{Client, LoggedIn},
    idempotency::{KeyHeader, mark_replayed},
    json::{JsonBody, json_answer},
    problem::{Kind, Problem},
    queue::{QueueToken, give_token},
};

pub(super) const PROBLEMS: &[Kind] = &[
    Kind::NoSeats,
    Kind::SeatTwice,
    Kind::NotOnSaleYet,
    Kind::SaleClosed,
    Kind::NoSuchPerformance,
    Kind::UnknownSeat,
    Kind::PerformanceCancelled,
    Kind::SeatOfAnotherPerformance,
    Kind::SeatLocked,
    Kind::SeatHeld,
    Kind::SeatSold,
    Kind::TooManySeats,
    Kind::NotSideBySide,
];

/// Seats to reserve.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Reserve)]
pub(super) struct Body {
    /// The performance.
    #[schema(minimum = 1, example = 1)]
    performance_id: i64,
    /// The seats, each once; all of them or none are held.
    #[schema(min_items = 1, max_items = 100, example = json!([1, 2]))]
    seat_ids: Vec<i64>,
}

/// Reserve seats
///
/// Holds all the seats for the buyer, or none, until `expiresAt`. When this is answered, the hold is
/// on disk. With an `Idempotency-Key`, sending the request again gives the same answer and holds
/// nothing twice.
#[utoipa::path(post, path = "/api/v1/reservations", tag = "reservations", security(("bearer" = [])),
    request_body = Body,
    params(("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this request", min_length = 1, max_length = 255),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room")),
    responses((status = 201, description = "The seats are held", body = Reservation,
        headers(("Location" = String, description = "The reservation"),
            ("Queue-Token" = Option<String>, description = "The token to go on with, if there is a waiting room: it lasts as long as the hold"),
            ("Idempotent-Replayed" = Option<String>, description = "`true` if an earlier request with the same key had done it")))))]
pub(super) async fn reserve(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
    Client(from): Client,
    key: KeyHeader,
    token: QueueToken,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    if body.seat_ids.len() > SEATS_PER_ORDER_MAX {
        return Err(Problem::field("seatIds", &format!("at most {SEATS_PER_ORDER_MAX} seats at once")));
    }
    let asked = [body.performance_id].into_iter().chain(body.seat_ids.iter().copied());
    let key = key.key("reserve", asked);
    let performance = PerformanceId(body.performance_id);
    let seats = body.seat_ids.into_iter().map(SeatId).collect();
    let shopper = Shopper { user: caller.user, pass: token.as_deref(), from: Some(from) };
    let held = match api.engine.sales.hold(shopper, key, performance, seats).await {
        Ok(held) => held,
        Err(error) => return Err(refused(&api, error).await),
    };
    let location = format!("/api/v1/reservations/{}", held.order.id);
    let reservation = api.reservation(held.order).await?;
    let mut response = json_answer(StatusCode::CREATED, &reservation);
    let location = HeaderValue::try_from(location).expect("a path is plain ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    give_token(&mut response, held.pass);
    mark_replayed(&mut response, held.replayed);
    Ok(response)
}

/// Tells a seat that exists in another hall from one that does not exist.
async fn refused(api: &Api, error: SaleError) -> Problem {
    if let SaleError::Refused(Refusal::NoSuchSeat(seat)) = error {
        match api.engine.catalogue.hall_of_seat(seat).await {
            Ok(None) => {}
            Ok(Some(_)) => {
                let detail = format!("seat {seat} is not in the hall of this performance");
                return Problem::new(Kind::SeatOfAnotherPerformance, detail).with("seatId", seat.0);
            }
            Err(error) => return error.into(),
        }
    }
    api.sale_problem(error)
}
