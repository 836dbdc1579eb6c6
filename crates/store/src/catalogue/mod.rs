//! The port under the catalogue.

mod add_hall;
mod halls;
mod imports;
mod listings;
mod performances;
mod refold;
mod seat_maps;
mod set_category;
mod shows;

use std::sync::Arc;

use async_trait::async_trait;
use onsale_domain::{
    catalogue::{Hall, Performance, PerformanceDetails, PriceLevel, Show, ShowDetails, ShowKind, Venue},
    hall::{Plan, SeatMap},
    ids::{HallId, PerformanceId, SeatId, ShowId, UserId, VenueId},
    time::Timestamp,
};
use onsale_engine::ports::{
    CatalogueStore, ConcertPage, ImportOutcome, Imported, MovieQuery, PerformanceListing, SeatSelector,
    ShowListing, StoreError,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::{
    SqlStore,
    entity::{show, user, venue},
    error::store_error,
    outbox::{performance_told, show_told},
    replicas::ChangeNote,
};

pub(crate) use listings::anywhere;
pub(crate) use performances::{performance_from_models, shows_of};
pub(crate) use refold::refold;
pub(crate) use seat_maps::SeatMapCache;
pub(crate) use shows::show_from_model;

/// Shows that are imported in one transaction, each with some fifty grams of its title.
const SHOWS_PER_PORTION: usize = 16;

const SHOW_ADDED: &str = "show.added";
const SHOW_CHANGED: &str = "show.changed";
const PERFORMANCE_ADDED: &str = "performance.added";
const PERFORMANCE_CHANGED: &str = "performance.changed";
const PERFORMANCE_CANCELLED: &str = "performance.cancelled";

/// A transaction that changes the catalogue. However it ends, replicas are read again only when
/// they have replayed it.
pub(crate) struct Change<'a> {
    pub(crate) transaction: DatabaseTransaction,
    _note: ChangeNote<'a>,
}

impl Change<'_> {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(store_error)
    }
}

impl SqlStore {
    pub(crate) async fn begin_change(&self) -> Result<Change<'_>, StoreError> {
        Ok(Change { transaction: self.begin_write().await?, _note: self.replicas.note_change() })
    }
}

#[async_trait]
impl CatalogueStore for SqlStore {
    async fn add_show(&self, show: ShowDetails, owner: Option<UserId>) -> Result<ShowId, StoreError> {
        let write = self.begin_change().await?;
        let id = shows::add(&write.transaction, self.dialect, &show, owner).await?;
        show_told(&write.transaction, &self.options, SHOW_ADDED, id).await?;
        write.commit().await?;
        Ok(id)
    }

    async fn change_show(&self, id: ShowId, show: ShowDetails) -> Result<(), StoreError> {
        let write = self.begin_change().await?;
        shows::change(&write.transaction, self.dialect, id, &show).await?;
        show_told(&write.transaction, &self.options, SHOW_CHANGED, id).await?;
        write.commit().await
    }

    async fn show(&self, id: ShowId) -> Result<Option<Show>, StoreError> {
        let model = show::Entity::find_by_id(id.0).one(&self.readers).await.map_err(store_error)?;
        model.map(shows::show_from_model).transpose()
    }

    async fn shows(&self, ids: &[ShowId]) -> Result<Vec<Show>, StoreError> {
        let models = show::Entity::find().filter(show::Column::Id.is_in(ids.iter().map(|id| id.0)));
        let models = models.all(&self.readers).await.map_err(store_error)?;
        let mut shows = models.into_iter().map(shows::show_from_model).collect::<Result<Vec<_>, _>>()?;
        shows.sort_by_key(|show| ids.iter().position(|id| *id == show.id));
        Ok(shows)
    }

    async fn import_shows(
        &self,
        shows: &[ShowDetails],
        owner: Option<UserId>,
    ) -> Result<Vec<Imported>, StoreError> {
        shows.iter().try_for_each(|show| imports::source_key(show).map(drop))?;
        let mut outcomes = Vec::with_capacity(shows.len());
        for portion in shows.chunks(SHOWS_PER_PORTION) {
            let write = self.begin_change().await?;
            for show in portion {
                let imported = imports::import(&write.transaction, self.dialect, show, owner).await?;
                let told = match imported.outcome {
                    ImportOutcome::Added => Some(SHOW_ADDED),
                    ImportOutcome::Changed => Some(SHOW_CHANGED),
                    ImportOutcome::Unchanged => None,
                };
                if let Some(kind) = told {
                    show_told(&write.transaction, &self.options, kind, imported.id).await?;
                }
                outcomes.push(imported);
            }
            write.commit().await?;
        }
        Ok(outcomes)
    }

    async fn movies(&self, query: &MovieQuery) -> Result<Vec<ShowListing>, StoreError> {
        self.read_public(move |read| async move { listings::movies(&read, query).await }).await
    }

    async fn movies_total(&self, query: &MovieQuery) -> Result<u64, StoreError> {
        self.read_public(move |read| async move { listings::movies_total(&read, query).await }).await
    }

    async fn concerts(&self, now: Timestamp, page: u32, size: u32) -> Result<ConcertPage, StoreError> {
        self.read_public(move |read| async move { listings::concerts(&read, now, page, size).await }).await
    }

