//! The port under waiting rooms.

mod json;

use std::collections::HashMap;

use async_trait::async_trait;
use onsale_domain::{
    ids::RoomId,
    line::{RoomChange, RoomRecord},
    offer::Offer,
    time::Timestamp,
};
use onsale_engine::ports::{Admits, AskedChange, NewRoom, NodeId, RoomStore, StoreError, StoredRoom};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use crate::{
    SqlStore,
    entity::{performance, room, room_change, room_log, room_offer, stock},
    error::{broken, conflict_on, store_error},
};

/// The most requests answered at once.
const CHANGES_MAX: u64 = 100;

/// The most rows of a log read at once, and written with one statement.
const LOG_ROWS_MAX: u64 = 100;
const LOG_ROWS_PER_INSERT: usize = 10;

const ACCOUNTS: &str = "accounts";
const ANYBODY: &str = "anybody";

#[async_trait]
impl RoomStore for SqlStore {
    async fn add_room(&self, new: &NewRoom) -> Result<RoomId, StoreError> {
        let model = room::ActiveModel {
            id: NotSet,
            name: Set(new.name.clone()),
            admits: Set(admits_text(new.admits).to_owned()),
            run_by: Set(0),
            revision: Set(new.record.revision.into()),
            record: Set(json::record_text(&new.record)),
            owner_id: Set(new.owner.map(|owner| owner.0)),
        };
        let write = self.begin_write().await?;
        let id = room::Entity::insert(model).exec(&write).await.map_err(store_error)?.last_insert_id;
        guard(&write, id, &new.offers).await?;
        write.commit().await.map_err(store_error)?;
        Ok(RoomId(id))
    }

    async fn rooms(&self) -> Result<Vec<StoredRoom>, StoreError> {
        let read = self.begin_read().await?;
        let rooms = room::Entity::find().order_by_asc(room::Column::Id).all(&read).await;
        let behind = room_offer::Entity::find().all(&read).await.map_err(store_error)?;
        let mut by_room: HashMap<i64, Vec<Offer>> = HashMap::new();
        for row in behind {
            by_room.entry(row.room_id).or_default().push(Offer::from_code(row.offer));
        }
        let rooms = rooms.map_err(store_error)?.into_iter();
        rooms
            .map(|model| {
                let offers = by_room.remove(&model.id).unwrap_or_default();
                stored(model, offers)
            })
            .collect()
    }

    async fn room(&self, id: RoomId) -> Result<Option<StoredRoom>, StoreError> {
        let read = self.begin_read().await?;
        let Some(model) = room::Entity::find_by_id(id.0).one(&read).await.map_err(store_error)? else {
            return Ok(None);
        };
        let behind = room_offer::Entity::find().filter(room_offer::Column::RoomId.eq(id.0));
        let behind = behind.all(&read).await.map_err(store_error)?;
        let offers = behind.iter().map(|row| Offer::from_code(row.offer)).collect();
        stored(model, offers).map(Some)
    }

    async fn change_room(
        &self,
        id: RoomId,
        name: Option<&str>,
        offers: Option<&[Offer]>,
    ) -> Result<(), StoreError> {
        let write = self.begin_write().await?;
        let known = room::Entity::find_by_id(id.0).one(&write).await.map_err(store_error)?;
        known.ok_or(StoreError::Missing("waiting room"))?;
        if let Some(name) = name {
            room::Entity::update_many()
                .col_expr(room::Column::Name, Expr::val(name))
                .filter(room::Column::Id.eq(id.0))
                .exec(&write)
                .await
                .map_err(store_error)?;
        }
        if let Some(offers) = offers {
            room_offer::Entity::delete_many()
                .filter(room_offer::Column::RoomId.eq(id.0))
                .exec(&write)
                .await
                .map_err(store_error)?;
            guard(&write, id.0, offers).await?;
        }
        write.commit().await.map_err(store_error)
    }

    async fn run_room(&self, id: RoomId, node: NodeId, over: bool) -> Result<Option<RoomRecord>, StoreError> {
        let write = self.begin_write().await?;
        let mut take = room::Entity::update_many()
            .col_expr(room::Column::RunBy, Expr::val(node.0))
            .filter(room::Column::Id.eq(id.0));
        if !over {
            take = take.filter(room::Column::RunBy.is_in([0, node.0]));
        }
        // The row is this transaction's from here on: a record of the node before comes earlier, and
        // is read below, or too late.
        let taken = take.exec(&write).await.map_err(store_error)?.rows_affected == 1;
        let model = room::Entity::find_by_id(id.0).one(&write).await.map_err(store_error)?;
        write.commit().await.map_err(store_error)?;
        model.filter(|_| taken).map(|model| json::record(&model.record)).transpose()
    }

    async fn record_room(&self, id: RoomId, node: NodeId, record: &RoomRecord) -> Result<(), StoreError> {
        let done = room::Entity::update_many()
            .col_expr(room::Column::Record, Expr::val(json::record_text(record)))
            .col_expr(room::Column::Revision, Expr::val(i64::from(record.revision)))
            .filter(room::Column::Id.eq(id.0))
            .filter(room::Column::RunBy.eq(node.0))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        match done.rows_affected {
            0 => Err(StoreError::Rejected(format!("another node runs the waiting room {id}"))),
            _ => Ok(()),
        }
    }

