//! Counting sales, each event once.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use onsale_domain::{
    catalogue::ShowKind,
    ids::{PerformanceId, ShowId},
    popularity::{Calendar, DecayingCount, Subject},
    time::Timestamp,
};
use onsale_engine::ports::{CountedSale, Sold, StoreError, TransactionError};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{day_number, kind_number};
use crate::{
    catalogue::shows_of,
    entity::{counted_event, popularity_day, popularity_now, show},
    error::{broken, transaction_error},
};

/// Somebody else wrote the same rows first: nothing has happened, and it can be tried again.
pub(super) fn lost_race(error: DbErr) -> StoreError {
    match transaction_error(error) {
        TransactionError::Conflict => StoreError::Conflict("a count of the same sales"),
        TransactionError::Store(error) => error,
    }
}

/// Counts in a transaction. Returns how many events were new.
pub(super) async fn count(
    write: &DatabaseTransaction,
    sales: &[CountedSale],
    calendar: &Calendar,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let new = remember(write, sales, now).await?;
    let shows = shows(write, &new).await?;
    let (mut days, mut late) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
    for sale in &new {
        let subject = match sale.sold {
            Sold::Performance(id) => shows.get(&id).copied(),
            Sold::Item(id) => Some(Subject::item(id)),
        };
        let Some(subject) = subject else { continue };
        *days.entry((subject, calendar.day_of(sale.paid_at))).or_insert(0) += sale.units;
        late.entry(subject).or_default().push((sale.units, sale.paid_at));
    }
    // In the order of their keys, so that two nodes do not wait for each other.
    for ((subject, day), units) in days {
        add_to_day(write, subject, day, units).await?;
    }
    for (subject, sales) in late {
        add_to_now(write, subject, &sales).await?;
    }
    Ok(new.len())
}

/// The sales whose events have not been counted yet, now remembered.
async fn remember<'a>(
    write: &DatabaseTransaction,
    sales: &'a [CountedSale],
    now: Timestamp,
) -> Result<Vec<&'a CountedSale>, StoreError> {
    use counted_event::{ActiveModel, Column, Entity};
    let known = Entity::find().filter(Column::EventId.is_in(sales.iter().map(|sale| sale.event.as_str())));
    let known = known.all(write).await.map_err(lost_race)?;
    let mut seen: HashSet<&str> = known.iter().map(|model| model.event_id.as_str()).collect();
    let new: Vec<_> = sales.iter().filter(|sale| seen.insert(&sale.event)).collect();
    let mut rows: Vec<_> = new.iter().map(|sale| sale.event.clone()).collect();
    rows.sort_unstable();
    let rows = rows.into_iter().map(|event| ActiveModel { event_id: Set(event), counted_at: Set(now.0) });
    if !new.is_empty() {
        Entity::insert_many(rows).exec_without_returning(write).await.map_err(lost_race)?;
    }
    Ok(new)
}

/// What is shown at each of the performances.
async fn shows(
    write: &DatabaseTransaction,
    sales: &[&CountedSale],
) -> Result<HashMap<PerformanceId, Subject>, StoreError> {
    let performances = sales.iter().filter_map(|sale| match sale.sold {
        Sold::Performance(id) => Some(id.0),
        Sold::Item(_) => None,
    });
    let performances: HashSet<i64> = performances.collect();
    let performances = shows_of(write, performances).await.map_err(lost_race)?;
    let shows: HashSet<i64> = performances.iter().map(|(_, show)| *show).collect();
    let shows: Vec<(i64, String)> = show::Entity::find()
        .select_only()
        .columns([show::Column::Id, show::Column::Kind])
        .filter(show::Column::Id.is_in(shows))
        .into_tuple()
        .all(write)
        .await
        .map_err(lost_race)?;
    let kinds: HashMap<i64, String> = shows.into_iter().collect();
    performances
        .into_iter()
        .map(|(performance, show)| {
            let kind = kinds.get(&show).and_then(|kind| ShowKind::from_name(kind));
            let kind = kind.ok_or_else(|| broken(format!("the show {show} is of no known kind")))?;
            Ok((PerformanceId(performance), Subject::show(kind, ShowId(show))))
        })
        .collect()
}

async fn add_to_day(
    write: &DatabaseTransaction,
    subject: Subject,
    day: Date,
    units: i64,
) -> Result<(), StoreError> {
    use popularity_day::{ActiveModel, Column, Entity};
    let (kind, day) = (kind_number(subject.kind), day_number(day));
    let added = Entity::update_many()
        .col_expr(Column::Units, Expr::col(Column::Units).add(units))
        .filter(Column::Kind.eq(kind))
        .filter(Column::Day.eq(day))
        .filter(Column::SubjectId.eq(subject.id))
        .exec(write)
        .await
        .map_err(lost_race)?;
    if added.rows_affected == 0 {
        let row =
            ActiveModel { kind: Set(kind), day: Set(day), subject_id: Set(subject.id), units: Set(units) };
        Entity::insert(row).exec_without_returning(write).await.map_err(lost_race)?;
    }
    Ok(())
}

async fn add_to_now(
    write: &DatabaseTransaction,
    subject: Subject,
    sales: &[(i64, Timestamp)],
) -> Result<(), StoreError> {
    use popularity_now::{ActiveModel, Entity};
    let key = (kind_number(subject.kind), subject.id);
    let known = Entity::find_by_id(key).lock_exclusive().one(write).await.map_err(lost_race)?;
    let before = known.as_ref().map(|row| DecayingCount { count: row.count, as_of: Timestamp(row.as_of) });
    let start = sales.first().map_or(Timestamp(0), |(_, at)| *at);
    let before = before.unwrap_or(DecayingCount::new(start));
    let after = sales.iter().fold(before, |count, (units, at)| count.plus(*units, *at));
    let Some(heat) = after.heat() else {
        if known.is_some() {
            Entity::delete_by_id(key).exec(write).await.map_err(lost_race)?;
        }
        return Ok(());
    };
    let row = ActiveModel {
        kind: Set(key.0),
        subject_id: Set(key.1),
        count: Set(after.count),
        as_of: Set(after.as_of.0),
        heat: Set(heat),
    };
    let written = match known {
        None => Entity::insert(row).exec_without_returning(write).await.map(drop),
        Some(_) => Entity::update(row).exec(write).await.map(drop),
    };
    written.map_err(lost_race)
}
