//! Charts: who makes them, and what was published.

use jiff::civil::Date;
use onsale_domain::time::Timestamp;
use onsale_engine::ports::{Chart, ChartKey, Ranked, StoreError};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait,
    QueryFilter, SqlErr, sea_query::Expr,
};

use super::{day_number, kind_number, period_number};
use crate::{
    entity::{chart, chart_run},
    error::{broken, store_error},
};

pub(super) async fn published(
    read: &impl ConnectionTrait,
    key: ChartKey,
) -> Result<Option<Chart>, StoreError> {
    let id = (kind_number(key.kind), period_number(key.period), day_number(key.date));
    let model = chart::Entity::find_by_id(id).one(read).await.map_err(store_error)?;
    let Some(model) = model else { return Ok(None) };
    let places: Vec<(i64, f64)> = serde_json::from_str(&model.places).map_err(broken)?;
    let places = places.into_iter().map(|(id, count)| Ranked { id, count }).collect();
    Ok(Some(Chart { key, places, published_at: Some(Timestamp(model.published_at)) }))
}

/// See [`onsale_engine::ports::PopularityStore::claim_charts`].
pub(super) async fn claim(
    writer: &DatabaseConnection,
    day: Date,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    use chart_run::{ActiveModel, Column, Entity};
    let day = day_number(day);
    let taken = Entity::update_many()
        .col_expr(Column::ClaimedUntil, Expr::val(until.0))
        .filter(Column::Day.eq(day))
        .filter(Column::Published.eq(false))
        .filter(Column::ClaimedUntil.lte(now.0))
        .exec(writer)
        .await
        .map_err(store_error)?;
    if taken.rows_affected == 1 {
        return Ok(true);
    }
    let row = ActiveModel { day: Set(day), claimed_until: Set(until.0), published: Set(false) };
    match Entity::insert(row).exec_without_returning(writer).await {
        Ok(_) => Ok(true),
        Err(error) => match error.sql_err() {
            // Somebody else has claimed it, and is not too late yet.
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(false),
            _ => Err(store_error(error)),
        },
    }
}

/// Writes the charts; `false` if there are some already.
pub(super) async fn publish(
    write: &DatabaseTransaction,
    day: Date,
    charts: &[Chart],
) -> Result<bool, StoreError> {
    use chart_run::{Column, Entity};
    // The row is this transaction's from here on: whoever publishes too comes later.
    let first = Entity::update_many()
        .col_expr(Column::Published, Expr::val(true))
        .filter(Column::Day.eq(day_number(day)))
        .filter(Column::Published.eq(false))
        .exec(write)
        .await
        .map_err(store_error)?;
    if first.rows_affected == 0 {
        return Ok(false);
    }
    let rows = charts.iter().map(|chart| {
        let places: Vec<(i64, f64)> = chart.places.iter().map(|place| (place.id, place.count)).collect();
        chart::ActiveModel {
            kind: Set(kind_number(chart.key.kind)),
            period: Set(period_number(chart.key.period)),
            day: Set(day_number(chart.key.date)),
            places: Set(serde_json::to_string(&places).expect("numbers are plain JSON")),
            published_at: Set(chart.published_at.unwrap_or_default().0),
        }
    });
    chart::Entity::insert_many(rows).exec_without_returning(write).await.map_err(store_error)?;
    Ok(true)
}

/// Forgets the charts of days before a day.
pub(super) async fn forget(writer: &DatabaseConnection, before: Date) -> Result<(), StoreError> {
    let before = day_number(before);
    chart::Entity::delete_many()
        .filter(chart::Column::Day.lt(before))
        .exec(writer)
        .await
        .map_err(store_error)?;
    chart_run::Entity::delete_many()
        .filter(chart_run::Column::Day.lt(before))
        .exec(writer)
        .await
        .map_err(store_error)?;
    Ok(())
}
