//! `GET /api/v1/performances/{id}/availability`

use axum::{extract::State, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use onsale_domain::ids::PerformanceId;
use onsale_engine::sales::{PerformanceView, SeatCounts};
use serde::Serialize;
use utoipa::ToSchema;

use super::live::{Answer, Stamp};
use crate::{
    Shared,
    encoded::{Encoded, Freshness},
    extract::{ApiPath, Head},
    problem::Problem,
    queue::QueueToken,
};

/// Which seats can be had, at one version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Availability {
    /// The performance's id.
    #[schema(minimum = 1, example = 1)]
    performance_id: i64,
    /// Rises by one with every change; `events` go on from it.
    #[schema(example = 17)]
    version: i64,
    /// How many seats there are of each status.
    counts: Counts,
    /// One bit per seat ordinal, the lowest bit of the first byte first, in base64; 1 means not
    /// available.
    #[schema(content_encoding = "base64", example = "AwAAAA==")]
    bitmap: String,
}

/// How many seats there are of each status.
#[derive(Serialize, ToSchema)]
struct Counts {
    /// All seats of the hall.
    #[schema(example = 50_000)]
    total: u32,
    /// Free.
    #[schema(example = 49_998)]
    available: u32,
    /// In reservations not yet paid.
    #[schema(example = 1)]
    held: u32,
    /// Paid for.
    #[schema(example = 1)]
    sold: u32,
    /// Not for sale.
    #[schema(example = 0)]
    locked: u32,
}

impl From<SeatCounts> for Counts {
    fn from(counts: SeatCounts) -> Self {
        let SeatCounts { total, available, held, sold, locked } = counts;
        Self { total, available, held, sold, locked }
    }
}

/// Get which seats can be had
///
/// Small even for a large hall, and the same for everybody. Poll it with `If-None-Match`, or read it
/// once and follow `events`.
#[utoipa::path(get, path = "/api/v1/performances/{id}/availability", tag = "performances",
    params(("id" = i64, Path, description = "The performance's id", minimum = 1),
        ("Queue-Token" = Option<String>, Header, description = "An active token, if there is a waiting room")),
    responses((status = 200, description = "The seats at one version", body = Availability,
            headers(("ETag" = String, description = "The version, and the revision of the terms"))),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_availability(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    token: QueueToken,
    head: Head,
) -> Result<Response, Problem> {
    let id = PerformanceId(id);
    let view =
        api.engine.sales.view_with(token.as_deref(), id).await.map_err(|error| api.sale_problem(error))?;
    let encoded =
        api.live.latest(id, Answer::Availability, Stamp::of(&view), async { encode(id, &view) }).await;
    let mut response = encoded.answer(&head.0.headers).await;
    api.keep_private(id, &mut response);
    Ok(response)
}

fn encode(id: PerformanceId, view: &PerformanceView) -> (Stamp, std::sync::Arc<Encoded>) {
    let seats = view.snapshot();
    let stamp = Stamp { version: seats.version, revision: seats.revision };
    let availability = Availability {
        performance_id: id.0,
        version: seats.version,
        counts: seats.counts.into(),
        bitmap: BASE64_STANDARD.encode(&seats.taken),
    };
    let body = serde_json::to_vec(&availability).expect("an answer is plain JSON");
    (stamp, Encoded::with_tag(body, stamp.tag(), Freshness::Revalidate))
}
