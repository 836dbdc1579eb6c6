//! Putting seats of a hall into a category, in portions that let the sale through in between.
//!
//! A portion of the seats is changed in a transaction of its own; so are the revisions of a portion of the hall's
//! performances afterwards, by which nodes learn to read the categories anew. Meanwhile a seat is in its old
//! category or in the new one, as if the organiser had gone from row to row. A change that ended half-way is
//! finished by asking for it again, and raises the revisions whether or not a seat was left to change.

use std::{cmp::min, collections::HashSet, iter};

use onsale_domain::ids::{HallId, PerformanceId};
use onsale_engine::ports::{SeatSelector, StoreError};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value,
    sea_query::{Expr, ExprTrait},
};

use super::{PERFORMANCE_CHANGED, add_hall::add_categories, halls::categories};
use crate::{
    SqlStore,
    dialect::Dialect,
    entity::{hall, hall_row, performance},
    error::store_error,
    outbox::performances_told,
    sales::Batch,
};

/// Seats that are looked at in one transaction: about ten milliseconds of work.
const SEATS_PER_PORTION: usize = 8_000;

/// Performances whose revisions rise in one transaction, which holds up those who buy there.
const PERFORMANCES_PER_PORTION: usize = 50;

/// How many seats changed, and the performances in the hall.
pub(super) async fn set_category(
    store: &SqlStore,
    id: HallId,
    seats: &SeatSelector,
    category: &str,
) -> Result<(u64, Vec<PerformanceId>), StoreError> {
    let mut write = store.begin_change().await?;
    let hall = hall::Entity::find_by_id(id.0)
        .one(&write.transaction)
        .await
        .map_err(store_error)?
        .ok_or(StoreError::Missing("hall"))?;
    let selected = selected(&write.transaction, &hall, seats).await?;
    let category = category_index(&write.transaction, &hall, category).await?;
    let mut changed = 0;
    for (index, portion) in selected.portions(&hall).enumerate() {
        if index > 0 {
            write.commit().await?;
            write = store.begin_change().await?;
        }
        let update = selected.update(store.dialect, category, portion);
        changed += write.transaction.execute_raw(update).await.map_err(store_error)?.rows_affected();
    }
    hall::Entity::update_many()
        .col_expr(hall::Column::Revision, Expr::col(hall::Column::Revision).add(1))
        .filter(hall::Column::Id.eq(id.0))
        .exec(&write.transaction)
        .await
        .map_err(store_error)?;
    let performances = performances(&write.transaction, id).await?;
    for (index, portion) in performances.chunks(PERFORMANCES_PER_PORTION).enumerate() {
        if index > 0 {
            write.commit().await?;
            write = store.begin_change().await?;
        }
        raise_revisions(&write.transaction, portion).await?;
        performances_told(&write.transaction, &store.options, PERFORMANCE_CHANGED, portion).await?;
    }
    write.commit().await?;
    Ok((changed, performances.into_iter().map(PerformanceId).collect()))
}

/// The selected seats.
enum Selected {
    All,
    /// Those in these rows.
    Rows(Vec<i64>),
    /// Those with these ids.
    Seats(Vec<i64>),
}

/// The seats that one transaction looks at: from the first id to the last, of which some are named.
struct Portion<'a> {
    first: i64,
    last: i64,
    seats: &'a [i64],
}

impl Selected {
    fn portions<'a>(&'a self, hall: &hall::Model) -> Box<dyn Iterator<Item = Portion<'a>> + Send + 'a> {
        let (first, end) = (hall.first_seat_id, hall.first_seat_id + hall.seat_count);
        match self {
            Self::Seats(seats) => Box::new(seats.chunks(SEATS_PER_PORTION).map(move |seats| Portion {
                first,
                last: end - 1,
                seats,
            })),
            Self::All | Self::Rows(_) => {
                let many = SEATS_PER_PORTION as i64;
                let firsts = iter::successors(Some(first), move |first| Some(first + many));
                let firsts = firsts.take_while(move |first| *first < end);
                Box::new(firsts.map(move |first| Portion {
                    first,
                    last: min(end, first + many) - 1,
                    seats: &[],
                }))
            }
        }
    }

    fn update(&self, dialect: Dialect, category: i64, portion: Portion<'_>) -> sea_orm::Statement {
        let hot = dialect.hot();
        let (statement, list) = match self {
            Self::All => (hot.categorise_all, None),
            Self::Rows(rows) => (hot.categorise_rows, Some(rows.as_slice())),
            Self::Seats(_) => (hot.categorise_seats, Some(portion.seats)),
        };
        let bounds = [Value::from(category), portion.first.into(), portion.last.into()];
        let list = list.map(|ids| Batch::integers(hot.encoding, ids.iter().copied()).into_values());
        dialect.statement(statement, bounds.into_iter().chain(list.unwrap_or_default()))
    }
}

