//! What is on, and changing it.

mod halls;
mod items;
mod unfinished;

use std::{
    collections::HashSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use onsale_domain::{
    catalogue::{Hall, Performance, PerformanceDetails, PriceLevel, Show, ShowDetails, ShowKind, Venue},
    hall::{Plan, SeatMap},
    ids::{HallId, PerformanceId, SeatId, ShowId, UserId, VenueId},
    money::AMOUNT_MAX,
    offer::Offer,
    sale::SaleRules,
    search, text,
};

use crate::{
    clock::Clock,
    ports::{
        ConcertPage, Imported, MovieQuery, PerformanceListing, SeatSelector, SharedCache, ShowListing, Store,
        StoreError,
    },
    sales::Sales,
};

pub(crate) use unfinished::tidy_halls;

/// Why the catalogue could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A field is not acceptable; the text says why and what is.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Why not.
        reason: String,
    },
    /// The database failed, or what is referred to does not exist.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is on. Every change raises [`Catalogue::epoch`], so that caches know.
pub struct Catalogue {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// None beside a running node; see [`Catalogue::without_sales`].
    sales: Option<Sales>,
    epoch: AtomicU64,
    shared: OnceLock<Arc<dyn SharedCache>>,
}

impl Catalogue {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, sales: Sales) -> Self {
        Self { store, clock, sales: Some(sales), epoch: AtomicU64::new(0), shared: OnceLock::new() }
    }

    /// The catalogue alone, for tools that work beside a running node: nothing is sold or released
    /// here. A node that has changed terms in memory reads them again before its next decision,
    /// because their revision in the database has risen.
    #[must_use]
    pub fn without_sales(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, sales: None, epoch: AtomicU64::new(0), shared: OnceLock::new() }
    }

    /// Changes with every change made through this engine, and within a second with those made
    /// through others that share a cache. An answer made before may be old.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.shared().map_or_else(|| self.epoch.load(Ordering::Acquire), SharedCache::generation)
    }

    /// Where nodes share answers, if they do.
    #[must_use]
    pub fn shared(&self) -> Option<&dyn SharedCache> {
        self.shared.get().map(|cache| &**cache)
    }

    /// From now on answers are shared here.
    pub(crate) fn share(&self, cache: Arc<dyn SharedCache>) {
        // The first one stays.
        let _ = self.shared.set(cache);
    }

    /// Films that match; see [`MovieQuery`].
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn movies(
        &self,
        title: Option<String>,
        genre: Option<String>,
        showing_only: bool,
        page: u32,
        size: u32,
    ) -> Result<Vec<ShowListing>, CatalogueError> {
        if [&title, &genre].into_iter().flatten().any(|wanted| search::is_in_nothing(wanted)) {
            return Ok(Vec::new());
        }
        let query = MovieQuery { title, genre, showing_only, now: self.clock.now(), page, size };
        Ok(self.store.movies(&query).await?)
    }

    /// As [`Catalogue::movies`], with how many films there are on all pages.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn movies_and_total(
        &self,
        title: Option<String>,
        genre: Option<String>,
        showing_only: bool,
        page: u32,
        size: u32,
    ) -> Result<(Vec<ShowListing>, u64), CatalogueError> {
        let query = MovieQuery { title, genre, showing_only, now: self.clock.now(), page, size };
        let films = self.store.movies(&query).await?;
        let here = films.len() as u64;
        // The only page need not be counted.
        let is_last = here < u64::from(size) && (here > 0 || page == 0);
        let total = match is_last {
            true => u64::from(page) * u64::from(size) + here,
            false => self.store.movies_total(&query).await?,
        };
        Ok((films, total))
    }

    /// Concerts with coming dates, the nearest first; then those without.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn concerts(&self, page: u32, size: u32) -> Result<ConcertPage, CatalogueError> {
        Ok(self.store.concerts(self.clock.now(), page, size).await?)
    }

    /// A show of one kind with its coming performances.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none.
    pub async fn listing(&self, kind: ShowKind, id: ShowId) -> Result<ShowListing, CatalogueError> {
        let listing = self.store.listing(kind, id, self.clock.now()).await?;
        Ok(listing.ok_or(StoreError::Missing(kind.as_str()))?)
    }

    /// A show.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none.
    pub async fn show(&self, id: ShowId) -> Result<Show, CatalogueError> {
        Ok(self.store.show(id).await?.ok_or(StoreError::Missing("show"))?)
    }

    /// Those of these shows that there are, in this order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn shows(&self, ids: &[ShowId]) -> Result<Vec<Show>, CatalogueError> {
        Ok(self.store.shows(ids).await?)
    }

    /// Adds a show, of an account or of nobody.
    ///
    /// # Errors
    /// If a field is not acceptable.
    pub async fn add_show(
        &self,
        mut show: ShowDetails,
        owner: Option<UserId>,
    ) -> Result<Show, CatalogueError> {
        accept_show(&mut show)?;
        let id = self.store.add_show(show.clone(), owner).await?;
        self.changed();
        Ok(Show { id, details: show })
    }

    /// Replaces a show. The record it was imported from stays if no other is named, so that importing it
    /// again finds it.
    ///
    /// # Errors
    /// If a field is not acceptable or there is no such show.
    pub async fn change_show(&self, id: ShowId, mut show: ShowDetails) -> Result<Show, CatalogueError> {
        accept_show(&mut show)?;
        if show.source_key.is_none() {
            show.source_key = self.show(id).await?.details.source_key;
        }
        self.store.change_show(id, show.clone()).await?;
        self.changed();
        Ok(Show { id, details: show })
    }

    /// Adds shows that have a `source_key`. Of those already there it changes what the source says
    /// differently from last time; see [`merged`](onsale_domain::catalogue::merged). New ones are `owner`'s, the
    /// others stay whose they are.
    ///
    /// Many are imported in portions between which others buy; if the database fails half-way, the same call
    /// again imports the rest.
    ///
    /// # Errors
    /// If a field is not acceptable; then none of them is imported.
    pub async fn import_shows(
        &self,
        shows: &[ShowDetails],
        owner: Option<UserId>,
    ) -> Result<Vec<Imported>, CatalogueError> {
        let mut shows = shows.to_vec();
        for show in &mut shows {
            accept_show(show)?;
            if show.source_key.is_none() {
                return Err(invalid("source_key", "an imported show must name the record it came from"));
            }
        }
        let outcomes = self.store.import_shows(&shows, owner).await?;
        self.changed();
        Ok(outcomes)
    }

    /// Adds a venue, of an account or of nobody.
    ///
    /// # Errors
    /// If a field is not acceptable.
    pub async fn add_venue(
        &self,
        name: &str,
        time_zone: &str,
        owner: Option<UserId>,
    ) -> Result<Venue, CatalogueError> {
        let name = accepted("name", name, 200)?;
        check_zone(time_zone)?;
        let id = self.store.add_venue(&name, time_zone, owner).await?;
        self.changed();
        Ok(Venue { id, name, time_zone: time_zone.to_owned() })
    }

    /// Replaces a venue.
    ///
    /// # Errors
    /// If a field is not acceptable or there is no such venue.
    pub async fn change_venue(&self, mut venue: Venue) -> Result<Venue, CatalogueError> {
        accept("name", &mut venue.name, 200)?;
        check_zone(&venue.time_zone)?;
        self.store.change_venue(&venue).await?;
        self.changed();
        Ok(venue)
    }

    /// Venues after `after`, by id.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn venues(&self, after: Option<VenueId>, limit: usize) -> Result<Vec<Venue>, CatalogueError> {
        Ok(self.store.venues(after, limit).await?)
    }

    /// A venue.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none.
    pub async fn venue(&self, id: VenueId) -> Result<Venue, CatalogueError> {
        let before = VenueId(id.0.saturating_sub(1));
        let next = self.store.venues(Some(before), 1).await?.pop();
        Ok(next.filter(|venue| venue.id == id).ok_or(StoreError::Missing("venue"))?)
    }

    /// Adds a hall with all its seats, in portions between which others buy. Nobody sees it before it is complete.
    /// If this is dropped half-way, what there is of it is removed a while later.
    ///
    /// # Errors
    /// If a field is not acceptable or there is no such venue.
    pub async fn add_hall(&self, venue: VenueId, name: &str, plan: &Plan) -> Result<HallId, CatalogueError> {
        let name = accepted("name", name, 200)?;
        let plan = halls::accepted(plan)?;
        let id = self.store.add_hall(venue, &name, &plan).await?;
        self.changed();
        Ok(id)
    }

    /// Whether a hall is as a plan has it. The categories of its seats may have been changed since.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is no such hall.
    pub async fn is_as_planned(&self, hall: HallId, plan: &Plan) -> Result<bool, CatalogueError> {
        Ok(halls::is_as_planned(&*self.seat_map(hall).await?, plan))
    }

    /// A hall without its seats.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none.
    pub async fn hall(&self, id: HallId) -> Result<Hall, CatalogueError> {
        Ok(self.store.hall(id).await?.ok_or(StoreError::Missing("hall"))?)
    }

    /// The halls of a venue.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn halls(&self, venue: VenueId) -> Result<Vec<Hall>, CatalogueError> {
        Ok(self.store.halls(venue).await?)
    }

    /// A hall's seats.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is no such hall.
    pub async fn seat_map(&self, hall: HallId) -> Result<Arc<SeatMap>, CatalogueError> {
        Ok(self.store.seat_map(hall).await?.ok_or(StoreError::Missing("hall"))?)
    }

    /// Puts seats into a category; what the category costs is said per performance.
    /// Returns how many seats changed. Many are changed in portions between which others buy, also if whoever
    /// asked hangs up; if it fails half-way, some have been changed, and the same call again changes the rest.
    ///
    /// # Errors
    /// If no seat is named, or there is no such hall, section, row or seat.
    pub async fn set_category(
        &self,
        hall: HallId,
        seats: &SeatSelector,
        category: &str,
    ) -> Result<u64, CatalogueError> {
        let category = accepted("category", category, 100)?;
        let seats = seats.clone().composed();
        let names_none = match &seats {
            SeatSelector::All | SeatSelector::Section(_) => false,
            SeatSelector::Rows { rows, .. } => rows.is_empty(),
            SeatSelector::Seats(seats) => seats.is_empty(),
        };
        if names_none {
            return Err(invalid("seats", "must name at least one seat or row"));
        }
        let (store, sales) = (self.store.clone(), self.sales.clone());
        let changed = to_its_end(async move {
            let (changed, performances) = store.set_category(hall, &seats, &category).await?;
            for performance in performances {
                if let Some(sales) = &sales {
                    sales.terms_changed(performance.into()).await;
                }
            }
            Ok::<_, StoreError>(changed)
        });
        let changed = changed.await;
        // Also if it failed: part of it may have been done.
        self.changed();
        Ok(changed?)
    }

    /// Adds a performance.
    ///
    /// # Errors
    /// If a field is not acceptable, or there is no such show or hall.
    pub async fn add_performance(&self, details: &PerformanceDetails) -> Result<Performance, CatalogueError> {
        let mut details = details.clone();
        self.accept_performance(&mut details).await?;
        let id = self.store.add_performance(&details).await?;
        self.changed();
        Ok(Performance { id, details, cancelled: false })
    }

    /// Replaces a performance, prices included.
    ///
    /// # Errors
    /// If a field is not acceptable, or there is no such performance, show or hall.
    pub async fn change_performance(
        &self,
        mut performance: Performance,
    ) -> Result<Performance, CatalogueError> {
        self.accept_performance(&mut performance.details).await?;
        self.store.change_performance(&performance).await?;
        self.terms_changed(performance.id.into()).await;
        self.changed();
        Ok(performance)
    }

    /// Replaces what seats cost at a performance, and nothing else.
    ///
    /// # Errors
    /// If a price is not acceptable or there is no such performance.
    pub async fn set_prices(
        &self,
        id: PerformanceId,
        prices: &[PriceLevel],
    ) -> Result<Performance, CatalogueError> {
        let performance = self.performance(id).await?;
        let mut prices = prices.to_vec();
        self.accept_prices(performance.details.hall, &mut prices).await?;
        self.store.set_prices(id, &prices).await?;
        self.terms_changed(id.into()).await;
        self.changed();
        self.performance(id).await
    }

    /// A performance.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none.
    pub async fn performance(&self, id: PerformanceId) -> Result<Performance, CatalogueError> {
        Ok(self.store.performance(id).await?.ok_or(StoreError::Missing("performance"))?)
    }

    /// A performance with everything that its page says.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none.
    pub async fn performance_listing(&self, id: PerformanceId) -> Result<PerformanceListing, CatalogueError> {
        Ok(self.store.performance_listing(id).await?.ok_or(StoreError::Missing("performance"))?)
    }

    /// Whether a seat exists in any hall.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn hall_of_seat(&self, seat: SeatId) -> Result<Option<HallId>, CatalogueError> {
        Ok(self.store.hall_of_seat(seat).await?)
    }

    /// Whether nothing has been put into the catalogue yet.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn is_empty(&self) -> Result<bool, CatalogueError> {
        Ok(self.store.is_empty().await?)
    }

    async fn terms_changed(&self, offer: Offer) {
        if let Some(sales) = &self.sales {
            sales.terms_changed(offer).await;
        }
    }

    pub(crate) fn changed(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        if let Some(cache) = self.shared() {
            cache.drop_all();
        }
    }

    async fn accept_performance(&self, details: &mut PerformanceDetails) -> Result<(), CatalogueError> {
        if details.ends_at <= details.starts_at {
            return Err(invalid("endsAt", "a performance ends after it starts"));
        }
        if !details.rules.is_valid() {
            let (least, most) = SaleRules::HOLD_MS_BOUNDS;
            return Err(invalid(
                "rules",
                format!(
                    "a hold lasts {} to {} seconds, a buyer may have 1 to 100 seats",
                    least / 1_000,
                    most / 1_000
                ),
            ));
        }
        self.accept_prices(details.hall, &mut details.prices).await
    }

    async fn accept_prices(&self, hall: HallId, prices: &mut [PriceLevel]) -> Result<(), CatalogueError> {
        let hall = self.hall(hall).await?;
        let mut priced = HashSet::with_capacity(prices.len());
        for level in prices {
            if usize::from(level.category) >= hall.categories.len() {
                return Err(invalid("prices", format!("the hall has no category {}", level.category)));
            }
            if !(0..=AMOUNT_MAX / 1_000).contains(&level.price) {
                return Err(invalid("prices", "a price is not below 0 and not above 10^12"));
            }
            if !priced.insert(level.category) {
                return Err(invalid("prices", format!("category {} is priced twice", level.category)));
            }
            accept("grade", &mut level.grade, 50)?;
        }
        Ok(())
    }
}

