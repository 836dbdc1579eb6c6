//! Adding a hall. A large one is written in portions, so that nobody who buys meanwhile waits for it.
//!
//! # How
//! A first transaction takes the hall's id and those of its seats, and notes both in `hall_drafts`. Each portion
//! is a transaction of its own. The last one adds the row of the hall itself, by which everything finds the
//! others, and removes the draft: until then nobody can see any of it, older nodes included.
//!
//! # Invariants
//! - A hall that can be seen is complete.
//! - What a crash, or a caller who hangs up, leaves of a hall is noted in `hall_drafts`, and [`tidy`] removes
//!   it, in portions too. A draft is given up first, in the database, and no portion is added to one that was.

use std::{cmp::min, iter};

use onsale_domain::{
    hall::{Plan, PlannedSeat, Row, SEATS_PER_HALL_MAX},
    ids::{HallId, VenueId},
    time::Timestamp,
};
use onsale_engine::ports::StoreError;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use crate::{
    SqlStore,
    dialect::Dialect,
    entity::{hall, hall_category, hall_draft, hall_row, id_run, seat, venue},
    error::{broken, store_error},
    sales::Batch,
};

/// Rows of a portion: seats, rows of seats or categories. About ten milliseconds of work.
pub(super) const ROWS_PER_PORTION: usize = 4_000;

/// Rows or categories in one statement, each a few parameters.
const ROWS_PER_STATEMENT: usize = 1_000;

const SEAT_RUN: &str = "seat";

/// Stands for a time in a draft that was given up.
const GIVEN_UP: i64 = -1;

