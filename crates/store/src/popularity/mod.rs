//! The port under rankings.

mod charts;
mod count;

use async_trait::async_trait;
use jiff::civil::{Date, date};
use onsale_domain::{
    popularity::{Calendar, DecayingCount, Period, SubjectKind, heat_least},
    time::Timestamp,
};
use onsale_engine::ports::{Chart, ChartKey, CountedSale, PopularityStore, Ranked, StoreError};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    SqlStore,
    entity::{chart_run, counted_event, popularity_day, popularity_now},
    error::store_error,
};

/// How many remembered events are forgotten in one statement.
const FORGET_CHUNK: u64 = 10_000;

#[async_trait]
impl PopularityStore for SqlStore {
    async fn count_sales(
        &self,
        sales: &[CountedSale],
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let write = self.begin_write().await?;
        let counted = count::count(&write, sales, calendar, now).await?;
        write.commit().await.map_err(count::lost_race)?;
        Ok(counted)
    }

    async fn best_sold(
        &self,
        kind: SubjectKind,
        first: Date,
        last: Date,
        limit: usize,
    ) -> Result<Vec<Ranked>, StoreError> {
        use popularity_day::{Column, Entity};
        let sum = || Expr::col(Column::Units).sum();
        let rows: Vec<(i64, i64)> = Entity::find()
            .select_only()
            .column(Column::SubjectId)
            .column_as(sum().cast_as(self.dialect.integer()), "sold")
            .filter(Column::Kind.eq(kind_number(kind)))
            .filter(Column::Day.between(day_number(first), day_number(last)))
            .group_by(Column::SubjectId)
            .having(sum().gt(0))
            .order_by_desc(sum())
            .order_by_asc(Column::SubjectId)
            .limit(limit as u64)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(|(id, sold)| Ranked { id, count: sold as f64 }).collect())
    }

    async fn hottest(
        &self,
        kind: SubjectKind,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Ranked>, StoreError> {
        use popularity_now::{Column, Entity};
        let models = Entity::find()
            .filter(Column::Kind.eq(kind_number(kind)))
            .filter(Column::Heat.gt(heat_least(now)))
            .order_by_desc(Column::Heat)
            .order_by_asc(Column::SubjectId)
            .limit(limit as u64)
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        Ok(models
            .into_iter()
            .map(|model| {
                let count = DecayingCount { count: model.count, as_of: Timestamp(model.as_of) };
                Ranked { id: model.subject_id, count: count.at(now) }
            })
            .collect())
    }

    async fn chart(&self, key: ChartKey, limit: usize) -> Result<Chart, StoreError> {
        if let Some(published) = charts::published(&self.readers, key).await? {
            return Ok(published);
        }
        let first = key.period.first_day(key.date);
        let places = self.best_sold(key.kind, first, key.date, limit).await?;
        Ok(Chart { key, places, published_at: None })
    }

    async fn has_charts(&self, day: Date) -> Result<bool, StoreError> {
        let run = chart_run::Entity::find_by_id(day_number(day)).one(&self.readers).await;
        Ok(run.map_err(store_error)?.is_some_and(|run| run.published))
    }

    async fn claim_charts(&self, day: Date, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        charts::claim(&self.writer, day, now, until).await
    }

    async fn publish_charts(&self, day: Date, charts: &[Chart]) -> Result<(), StoreError> {
        let write = self.begin_write().await?;
        if charts::publish(&write, day, charts).await? {
            write.commit().await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn forget_popularity(
        &self,
        events_before: Timestamp,
        days_before: Date,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.forget_events(events_before).await?;
        charts::forget(&self.writer, days_before).await?;
        for kind in SubjectKind::ALL {
            popularity_day::Entity::delete_many()
                .filter(popularity_day::Column::Kind.eq(kind_number(kind)))
                .filter(popularity_day::Column::Day.lt(day_number(days_before)))
                .exec(&self.writer)
                .await
                .map_err(store_error)?;
            popularity_now::Entity::delete_many()
                .filter(popularity_now::Column::Kind.eq(kind_number(kind)))
                .filter(popularity_now::Column::Heat.lt(heat_least(now)))
                .exec(&self.writer)
                .await
                .map_err(store_error)?;
        }
        Ok(())
    }
}

impl SqlStore {
    /// Forgets events counted before a time, some at once, so that nobody waits long.
    async fn forget_events(&self, before: Timestamp) -> Result<(), StoreError> {
        use counted_event::{Column, Entity};
        loop {
            let last: Option<i64> = Entity::find()
                .select_only()
                .column(Column::CountedAt)
                .filter(Column::CountedAt.lt(before.0))
                .order_by_asc(Column::CountedAt)
                .offset(FORGET_CHUNK)
                .limit(1)
                .into_tuple()
                .one(&self.readers)
                .await
                .map_err(store_error)?;
            let old = match last {
                Some(last) => Column::CountedAt.lte(last),
                None => Column::CountedAt.lt(before.0),
            };
            Entity::delete_many().filter(old).exec(&self.writer).await.map_err(store_error)?;
            if last.is_none() {
                return Ok(());
            }
        }
    }
}

const fn kind_number(kind: SubjectKind) -> i16 {
    match kind {
        SubjectKind::Movie => 1,
        SubjectKind::Concert => 2,
        SubjectKind::Item => 3,
    }
}

/// The kind with this number.
pub(crate) fn kind_of(number: i16) -> Option<SubjectKind> {
    SubjectKind::ALL.into_iter().find(|kind| kind_number(*kind) == number)
}

/// The period with this number.
pub(crate) fn period_of(number: i16) -> Option<Period> {
    Period::ALL.into_iter().find(|period| period_number(*period) == number)
}

const fn period_number(period: Period) -> i16 {
    match period {
        Period::Day => 1,
        Period::Week => 2,
        Period::Month => 3,
    }
}

/// Days since 1970-01-01.
fn day_number(day: Date) -> i64 {
    const EPOCH: Date = date(1970, 1, 1);
    day.duration_since(EPOCH).as_hours() / 24
}
