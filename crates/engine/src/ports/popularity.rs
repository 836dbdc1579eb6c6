//! The ports under rankings: what has been sold is counted, and charts are made of it.

use async_trait::async_trait;
use jiff::civil::Date;
use onsale_domain::{
    ids::PerformanceId,
    popularity::{Calendar, Period, SubjectKind},
    time::Timestamp,
};

use super::error::StoreError;

/// Keeps what has been sold, and the charts that were made of it.
#[async_trait]
pub trait PopularityStore: Send + Sync + 'static {
    /// Counts what has been sold and given back, each event once however often it comes, and
    /// remembers the events as seen `now`. All or nothing. Returns how many events were new.
    ///
    /// An order counts for the moment at which it was paid, on the day that the calendar says. What
    /// is for a performance that does not exist counts nothing.
    ///
    /// Fails with [`StoreError::Conflict`] if somebody else counted the same at the same moment;
    /// then try again.
    async fn count_sales(
        &self,
        sales: &[CountedSale],
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<usize, StoreError>;

    /// What has sold best over these days, both included: the best first, of equals the one with
    /// the lower id.
    async fn best_sold(
        &self,
        kind: SubjectKind,
        first: Date,
        last: Date,
        limit: usize,
    ) -> Result<Vec<Ranked>, StoreError>;

    /// What sells best at a time, by decaying counts: the best first.
    async fn hottest(
        &self,
        kind: SubjectKind,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Ranked>, StoreError>;

    /// The chart that was published, or what it would be now if there is none.
    async fn chart(&self, key: ChartKey, limit: usize) -> Result<Chart, StoreError>;

    /// Whether the charts of a day have been published.
    async fn has_charts(&self, day: Date) -> Result<bool, StoreError>;

    /// Claims to make the charts of a day. `false` if they have been made, or somebody else has
    /// claimed to make them until a time that has not come yet.
    async fn claim_charts(&self, day: Date, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Publishes the charts of a day, all or none. Does nothing if there are such charts already.
    async fn publish_charts(&self, day: Date, charts: &[Chart]) -> Result<(), StoreError>;

    /// Forgets what is old: events counted before a time, charts and counts of days before a day,
    /// and what nobody has bought for long.
    async fn forget_popularity(
        &self,
        events_before: Timestamp,
        days_before: Date,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// An order that was paid or given back, as an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedSale {
    /// The event's id, at most 191 characters.
    pub event: String,
    /// What it is for.
    pub sold: Sold,
    /// How many seats or units; negative if they were given back.
    pub units: i64,
    /// When it was paid, also if it was given back later.
    pub paid_at: Timestamp,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sold {
    /// Seats of a performance; they count for its show.
    Performance(PerformanceId),
    /// Units of an item.
    Item(i64),
}

/// Which chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChartKey {
    /// What is ranked.
    pub kind: SubjectKind,
    /// Over how many days.
    pub period: Period,
    /// The last of the days.
    pub date: Date,
}

/// What sold best.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Which chart it is.
    pub key: ChartKey,
    /// The best first.
    pub places: Vec<Ranked>,
    /// When it was made, if it was published: then it does not change any more.
    pub published_at: Option<Timestamp>,
}

/// A place in a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The show or the item.
    pub id: i64,
    /// How many were sold and not given back.
    pub count: f64,
}
