//! The port under the catalogue: what is on, where and for how much.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_domain::{
    catalogue::{
        Hall, KeptField, Performance, PerformanceDetails, PriceLevel, Show, ShowDetails, ShowKind, Venue,
    },
    hall::{Plan, SeatMap},
    ids::{HallId, PerformanceId, SeatId, ShowId, UserId, VenueId},
    text::compose,
    time::Timestamp,
};

use super::error::StoreError;

/// Keeps shows, venues, halls and performances.
///
/// What the public reads ([`movies`](Self::movies), [`concerts`](Self::concerts),
/// [`listing`](Self::listing) and [`performance_listing`](Self::performance_listing)) may be a moment
/// old, but never older than the last change made through the same store. Everything else is as new
/// as the database.
#[async_trait]
pub trait CatalogueStore: Send + Sync + 'static {
    /// Adds a show, of an account or of nobody.
    async fn add_show(&self, show: ShowDetails, owner: Option<UserId>) -> Result<ShowId, StoreError>;

    /// Replaces what is known of a show. [`StoreError::Missing`] if there is none.
    async fn change_show(&self, id: ShowId, show: ShowDetails) -> Result<(), StoreError>;

    /// A show.
    async fn show(&self, id: ShowId) -> Result<Option<Show>, StoreError>;

    /// Those of these shows that there are, in this order; at most 1,000.
    async fn shows(&self, ids: &[ShowId]) -> Result<Vec<Show>, StoreError>;

    /// Adds shows that have a `source_key`, and changes those already there as
    /// [`merged`](onsale_domain::catalogue::merged) says; many in portions that let others write in between. New
    /// ones are `owner`'s, the others stay whose they are. One outcome per show, in order.
    /// [`StoreError::Rejected`] if one has no `source_key`; then none is imported.
    async fn import_shows(
        &self,
        shows: &[ShowDetails],
        owner: Option<UserId>,
    ) -> Result<Vec<Imported>, StoreError>;

    /// Films that match, the newest release first, each with its screenings that have not ended
    /// at `query.now`, the earliest first.
    async fn movies(&self, query: &MovieQuery) -> Result<Vec<ShowListing>, StoreError>;

    /// How many films match, on all pages.
    async fn movies_total(&self, query: &MovieQuery) -> Result<u64, StoreError>;

    /// Concerts, those with the nearest coming date first, each with its dates that have not
    /// ended at `now`.
    async fn concerts(&self, now: Timestamp, page: u32, size: u32) -> Result<ConcertPage, StoreError>;

    /// A show of one kind with its performances that have not ended at `now`.
    async fn listing(
        &self,
        kind: ShowKind,
        id: ShowId,
        now: Timestamp,
    ) -> Result<Option<ShowListing>, StoreError>;

    /// A performance with everything that its page says.
    async fn performance_listing(&self, id: PerformanceId) -> Result<Option<PerformanceListing>, StoreError>;

    /// Adds a venue, of an account or of nobody.
    async fn add_venue(
        &self,
        name: &str,
        time_zone: &str,
        owner: Option<UserId>,
    ) -> Result<VenueId, StoreError>;

    /// Replaces a venue. [`StoreError::Missing`] if there is none.
    async fn change_venue(&self, venue: &Venue) -> Result<(), StoreError>;

    /// All venues, by id, at most `limit` after `after`.
    async fn venues(&self, after: Option<VenueId>, limit: usize) -> Result<Vec<Venue>, StoreError>;

    /// Adds a hall with all its seats, a large one in portions that let others write in between. Nobody can see
    /// it before it is complete. [`StoreError::Missing`] if there is no such venue.
    async fn add_hall(&self, venue: VenueId, name: &str, plan: &Plan) -> Result<HallId, StoreError>;

    /// Removes a portion of what is left of a hall that was never completed, because its caller hung up or its
    /// node crashed, and to which nothing has been added since `before`. Whether there may be more.
    async fn tidy_halls(&self, before: Timestamp) -> Result<bool, StoreError>;

    /// A hall without its seats.
    async fn hall(&self, id: HallId) -> Result<Option<Hall>, StoreError>;

    /// The halls of a venue, by id.
    async fn halls(&self, venue: VenueId) -> Result<Vec<Hall>, StoreError>;

    /// A hall's seats.
    async fn seat_map(&self, hall: HallId) -> Result<Option<Arc<SeatMap>>, StoreError>;

    /// Puts seats of a hall into a category, which is added if the hall has none of that name.
    /// Returns how many seats changed and which performances are affected. Their revisions rise. Many seats are
    /// changed in portions that let others write in between; if it fails half-way, doing it again does the rest.
    async fn set_category(
        &self,
        hall: HallId,
        seats: &SeatSelector,
        category: &str,
    ) -> Result<(u64, Vec<PerformanceId>), StoreError>;

    /// Adds a performance. [`StoreError::Missing`] if there is no such show or hall.
    async fn add_performance(&self, details: &PerformanceDetails) -> Result<PerformanceId, StoreError>;

    /// Replaces what is known of a performance, prices included; its revision rises. The hall
    /// cannot change ([`StoreError::Rejected`]): bitmaps and claims are about its seats.
    async fn change_performance(&self, performance: &Performance) -> Result<(), StoreError>;

    /// Replaces what the categories cost at a performance and nothing else; its revision rises.
    /// [`StoreError::Missing`] if there is none.
    async fn set_prices(&self, id: PerformanceId, prices: &[PriceLevel]) -> Result<(), StoreError>;

    /// A performance.
    async fn performance(&self, id: PerformanceId) -> Result<Option<Performance>, StoreError>;

    /// Whether there are no shows, no venues and no people yet.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// The hall a seat is in, if the seat exists.
    async fn hall_of_seat(&self, seat: SeatId) -> Result<Option<HallId>, StoreError>;
}

