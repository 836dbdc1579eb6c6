//! The job at midnight: one node makes the charts of the day before, all take them into their caches.

use jiff::{Span, civil::Date};
use onsale_domain::{
    popularity::{Period, SubjectKind},
    time::Timestamp,
};

use super::{DAYS_KEPT, EVENT_KEPT_MS, PLACES_MAX, RankingKey, Rankings};
use crate::{
    ports::{Chart, ChartKey, StoreError},
    vitals::Vitals,
};

/// How long a node has to make the charts before another one may.
const CLAIM_MS: i64 = 60_000;

/// How often it is looked whether the other node has made them, or tried again what failed.
const AGAIN_AFTER_MS: i64 = 1_000;

/// How often what is old is forgotten.
const FORGET_EVERY_MS: i64 = 3_600_000;

impl Rankings {
    /// Makes the charts at every midnight, and forgets what is old, until [`Rankings::stop`]. The
    /// charts of yesterday are made at once if nobody has made them.
    pub fn start(&self) {
        self.start_among(&Vitals::default());
    }

    /// As [`Rankings::start`], among the parts of a node.
    pub(crate) fn start_among(&self, vitals: &Vitals) {
        let rankings = self.clone();
        self.shared.running.start(vitals, "the job that makes the charts", move || {
            let rankings = rankings.clone();
            async move { rankings.keep().await }
        });
    }

    /// Ends what [`Rankings::start`] began.
    pub async fn stop(&self) {
        self.shared.running.end().await;
    }

    async fn keep(&self) {
        let (clock, calendar) = (&self.shared.clock, &self.shared.calendar);
        let mut forget_at = clock.now();
        loop {
            let now = clock.now();
            let wake_at = match self.make_charts().await {
                Ok(true) => calendar.next_midnight(now),
                Ok(false) => now.plus_ms(AGAIN_AFTER_MS),
                Err(error) => {
                    tracing::warn!(%error, "the charts of yesterday cannot be made yet");
                    now.plus_ms(AGAIN_AFTER_MS)
                }
            };
            if forget_at <= now {
                forget_at = now.plus_ms(FORGET_EVERY_MS);
                if let Err(error) = self.forget(now).await {
                    tracing::warn!(%error, "what is old in the rankings cannot be forgotten yet");
                }
            }
            clock.sleep_until(wake_at.min(forget_at)).await;
        }
    }

    /// Makes and publishes the charts of yesterday if nobody has, and takes them into the cache as the
    /// latest. `false` if another node is making them. Done by itself at midnight.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub async fn make_charts(&self) -> Result<bool, StoreError> {
        let now = self.shared.clock.now();
        let day = self.shared.calendar.yesterday(now);
        let store = &self.shared.store;
        if !store.has_charts(day).await? {
            if !store.claim_charts(day, now, now.plus_ms(CLAIM_MS)).await? {
                return Ok(false);
            }
            let mut charts = Vec::new();
            for key in keys(day) {
                charts.push(self.make(key, now).await?);
            }
            store.publish_charts(day, &charts).await?;
            tracing::info!(%day, zone = self.zone(), "made the charts of the day");
        }
        self.take_in(day).await?;
        Ok(true)
    }

    async fn make(&self, key: ChartKey, now: Timestamp) -> Result<Chart, StoreError> {
        let first = key.period.first_day(key.date);
        let places = self.shared.store.best_sold(key.kind, first, key.date, PLACES_MAX).await?;
        Ok(Chart { key, places, published_at: Some(now) })
    }

    /// Puts the charts of a day into the cache as the latest, as they were published.
    async fn take_in(&self, day: Date) -> Result<(), StoreError> {
        for ChartKey { kind, period, .. } in keys(day) {
            let key = RankingKey::Latest(kind, period);
            let kept = self.shared.load(key).await?;
            self.shared.keep(key, kept).await;
        }
        Ok(())
    }

    async fn forget(&self, now: Timestamp) -> Result<(), StoreError> {
        let oldest = self.shared.calendar.day_of(now).saturating_sub(Span::new().days(DAYS_KEPT));
        self.shared.store.forget_popularity(now.plus_ms(-EVENT_KEPT_MS), oldest, now).await
    }
}

fn keys(date: Date) -> impl Iterator<Item = ChartKey> {
    let pairs = SubjectKind::ALL.into_iter().flat_map(|kind| Period::ALL.map(|period| (kind, period)));
    pairs.map(move |(kind, period)| ChartKey { kind, period, date })
}
