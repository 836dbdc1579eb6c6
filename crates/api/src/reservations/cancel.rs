//! `DELETE /api/v1/reservations/{id}`

use axum::{Json, extract::State};
use onsale_domain::{decide::Refusal, ids::OrderId, offer::OfferKind};
use uuid::Uuid;

use super::reservation::Reservation;
use crate::{
    Shared,
    caller::LoggedIn,
    extract::ApiPath,
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NoSuchReservation, Kind::HoldExpired, Kind::TooLateToRefund];

/// Cancel a reservation
///
/// Gives the seats back; if it was paid, the points too. Cancelling twice is the same as once.
#[utoipa::path(delete, path = "/api/v1/reservations/{id}", tag = "reservations", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The reservation's id")),
    responses((status = 200, description = "The cancelled reservation", body = Reservation)))]
pub(super) async fn cancel(
    State(api): State<Shared>,
    LoggedIn(caller): LoggedIn,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<Reservation>, Problem> {
    let sales = &api.engine.sales;
    let order = sales.order(caller.user, OrderId(id)).await.map_err(|error| api.sale_problem(error))?;
    if order.offer().kind() != OfferKind::Performance {
        return Err(api.sale_problem(Refusal::NoSuchOrder.into()));
    }
    let order = sales.cancel(caller.user, order.id).await.map_err(|error| api.sale_problem(error))?;
    Ok(Json(api.reservation(order).await?))
}
