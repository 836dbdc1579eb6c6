//! The port under pictures.

use std::collections::HashSet;

use async_trait::async_trait;
use onsale_domain::{ids::UserId, time::Timestamp};
use onsale_engine::{
    media::{MEDIA_PATH, MediaName},
    ports::{MediaStore, Pictured, StoreError},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    SqlErr,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};

use crate::{
    SqlStore,
    entity::{item, picture, show},
    error::{broken, store_error},
};

#[async_trait]
impl MediaStore for SqlStore {
    async fn note_media(&self, name: &MediaName, now: Timestamp) -> Result<bool, StoreError> {
        if touch(&self.writer, name, now).await? {
            return Ok(true);
        }
        let row = picture::ActiveModel {
            name: Set(name.to_string()),
            used_at: Set(now.0),
            removing: Set(false),
            owner_id: Set(None),
            bytes: Set(0),
        };
        match picture::Entity::insert(row).exec_without_returning(&self.writer).await {
            Ok(_) => Ok(true),
            Err(error) => match error.sql_err() {
                // It is there: just noted by somebody else, or being removed.
                Some(SqlErr::UniqueConstraintViolation(_)) => touch(&self.writer, name, now).await,
                _ => Err(store_error(error)),
            },
        }
    }

    async fn own_media(&self, name: &MediaName, owner: UserId, bytes: u64) -> Result<(), StoreError> {
        picture::Entity::update_many()
            .col_expr(picture::Column::OwnerId, Expr::val(owner.0))
            .col_expr(picture::Column::Bytes, Expr::val(i64::try_from(bytes).unwrap_or(i64::MAX)))
            .filter(picture::Column::Name.eq(name.to_string()))
            .filter(picture::Column::OwnerId.is_null())
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn media_of(&self, owner: UserId) -> Result<Vec<(MediaName, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = picture::Entity::find()
            .select_only()
            .column(picture::Column::Name)
            .column(picture::Column::Bytes)
            .filter(picture::Column::OwnerId.eq(owner.0))
            .into_tuple()
            .all(&self.writer)
            .await
            .map_err(store_error)?;
        let picture = |(name, bytes): (String, i64)| {
            Ok((name.parse().map_err(broken)?, u64::try_from(bytes).unwrap_or(0)))
        };
        rows.into_iter().map(picture).collect()
    }

    async fn set_image(
        &self,
        of: Pictured,
        image: Option<&MediaName>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let write = self.begin_write().await?;
        // The picture's row is this transaction's from here on: it is not marked meanwhile.
        if let Some(name) = image
            && !touch(&write, name, now).await?
        {
            return Ok(false);
        }
        let before = exchange(&write, of, image.map(MediaName::path)).await?;
        let before = before.as_deref().and_then(|url| url.strip_prefix(MEDIA_PATH));
        if let Some(before) = before.and_then(|name| name.parse().ok()) {
            // Pages that show it are still about.
            touch(&write, &before, now).await?;
        }
        let _note = self.replicas.note_change();
        write.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn mark_unused_media(&self, before: Timestamp, limit: usize) -> Result<Vec<MediaName>, StoreError> {
        use picture::{Column, Entity};
        let old = Entity::find()
            .filter(Column::Removing.eq(false))
            .filter(Column::UsedAt.lt(before.0))
            .order_by_asc(Column::UsedAt)
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let used = if old.is_empty() { HashSet::new() } else { self.used_media().await? };
        for picture in old.iter().filter(|picture| !used.contains(&picture.name)).take(limit) {
            // Whether it is used may have changed by now, so it is asked again.
            Entity::update_many()
                .col_expr(Column::Removing, Expr::val(true))
                .filter(Column::Name.eq(picture.name.as_str()))
                .filter(Column::UsedAt.lt(before.0))
                .filter(Expr::exists(shows_with(&picture.name)).not())
                .filter(Expr::exists(items_with(&picture.name)).not())
                .exec(&self.writer)
                .await
                .map_err(store_error)?;
        }
        let marked = Entity::find().filter(Column::Removing.eq(true)).limit(limit as u64);
        let marked = marked.all(&self.writer).await.map_err(store_error)?;
        marked.into_iter().map(|picture| picture.name.parse().map_err(broken)).collect()
    }

    async fn forget_media(&self, name: &MediaName) -> Result<(), StoreError> {
        picture::Entity::delete_many()
            .filter(picture::Column::Name.eq(name.to_string()))
            .filter(picture::Column::Removing.eq(true))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(())
    }
}

impl SqlStore {
    /// The names of pictures that shows and items have.
    async fn used_media(&self) -> Result<HashSet<String>, StoreError> {
        let shows: Vec<Option<String>> = show::Entity::find()
            .select_only()
            .column(show::Column::ThumbnailImage)
            .filter(show::Column::ThumbnailImage.starts_with(MEDIA_PATH))
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let items: Vec<Option<String>> = item::Entity::find()
            .select_only()
            .column(item::Column::ImageUrl)
            .filter(item::Column::ImageUrl.starts_with(MEDIA_PATH))
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let urls = shows.iter().chain(&items).flatten();
        Ok(urls.filter_map(|url| Some(url.strip_prefix(MEDIA_PATH)?.to_owned())).collect())
    }
}

/// Notes that a picture is used, unless it is being removed or not there.
async fn touch(write: &impl ConnectionTrait, name: &MediaName, now: Timestamp) -> Result<bool, StoreError> {
    let touched = picture::Entity::update_many()
        .col_expr(picture::Column::UsedAt, Expr::val(now.0))
        .filter(picture::Column::Name.eq(name.to_string()))
        .filter(picture::Column::Removing.eq(false))
        .exec(write)
        .await
        .map_err(store_error)?;
    Ok(touched.rows_affected == 1)
}

/// Gives a show or an item the address of a picture; the one it had.
async fn exchange(
    write: &DatabaseTransaction,
    of: Pictured,
    url: Option<String>,
) -> Result<Option<String>, StoreError> {
    let url = Expr::val(url);
    match of {
        Pictured::Show(id) => {
            let model = show::Entity::find_by_id(id.0).lock_exclusive().one(write).await;
            let model = model.map_err(store_error)?.ok_or(StoreError::Missing("show"))?;
            let update = show::Entity::update_many().col_expr(show::Column::ThumbnailImage, url);
            update.filter(show::Column::Id.eq(id.0)).exec(write).await.map_err(store_error)?;
            Ok(model.thumbnail_image)
        }
        Pictured::Item(id) => {
            let model = item::Entity::find_by_id(id.0).lock_exclusive().one(write).await;
            let model = model.map_err(store_error)?.ok_or(StoreError::Missing("item"))?;
            let update = item::Entity::update_many().col_expr(item::Column::ImageUrl, url);
            update.filter(item::Column::Id.eq(id.0)).exec(write).await.map_err(store_error)?;
            Ok(model.image_url)
        }
    }
}

fn shows_with(name: &str) -> SelectStatement {
    with(show::Entity, show::Column::ThumbnailImage, name)
}

fn items_with(name: &str) -> SelectStatement {
    with(item::Entity, item::Column::ImageUrl, name)
}

fn with<E: EntityTrait>(entity: E, image: E::Column, name: &str) -> SelectStatement {
    let has_it = image.eq(format!("{MEDIA_PATH}{name}"));
    Query::select().expr(Expr::val(1)).from(entity).and_where(has_it).take()
}
