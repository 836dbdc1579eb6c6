//! Halls: reading them.

use onsale_domain::{
    catalogue::Hall,
    ids::{HallId, SeatId, VenueId},
};
use onsale_engine::ports::StoreError;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    entity::{hall, hall_category},
    error::{broken, store_error},
};

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

pub(super) async fn categories(
    connection: &impl ConnectionTrait,
    hall: i64,
) -> Result<Vec<String>, StoreError> {
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
