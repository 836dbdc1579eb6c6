//! `GET /api/v1/movies/{id}`

use axum::{extract::State, response::Response};
use onsale_domain::{catalogue::ShowKind, ids::ShowId};

use super::{cached, movie::Movie};
use crate::{
    Shared,
    extract::{ApiPath, Head},
    problem::{Kind, Problem},
};

pub(super) const PROBLEMS: &[Kind] = &[Kind::NotFound];

/// Get a film
#[utoipa::path(get, path = "/api/v1/movies/{id}", tag = "catalogue",
    params(("id" = i64, Path, description = "The film's id", minimum = 1)),
    responses((status = 200, description = "The film with its coming screenings", body = Movie),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn get_movie(
    State(api): State<Shared>,
    ApiPath(id): ApiPath<i64>,
    head: Head,
) -> Result<Response, Problem> {
    cached(&api, head.0.uri.path(), &head.0.headers, async {
        let listing = api.engine.catalogue.listing(ShowKind::Movie, ShowId(id)).await?;
        Ok(Movie::from(listing))
    })
    .await
}