/// A part of a plan, and the index of its first member.
enum Part<'a> {
    Categories(usize, &'a [String]),
    Rows(usize, &'a [Row]),
    Seats(usize, &'a [PlannedSeat]),
}

/// Adds a hall with all that is in it.
pub(super) async fn add(
    store: &SqlStore,
    venue: VenueId,
    name: &str,
    plan: &Plan,
) -> Result<HallId, StoreError> {
    check_plan(plan)?;
    let write = store.begin_change().await?;
    let reserved = reserve(&write.transaction, venue, name, plan).await?;
    let id = reserved.id;
    if plan.seats.len() + plan.rows.len() + plan.categories.len() <= ROWS_PER_PORTION {
        for part in parts(plan) {
            add_part(&write.transaction, store.dialect, &reserved, part).await?;
        }
        write.commit().await?;
        return Ok(HallId(id));
    }
    let now = || store.options.clock.now();
    begin_draft(&write.transaction, &reserved, now()).await?;
    write.commit().await?;
    for part in parts(plan) {
        let write = store.begin_write().await?;
        keep(&write, id, now()).await?;
        add_part(&write, store.dialect, &reserved, part).await?;
        write.commit().await.map_err(store_error)?;
    }
    let write = store.begin_change().await?;
    keep(&write.transaction, id, now()).await?;
    finish(&write.transaction, reserved).await?;
    write.commit().await?;
    Ok(HallId(id))
}

/// Removes a portion of what a hall has left behind that was begun and to which nothing has been added since
/// `before`. Whether there may be more to remove.
pub(super) async fn tidy(store: &SqlStore, before: Timestamp) -> Result<bool, StoreError> {
    use hall_draft::{Column, Entity};
    let draft = Entity::find()
        .filter(Column::KeptAt.lt(before.0))
        .order_by_asc(Column::KeptAt)
        .one(&store.readers)
        .await
        .map_err(store_error)?;
    let Some(draft) = draft else { return Ok(false) };
    if draft.kept_at != GIVEN_UP {
        Entity::update_many()
            .col_expr(Column::KeptAt, Expr::val(GIVEN_UP))
            .filter(Column::HallId.eq(draft.hall_id))
            .filter(Column::KeptAt.lt(before.0))
            .exec(&store.writer)
            .await
            .map_err(store_error)?;
        return Ok(true);
    }
    if !remove_portion(store, &draft).await? {
        tracing::info!(hall = draft.hall_id, "removed what was left of a hall that was never finished");
        Entity::delete_by_id(draft.hall_id).exec(&store.writer).await.map_err(store_error)?;
    }
    Ok(true)
}

/// Removes a portion of the rows of a draft, if there are any.
async fn remove_portion(store: &SqlStore, draft: &hall_draft::Model) -> Result<bool, StoreError> {
    let many = ROWS_PER_PORTION as i64;
    let (first, end) = (draft.first_seat_id, draft.first_seat_id + draft.seat_count);
    let of_seats = seat::Column::Id.gte(first).and(seat::Column::Id.lt(end));
    let next = seat::Entity::find().select_only().column(seat::Column::Id).filter(of_seats);
    let next = next.order_by_asc(seat::Column::Id).into_tuple::<i64>().one(&store.readers).await;
    if let Some(next) = next.map_err(store_error)? {
        let removed = seat::Entity::delete_many()
            .filter(seat::Column::Id.gte(next))
            .filter(seat::Column::Id.lt(min(end, next + many)));
        removed.exec(&store.writer).await.map_err(store_error)?;
        return Ok(true);
    }
    let of_hall = hall_row::Column::HallId.eq(draft.hall_id);
    let next =
        hall_row::Entity::find().select_only().column(hall_row::Column::RowIndex).filter(of_hall.clone());
    let next = next.order_by_asc(hall_row::Column::RowIndex).into_tuple::<i64>().one(&store.readers).await;
    if let Some(next) = next.map_err(store_error)? {
        let removed = hall_row::Entity::delete_many()
            .filter(of_hall)
            .filter(hall_row::Column::RowIndex.lt(next + many));
        removed.exec(&store.writer).await.map_err(store_error)?;
        return Ok(true);
    }
    let of_hall = hall_category::Column::HallId.eq(draft.hall_id);
    let next = hall_category::Entity::find();
    let next = next.select_only().column(hall_category::Column::Category).filter(of_hall.clone());
    let next =
        next.order_by_asc(hall_category::Column::Category).into_tuple::<i64>().one(&store.readers).await;
    if let Some(next) = next.map_err(store_error)? {
        let removed = hall_category::Entity::delete_many()
            .filter(of_hall)
            .filter(hall_category::Column::Category.lt(next + many));
        removed.exec(&store.writer).await.map_err(store_error)?;
        return Ok(true);
    }
    Ok(false)
}

/// The row of a hall, with the ids of its seats, which nobody else gets.
async fn reserve(
    write: &impl ConnectionTrait,
    venue: VenueId,
    name: &str,
    plan: &Plan,
) -> Result<hall::Model, StoreError> {
    if venue::Entity::find_by_id(venue.0).one(write).await.map_err(store_error)?.is_none() {
        return Err(StoreError::Missing("venue"));
    }
    let seat_count = plan.seats.len() as i64;
    let first_seat_id = take_ids(write, SEAT_RUN, seat_count).await?;
    let row = hall::ActiveModel {
        id: NotSet,
        venue_id: Set(venue.0),
        name: Set(name.to_owned()),
        first_seat_id: Set(first_seat_id),
        seat_count: Set(seat_count),
        revision: Set(1),
    };
    let id = hall::Entity::insert(row).exec(write).await.map_err(store_error)?.last_insert_id;
    Ok(hall::Model { id, venue_id: venue.0, name: name.to_owned(), first_seat_id, seat_count, revision: 1 })
}

/// Takes the hall's row away again, which keeps its id from others, and notes that it is being added.
async fn begin_draft(
    write: &impl ConnectionTrait,
    reserved: &hall::Model,
    now: Timestamp,
) -> Result<(), StoreError> {
    hall::Entity::delete_by_id(reserved.id).exec(write).await.map_err(store_error)?;
    let draft = hall_draft::ActiveModel {
        hall_id: Set(reserved.id),
        first_seat_id: Set(reserved.first_seat_id),
        seat_count: Set(reserved.seat_count),
        kept_at: Set(now.0),
    };
    hall_draft::Entity::insert(draft).exec_without_returning(write).await.map_err(store_error)?;
    Ok(())
}

/// Notes that a hall is still being added, unless it has been given up for dead.
async fn keep(write: &impl ConnectionTrait, hall: i64, now: Timestamp) -> Result<(), StoreError> {
    use hall_draft::{Column, Entity};
    let kept = Entity::update_many()
        .col_expr(Column::KeptAt, Expr::val(now.0))
        .filter(Column::HallId.eq(hall))
        .filter(Column::KeptAt.ne(GIVEN_UP))
        .exec(write)
        .await
        .map_err(store_error)?;
    if kept.rows_affected == 0 {
        return Err(StoreError::Unavailable(
            "the hall took so long that it was given up; add it again".into(),
        ));
    }
    Ok(())
}

/// Adds the row by which the hall and everything in it is found.
async fn finish(write: &impl ConnectionTrait, reserved: hall::Model) -> Result<(), StoreError> {
    hall_draft::Entity::delete_by_id(reserved.id).exec(write).await.map_err(store_error)?;
    let row = hall::ActiveModel {
        id: Set(reserved.id),
        venue_id: Set(reserved.venue_id),
        name: Set(reserved.name),
        first_seat_id: Set(reserved.first_seat_id),
        seat_count: Set(reserved.seat_count),
        revision: Set(reserved.revision),
    };
    hall::Entity::insert(row).exec_without_returning(write).await.map_err(store_error)?;
    Ok(())
}

/// The plan in parts of at most [`ROWS_PER_PORTION`].
fn parts(plan: &Plan) -> impl Iterator<Item = Part<'_>> {
    let firsts = || (0..).step_by(ROWS_PER_PORTION);
    let categories = firsts().zip(plan.categories.chunks(ROWS_PER_PORTION));
    let rows = firsts().zip(plan.rows.chunks(ROWS_PER_PORTION));
    let seats = firsts().zip(plan.seats.chunks(ROWS_PER_PORTION));
    let parts = categories.map(|(first, names)| Part::Categories(first, names));
    let parts = parts.chain(rows.map(|(first, rows)| Part::Rows(first, rows)));
    parts.chain(seats.map(|(first, seats)| Part::Seats(first, seats)))
}

async fn add_part(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    hall: &hall::Model,
    part: Part<'_>,
) -> Result<(), StoreError> {
    match part {
        Part::Categories(first, names) => add_categories(write, hall.id, first, names).await,
        Part::Rows(first, rows) => add_rows(write, hall.id, first, rows).await,
        Part::Seats(first, seats) => {
            let first_id = hall.first_seat_id + first as i64;
            let batch = Batch::rows(dialect.hot().encoding, seats, seat_row);
            let values = iter::once(first_id.into()).chain(batch.into_values());
            let insert = dialect.statement(dialect.hot().insert_seats, values);
            write.execute_raw(insert).await.map_err(store_error)?;
            Ok(())
        }
    }
}

/// Whatever refers to a row or a category has to find it later.
fn check_plan(plan: &Plan) -> Result<(), StoreError> {
    let reject = |text: String| Err(StoreError::Rejected(text));
    if plan.seats.is_empty() || plan.seats.len() > SEATS_PER_HALL_MAX {
        return reject(format!("a hall has 1 to {SEATS_PER_HALL_MAX} seats, not {}", plan.seats.len()));
    }
    if plan.categories.len() > usize::from(u16::MAX) {
        return reject("a hall has at most 65,535 categories".to_owned());
    }
    for (ordinal, seat) in plan.seats.iter().enumerate() {
        if seat.row as usize >= plan.rows.len() {
            return reject(format!("seat {ordinal} is in row {}, which the plan has not", seat.row));
        }
        if usize::from(seat.category) >= plan.categories.len() {
            return reject(format!(
                "seat {ordinal} is of category {}, which the plan has not",
                seat.category
            ));
        }
        if !(seat.x.is_finite() && seat.y.is_finite()) {
            return reject(format!("seat {ordinal} has no position"));
        }
    }
    Ok(())
}

fn seat_row(row: &mut crate::sales::Row<'_>, seat: &PlannedSeat) {
    row.integer(seat.row.into());
    row.integer(seat.place.into());
    row.text(&seat.number);
    row.integer(seat.category.into());
    row.number(seat.x.into());
    row.number(seat.y.into());
    row.optional_text(seat.guid.as_deref());
}

/// Takes a run of `count` ids that nobody else gets; returns the first.
async fn take_ids(write: &impl ConnectionTrait, kind: &str, count: i64) -> Result<i64, StoreError> {
    use id_run::{Column, Entity};
    let take = || {
        Entity::update_many()
            .col_expr(Column::NextId, Expr::col(Column::NextId).add(count))
            .filter(Column::Kind.eq(kind))
            .exec(write)
    };
    if take().await.map_err(store_error)?.rows_affected == 0 {
        // The first of all; somebody else may be so at the same moment.
        let first = id_run::ActiveModel { kind: Set(kind.to_owned()), next_id: Set(1) };
        Entity::insert(first)
            .on_conflict(OnConflict::column(Column::Kind).do_nothing_on([Column::Kind]).to_owned())
            .exec_without_returning(write)
            .await
            .map_err(store_error)?;
        take().await.map_err(store_error)?;
    }
    let run = Entity::find_by_id(kind.to_owned()).one(write).await.map_err(store_error)?;
    Ok(run.ok_or_else(|| broken("a run of ids has gone"))?.next_id - count)
}

pub(super) async fn add_categories(
    write: &impl ConnectionTrait,
    hall: i64,
    first: usize,
    names: &[String],
) -> Result<(), StoreError> {
    let rows: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(index, name)| hall_category::ActiveModel {
            hall_id: Set(hall),
            category: Set((first + index) as i64),
            name: Set(name.clone()),
        })
        .collect();
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let insert = hall_category::Entity::insert_many(chunk.iter().cloned());
        insert.exec_without_returning(write).await.map_err(store_error)?;
    }
    Ok(())
}

