//! A concert and its dates, as they are answered.

use onsale_engine::ports::{PerformanceSummary, ShowListing};
use serde::Serialize;
use utoipa::ToSchema;

use super::PriceRange;
use crate::time::{local, with_offset, zone};

/// A concert.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Concert {
    /// The concert's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// The title.
    #[schema(example = "Han River Nights")]
    title: String,
    /// Who performs.
    performer: Option<String>,
    /// The genre.
    genre: Option<String>,
    /// The audience it is for.
    grade: Option<String>,
    /// Its length in minutes.
    #[schema(minimum = 1, example = 120)]
    running_time: Option<u32>,
    /// Where its small picture is.
    thumbnail_image: Option<String>,
    /// A text about it.
    description: Option<String>,
    /// The dates that have not ended, the earliest first.
    dates: Vec<ConcertDate>,
}

/// A date of a concert.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConcertDate {
    /// What seats are reserved by.
    #[schema(minimum = 1, example = 1)]
    performance_id: i64,
    /// When it starts, with the venue's offset.
    #[schema(format = DateTime, example = "2026-11-21T19:00:00+09:00")]
    starts_at: String,
    /// When it ends, with the venue's offset.
    #[schema(format = DateTime, example = "2026-11-21T21:00:00+09:00")]
    ends_at: String,
    /// When sales open, with the venue's offset.
    #[schema(format = DateTime, example = "2026-11-01T20:00:00+09:00")]
    on_sale_at: String,
    /// The venue.
    #[schema(example = "Seoul World Cup Stadium")]
    venue: String,
    /// The hall.
    #[schema(example = "Main")]
    hall: String,
    /// How many seats the hall has.
    #[schema(example = 50_000)]
    seat_total: u32,
    /// What seats cost, if any are for sale.
    price_range: Option<PriceRange>,
    /// Whether it was called off.
    cancelled: bool,
}

impl Concert {
    pub(super) fn new(listing: ShowListing, currency: &str) -> Self {
        let show = listing.show.details;
        Self {
            id: listing.show.id.0,
            title: show.title,
            performer: show.creator,
            genre: show.genre,
            grade: show.grade,
            running_time: show.running_time_min,
            thumbnail_image: show.thumbnail_image,
            description: show.description,
            dates: listing.performances.iter().map(|date| ConcertDate::new(date, currency)).collect(),
        }
    }
}

impl ConcertDate {
    pub(super) fn new(date: &PerformanceSummary, currency: &str) -> Self {
        let zone = zone(&date.time_zone);
        let written = |at| with_offset(&local(at, &zone));
        Self {
            performance_id: date.id.0,
            starts_at: written(date.starts_at),
            ends_at: written(date.ends_at),
            on_sale_at: written(date.on_sale_at),
            venue: date.venue.clone(),
            hall: date.hall_name.clone(),
            seat_total: date.seats,
            price_range: PriceRange::of(date, currency),
            cancelled: date.cancelled,
        }
    }
}
