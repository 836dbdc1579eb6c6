//! `GET /api/v1/movies/popular`

use axum::{extract::State, response::Response};
use onsale_domain::catalogue::ShowKind;

use super::{
    popular::{Asked, Popular},
    popular_shows::{PopularShow, popular_shows},
};
use crate::{Shared, extract::Head, problem::Problem};

/// List popular films
///
/// Those of which the most seats were sold, seats that were given back taken off. The charts of a day
/// are made at midnight and then stand.
#[utoipa::path(get, path = "/api/v1/movies/popular", tag = "catalogue", params(Asked),
    responses((status = 200, description = "The films, the most popular first", body = Popular<PopularShow>),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn popular_movies(State(api): State<Shared>, head: Head) -> Result<Response, Problem> {
    popular_shows(&api, ShowKind::Movie, &head).await
}
