//! Seat maps, and sharing one among all performances of a hall.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use onsale_domain::{
    hall::{Row, Seat, SeatMap},
    ids::{HallId, SeatId},
};
use onsale_engine::ports::StoreError;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    entity::{hall, hall_category, hall_row, seat},
    error::{broken, store_error},
};

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
        if let Some(map) = self.get(hall, model.revision) {
            return Ok(Some(map));
        }
        let map = Arc::new(read_seat_map(read, &model).await?);
        self.put(hall, model.revision, &map);
        Ok(Some(map))
    }

    fn get(&self, hall: HallId, revision: i64) -> Option<Arc<SeatMap>> {
        let maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, map) = maps.get(&hall)?;
        if *known == revision { map.upgrade() } else { None }
    }

    fn put(&self, hall: HallId, revision: i64, map: &Arc<SeatMap>) {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        maps.retain(|_, (_, map)| map.strong_count() > 0);
        maps.insert(hall, (revision, Arc::downgrade(map)));
    }
}

async fn read_seat_map(read: &impl ConnectionTrait, model: &hall::Model) -> Result<SeatMap, StoreError> {
    let categories = hall_category::Entity::find()
        .filter(hall_category::Column::HallId.eq(model.id))
        .order_by_asc(hall_category::Column::Category)
        .all(read)
        .await
        .map_err(store_error)?;
    let rows = hall_row::Entity::find()
        .filter(hall_row::Column::HallId.eq(model.id))
        .order_by_asc(hall_row::Column::RowIndex)
        .all(read)
        .await
        .map_err(store_error)?;
    let seats = seat::Entity::find()
        .filter(seat::Column::Id.gte(model.first_seat_id))
        .filter(seat::Column::Id.lt(model.first_seat_id + model.seat_count))
        .order_by_asc(seat::Column::Id)
        .all(read)
        .await
        .map_err(store_error)?;
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
        categories.into_iter().map(|category| category.name).collect(),
        seats.into_iter().map(seat_from_model).collect::<Result<_, _>>()?,
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
