//! `GET /api/v1/concerts/{id}`

use axum::{extract::State, response::Response};
use onsale_domain::{catalogue::ShowKind, ids::ShowId};

use super::{cached, concert::Concert};
use crate::{
    Shared,
    extract::{ApiPath, Head},
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NotFound];

/// Get a concert
#[utoipa::path(get, path = "/api/v1/concerts/{id}", tag = "catalogue",
    params(("id" = i64, Path, description = "The concert's id", minimum = 1)),
    responses((status = 200, description = "The concert with its coming dates", body = Concert),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_concert(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    head: Head,
) -> Result<Response, Problem> {
    cached(&api, head.0.uri.path(), &head.0.headers, async {
        let listing = api.engine.catalogue.listing(ShowKind::Concert, ShowId(id)).await?;
        Ok(Concert::new(listing, api.currency.as_str()))
    })
    .await
}
