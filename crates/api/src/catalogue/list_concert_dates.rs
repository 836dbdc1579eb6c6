//! `GET /api/v1/concerts/{id}/dates`

use axum::{extract::State, response::Response};
use onsale_domain::{catalogue::ShowKind, ids::ShowId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{cached, concert::ConcertDate};
use crate::{
    Shared,
    extract::{ApiPath, Head},
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NotFound];

/// The dates of a concert.
#[derive(Serialize, ToSchema)]
pub(super) struct ConcertDates {
    /// Those that have not ended, the earliest first.
    dates: Vec<ConcertDate>,
}

/// List the dates of a concert
#[utoipa::path(get, path = "/api/v1/concerts/{id}/dates", tag = "catalogue",
    params(("id" = i64, Path, description = "The concert's id", minimum = 1)),
    responses((status = 200, description = "The coming dates, the earliest first", body = ConcertDates),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn list_concert_dates(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    head: Head,
) -> Result<Response, Problem> {
    cached(&api, head.0.uri.path(), &head.0.headers, async {
        let listing = api.engine.catalogue.listing(ShowKind::Concert, ShowId(id)).await?;
        let currency = api.currency.as_str();
        Ok(ConcertDates {
            dates: listing.performances.iter().map(|d| ConcertDate::new(d, currency)).collect(),
        })
    })
    .await
}