async fn add_rows(
    write: &impl ConnectionTrait,
    hall: i64,
    first: usize,
    rows: &[Row],
) -> Result<(), StoreError> {
    let rows: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| hall_row::ActiveModel {
            hall_id: Set(hall),
            row_index: Set((first + index) as i64),
            section: Set(row.section.clone()),
            label: Set(row.label.clone()),
        })
        .collect();
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let insert = hall_row::Entity::insert_many(chunk.iter().cloned());
        insert.exec_without_returning(write).await.map_err(store_error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan of so many seats in so many rows.
    fn plan(categories: usize, rows: usize, seats: usize) -> Plan {
        let seat = |index: usize| PlannedSeat {
            row: 0,
            place: i32::try_from(index).unwrap(),
            number: index.to_string(),
            category: 0,
            x: 0.0,
            y: 0.0,
            guid: None,
        };
        Plan {
            rows: (0..rows).map(|row| Row { section: "S".into(), label: row.to_string() }).collect(),
            categories: (0..categories).map(|category| category.to_string()).collect(),
            seats: (0..seats).map(seat).collect(),
        }
    }

    #[test]
    fn parts_are_bounded_and_make_up_the_plan() {
        for plan in
            [plan(1, 1, 1), plan(3, 5_000, 2 * ROWS_PER_PORTION + 1), plan(4_001, 1, ROWS_PER_PORTION)]
        {
            let mut whole = Plan::default();
            for part in parts(&plan) {
                let (first, next, many) = match part {
                    Part::Categories(first, names) => {
                        whole.categories.extend_from_slice(names);
                        (first, whole.categories.len(), names.len())
                    }
                    Part::Rows(first, rows) => {
                        whole.rows.extend_from_slice(rows);
                        (first, whole.rows.len(), rows.len())
                    }
                    Part::Seats(first, seats) => {
                        whole.seats.extend_from_slice(seats);
                        (first, whole.seats.len(), seats.len())
                    }
                };
                assert_eq!(first + many, next, "each begins where the one before ended");
                assert!((1..=ROWS_PER_PORTION).contains(&many));
            }
            assert_eq!(whole, plan);
        }
    }
}
