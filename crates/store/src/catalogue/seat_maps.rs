//! Seat maps, and sharing one among all performances of a hall.

use std::{
    cmp::min,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use onsale_domain::{
    hall::{Row, Seat, SeatMap},
    ids::{HallId, SeatId},
};
use onsale_engine::ports::StoreError;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::halls::categories;
use crate::{
    entity::{hall, hall_row, seat},
    error::{broken, store_error},
};

/// Seats that are read in one statement.
const SEATS_AT_ONCE: usize = 10_000;

/// The seat maps that somebody uses at this moment, with the revision of their hall. It keeps
/// none alive itself, so it needs no bound.
#[derive(Default)]
pub(crate) struct SeatMapCache {
    maps: Mutex<HashMap<HallId, (i64, Weak<SeatMap>)>>,
}

impl SeatMapCache {
    /// A hall's seats as of one state of the database. `None` if there is no such hall.
    pub(crate) async fn load(
        &self,
        read: &impl ConnectionTrait,
        hall: HallId,
    ) -> Result<Option<Arc<SeatMap>>, StoreError> {
        let model = hall::Entity::find_by_id(hall.0).one(read).await.map_err(store_error)?;
        let Some(model) = model else { return Ok(None) };
        let map = match self.get(hall) {
            Some((revision, map)) if revision == model.revision => return Ok(Some(map)),
            // Nothing but the categories of a hall's seats ever changes.
            Some((_, other)) => read_categories(read, &model, &other).await?,
            None => read_seat_map(read, &model).await?,
        };
        let map = Arc::new(map);
        self.put(hall, model.revision, &map);
        Ok(Some(map))
    }

    fn get(&self, hall: HallId) -> Option<(i64, Arc<SeatMap>)> {
        let maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        let (revision, map) = maps.get(&hall)?;
        Some((*revision, map.upgrade()?))
    }

    fn put(&self, hall: HallId, revision: i64, map: &Arc<SeatMap>) {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        maps.retain(|_, (_, map)| map.strong_count() > 0);
        maps.insert(hall, (revision, Arc::downgrade(map)));
    }
}

/// The hall's seats in runs of ids, each from the first up to the end: what is read at once takes little memory
/// and does not keep a thread from other work.
fn runs(hall: &hall::Model) -> impl Iterator<Item = (i64, i64)> + use<> {
    let (first, end) = (hall.first_seat_id, hall.first_seat_id + hall.seat_count);
    (first..end).step_by(SEATS_AT_ONCE).map(move |first| (first, min(end, first + SEATS_AT_ONCE as i64)))
}

/// A hall's seats, of which another revision is known.
async fn read_categories(
    read: &impl ConnectionTrait,
    model: &hall::Model,
    known: &SeatMap,
) -> Result<SeatMap, StoreError> {
    let names = categories(read, model.id).await?;
    let mut of_seats = Vec::with_capacity(known.seats().len());
    for (first, end) in runs(model) {
        let run: Vec<i64> = seat::Entity::find()
            .select_only()
            .column(seat::Column::Category)
            .filter(seat::Column::Id.gte(first))
            .filter(seat::Column::Id.lt(end))
            .order_by_asc(seat::Column::Id)
            .into_tuple()
            .all(read)
            .await
            .map_err(store_error)?;
        for category in run {
            of_seats.push(u16::try_from(category).map_err(broken)?);
        }
    }
    known.with_categories(names, &of_seats).ok_or_else(|| {
        broken(format!("hall {} has {} of its {} seats", model.id, of_seats.len(), model.seat_count))
    })
}

async fn read_seat_map(read: &impl ConnectionTrait, model: &hall::Model) -> Result<SeatMap, StoreError> {
    let categories = categories(read, model.id).await?;
    let rows = hall_row::Entity::find()
        .filter(hall_row::Column::HallId.eq(model.id))
        .order_by_asc(hall_row::Column::RowIndex)
        .all(read)
        .await
        .map_err(store_error)?;
    let mut seats = Vec::with_capacity(usize::try_from(model.seat_count).map_err(broken)?);
    for (first, end) in runs(model) {
        let run = seat::Entity::find()
            .filter(seat::Column::Id.gte(first))
            .filter(seat::Column::Id.lt(end))
            .order_by_asc(seat::Column::Id)
            .all(read)
            .await
            .map_err(store_error)?;
        for model in run {
            seats.push(seat_from_model(model)?);
        }
    }
    if seats.len() as i64 != model.seat_count {
        return Err(broken(format!(
            "hall {} has {} of its {} seats",
            model.id,
            seats.len(),
            model.seat_count
        )));
    }
    Ok(SeatMap::new(
        HallId(model.id),
        rows.into_iter().map(|row| Row { section: row.section, label: row.label }).collect(),
        categories,
        seats,
    ))
}

fn seat_from_model(model: seat::Model) -> Result<Seat, StoreError> {
    Ok(Seat {
        id: SeatId(model.id),
        row: u32::try_from(model.row_index).map_err(broken)?,
        place: i32::try_from(model.place).map_err(broken)?,
        number: model.number,
        category: u16::try_from(model.category).map_err(broken)?,
        x: model.x as f32,
        y: model.y as f32,
        guid: model.guid,
    })
}
