//! `GET /api/v1/performances/{id}/seats`

use std::{io::Write, sync::Arc};

use axum::{extract::State, response::Response};
use onsale_domain::{ids::PerformanceId, order::SeatStatus, sale::SaleTerms};
use onsale_engine::sales::PerformanceView;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::live::{Answer, Stamp};
use crate::{
    Shared,
    encoded::{Encoded, Freshness},
    extract::{self, ApiPath, Head},
    problem::Problem,
    queue::QueueToken,
};

/// Above this many seats, encoding would hold up other requests on the same thread.
const INLINE_SEATS_MAX: usize = 2_000;

/// Which seats are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only seats of this status.
    #[param(inline)]
    status: Option<StatusBody>,
}

/// Whether a seat can be had.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SeatStatus)]
enum StatusBody {
    /// Free to take.
    Available,
    /// In somebody's reservation that is not paid yet; it may become free again.
    Held,
    /// Paid for.
    Sold,
    /// Not for sale.
    Locked,
}

impl From<StatusBody> for SeatStatus {
    fn from(status: StatusBody) -> Self {
        match status {
            StatusBody::Available => Self::Available,
            StatusBody::Held => Self::Held,
            StatusBody::Sold => Self::Sold,
            StatusBody::Locked => Self::Locked,
        }
    }
}

/// A seat of a performance. Written by [`write_seat`].
#[derive(ToSchema)]
#[schema(as = Seat, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what is written by hand")]
pub(super) struct SeatBody {
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
    /// The class printed on the ticket; none if it is not for sale.
    #[schema(example = "S")]
    #[schema(required)]
    grade: Option<String>,
    /// The price in minor units of the currency; none if it is not for sale.
    #[schema(minimum = 0, example = 154_000)]
    #[schema(required)]
    price: Option<i64>,
    /// Whether it can be had.
    status: StatusBody,
}

/// List the seats of a performance
///
/// By ordinal: the order of `layout`. For a large hall, `availability` is much smaller.
#[utoipa::path(get, path = "/api/v1/performances/{id}/seats", tag = "performances",
    params(("id" = i64, Path, description = "The performance's id", minimum = 1),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room"), Filter),
    responses((status = 200, description = "The seats", body = Vec<SeatBody>,
            headers(("ETag" = String, description = "The version, and the revision of the terms"))),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn list_seats(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    token: QueueToken,
    head: Head,
) -> Result<Response, Problem> {
    let filter: Filter = extract::query(&head.0.uri)?;
    let status = filter.status.map(SeatStatus::from);
    let id = PerformanceId(id);
    let view =
        api.engine.sales.view_with(token.as_deref(), id).await.map_err(|error| api.sale_problem(error))?;
    let encode = async {
        if view.terms().seats.seats().len() <= INLINE_SEATS_MAX {
            return encode(&view, status);
        }
        let view = view.clone();
        tokio::task::spawn_blocking(move || encode(&view, status)).await.expect("encoding does not panic")
    };
    let encoded = api.live.latest(id, Answer::Seats(status), Stamp::of(&view), encode).await;
    let mut response = encoded.answer(&head.0.headers).await;
    api.keep_private(id, &mut response);
    Ok(response)
}

fn encode(view: &PerformanceView, status: Option<SeatStatus>) -> (Stamp, Arc<Encoded>) {
    // Read before the statuses, so that a change in between only means encoding again.
    let stamp = Stamp::of(view);
    let body = seats_json(&view.terms(), &view.statuses(), status);
    (stamp, Encoded::with_tag(body, stamp.tag(), Freshness::Revalidate))
}

/// Writes the list. What seats of a row and of a category have in common is escaped once.
fn seats_json(terms: &SaleTerms, statuses: &[SeatStatus], wanted: Option<SeatStatus>) -> Vec<u8> {
    let rows: Vec<String> = terms
        .seats
        .rows()
        .iter()
        .map(|row| format!(r#","section":{},"row":{},"number":"#, json(&row.section), json(&row.label)))
        .collect();
    let prices: Vec<String> = (0..terms.seats.categories().len())
        .map(|category| match u16::try_from(category).ok().and_then(|category| terms.price(category)) {
            Some(price) => format!(r#","grade":{},"price":{},"status":""#, json(&price.grade), price.amount),
            None => r#","grade":null,"price":null,"status":""#.to_owned(),
        })
        .collect();
    let seats = terms.seats.seats();
    let mut body = Vec::with_capacity(if wanted.is_none() { 128 * seats.len() } else { 4_096 });
    body.push(b'[');
    for (seat, status) in seats.iter().zip(statuses) {
        if wanted.is_some_and(|wanted| wanted != *status) {
            continue;
        }
        if body.len() > 1 {
            body.push(b',');
        }
        write!(body, r#"{{"seatId":{}"#, seat.id).expect("memory takes everything");
        body.extend_from_slice(rows[seat.row as usize].as_bytes());
        serde_json::to_writer(&mut body, &seat.number).expect("a text is JSON");
        body.extend_from_slice(prices[usize::from(seat.category)].as_bytes());
        body.extend_from_slice(status.as_str().as_bytes());
        body.extend_from_slice(b"\"}");
    }
    body.push(b']');
    body
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use onsale_domain::{
        hall::{Row, Seat, SeatMap},
        ids::{HallId, SeatId, ShowId},
        money::Currency,
        sale::{Price, SaleRules},
        time::Timestamp,
    };
    use serde_json::json;

    use super::*;

    fn terms() -> SaleTerms {
        let seat = |id, number: &str, category| Seat {
            id: SeatId(id),
            row: 0,
            place: 0,
            number: number.into(),
            category,
            x: 0.0,
            y: 0.0,
            guid: None,
        };
        let row = Row { section: "Le \"Balcon\"".into(), label: "A".into() };
        let seats = vec![seat(1, "1", 0), seat(2, "2\\a", 1), seat(3, "3", 0)];
        SaleTerms {
            performance: PerformanceId(1),
            show: ShowId(1),
            revision: 1,
            seats: Arc::new(SeatMap::new(HallId(1), vec![row], vec!["a".into(), "b".into()], seats)),
            prices: vec![Some(Price { grade: "S".into(), amount: 10 }), None],
            currency: Currency::KRW,
            on_sale_at: Timestamp(0),
            starts_at: Timestamp(0),
            rules: SaleRules::default(),
            cancelled: false,
        }
    }

    #[test]
    fn what_is_written_by_hand_is_json() {
        let statuses = [SeatStatus::Held, SeatStatus::Locked, SeatStatus::Available];
        let all: serde_json::Value = serde_json::from_slice(&seats_json(&terms(), &statuses, None)).unwrap();
        let section = "Le \"Balcon\"";
        assert_eq!(
            all,
            json!([
                {"seatId": 1, "section": section, "row": "A", "number": "1", "grade": "S", "price": 10, "status": "held"},
                {"seatId": 2, "section": section, "row": "A", "number": "2\\a", "grade": null, "price": null, "status": "locked"},
                {"seatId": 3, "section": section, "row": "A", "number": "3", "grade": "S", "price": 10, "status": "available"},
            ])
        );
        let some = seats_json(&terms(), &statuses, Some(SeatStatus::Available));
        let some: serde_json::Value = serde_json::from_slice(&some).unwrap();
        assert_eq!(some, json!([all[2]]));
        assert_eq!(seats_json(&terms(), &statuses, Some(SeatStatus::Sold)), b"[]");
    }
}
