//! Halls: adding one with its seats, and putting seats into categories.

use std::iter;

use onsale_domain::{
    catalogue::Hall,
    hall::{Plan, PlannedSeat, SEATS_PER_HALL_MAX},
    ids::{HallId, PerformanceId, SeatId, VenueId},
};
use onsale_engine::ports::{SeatSelector, StoreError};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    dialect::Dialect,
    entity::{hall, hall_category, hall_row, id_run, performance, venue},
    error::{broken, store_error},
    sales::Batch,
};

/// Seats that travel to the database in one statement: a few megabytes of JSON.
const SEATS_PER_STATEMENT: usize = 50_000;

/// Rows or categories in one statement, each a few parameters.
const ROWS_PER_STATEMENT: usize = 1_000;

const SEAT_RUN: &str = "seat";

pub(super) async fn add(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    venue: VenueId,
    name: &str,
    plan: &Plan,
) -> Result<HallId, StoreError> {
    check_plan(plan)?;
    if venue::Entity::find_by_id(venue.0).one(write).await.map_err(store_error)?.is_none() {
        return Err(StoreError::Missing("venue"));
    }
    let first_seat_id = take_ids(write, SEAT_RUN, plan.seats.len() as i64).await?;
    let hall = hall::ActiveModel {
        id: NotSet,
        venue_id: Set(venue.0),
        name: Set(name.to_owned()),
        first_seat_id: Set(first_seat_id),
        seat_count: Set(plan.seats.len() as i64),
        revision: Set(1),
    };
    let id = hall::Entity::insert(hall).exec(write).await.map_err(store_error)?.last_insert_id;
    add_categories(write, id, 0, &plan.categories).await?;
    add_rows(write, id, plan).await?;
    for (index, chunk) in plan.seats.chunks(SEATS_PER_STATEMENT).enumerate() {
        let first = first_seat_id + (index * SEATS_PER_STATEMENT) as i64;
        let batch = Batch::rows(dialect.hot().encoding, chunk, seat_row);
        let insert = dialect
            .statement(dialect.hot().insert_seats, iter::once(first.into()).chain(batch.into_values()));
        write.execute_raw(insert).await.map_err(store_error)?;
    }
    Ok(HallId(id))
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
    let taken = id_run::Entity::update_many()
        .col_expr(id_run::Column::NextId, Expr::col(id_run::Column::NextId).add(count))
        .filter(id_run::Column::Kind.eq(kind))
        .exec(write)
        .await
        .map_err(store_error)?;
    if taken.rows_affected == 0 {
        let first = id_run::ActiveModel { kind: Set(kind.to_owned()), next_id: Set(1 + count) };
        id_run::Entity::insert(first).exec_without_returning(write).await.map_err(store_error)?;
        return Ok(1);
    }
    let run = id_run::Entity::find_by_id(kind.to_owned())
        .one(write)
        .await
        .map_err(store_error)?
        .ok_or_else(|| broken("a run of ids has gone"))?;
    Ok(run.next_id - count)
}