async fn selected(
    connection: &impl ConnectionTrait,
    hall: &hall::Model,
    seats: &SeatSelector,
) -> Result<Selected, StoreError> {
    Ok(match seats {
        SeatSelector::All => Selected::All,
        SeatSelector::Seats(seats) => {
            let own = hall.first_seat_id..hall.first_seat_id + hall.seat_count;
            if !seats.iter().all(|seat| own.contains(&seat.0)) {
                return Err(StoreError::Missing("seat in this hall"));
            }
            let mut seats: Vec<i64> = seats.iter().map(|seat| seat.0).collect();
            seats.sort_unstable();
            seats.dedup();
            Selected::Seats(seats)
        }
        SeatSelector::Section(section) => {
            let rows = rows_of(connection, hall, section).await?;
            Selected::Rows(rows.into_iter().map(|(_, row)| row).collect())
        }
        SeatSelector::Rows { section, rows: labels } => {
            let known = rows_of(connection, hall, section).await?;
            let labels: HashSet<&str> = labels.iter().map(String::as_str).collect();
            let found: HashSet<&str> = known.iter().map(|(label, _)| label.as_str()).collect();
            if !labels.is_subset(&found) {
                return Err(StoreError::Missing("row in this section"));
            }
            let rows = known.iter().filter(|(label, _)| labels.contains(label.as_str()));
            Selected::Rows(rows.map(|(_, row)| *row).collect())
        }
    })
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

/// The performances in a hall.
async fn performances(write: &impl ConnectionTrait, hall: HallId) -> Result<Vec<i64>, StoreError> {
    performance::Entity::find()
        .select_only()
        .column(performance::Column::Id)
        .filter(performance::Column::HallId.eq(hall.0))
        .order_by_asc(performance::Column::Id)
        .into_tuple()
        .all(write)
        .await
        .map_err(store_error)
}

/// Raises the revisions of performances, whose rows are locked in the order of their ids, as everybody does.
async fn raise_revisions(write: &impl ConnectionTrait, ids: &[i64]) -> Result<(), StoreError> {
    use performance::{Column, Entity};
    let these = || Column::Id.is_in(ids.iter().copied());
    let lock = Entity::find().select_only().column(Column::Id).filter(these()).order_by_asc(Column::Id);
    let _locked: Vec<i64> = lock.lock_exclusive().into_tuple().all(write).await.map_err(store_error)?;
    Entity::update_many()
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(these())
        .exec(write)
        .await
        .map_err(store_error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hall(first_seat_id: i64, seat_count: i64) -> hall::Model {
        hall::Model { id: 1, venue_id: 1, name: "1".into(), first_seat_id, seat_count, revision: 1 }
    }

    #[test]
    fn portions_are_bounded_and_make_up_the_hall() {
        let many = SEATS_PER_PORTION as i64;
        for seat_count in [1, many, many + 1, 3 * many - 1] {
            for selected in [Selected::All, Selected::Rows(vec![3])] {
                let hall = hall(7, seat_count);
                let mut next = 7;
                for portion in selected.portions(&hall) {
                    assert_eq!(portion.first, next, "each begins where the one before ended");
                    assert!((1..=many).contains(&(portion.last + 1 - portion.first)));
                    next = portion.last + 1;
                }
                assert_eq!(next, 7 + seat_count);
            }
        }
    }

    #[test]
    fn named_seats_are_all_in_one_portion_or_another() {
        let seats: Vec<i64> = (10..20_000).step_by(2).collect();
        let selected = Selected::Seats(seats.clone());
        let portions: Vec<_> = selected.portions(&hall(1, 30_000)).map(|portion| portion.seats).collect();
        assert!(portions.iter().all(|seats| seats.len() <= SEATS_PER_PORTION));
        assert_eq!(portions.concat(), seats);
        assert_eq!(Selected::Seats(vec![]).portions(&hall(1, 9)).count(), 0, "and of none there is none");
    }
}