    async fn append_room_log(&self, id: RoomId, node: NodeId, rows: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let write = self.begin_write().await?;
        // Whoever takes the room waits for this row, or has taken it before and is listened to alone.
        let mine = room::Entity::update_many()
            .col_expr(room::Column::RunBy, Expr::val(node.0))
            .filter(room::Column::Id.eq(id.0))
            .filter(room::Column::RunBy.eq(node.0))
            .exec(&write)
            .await
            .map_err(store_error)?;
        if mine.rows_affected == 0 {
            return Err(StoreError::Rejected(format!("another node runs the waiting room {id}")));
        }
        let row = |entries| room_log::ActiveModel { id: NotSet, room_id: Set(id.0), entries: Set(entries) };
        let mut rows = rows.into_iter().map(row).peekable();
        while rows.peek().is_some() {
            let some: Vec<_> = rows.by_ref().take(LOG_ROWS_PER_INSERT).collect();
            room_log::Entity::insert_many(some).exec_without_returning(&write).await.map_err(store_error)?;
        }
        write.commit().await.map_err(store_error)
    }

    async fn room_log(&self, id: RoomId, after: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = room_log::Entity::find()
            .filter(room_log::Column::RoomId.eq(id.0))
            .filter(room_log::Column::Id.gt(after))
            .order_by_asc(room_log::Column::Id)
            .limit(LOG_ROWS_MAX)
            .all(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(|row| (row.id, row.entries)).collect())
    }

    async fn ask_room_change(
        &self,
        id: RoomId,
        change: &RoomChange,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let model = room_change::ActiveModel {
            id: NotSet,
            room_id: Set(id.0),
            asked: Set(json::change_text(change)),
            asked_at: Set(now.0),
            answered: Set(false),
            refusal: Set(None),
        };
        let inserted = room_change::Entity::insert(model).exec(&self.writer).await.map_err(store_error)?;
        Ok(inserted.last_insert_id)
    }

    async fn asked_room_changes(&self) -> Result<Vec<AskedChange>, StoreError> {
        let models = room_change::Entity::find()
            .filter(room_change::Column::Answered.eq(false))
            .order_by_asc(room_change::Column::Id)
            .limit(CHANGES_MAX)
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let asked = |model: room_change::Model| {
            let change = json::change(&model.asked)?;
            Ok(AskedChange { number: model.id, room: RoomId(model.room_id), change })
        };
        models.into_iter().map(asked).collect()
    }

    async fn answer_room_change(&self, number: i64, refusal: Option<&str>) -> Result<(), StoreError> {
        room_change::Entity::update_many()
            .col_expr(room_change::Column::Answered, Expr::val(true))
            .col_expr(room_change::Column::Refusal, Expr::val(refusal.map(str::to_owned)))
            .filter(room_change::Column::Id.eq(number))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn take_room_answer(&self, number: i64) -> Result<Option<Result<(), String>>, StoreError> {
        let model = room_change::Entity::find_by_id(number).one(&self.readers).await.map_err(store_error)?;
        let Some(model) = model.filter(|model| model.answered) else { return Ok(None) };
        room_change::Entity::delete_by_id(number).exec(&self.writer).await.map_err(store_error)?;
        Ok(Some(model.refusal.map_or(Ok(()), Err)))
    }

    async fn prune_room_changes(&self, before: Timestamp) -> Result<(), StoreError> {
        let answered = room_change::Column::Answered.eq(true);
        room_change::Entity::delete_many()
            .filter(answered)
            .filter(room_change::Column::AskedAt.lt(before.0))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(())
    }
}

/// Puts offers behind a room.
async fn guard(write: &impl ConnectionTrait, room: i64, offers: &[Offer]) -> Result<(), StoreError> {
    for offer in offers {
        check_exists(write, *offer).await?;
        let row = room_offer::ActiveModel { offer: Set(offer.code()), room_id: Set(room) };
        room_offer::Entity::insert(row)
            .exec_without_returning(write)
            .await
            .map_err(conflict_on("a waiting room for one of these performances or items"))?;
    }
    Ok(())
}

async fn check_exists(write: &impl ConnectionTrait, offer: Offer) -> Result<(), StoreError> {
    match offer {
        Offer::Performance(id) => {
            let known = performance::Entity::find_by_id(id.0).one(write).await.map_err(store_error)?;
            known.map(drop).ok_or(StoreError::Missing("performance"))
        }
        Offer::Item(id) => {
            let known = stock::Entity::find_by_id(id.0).one(write).await.map_err(store_error)?;
            known.map(drop).ok_or(StoreError::Missing("item"))
        }
    }
}

fn stored(model: room::Model, mut offers: Vec<Offer>) -> Result<StoredRoom, StoreError> {
    offers.sort_unstable();
    let admits = match model.admits.as_str() {
        ACCOUNTS => Admits::Accounts,
        ANYBODY => Admits::Anybody,
        other => return Err(broken(format!("the waiting room {} admits `{other}`", model.id))),
    };
    Ok(StoredRoom {
        id: RoomId(model.id),
        name: model.name,
        admits,
        offers,
        run_by: (model.run_by != 0).then_some(NodeId(model.run_by)),
        record: json::record(&model.record)?,
    })
}

const fn admits_text(admits: Admits) -> &'static str {
    match admits {
        Admits::Accounts => ACCOUNTS,
        Admits::Anybody => ANYBODY,
    }
}