async fn add_categories(
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

async fn add_rows(write: &impl ConnectionTrait, hall: i64, plan: &Plan) -> Result<(), StoreError> {
    let rows: Vec<_> = plan
        .rows
        .iter()
        .enumerate()
        .map(|(index, row)| hall_row::ActiveModel {
            hall_id: Set(hall),
            row_index: Set(index as i64),
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

pub(super) async fn hall(read: &impl ConnectionTrait, id: HallId) -> Result<Option<Hall>, StoreError> {
    let model = hall::Entity::find_by_id(id.0).one(read).await.map_err(store_error)?;
    let Some(model) = model else { return Ok(None) };
    Ok(with_categories(read, vec![model]).await?.pop())
}

pub(super) async fn halls_of(read: &impl ConnectionTrait, venue: VenueId) -> Result<Vec<Hall>, StoreError> {
    let models = hall::Entity::find()
        .filter(hall::Column::VenueId.eq(venue.0))
        .order_by_asc(hall::Column::Id)
        .all(read)
        .await
        .map_err(store_error)?;
    with_categories(read, models).await
}

async fn with_categories(
    read: &impl ConnectionTrait,
    models: Vec<hall::Model>,
) -> Result<Vec<Hall>, StoreError> {
    let mut halls = Vec::with_capacity(models.len());
    for model in models {
        halls.push(Hall {
            id: HallId(model.id),
            venue: VenueId(model.venue_id),
            name: model.name,
            seats: u32::try_from(model.seat_count).map_err(broken)?,
            categories: categories(read, model.id).await?,
        });
    }
    Ok(halls)
}

async fn categories(connection: &impl ConnectionTrait, hall: i64) -> Result<Vec<String>, StoreError> {
    hall_category::Entity::find()
        .select_only()
        .column(hall_category::Column::Name)
        .filter(hall_category::Column::HallId.eq(hall))
        .order_by_asc(hall_category::Column::Category)
        .into_tuple()
        .all(connection)
        .await
        .map_err(store_error)
}

pub(super) async fn hall_of_seat(
    read: &impl ConnectionTrait,
    seat: SeatId,
) -> Result<Option<HallId>, StoreError> {
    let model = hall::Entity::find()
        .filter(hall::Column::FirstSeatId.lte(seat.0))
        .order_by_desc(hall::Column::FirstSeatId)
        .one(read)
        .await
        .map_err(store_error)?;
    Ok(model.filter(|hall| seat.0 - hall.first_seat_id < hall.seat_count).map(|hall| HallId(hall.id)))
}

pub(super) async fn set_category(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    id: HallId,
    seats: &SeatSelector,
    category: &str,
) -> Result<(u64, Vec<PerformanceId>), StoreError> {
    let hall = hall::Entity::find_by_id(id.0)
        .one(write)
        .await
        .map_err(store_error)?
        .ok_or(StoreError::Missing("hall"))?;
    let selected = selected(write, dialect, &hall, seats).await?;
    let category = category_index(write, &hall, category).await?;
    let last_seat_id = hall.first_seat_id + hall.seat_count - 1;
    let bounds = [Value::from(category), hall.first_seat_id.into(), last_seat_id.into()];
    let values = bounds.into_iter().chain(selected.list.map(Batch::into_values).unwrap_or_default());
    let update = dialect.statement(selected.statement, values);
    let changed = write.execute_raw(update).await.map_err(store_error)?.rows_affected();
    hall::Entity::update_many()
        .col_expr(hall::Column::Revision, Expr::col(hall::Column::Revision).add(1))
        .filter(hall::Column::Id.eq(id.0))
        .exec(write)
        .await
        .map_err(store_error)?;
    Ok((changed, raise_revisions(write, id).await?))
}

/// Which statement changes the selected seats, and the list it takes.
struct Selected {
    statement: &'static str,
    list: Option<Batch>,
}

async fn selected(
    connection: &impl ConnectionTrait,
    dialect: Dialect,
    hall: &hall::Model,
    seats: &SeatSelector,
) -> Result<Selected, StoreError> {
    let hot = dialect.hot();
    let rows = match seats {
        SeatSelector::All => return Ok(Selected { statement: hot.categorise_all, list: None }),
        SeatSelector::Seats(seats) => {
            let own = hall.first_seat_id..hall.first_seat_id + hall.seat_count;
            if !seats.iter().all(|seat| own.contains(&seat.0)) {
                return Err(StoreError::Missing("seat in this hall"));
            }
            let list = Batch::integers(hot.encoding, seats.iter().map(|seat| seat.0));
            return Ok(Selected { statement: hot.categorise_seats, list: Some(list) });
        }
        SeatSelector::Section(section) => {
            rows_of(connection, hall, section).await?.into_iter().map(|(_, row)| row).collect()
        }
        SeatSelector::Rows { section, rows } => {
            let known = rows_of(connection, hall, section).await?;
            if !rows.iter().all(|row| known.iter().any(|(label, _)| label == row)) {
                return Err(StoreError::Missing("row in this section"));
            }
            known
                .into_iter()
                .filter(|(label, _)| rows.contains(label))
                .map(|(_, row)| row)
                .collect::<Vec<_>>()
        }
    };
    Ok(Selected { statement: hot.categorise_rows, list: Some(Batch::integers(hot.encoding, rows)) })
}

/// The rows of a section with their labels; an imported plan may give a label twice.
async fn rows_of(
    connection: &impl ConnectionTrait,
    hall: &hall::Model,
    section: &str,
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows: Vec<(String, i64)> = hall_row::Entity::find()
        .select_only()
        .columns([hall_row::Column::Label, hall_row::Column::RowIndex])
        .filter(hall_row::Column::HallId.eq(hall.id))
        .filter(hall_row::Column::Section.eq(section))
        .into_tuple()
        .all(connection)
        .await
        .map_err(store_error)?;
    if rows.is_empty() { Err(StoreError::Missing("section in this hall")) } else { Ok(rows) }
}

/// The index of a hall's category, which is added if it has none of that name.
async fn category_index(
    write: &impl ConnectionTrait,
    hall: &hall::Model,
    name: &str,
) -> Result<i64, StoreError> {
    let known = categories(write, hall.id).await?;
    if let Some(index) = known.iter().position(|other| other == name) {
        return Ok(index as i64);
    }
    if known.len() >= usize::from(u16::MAX) {
        return Err(StoreError::Rejected("a hall has at most 65,535 categories".to_owned()));
    }
    add_categories(write, hall.id, known.len(), &[name.to_owned()]).await?;
    Ok(known.len() as i64)
}

/// Raises the revision of every performance in a hall.
async fn raise_revisions(
    write: &impl ConnectionTrait,
    hall: HallId,
) -> Result<Vec<PerformanceId>, StoreError> {
    performance::Entity::update_many()
        .col_expr(performance::Column::Revision, Expr::col(performance::Column::Revision).add(1))
        .col_expr(performance::Column::Version, Expr::col(performance::Column::Version).add(1))
        .filter(performance::Column::HallId.eq(hall.0))
        .exec(write)
        .await
        .map_err(store_error)?;
    let ids: Vec<i64> = performance::Entity::find()
        .select_only()
        .column(performance::Column::Id)
        .filter(performance::Column::HallId.eq(hall.0))
        .order_by_asc(performance::Column::Id)
        .into_tuple()
        .all(write)
        .await
        .map_err(store_error)?;
    Ok(ids.into_iter().map(PerformanceId).collect())
}