/// Which films are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovieQuery {
    /// A part of the title, in any case and script.
    pub title: Option<String>,
    /// The genre, whole, in any case.
    pub genre: Option<String>,
    /// Only films with a screening that has not ended.
    pub showing_only: bool,
    /// Now.
    pub now: Timestamp,
    /// Which page, from 0.
    pub page: u32,
    /// Films a page.
    pub size: u32,
}

/// A show with its coming performances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowListing {
    /// The show.
    pub show: Show,
    /// Its performances, the earliest first.
    pub performances: Vec<PerformanceSummary>,
}

/// A performance as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformanceSummary {
    /// Its id.
    pub id: PerformanceId,
    /// The venue's name.
    pub venue: String,
    /// The venue's IANA time zone.
    pub time_zone: String,
    /// The hall.
    pub hall: HallId,
    /// The hall's name.
    pub hall_name: String,
    /// How many seats the hall has.
    pub seats: u32,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When sales open.
    pub on_sale_at: Timestamp,
    /// The lowest and the highest price, in minor units, if any seat is for sale.
    pub price_range: Option<(i64, i64)>,
    /// Whether it was called off.
    pub cancelled: bool,
}

/// A performance with what is shown, and where, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformanceListing {
    /// The performance.
    pub performance: Performance,
    /// What is shown.
    pub show: Show,
    /// Where.
    pub hall: Hall,
    /// The hall's venue.
    pub venue: Venue,
}

/// One page of concerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConcertPage {
    /// The concerts.
    pub concerts: Vec<ShowListing>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Some seats of a hall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatSelector {
    /// All.
    All,
    /// Those of a section.
    Section(String),
    /// Those of some rows of a section.
    Rows {
        /// The section.
        section: String,
        /// The rows' labels.
        rows: Vec<String>,
    },
    /// These.
    Seats(Vec<SeatId>),
}

impl SeatSelector {
    /// With its names in the form in which they are kept.
    #[must_use]
    pub fn composed(mut self) -> Self {
        match &mut self {
            Self::All | Self::Seats(_) => {}
            Self::Section(section) => compose(section),
            Self::Rows { section, rows } => {
                compose(section);
                rows.iter_mut().for_each(compose);
            }
        }
        self
    }
}

/// What importing one show did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// It is new.
    Added,
    /// It was there, and its source says something else than before.
    Changed,
    /// It was there and stays as it is.
    Unchanged,
}

/// An imported show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its id.
    pub id: ShowId,
    /// Whether it is new or has changed.
    pub outcome: ImportOutcome,
    /// Where it differs from what its source says, because somebody has edited it.
    pub kept: Vec<KeptField>,
}
