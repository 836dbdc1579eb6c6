//! What is on: shows, venues, performances and what their seats cost.

use jiff::civil::Date;

use crate::{
    ids::{HallId, PerformanceId, ShowId, VenueId},
    sale::SaleRules,
    time::Timestamp,
};

/// The two kinds of shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShowKind {
    /// A film; its performances are screenings.
    Movie,
    /// A concert; its performances are dates.
    Concert,
}

impl ShowKind {
    /// The kind's name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Movie => "movie",
            Self::Concert => "concert",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Movie, Self::Concert].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A show without its id: what an organiser writes, what an import brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowDetails {
    /// Film or concert.
    pub kind: ShowKind,
    /// The title as it is printed.
    pub title: String,
    /// The audience it is rated for: `PG-13`, `15세 이상 관람가`.
    pub grade: Option<String>,
    /// The genre.
    pub genre: Option<String>,
    /// The day it was first shown.
    pub release_date: Option<Date>,
    /// Where its small picture is.
    pub thumbnail_image: Option<String>,
    /// Length in minutes.
    pub running_time_min: Option<u32>,
    /// A text about it.
    pub description: Option<String>,
    /// Who directed or performs it.
    pub creator: Option<String>,
    /// Names the record this show was imported from, so that importing it again finds it.
    pub source_key: Option<String>,
}

impl ShowDetails {
    /// A show of which no more is known than its title.
    #[must_use]
    pub fn new(kind: ShowKind, title: impl Into<String>) -> Self {
        Self {
            kind,
            title: title.into(),
            grade: None,
            genre: None,
            release_date: None,
            thumbnail_image: None,
            running_time_min: None,
            description: None,
            creator: None,
            source_key: None,
        }
    }
}

/// A film or a concert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    /// Its id.
    pub id: ShowId,
    /// Everything else.
    pub details: ShowDetails,
}

/// A place with halls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// Its id.
    pub id: VenueId,
    /// Its name, for a cinema the theatre's.
    pub name: String,
    /// Its IANA time zone; local times are told in it.
    pub time_zone: String,
}

/// A hall without its seats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hall {
    /// Its id.
    pub id: HallId,
    /// Where it is.
    pub venue: VenueId,
    /// Its name.
    pub name: String,
    /// How many seats it has.
    pub seats: u32,
    /// Names of its seat categories, by index.
    pub categories: Vec<String>,
}

/// A performance as an organiser writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformanceDetails {
    /// What is shown.
    pub show: ShowId,
    /// Where.
    pub hall: HallId,
    /// When it starts. Sales end then.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When sales open.
    pub on_sale_at: Timestamp,
    /// The rules of its sale.
    pub rules: SaleRules,
    /// What each category costs. Seats of a category without a price are not for sale.
    pub prices: Vec<PriceLevel>,
}

/// A performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performance {
    /// Its id.
    pub id: PerformanceId,
    /// Everything that an organiser writes.
    pub details: PerformanceDetails,
    /// Whether it has been called off; then nothing more is sold.
    pub cancelled: bool,
}

/// What the seats of one category cost at one performance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PriceLevel {
    /// Index of the hall's category.
    pub category: u16,
    /// The class printed on the ticket: `S`, `A`, `B`, `C`.
    pub grade: String,
    /// The price in minor units.
    pub price: i64,
}
