//! `GET /api/v1/concerts`

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{cached_with, concert::Concert};
use crate::{
    Shared,
    extract::{self, Head},
    paging,
    problem::Problem,
};

/// Which page is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Which page, from 0.
    #[param(minimum = 0, maximum = 1_000_000, default = 0)]
    page: Option<u32>,
    /// Concerts a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<u32>,
}

/// Concerts.
#[derive(Serialize, ToSchema)]
pub(super) struct Concerts {
    /// The concerts of the page, those with the nearest coming date first.
    concerts: Vec<Concert>,
    /// The page.
    page: u32,
    /// Concerts a page.
    size: u32,
    /// How many there are on all pages.
    total: u64,
}

/// List concerts
#[utoipa::path(get, path = "/api/v1/concerts", tag = "catalogue", params(Paging),
    responses((status = 200, description = "The concerts, the nearest coming date first", body = Concerts,
        headers(("X-Total-Count" = u64, description = "How many there are on all pages"),
            ("Link" = Option<String>, description = "The next page, if there is one"))),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn list_concerts(State(api): State<Shared>, head: Head) -> Result<Response, Problem> {
    let more = |body: &[u8]| paging::numbered(&head.0.uri, body);
    cached_with(&api, head.address(), &head.0.headers, more, async {
        let paging: Paging = extract::query(&head.0.uri)?;
        let page = extract::page(paging.page)?;
        let size = extract::size(paging.size, 20, 100)?;
        let found = api.engine.catalogue.concerts(page, size).await?;
        let currency = api.currency.as_str();
        let concerts = found.concerts.into_iter().map(|listing| Concert::new(listing, currency)).collect();
        Ok(Concerts { concerts, page, size, total: found.total })
    })
    .await
}
