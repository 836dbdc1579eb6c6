//! A database, nodes on it, and a look at what they ask of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::{civil::Date, tz::TimeZone};
use onsale_domain::{
    money::Currency,
    popularity::{Calendar, Period, SubjectKind},
    time::Timestamp,
};
use onsale_engine::{
    clock::ManualClock,
    ports::{Chart, ChartKey, CountedSale, PopularityStore, Ranked, Sold, StoreError},
    rankings::{LocalRankings, Ranking, RankingCache, RankingSettings, Rankings},
};
use onsale_store::{SqlStore, StoreOptions};
use tempfile::TempDir;

/// A moment, as RFC 3339 writes it.
pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Counts what is asked of a store.
pub(crate) struct Watched {
    inner: Arc<dyn PopularityStore>,
    pub(crate) charts: AtomicUsize,
    pub(crate) rankings_made: AtomicUsize,
    pub(crate) publications: AtomicUsize,
    /// How long a chart takes.
    pub(crate) slow: Duration,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn PopularityStore>) -> Self {
        let none = AtomicUsize::default;
        let slow = Duration::ZERO;
        Self { inner, charts: none(), rankings_made: none(), publications: none(), slow }
    }
}

#[async_trait]
impl PopularityStore for Watched {
    async fn count_sales(
        &self,
        sales: &[CountedSale],
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.inner.count_sales(sales, calendar, now).await
    }

    async fn best_sold(
        &self,
        kind: SubjectKind,
        first: Date,
        last: Date,
        limit: usize,
    ) -> Result<Vec<Ranked>, StoreError> {
        self.rankings_made.fetch_add(1, SeqCst);
        self.inner.best_sold(kind, first, last, limit).await
    }

    async fn hottest(
        &self,
        kind: SubjectKind,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Ranked>, StoreError> {
        self.inner.hottest(kind, now, limit).await
    }

    async fn chart(&self, key: ChartKey, limit: usize) -> Result<Chart, StoreError> {
        self.charts.fetch_add(1, SeqCst);
        tokio::time::sleep(self.slow).await;
        self.inner.chart(key, limit).await
    }

    async fn has_charts(&self, day: Date) -> Result<bool, StoreError> {
        self.inner.has_charts(day).await
    }

    async fn claim_charts(&self, day: Date, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.inner.claim_charts(day, now, until).await
    }

    async fn publish_charts(&self, day: Date, charts: &[Chart]) -> Result<(), StoreError> {
        self.publications.fetch_add(1, SeqCst);
        self.inner.publish_charts(day, charts).await
    }

    async fn forget_popularity(
        &self,
        events_before: Timestamp,
        days_before: Date,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.forget_popularity(events_before, days_before, now).await
    }
}

/// One node on a database of its own.
pub(crate) struct World {
    pub(crate) store: Arc<Watched>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) node: Rankings,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new(zone: &str, now: &str) -> Self {
        Self::with(zone, now, |_| {}, Arc::new(LocalRankings::default()), true).await
    }

    pub(crate) async fn with(
        zone: &str,
        now: &str,
        change: impl FnOnce(&mut Watched),
        cache: Arc<dyn RankingCache>,
        share_loads: bool,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        let mut store = Watched::new(Arc::new(store));
        change(&mut store);
        let (store, clock) = (Arc::new(store), Arc::new(ManualClock::new(at(now))));
        let settings = RankingSettings { share_loads, ..in_zone(zone) };
        let node = Rankings::new(store.clone(), clock.clone(), cache, settings);
        Self { store, clock, node, _folder: folder }
    }

    /// Units of an item were paid for at a time.
    pub(crate) async fn sell(&self, item: i64, units: i64, paid_at: &str) {
        let event = format!("{item} {units} {paid_at}");
        let sale = CountedSale { event, sold: Sold::Item(item), units, paid_at: at(paid_at) };
        assert_eq!(self.node.count(&[sale]).await.unwrap(), 1);
    }

    /// Items with their counts, and the last day.
    pub(crate) async fn chart(&self, period: Period) -> (Vec<(i64, f64)>, String) {
        shown(&self.node.chart(SubjectKind::Item, period, None).await.unwrap())
    }

    pub(crate) fn charts_read(&self) -> usize {
        self.store.charts.load(SeqCst)
    }
}

pub(crate) fn in_zone(zone: &str) -> RankingSettings {
    RankingSettings::new(TimeZone::get(zone).unwrap())
}

pub(crate) fn shown(ranking: &Ranking) -> (Vec<(i64, f64)>, String) {
    let places = ranking.places.iter().map(|place| (place.id, place.count)).collect();
    (places, ranking.days.unwrap().1.to_string())
}

/// Waits until something is so. What waits for it is tested, not how long that takes.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to pass");
}
