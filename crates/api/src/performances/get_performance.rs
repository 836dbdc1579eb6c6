//! `GET /api/v1/performances/{id}`

use axum::{extract::State, response::Response};
use onsale_domain::ids::PerformanceId;
use onsale_engine::ports::PerformanceListing;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Shared,
    admin::{PriceBody, RulesBody},
    catalogue::cached,
    extract::{ApiPath, Head},
    problem::{Kind, Problem},
    time::{local, with_offset, zone},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NoSuchPerformance, Kind::NotFound];

/// A performance and the terms of its sale.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PerformanceTerms {
    /// The performance's id.
    #[schema(minimum = 1, example = 1)]
    performance_id: i64,
    /// What is shown.
    show: ShowName,
    /// Where.
    venue: VenueName,
    /// In which hall.
    hall: HallName,
    /// When it starts, with the venue's offset. Sales close then.
    #[schema(format = DateTime, example = "2026-11-21T19:00:00+09:00")]
    starts_at: String,
    /// When it ends, with the venue's offset.
    #[schema(format = DateTime, example = "2026-11-21T21:00:00+09:00")]
    ends_at: String,
    /// When sales open, with the venue's offset.
    #[schema(format = DateTime, example = "2026-11-01T20:00:00+09:00")]
    on_sale_at: String,
    /// Whether it was called off.
    cancelled: bool,
    /// The rules of the sale.
    rules: RulesBody,
    /// What seats cost, by category. Seats of other categories are not for sale.
    prices: Vec<PriceBody>,
    /// The currency of the prices, by its ISO 4217 code.
    #[schema(example = "KRW")]
    currency: String,
}

/// What is shown.
#[derive(Serialize, ToSchema)]
struct ShowName {
    /// The show's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// `movie` or `concert`.
    #[schema(example = "concert")]
    kind: &'static str,
    /// The title.
    #[schema(example = "Han River Nights")]
    title: String,
}

/// A venue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VenueName {
    /// The venue's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// Its name.
    #[schema(example = "Seoul World Cup Stadium")]
    name: String,
    /// Its IANA time zone.
    #[schema(example = "Asia/Seoul")]
    time_zone: String,
}

/// A hall.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HallName {
    /// The hall's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// Its name.
    #[schema(example = "Main")]
    name: String,
    /// How many seats it has.
    #[schema(example = 50_000)]
    seat_total: u32,
}

impl PerformanceTerms {
    fn new(listing: PerformanceListing, currency: &str) -> Self {
        let PerformanceListing { performance, show, hall, venue } = listing;
        let zone = zone(&venue.time_zone);
        let details = performance.details;
        let written = |at| with_offset(&local(at, &zone));
        Self {
            performance_id: performance.id.0,
            show: ShowName { id: show.id.0, kind: show.details.kind.as_str(), title: show.details.title },
            venue: VenueName { id: venue.id.0, name: venue.name, time_zone: venue.time_zone },
            starts_at: written(details.starts_at),
            ends_at: written(details.ends_at),
            on_sale_at: written(details.on_sale_at),
            cancelled: performance.cancelled,
            rules: details.rules.into(),
            prices: details.prices.iter().map(|level| PriceBody::new(level, &hall.categories)).collect(),
            hall: HallName { id: hall.id.0, name: hall.name, seat_total: hall.seats },
            currency: currency.to_owned(),
        }
    }
}

/// Get the terms of a performance
#[utoipa::path(get, path = "/api/v1/performances/{id}", tag = "performances",
    params(("id" = i64, Path, description = "The performance's id", minimum = 1)),
    responses((status = 200, description = "The performance and the terms of its sale", body = PerformanceTerms),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_performance(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    head: Head,
) -> Result<Response, Problem> {
    cached(&api, head.0.uri.path(), &head.0.headers, async {
        let listing = api.engine.catalogue.performance_listing(PerformanceId(id)).await?;
        Ok(PerformanceTerms::new(listing, api.currency.as_str()))
    })
    .await
}
