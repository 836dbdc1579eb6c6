//! `GET /api/v1/reservations/{id}`

use axum::{Json, extract::State};
use onsale_domain::ids::OrderId;
use uuid::Uuid;

use super::reservation::Reservation;
use crate::{
    Shared,
    caller::LoggedIn,
    extract::ApiPath,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NoSuchReservation];

/// Get a reservation
///
/// One's own; somebody else's is not found.
#[utoipa::path(get, path = "/api/v1/reservations/{id}", tag = "reservations", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The reservation's id")),
    responses((status = 200, description = "The reservation", body = Reservation)))]
pub(super) async fn get_reservation(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<Reservation>, Problem> {
    let order =
        api.engine.sales.order(caller.user, OrderId(id)).await.map_err(|error| api.sale_problem(error))?;
    Ok(Json(api.reservation(order).await?))
}