/// Does something to its end, also if whoever waits for it goes away.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Unavailable("the server is stopping".to_owned())),
        },
    }
}

fn invalid(field: &'static str, reason: impl Into<String>) -> CatalogueError {
    CatalogueError::Invalid { field, reason: reason.into() }
}

fn accept_show(show: &mut ShowDetails) -> Result<(), CatalogueError> {
    accept("title", &mut show.title, 500)?;
    let optional = [
        ("grade", &mut show.grade, 100),
        ("genre", &mut show.genre, 100),
        ("thumbnailImage", &mut show.thumbnail_image, 2_000),
        ("creator", &mut show.creator, 500),
        ("sourceKey", &mut show.source_key, 200),
    ];
    for (field, text, chars_max) in optional {
        if let Some(text) = text {
            accept(field, text, chars_max)?;
        }
    }
    if let Some(description) = &mut show.description {
        accept_lines("description", description, 10_000)?;
    }
    if show.running_time_min.is_some_and(|minutes| !(1..=6_000).contains(&minutes)) {
        return Err(invalid("runningTime", "a running time is 1 to 6,000 minutes"));
    }
    Ok(())
}

/// As [`accept`], for a text of many lines: it may have tabs, and its lines end in a line feed alone, as text
/// areas of browsers do not send them.
fn accept_lines(field: &'static str, text: &mut String, chars_max: usize) -> Result<(), CatalogueError> {
    if text.contains('\r') {
        *text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    text::accept(text, chars_max, |c| c.is_control() && !matches!(c, '\n' | '\t'))
        .map_err(|error| invalid(field, error.to_string()))
}

/// Brings a field's text into the form in which it is kept, and checks it.
fn accept(field: &'static str, text: &mut String, chars_max: usize) -> Result<(), CatalogueError> {
    text::accept(text, chars_max, |c| c.is_control() && c != '\n')
        .map_err(|error| invalid(field, error.to_string()))
}

/// The form in which a field's text is kept.
fn accepted(field: &'static str, text: &str, chars_max: usize) -> Result<String, CatalogueError> {
    let mut text = text.to_owned();
    accept(field, &mut text, chars_max)?;
    Ok(text)
}

fn check_zone(name: &str) -> Result<(), CatalogueError> {
    jiff::tz::TimeZone::get(name)
        .map(|_| ())
        .map_err(|_| invalid("timeZone", format!("`{name}` is not an IANA time zone such as Asia/Seoul")))
}
