//! `POST /api/v1/admin/performances/{id}/seats/lock`

use axum::{Json, extract::State};
use onsale_domain::ids::PerformanceId;
use onsale_engine::accounts::Caller;
use serde::Serialize;
use utoipa::ToSchema;

use super::seats::{SeatsInput, resolve};
use crate::{
    Api, Shared,
    caller::OwnerOf,
    json::{AdminBody, JsonBody},
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NoSeats, Kind::UnknownSeat];

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct SeatsLocked {
    /// How many seats changed.
    #[schema(example = 60)]
    changed: u32,
    /// How many were as asked already.
    #[schema(example = 0)]
    unchanged: u32,
    /// The seats that buyers have, left as they are.
    taken: Vec<i64>,
}

/// Take seats off sale
///
/// Seats that buyers have stay theirs and are named in `taken`. Many seats change in portions, between which others
/// buy. If this ends with an error, some may have changed: the same request again changes the rest, and counts
/// these as `unchanged`.
#[utoipa::path(post, path = "/api/v1/admin/performances/{id}/seats/lock", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The performance's id", minimum = 1)),
    request_body = SeatsInput, responses((status = 200, description = "What was done", body = SeatsLocked)))]
pub(super) async fn lock_seats(
    State(api): State<Shared>,
    OwnerOf(caller, id): OwnerOf<PerformanceId>,
    JsonBody(seats): AdminBody<SeatsInput>,
) -> Result<Json<SeatsLocked>, Problem> {
    set_locked(&api, caller, id, seats, true).await
}

/// Locks or unlocks.
pub(super) async fn set_locked(
    api: &Api,
    caller: Caller,
    performance: PerformanceId,
    seats: SeatsInput,
    lock: bool,
) -> Result<Json<SeatsLocked>, Problem> {
    let sales = &api.engine.sales;
    let selector = seats.selector()?;
    let view = sales.view_of_house(performance).await.map_err(|error| api.sale_problem(error))?;
    let seats = resolve(selector, &view.terms().seats)?;
    let done = sales
        .lock_seats(caller.user, performance, seats, lock)
        .await
        .map_err(|error| api.sale_problem(error))?;
    let taken = done.taken.iter().map(|seat| seat.0).collect();
    Ok(Json(SeatsLocked { changed: done.changed, unchanged: done.unchanged, taken }))
}
