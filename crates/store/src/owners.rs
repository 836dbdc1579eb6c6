//! The port under owners.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use onsale_domain::ids::{RoomId, UserId};
use onsale_engine::ports::{Owned, OwnerStore, StoreError};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func, Query, SelectStatement},
};

use crate::{
    SqlStore,
    entity::{hall, item, performance, room, show, venue},
    error::store_error,
};

#[async_trait]
impl OwnerStore for SqlStore {
    async fn owner(&self, thing: Owned) -> Result<Option<UserId>, StoreError> {
        let owner = match thing {
            Owned::Show(id) => self.owner_in(show::Entity::find_by_id(id.0), show::Column::OwnerId).await?,
            Owned::Item(id) => self.owner_in(item::Entity::find_by_id(id.0), item::Column::OwnerId).await?,
            Owned::Venue(id) => {
                self.owner_in(venue::Entity::find_by_id(id.0), venue::Column::OwnerId).await?
            }
            Owned::Performance(id) => {
                let shown = Query::select()
                    .column(performance::Column::ShowId)
                    .from(performance::Entity)
                    .and_where(performance::Column::Id.eq(id.0))
                    .take();
                let its = show::Entity::find().filter(show::Column::Id.in_subquery(shown));
                self.owner_in(its, show::Column::OwnerId).await?
            }
            Owned::Hall(id) => {
                let place = Query::select()
                    .column(hall::Column::VenueId)
                    .from(hall::Entity)
                    .and_where(hall::Column::Id.eq(id.0))
                    .take();
                let its = venue::Entity::find().filter(venue::Column::Id.in_subquery(place));
                self.owner_in(its, venue::Column::OwnerId).await?
            }
            Owned::Room(id) => self.room_owners(Some(id)).await?.remove(&id),
        };
        owner.ok_or(StoreError::Missing(thing.kind()))
    }

    async fn own_rooms(&self, owner: UserId) -> Result<HashSet<RoomId>, StoreError> {
        let all = self.room_owners(None).await?;
        Ok(all.into_iter().filter(|(_, its)| *its == Some(owner)).map(|(room, _)| room).collect())
    }

    async fn give(&self, thing: Owned, to: UserId) -> Result<(), StoreError> {
        let owner = Expr::val(Some(to.0));
        let given = match thing {
            Owned::Show(id) => {
                let give = show::Entity::update_many().col_expr(show::Column::OwnerId, owner);
                give.filter(show::Column::Id.eq(id.0)).exec(&self.writer).await
            }
            Owned::Item(id) => {
                let give = item::Entity::update_many().col_expr(item::Column::OwnerId, owner);
                give.filter(item::Column::Id.eq(id.0)).exec(&self.writer).await
            }
            Owned::Venue(id) => {
                let give = venue::Entity::update_many().col_expr(venue::Column::OwnerId, owner);
                give.filter(venue::Column::Id.eq(id.0)).exec(&self.writer).await
            }
            Owned::Performance(_) | Owned::Hall(_) | Owned::Room(_) => {
                let kind = thing.kind();
                return Err(StoreError::Rejected(format!("whose a {kind} is follows from something else")));
            }
        };
        match given.map_err(store_error)?.rows_affected {
            0 => Err(StoreError::Missing(thing.kind())),
            _ => Ok(()),
        }
    }
}

impl SqlStore {
    /// The owner in a row, if there is such a row.
    async fn owner_in<E: EntityTrait>(
        &self,
        row: Select<E>,
        owner: E::Column,
    ) -> Result<Option<Option<UserId>>, StoreError> {
        let owner: Option<Option<i64>> =
            row.select_only().column(owner).into_tuple().one(&self.readers).await.map_err(store_error)?;
        Ok(owner.map(|owner| owner.map(UserId)))
    }

    /// Whose the rooms are, one or all.
    async fn room_owners(
        &self,
        only: Option<RoomId>,
    ) -> Result<BTreeMap<RoomId, Option<UserId>>, StoreError> {
        let read = self.begin_read().await?;
        let mut behind: BTreeMap<i64, HashSet<Option<i64>>> = BTreeMap::new();
        for row in read.query_all(&owners_behind(only)).await.map_err(store_error)? {
            let room: i64 = row.try_get_by_index(0).map_err(store_error)?;
            behind.entry(room).or_default().insert(row.try_get_by_index(1).map_err(store_error)?);
        }
        let mut rooms = room::Entity::find().select_only().columns([room::Column::Id, room::Column::OwnerId]);
        if let Some(only) = only {
            rooms = rooms.filter(room::Column::Id.eq(only.0));
        }
        let rooms: Vec<(i64, Option<i64>)> = rooms.into_tuple().all(&read).await.map_err(store_error)?;
        let owner = |(room, made_by)| {
            let owner = behind.get(&room).map_or(made_by, one_owner);
            (RoomId(room), owner.map(UserId))
        };
        Ok(rooms.into_iter().map(owner).collect())
    }
}

/// The owner that all have in common.
fn one_owner(owners: &HashSet<Option<i64>>) -> Option<i64> {
    if owners.len() > 1 { None } else { owners.iter().next().copied().flatten() }
}

/// (room, owner of an item behind it or of a show), each once.
fn owners_behind(only: Option<RoomId>) -> SelectStatement {
    let mut select = Query::select();
    select
        .distinct()
        .column(("room_performances", "room_id"))
        .expr(Func::coalesce([Expr::col(("shows", "owner_id")), Expr::col(("items", "owner_id"))]))
        .from("room_performances")
        // An item stands there by minus its number. What is neither is nobody's.
        .left_join(
            "items",
            Expr::col(("room_performances", "performance_id"))
                .eq(Expr::val(0).sub(Expr::col(("items", "id")))),
        )
        .left_join(
            "performances",
            Expr::col(("performances", "id")).equals(("room_performances", "performance_id")),
        )
        .left_join("shows", Expr::col(("shows", "id")).equals(("performances", "show_id")));
    if let Some(only) = only {
        select.and_where(Expr::col(("room_performances", "room_id")).eq(only.0));
    }
    select
}
