//! Writing shows, and the grams by which their titles are found.

use std::iter;

use onsale_domain::{
    catalogue::{Show, ShowDetails, ShowKind},
    ids::{ShowId, UserId},
    search::{FOLD_VERSION, genre_key, title_grams, title_key},
};
use onsale_engine::ports::StoreError;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
};

use crate::{
    dialect::Dialect,
    entity::{show, show_gram},
    error::{broken, conflict_on, store_error},
    sales::Batch,
};

pub(super) async fn add(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    details: &ShowDetails,
    owner: Option<UserId>,
) -> Result<ShowId, StoreError> {
    let owner_id = Set(owner.map(|owner| owner.0));
    let inserted = show::Entity::insert(show::ActiveModel { owner_id, ..values(details)? })
        .exec(write)
        .await
        .map_err(conflict_on("a show from this record"))?;
    let id = ShowId(inserted.last_insert_id);
    add_grams(write, dialect, id, details).await?;
    Ok(id)
}

pub(super) async fn change(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    id: ShowId,
    details: &ShowDetails,
) -> Result<(), StoreError> {
    let done = show::Entity::update_many()
        .set(values(details)?)
        .filter(show::Column::Id.eq(id.0))
        .exec(write)
        .await
        .map_err(conflict_on("a show from this record"))?;
    if done.rows_affected == 0 {
        return Err(StoreError::Missing("show"));
    }
    replace_grams(write, dialect, id, details).await
}

pub(super) async fn replace_grams(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    id: ShowId,
    details: &ShowDetails,
) -> Result<(), StoreError> {
    show_gram::Entity::delete_many()
        .filter(show_gram::Column::ShowId.eq(id.0))
        .exec(write)
        .await
        .map_err(store_error)?;
    add_grams(write, dialect, id, details).await
}

async fn add_grams(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    id: ShowId,
    details: &ShowDetails,
) -> Result<(), StoreError> {
    let grams = title_grams(&title_key(&details.title));
    let batch = Batch::texts(dialect.hot().encoding, grams.iter().map(String::as_str));
    let insert =
        dialect.statement(dialect.hot().insert_grams, iter::once(id.0.into()).chain(batch.into_values()));
    write.execute_raw(insert).await.map_err(store_error)?;
    Ok(())
}

pub(super) fn values(details: &ShowDetails) -> Result<show::ActiveModel, StoreError> {
    let running_time_min =
        details.running_time_min.map(i32::try_from).transpose().map_err(|_| {
            StoreError::Rejected("a running time of so many minutes cannot be kept".to_owned())
        })?;
    Ok(show::ActiveModel {
        id: NotSet,
        kind: Set(details.kind.as_str().to_owned()),
        title: Set(details.title.clone()),
        title_folded: Set(title_key(&details.title)),
        grade: Set(details.grade.clone()),
        genre: Set(details.genre.clone()),
        genre_folded: Set(details.genre.as_deref().map(genre_key)),
        release_date: Set(details.release_date.map(|date| date.to_string())),
        thumbnail_image: Set(details.thumbnail_image.clone()),
        running_time_min: Set(running_time_min),
        description: Set(details.description.clone()),
        creator: Set(details.creator.clone()),
        source_key: Set(details.source_key.clone()),
        owner_id: NotSet,
        folded_by: Set(FOLD_VERSION),
    })
}

pub(crate) fn show_from_model(model: show::Model) -> Result<Show, StoreError> {
    let kind = ShowKind::from_name(&model.kind)
        .ok_or_else(|| broken(format!("show {} is of kind `{}`", model.id, model.kind)))?;
    Ok(Show {
        id: ShowId(model.id),
        details: ShowDetails {
            kind,
            title: model.title,
            grade: model.grade,
            genre: model.genre,
            release_date: model.release_date.map(|date| date.parse()).transpose().map_err(broken)?,
            thumbnail_image: model.thumbnail_image,
            running_time_min: model.running_time_min.map(u32::try_from).transpose().map_err(broken)?,
            description: model.description,
            creator: model.creator,
            source_key: model.source_key,
        },
    })
}