    async fn listing(
        &self,
        kind: ShowKind,
        id: ShowId,
        now: Timestamp,
    ) -> Result<Option<ShowListing>, StoreError> {
        self.read_public(move |read| async move { listings::listing(&read, kind, id, now).await }).await
    }

    async fn performance_listing(&self, id: PerformanceId) -> Result<Option<PerformanceListing>, StoreError> {
        self.read_public(move |read| async move { listings::performance(&read, id).await }).await
    }

    async fn add_venue(
        &self,
        name: &str,
        time_zone: &str,
        owner: Option<UserId>,
    ) -> Result<VenueId, StoreError> {
        let model = venue::ActiveModel {
            id: NotSet,
            name: Set(name.to_owned()),
            time_zone: Set(time_zone.to_owned()),
            owner_id: Set(owner.map(|owner| owner.0)),
        };
        let _note = self.replicas.note_change();
        let inserted = venue::Entity::insert(model).exec(&self.writer).await.map_err(store_error)?;
        Ok(VenueId(inserted.last_insert_id))
    }

    async fn change_venue(&self, venue: &Venue) -> Result<(), StoreError> {
        let model = venue::ActiveModel {
            id: NotSet,
            name: Set(venue.name.clone()),
            time_zone: Set(venue.time_zone.clone()),
            owner_id: NotSet,
        };
        let _note = self.replicas.note_change();
        let done = venue::Entity::update_many()
            .set(model)
            .filter(venue::Column::Id.eq(venue.id.0))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        if done.rows_affected == 0 { Err(StoreError::Missing("venue")) } else { Ok(()) }
    }

    async fn venues(&self, after: Option<VenueId>, limit: usize) -> Result<Vec<Venue>, StoreError> {
        let mut query = venue::Entity::find().order_by_asc(venue::Column::Id).limit(limit as u64);
        if let Some(after) = after {
            query = query.filter(venue::Column::Id.gt(after.0));
        }
        let models = query.all(&self.readers).await.map_err(store_error)?;
        Ok(models.into_iter().map(venue_from_model).collect())
    }

    async fn add_hall(&self, venue: VenueId, name: &str, plan: &Plan) -> Result<HallId, StoreError> {
        add_hall::add(self, venue, name, plan).await
    }

    async fn tidy_halls(&self, before: Timestamp) -> Result<bool, StoreError> {
        add_hall::tidy(self, before).await
    }

    async fn hall(&self, id: HallId) -> Result<Option<Hall>, StoreError> {
        let read = self.begin_read().await?;
        halls::hall(&read, id).await
    }

    async fn halls(&self, venue: VenueId) -> Result<Vec<Hall>, StoreError> {
        let read = self.begin_read().await?;
        halls::halls_of(&read, venue).await
    }

    async fn seat_map(&self, hall: HallId) -> Result<Option<Arc<SeatMap>>, StoreError> {
        let read = self.begin_read().await?;
        self.seat_maps.load(&read, hall).await
    }

    async fn set_category(
        &self,
        hall: HallId,
        seats: &SeatSelector,
        category: &str,
    ) -> Result<(u64, Vec<PerformanceId>), StoreError> {
        set_category::set_category(self, hall, seats, category).await
    }

    async fn add_performance(&self, details: &PerformanceDetails) -> Result<PerformanceId, StoreError> {
        let write = self.begin_change().await?;
        let id = performances::add(&write.transaction, details).await?;
        performance_told(&write.transaction, &self.options, PERFORMANCE_ADDED, id).await?;
        write.commit().await?;
        Ok(id)
    }

    async fn set_prices(&self, id: PerformanceId, prices: &[PriceLevel]) -> Result<(), StoreError> {
        let write = self.begin_change().await?;
        performances::set_prices(&write.transaction, id, prices).await?;
        performance_told(&write.transaction, &self.options, PERFORMANCE_CHANGED, id).await?;
        write.commit().await
    }

    async fn change_performance(&self, performance: &Performance) -> Result<(), StoreError> {
        let write = self.begin_change().await?;
        let before = performances::change(&write.transaction, performance).await?;
        let called_off = performance.cancelled && !before.cancelled;
        let kind = if called_off { PERFORMANCE_CANCELLED } else { PERFORMANCE_CHANGED };
        performance_told(&write.transaction, &self.options, kind, performance.id).await?;
        write.commit().await
    }

    async fn performance(&self, id: PerformanceId) -> Result<Option<Performance>, StoreError> {
        let read = self.begin_read().await?;
        performances::performance(&read, id).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        let read = self.begin_read().await?;
        Ok(is_empty::<show::Entity>(&read).await?
            && is_empty::<venue::Entity>(&read).await?
            && is_empty::<user::Entity>(&read).await?)
    }

    async fn hall_of_seat(&self, seat: SeatId) -> Result<Option<HallId>, StoreError> {
        halls::hall_of_seat(&self.readers, seat).await
    }
}

async fn is_empty<E: EntityTrait>(connection: &impl ConnectionTrait) -> Result<bool, StoreError> {
    Ok(E::find().one(connection).await.map_err(store_error)?.is_none())
}

fn venue_from_model(model: venue::Model) -> Venue {
    Venue { id: VenueId(model.id), name: model.name, time_zone: model.time_zone }
}
