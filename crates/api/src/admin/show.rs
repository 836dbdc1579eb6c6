//! A show, as it is asked for and answered.

use onsale_domain::catalogue::{Show, ShowDetails, ShowKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{json::Editable, problem::Problem, time::date};

/// Film or concert.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ShowKind)]
enum KindBody {
    /// A film.
    Movie,
    /// A concert.
    Concert,
}

/// A show to add or to put in the place of another.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ShowInput {
    /// Film or concert.
    kind: KindBody,
    /// The title as it is printed.
    #[schema(min_length = 1, max_length = 500, example = "Han River Nights")]
    title: String,
    /// The audience it is rated for.
    #[schema(min_length = 1, max_length = 100)]
    grade: Option<String>,
    /// The genre.
    #[schema(min_length = 1, max_length = 100)]
    genre: Option<String>,
    /// The day it was first shown.
    #[schema(format = Date, example = "2024-04-24")]
    release_date: Option<String>,
    /// Where its small picture is.
    #[schema(min_length = 1, max_length = 2000)]
    thumbnail_image: Option<String>,
    /// Its length in minutes.
    #[schema(minimum = 1, maximum = 6_000, example = 120)]
    running_time: Option<u32>,
    /// A text about it.
    #[schema(min_length = 1, max_length = 10000)]
    description: Option<String>,
    /// Who directed or performs it.
    #[schema(min_length = 1, max_length = 500)]
    creator: Option<String>,
    /// Names the record it was imported from, so that importing it again finds it.
    #[schema(min_length = 1, max_length = 200)]
    source_key: Option<String>,
}

impl Editable for ShowInput {
    const ID: &'static str = "id";
    const READ_ONLY: &'static [&'static str] = &[];
}

impl ShowInput {
    pub(super) fn details(self) -> Result<ShowDetails, Problem> {
        let release_date = self.release_date.map(|text| date("releaseDate", &text)).transpose()?;
        Ok(ShowDetails {
            kind: match self.kind {
                KindBody::Movie => ShowKind::Movie,
                KindBody::Concert => ShowKind::Concert,
            },
            title: self.title,
            grade: self.grade,
            genre: self.genre,
            release_date,
            thumbnail_image: self.thumbnail_image,
            running_time_min: self.running_time,
            description: self.description,
            creator: self.creator,
            source_key: self.source_key,
        })
    }
}

/// A show.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Show)]
pub(super) struct ShowBody {
    /// The show's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// Film or concert.
    kind: KindBody,
    /// The title as it is printed.
    #[schema(example = "Han River Nights")]
    title: String,
    /// The audience it is rated for.
    grade: Option<String>,
    /// The genre.
    genre: Option<String>,
    /// The day it was first shown.
    #[schema(format = Date, example = "2024-04-24")]
    release_date: Option<String>,
    /// Where its small picture is.
    thumbnail_image: Option<String>,
    /// Its length in minutes.
    #[schema(minimum = 1, example = 120)]
    running_time: Option<u32>,
    /// A text about it.
    description: Option<String>,
    /// Who directed or performs it.
    creator: Option<String>,
    /// Names the record it was imported from.
    source_key: Option<String>,
}

impl From<Show> for ShowBody {
    fn from(show: Show) -> Self {
        let details = show.details;
        Self {
            id: show.id.0,
            kind: match details.kind {
                ShowKind::Movie => KindBody::Movie,
                ShowKind::Concert => KindBody::Concert,
            },
            title: details.title,
            grade: details.grade,
            genre: details.genre,
            release_date: details.release_date.map(|date| date.to_string()),
            thumbnail_image: details.thumbnail_image,
            running_time: details.running_time_min,
            description: details.description,
            creator: details.creator,
            source_key: details.source_key,
        }
    }
}
