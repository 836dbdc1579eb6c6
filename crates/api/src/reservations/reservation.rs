//! A reservation, as it is answered.

use onsale_domain::{
    decide::Refusal,
    order::{Line, Order, OrderStatus},
    sale::SaleTerms,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Api, problem::Problem, time::Rfc3339};

/// An order for seats of one performance.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reservation {
    /// The reservation's id.
    reservation_id: Uuid,
    /// What it is for.
    #[schema(minimum = 1, example = 1)]
    performance_id: i64,
    /// Where it stands.
    status: Status,
    /// The seats, in the order they were asked for.
    seats: Vec<ReservedSeat>,
    /// What it costs in all, in minor units of the currency.
    #[schema(minimum = 0, example = 308_000)]
    amount: i64,
    /// The currency, by its ISO 4217 code.
    #[schema(example = "KRW")]
    currency: String,
    /// When it was made.
    created_at: Rfc3339,
    /// When the hold ends unless it is paid. At this very moment it has ended.
    expires_at: Rfc3339,
}

/// Where a reservation stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReservationStatus)]
enum Status {
    /// Kept for the buyer until `expiresAt`; not yet paid.
    Held,
    /// Paid.
    Paid,
    /// Not paid in time; the seats are free again.
    Expired,
    /// Given back; refunded if it had been paid.
    Cancelled,
}

impl From<OrderStatus> for Status {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Held => Self::Held,
            OrderStatus::Paid => Self::Paid,
            OrderStatus::Expired => Self::Expired,
            OrderStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// A seat of a reservation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReservedSeat {
    /// The seat's id.
    #[schema(minimum = 1, example = 1)]
    seat_id: i64,
    /// The section it is in.
    #[schema(example = "Stalls")]
    section: String,
    /// The row's label.
    #[schema(example = "A")]
    row: String,
    /// What is written on it.
    #[schema(example = "12")]
    number: String,
    /// The class printed on the ticket; none if the organiser has taken it back since.
    #[schema(example = "S")]
    grade: Option<String>,
    /// The price it was reserved at, in minor units of the currency.
    #[schema(minimum = 0, example = 154_000)]
    price: i64,
}

impl ReservedSeat {
    fn new(line: Line, terms: &SaleTerms) -> Self {
        let seat = terms.seats.ordinal(line.seat).and_then(|ordinal| terms.seats.seat(ordinal));
        let row = seat.and_then(|seat| terms.seats.rows().get(seat.row as usize));
        Self {
            seat_id: line.seat.0,
            section: row.map_or_else(String::new, |row| row.section.clone()),
            row: row.map_or_else(String::new, |row| row.label.clone()),
            number: seat.map_or_else(String::new, |seat| seat.number.clone()),
            grade: seat.and_then(|seat| terms.price(seat.category)).map(|price| price.grade.clone()),
            price: line.price,
        }
    }
}

impl Api {
    /// An order with what is written on its seats.
    pub(super) async fn reservation(&self, order: Order) -> Result<Reservation, Problem> {
        // An order for units is none.
        let performance =
            order.offer().performance().ok_or_else(|| self.sale_problem(Refusal::NoSuchOrder.into()))?;
        let view =
            self.engine.sales.view_of_house(performance).await.map_err(|error| self.sale_problem(error))?;
        let terms = view.terms();
        Ok(Reservation {
            reservation_id: order.id.0,
            performance_id: performance.0,
            status: order.status.into(),
            seats: order.lines().iter().map(|line| ReservedSeat::new(*line, &terms)).collect(),
            amount: order.amount,
            currency: order.currency.to_string(),
            created_at: Rfc3339(order.created_at),
            expires_at: Rfc3339(order.expires_at),
        })
    }
}
