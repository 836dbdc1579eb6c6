//! A film with its screenings, as it is answered.

use onsale_engine::ports::{PerformanceSummary, ShowListing};
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::{local, with_offset, zone};

/// A film and its coming screenings.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Movie {
    /// The film's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// The title.
    #[schema(example = "범죄도시 4")]
    title: String,
    /// The audience it is rated for.
    #[schema(example = "15세 이상 관람가")]
    grade: Option<String>,
    /// The genre.
    #[schema(example = "범죄")]
    genre: Option<String>,
    /// The day it was first shown, as a local time without offset.
    #[schema(example = "2024-04-24T00:00:00")]
    release_date: Option<String>,
    /// Where its small picture is.
    thumbnail_image: Option<String>,
    /// Its length in minutes.
    #[schema(minimum = 1, example = 109)]
    running_time: Option<u32>,
    /// The screenings that have not ended, the earliest first.
    screening_times: Vec<Screening>,
}

/// A screening.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Screening {
    /// The same as `performanceId`.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// What seats are reserved by.
    #[schema(minimum = 1, example = 1)]
    performance_id: i64,
    /// The theatre.
    #[schema(example = "강남")]
    theater_name: String,
    /// The hall.
    #[schema(example = "1관")]
    hall_name: String,
    /// When it starts, on the theatre's clock.
    #[schema(example = "16:00:00")]
    start_time: String,
    /// When it ends, on the theatre's clock; after midnight that is the day after.
    #[schema(example = "17:49:00")]
    end_time: String,
    /// When it starts, with the theatre's offset.
    #[schema(format = DateTime, example = "2026-11-21T16:00:00+09:00")]
    starts_at: String,
    /// When it ends, with the theatre's offset.
    #[schema(format = DateTime, example = "2026-11-21T17:49:00+09:00")]
    ends_at: String,
}

impl From<ShowListing> for Movie {
    fn from(listing: ShowListing) -> Self {
        let film = listing.show.details;
        Self {
            id: listing.show.id.0,
            title: film.title,
            grade: film.grade,
            genre: film.genre,
            release_date: film.release_date.map(|date| format!("{date}T00:00:00")),
            thumbnail_image: film.thumbnail_image,
            running_time: film.running_time_min,
            screening_times: listing
                .performances
                .into_iter()
                .filter(|performance| !performance.cancelled)
                .map(Screening::from)
                .collect(),
        }
    }
}

impl From<PerformanceSummary> for Screening {
    fn from(performance: PerformanceSummary) -> Self {
        let zone = zone(&performance.time_zone);
        let starts = local(performance.starts_at, &zone);
        let ends = local(performance.ends_at, &zone);
        Self {
            id: performance.id.0,
            performance_id: performance.id.0,
            theater_name: performance.venue,
            hall_name: performance.hall_name,
            start_time: starts.strftime("%H:%M:%S").to_string(),
            end_time: ends.strftime("%H:%M:%S").to_string(),
            starts_at: with_offset(&starts),
            ends_at: with_offset(&ends),
        }
    }
}
