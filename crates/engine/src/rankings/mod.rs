//! Rankings: what is popular, of late and over the last day, week and month.
//!
//! Sales are counted from events ([`Rankings::count`]). At midnight one node makes the charts of the
//! day before and publishes them; they then stand. Readers are answered from a cache, which may be
//! lost at any moment: then one load from the database answers everybody who waits for it.

mod cache;
mod flight;
mod job;

use std::{sync::Arc, time::Duration};

use jiff::{Span, civil::Date, tz::TimeZone};
use metrics::counter;
use onsale_domain::{
    popularity::{Calendar, Period, SubjectKind},
    time::Timestamp,
};
use tokio::time::timeout;

pub use cache::{CacheError, Kept, LocalRankings, RankingCache, RankingKey};

use crate::{
    background::Background,
    clock::Clock,
    ports::{ChartKey, CountedSale, PopularityStore, Ranked, StoreError},
};
use flight::Flights;

/// The most places of a ranking.
pub const PLACES_MAX: usize = 100;

/// How many days back charts can be asked for.
pub const DAYS_BACK_MAX: i32 = 365;

/// How many days counts and charts are kept: the oldest chart that can be asked for is about the 30
/// days before.
const DAYS_KEPT: i32 = DAYS_BACK_MAX + 35;

/// How long an event is remembered, in milliseconds. One that comes again later is counted again;
/// nothing that delivers events holds them back for so long.
const EVENT_KEPT_MS: i64 = 7 * 86_400_000;

/// The most sales counted in one transaction.
const COUNT_MAX: usize = 500;

/// How often a count is tried that other nodes were in the way of.
const COUNT_TRIES_MAX: u32 = 10;

/// How long the ranking of what sells now is kept, in milliseconds.
const NOW_KEPT_MS: i64 = 5_000;

/// How long a chart is kept that has not been published, in milliseconds.
const UNPUBLISHED_KEPT_MS: i64 = 60_000;

/// How long a published chart is kept that was asked for by its date, in milliseconds.
const PUBLISHED_KEPT_MS: i64 = 3_600_000;

/// How long the cache may take before it counts as lost.
const CACHE_PATIENCE: Duration = Duration::from_millis(250);

/// How rankings are made.
#[derive(Clone, Debug)]
pub struct RankingSettings {
    /// The zone whose days are ranked.
    pub zone: TimeZone,
    /// Whether those who miss the cache at the same time share one load. Off for negative controls
    /// only.
    pub share_loads: bool,
}

impl RankingSettings {
    /// The days of a zone.
    #[must_use]
    pub const fn new(zone: TimeZone) -> Self {
        Self { zone, share_loads: true }
    }
}

impl Default for RankingSettings {
    fn default() -> Self {
        Self::new(TimeZone::get("Asia/Seoul").unwrap_or(TimeZone::UTC))
    }
}

/// Why there is no ranking.
#[derive(Debug, thiserror::Error)]
pub enum RankingError {
    /// There is no chart of this day: it is not over, or too long ago.
    #[error("there are charts from {first} to {last}")]
    NoSuchDay {
        /// The first day that there is one of.
        first: Date,
        /// The last one.
        last: Date,
    },
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is popular.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// The first and the last day that it is about; none if it is about now.
    pub days: Option<(Date, Date)>,
    /// The most popular first, at most [`PLACES_MAX`].
    pub places: Vec<Ranked>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Rankings. Cheap to clone.
#[derive(Clone)]
pub struct Rankings {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn PopularityStore>,
    clock: Arc<dyn Clock>,
    cache: Arc<dyn RankingCache>,
    calendar: Calendar,
    /// None: everybody loads for themselves.
    flights: Option<Flights<RankingKey, Arc<Ranking>, StoreError>>,
    running: Background,
}

impl Rankings {
    /// Rankings over a store, behind a cache.
    #[must_use]
    pub fn new(
        store: Arc<dyn PopularityStore>,
        clock: Arc<dyn Clock>,
        cache: Arc<dyn RankingCache>,
        settings: RankingSettings,
    ) -> Self {
        let flights = settings.share_loads.then(Flights::default);
        let calendar = Calendar::new(settings.zone);
        let running = Background::default();
        Self { shared: Arc::new(Shared { store, clock, cache, calendar, flights, running }) }
    }

    /// The zone whose days are ranked.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.shared.calendar.zone_name()
    }

