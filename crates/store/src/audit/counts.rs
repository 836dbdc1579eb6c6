//! The counts of rankings.

use onsale_domain::{
    popularity::{Period, Subject, SubjectKind},
    time::Timestamp,
};
use onsale_engine::ports::{Count, CountRow, Page, StoreError};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::{after_all, page};
use crate::{
    entity::{chart, event_log, event_task, ledger_entry, outbox, popularity_day, popularity_now},
    error::{broken, store_error},
    popularity::{kind_of, period_of},
};

/// Charts of one page: each has up to a hundred places.
const CHARTS: u64 = 100;

/// The name of the consumer that counts; see `onsale-events`.
const TASK: &str = "consume popularity";

/// A page of one table.
type Counts = Page<CountRow, [i64; 4]>;

/// See [`onsale_engine::ports::FrozenStore::counts`]. A key begins with the number of its table.
pub(super) async fn counts(
    read: &impl ConnectionTrait,
    after: Option<[i64; 4]>,
    limit: usize,
) -> Result<Counts, StoreError> {
    let [table, key @ ..] = after.unwrap_or([0, i64::MIN, i64::MIN, i64::MIN]);
    let first = |from: i64| if from == table { key } else { [i64::MIN; 3] };
    if table == 0 {
        let days = days(read, first(0), limit).await?;
        if days.last.is_some() {
            return Ok(days);
        }
    }
    if table <= 1 {
        let charts = charts(read, first(1)).await?;
        if charts.last.is_some() {
            return Ok(charts);
        }
    }
    now(read, first(2), limit).await
}

async fn days(read: &impl ConnectionTrait, after: [i64; 3], limit: usize) -> Result<Counts, StoreError> {
    use popularity_day::{Column, Entity};
    let columns = [Column::Kind, Column::Day, Column::SubjectId];
    let mut query = Entity::find().filter(after_all(&columns, &after)).limit(limit as u64);
    for column in columns {
        query = query.order_by_asc(column);
    }
    let models = query.all(read).await.map_err(store_error)?;
    let row = |model: &popularity_day::Model| {
        let subject = Subject { kind: kind(model.kind)?, id: model.subject_id };
        Ok(CountRow { subject, count: Count::Day { day: model.day, units: model.units } })
    };
    let name = |model: &popularity_day::Model| format!("count of {} on day {}", model.subject_id, model.day);
    Ok(page(&models, |model| [0, model.kind.into(), model.day, model.subject_id], name, row))
}

async fn charts(read: &impl ConnectionTrait, after: [i64; 3]) -> Result<Counts, StoreError> {
    use chart::{Column, Entity};
    let columns = [Column::Kind, Column::Period, Column::Day];
    let mut query = Entity::find().filter(after_all(&columns, &after)).limit(CHARTS);
    for column in columns {
        query = query.order_by_asc(column);
    }
    let models = query.all(read).await.map_err(store_error)?;
    let name =
        |model: &chart::Model| format!("chart {} of kind {} of day {}", model.period, model.kind, model.day);
    let key = |model: &chart::Model| [1, model.kind.into(), model.period.into(), model.day];
    let Page { rows, unreadable, last } = page(&models, key, name, places);
    Ok(Page { rows: rows.into_iter().flatten().collect(), unreadable, last })
}

/// The places of a chart, which are in order.
fn places(model: &chart::Model) -> Result<Vec<CountRow>, StoreError> {
    let kind = kind(model.kind)?;
    let period: Period =
        period_of(model.period).ok_or_else(|| broken(format!("a period {}", model.period)))?;
    let places: Vec<(i64, f64)> = serde_json::from_str(&model.places).map_err(broken)?;
    if places.windows(2).any(|pair| pair[0].1 < pair[1].1) {
        return Err(broken("its places are not in order"));
    }
    let (first, last) = (model.day - i64::from(period.days()) + 1, model.day);
    let row =
        |(id, units)| CountRow { subject: Subject { kind, id }, count: Count::Chart { first, last, units } };
    Ok(places.into_iter().map(row).collect())
}

async fn now(read: &impl ConnectionTrait, after: [i64; 3], limit: usize) -> Result<Counts, StoreError> {
    use popularity_now::{Column, Entity};
    let columns = [Column::Kind, Column::SubjectId];
    let mut query = Entity::find().filter(after_all(&columns, &after[..2])).limit(limit as u64);
    for column in columns {
        query = query.order_by_asc(column);
    }
    let models = query.all(read).await.map_err(store_error)?;
    let row = |model: &popularity_now::Model| {
        let subject = Subject { kind: kind(model.kind)?, id: model.subject_id };
        let count = Count::Now { count: model.count, as_of: Timestamp(model.as_of), heat: model.heat };
        Ok(CountRow { subject, count })
    };
    let name = |model: &popularity_now::Model| format!("count of {} of late", model.subject_id);
    Ok(page(&models, |model| [2, model.kind.into(), model.subject_id, 0], name, row))
}

fn kind(number: i16) -> Result<SubjectKind, StoreError> {
    kind_of(number).ok_or_else(|| broken(format!("a kind {number}")))
}

/// Whether the consumer that counts has read the whole log, nothing waits to be told, and nothing was paid or paid
/// back that the log is too old to know of, as when events go another way.
pub(super) async fn is_all_counted(read: &impl ConnectionTrait) -> Result<bool, StoreError> {
    let task = event_task::Entity::find_by_id(TASK).one(read).await.map_err(store_error)?;
    let last: Option<(Option<i64>, Option<i64>)> = event_log::Entity::find()
        .select_only()
        .column_as(event_log::Column::Position.max(), "position")
        .column_as(event_log::Column::CreatedAt.max(), "created_at")
        .into_tuple()
        .one(read)
        .await
        .map_err(store_error)?;
    let (Some(task), Some((Some(position), Some(told_until)))) = (task, last) else { return Ok(false) };
    if task.position < position {
        return Ok(false);
    }
    let untold = outbox::Entity::find().count(read).await.map_err(store_error)?;
    let later = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::CreatedAt.gt(told_until))
        .one(read)
        .await
        .map_err(store_error)?;
    Ok(untold == 0 && later.is_none())
}
