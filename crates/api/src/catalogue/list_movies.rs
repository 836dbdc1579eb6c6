//! `GET /api/v1/movies`

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{cached_with, movie::Movie};
use crate::{
    Shared,
    extract::{self, Head},
    paging,
    problem::Problem,
};

/// The longest text to search for, in characters. Every other text is another place in the cache.
const SEARCH_CHARS_MAX: usize = 200;

/// Which films are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// A part of the title, in any case and script.
    #[param(max_length = 200)]
    title: Option<String>,
    /// The genre, whole, in any case.
    #[param(max_length = 200)]
    genre: Option<String>,
    /// `true`: only films with coming screenings. `false`: the whole catalogue. Left out: films
    /// with coming screenings, unless there is a `title` or a `genre`.
    showing: Option<bool>,
    /// Which page, from 0.
    #[param(minimum = 0, maximum = 1_000_000, default = 0)]
    page: Option<u32>,
    /// Films a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    size: Option<u32>,
}

/// Films.
#[derive(Serialize, ToSchema)]
pub(super) struct Movies {
    /// The films of the page, the newest release first.
    responses: Vec<Movie>,
    /// The page.
    #[schema(minimum = 0, example = 0)]
    page: u32,
    /// Films a page.
    #[schema(minimum = 1, example = 100)]
    size: u32,
    /// How many there are on all pages.
    #[schema(minimum = 0, example = 137)]
    total: u64,
}

/// List films
///
/// Without `title` and `genre`: what is showing now. With either: the whole catalogue. Beyond a page the
/// rest is on the next one, which `Link` names.
#[utoipa::path(get, path = "/api/v1/movies", tag = "catalogue", params(Filter),
    responses((status = 200, description = "The films, the newest release first", body = Movies,
        headers(("X-Total-Count" = u64, description = "How many there are on all pages"),
            ("Link" = Option<String>, description = "The next page, if there is one"))),
        (status = 304, description = "Not changed since `If-None-Match`")))]
pub(super) async fn list_movies(State(api): State<Shared>, head: Head) -> Result<Response, Problem> {
    let more = |body: &[u8]| paging::numbered(&head.0.uri, body);
    cached_with(&api, head.address(), &head.0.headers, more, async {
        let filter: Filter = extract::query(&head.0.uri)?;
        let page = extract::page(filter.page)?;
        let size = extract::size(filter.size, 100, 500)?;
        for (field, text) in [("title", &filter.title), ("genre", &filter.genre)] {
            if text.as_ref().is_some_and(|text| text.chars().count() > SEARCH_CHARS_MAX) {
                return Err(Problem::field(field, "at most 200 characters"));
            }
        }
        let title = filter.title.filter(|title| !title.trim().is_empty());
        let genre = filter.genre.filter(|genre| !genre.trim().is_empty());
        let showing_only = filter.showing.unwrap_or(title.is_none() && genre.is_none());
        let catalogue = &api.engine.catalogue;
        let (films, total) = catalogue.movies_and_total(title, genre, showing_only, page, size).await?;
        Ok(Movies { responses: films.into_iter().map(Movie::from).collect(), page, size, total })
    })
    .await
}
