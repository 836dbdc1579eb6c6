//! A ranking of films or concerts.

use axum::response::Response;
use onsale_domain::{
    catalogue::{Show, ShowKind},
    ids::ShowId,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{cached, popular::Wanted};
use crate::{Api, extract::Head, problem::Problem};

/// A film or a concert in its place.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PopularShow {
    /// The place, from 1.
    #[schema(minimum = 1, example = 1)]
    rank: usize,
    /// How many seats were sold and not given back; if the ranking is about now, how much they count.
    #[schema(example = 1_234.0)]
    score: f64,
    /// The film's or the concert's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// The title.
    #[schema(example = "Han River Nights")]
    title: String,
    /// Who directed or performs it.
    creator: Option<String>,
    /// The genre.
    genre: Option<String>,
    /// The audience it is for.
    grade: Option<String>,
    /// The day it was first shown.
    #[schema(format = Date, example = "2024-04-24")]
    release_date: Option<String>,
    /// Its length in minutes.
    #[schema(minimum = 1, example = 120)]
    running_time: Option<u32>,
    /// Where its small picture is.
    thumbnail_image: Option<String>,
}

/// Answers which shows of a kind are popular.
pub(super) async fn popular_shows(api: &Api, kind: ShowKind, head: &Head) -> Result<Response, Problem> {
    let wanted = Wanted::read(api, kind.into(), head).await?;
    cached(api, &wanted.address, &head.0.headers, async {
        let ids: Vec<_> = wanted.ids().map(ShowId).collect();
        let shows = api.engine.catalogue.shows(&ids).await?;
        Ok(wanted.answer(shows.into_iter().map(|show| (show.id.0, show)), PopularShow::new))
    })
    .await
}

impl PopularShow {
    fn new(rank: usize, score: f64, show: Show) -> Self {
        let details = show.details;
        Self {
            rank,
            score,
            id: show.id.0,
            title: details.title,
            creator: details.creator,
            genre: details.genre,
            grade: details.grade,
            release_date: details.release_date.map(|date| date.to_string()),
            running_time: details.running_time_min,
            thumbnail_image: details.thumbnail_image,
        }
    }
}