    /// The chart of a period that ends with `date`, or else with yesterday. After midnight, the
    /// latest chart may still be the one before, for at most five minutes.
    ///
    /// # Errors
    /// [`RankingError::NoSuchDay`] if `date` is not over yet or more than [`DAYS_BACK_MAX`] days
    /// before yesterday, else if the database cannot be read.
    pub async fn chart(
        &self,
        kind: SubjectKind,
        period: Period,
        date: Option<Date>,
    ) -> Result<Arc<Ranking>, RankingError> {
        let key = match date {
            None => RankingKey::Latest(kind, period),
            Some(date) => {
                self.check_date(date)?;
                RankingKey::Of(ChartKey { kind, period, date })
            }
        };
        Ok(self.ranking(key).await?)
    }

    /// What sells best now. A sale counts half after [`onsale_domain::popularity::HALF_LIFE_MS`].
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn now(&self, kind: SubjectKind) -> Result<Arc<Ranking>, RankingError> {
        Ok(self.ranking(RankingKey::Now(kind)).await?)
    }

    /// Counts what has been sold and given back, each event once however often it comes. When this
    /// returns `Ok`, all of it is on disk. Returns how many events were new.
    ///
    /// # Errors
    /// If the database cannot be written. Some may have been counted then; count them all again.
    pub async fn count(&self, sales: &[CountedSale]) -> Result<usize, StoreError> {
        let mut counted = 0;
        for chunk in sales.chunks(COUNT_MAX) {
            counted += self.count_chunk(chunk).await?;
        }
        Ok(counted)
    }

    async fn count_chunk(&self, sales: &[CountedSale]) -> Result<usize, StoreError> {
        let mut tries = 1;
        loop {
            let now = self.shared.clock.now();
            match self.shared.store.count_sales(sales, &self.shared.calendar, now).await {
                Err(StoreError::Conflict(_)) if tries < COUNT_TRIES_MAX => tries += 1,
                counted => return counted,
            }
        }
    }

    fn check_date(&self, date: Date) -> Result<(), RankingError> {
        let last = self.shared.calendar.yesterday(self.shared.clock.now());
        let first = last.saturating_sub(Span::new().days(DAYS_BACK_MAX));
        if (first..=last).contains(&date) { Ok(()) } else { Err(RankingError::NoSuchDay { first, last }) }
    }

    /// From the cache, or loaded; once for all who ask at the same time.
    async fn ranking(&self, key: RankingKey) -> Result<Arc<Ranking>, StoreError> {
        let shared = self.shared.clone();
        match &self.shared.flights {
            Some(flights) => flights.join(key, async move { shared.kept_or_loaded(key).await }).await,
            None => shared.kept_or_loaded(key).await,
        }
    }
}

impl Shared {
    async fn kept_or_loaded(&self, key: RankingKey) -> Result<Arc<Ranking>, StoreError> {
        match timeout(CACHE_PATIENCE, self.cache.get(key)).await {
            Ok(Ok(Some(kept))) if self.clock.now() < kept.until => return Ok(kept.ranking),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => cache_failed(&error),
            Err(_) => cache_failed(&CacheError("no answer".to_owned())),
        }
        let kept = self.load(key).await?;
        let ranking = kept.ranking.clone();
        self.keep(key, kept).await;
        Ok(ranking)
    }

    async fn load(&self, key: RankingKey) -> Result<Kept, StoreError> {
        counter!("onsale_ranking_loads_total").increment(1);
        let now = self.clock.now();
        let (chart, kept_until) = match key {
            RankingKey::Now(kind) => {
                let places = self.store.hottest(kind, now, PLACES_MAX).await?;
                let ranking = Arc::new(Ranking { days: None, places, made_at: now });
                return Ok(Kept { ranking, until: now.plus_ms(NOW_KEPT_MS) });
            }
            RankingKey::Latest(kind, period) => {
                let date = self.calendar.yesterday(now);
                (ChartKey { kind, period, date }, self.calendar.latest_until(date))
            }
            RankingKey::Of(chart) => (chart, now.plus_ms(PUBLISHED_KEPT_MS)),
        };
        let loaded = self.store.chart(chart, PLACES_MAX).await?;
        let until = match loaded.published_at {
            Some(_) => kept_until,
            None => now.plus_ms(UNPUBLISHED_KEPT_MS).min(kept_until),
        };
        let ranking = Arc::new(Ranking {
            days: Some((chart.period.first_day(chart.date), chart.date)),
            places: loaded.places,
            made_at: loaded.published_at.unwrap_or(now),
        });
        Ok(Kept { ranking, until })
    }

    async fn keep(&self, key: RankingKey, kept: Kept) {
        match timeout(CACHE_PATIENCE, self.cache.put(key, kept)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => cache_failed(&error),
            Err(_) => cache_failed(&CacheError("no answer".to_owned())),
        }
    }
}

fn cache_failed(error: &CacheError) {
    counter!("onsale_ranking_cache_failures_total").increment(1);
    tracing::debug!(%error, "the cache of rankings fails; the database answers");
}
