//! Importing shows: what a source says beside what it said last time and what people have made of it.

use std::borrow::Cow;

use onsale_domain::{
    catalogue::{ShowDetails, ShowKind, merged},
    ids::{ShowId, UserId},
};
use onsale_engine::ports::{ImportOutcome, Imported, StoreError};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};

use super::shows::{add, change, show_from_model};
use crate::{
    dialect::Dialect,
    entity::{show, show_import},
    error::{broken, store_error},
};

/// Adds a show that has a source, or changes it as far as its source has changed.
pub(super) async fn import(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    said: &ShowDetails,
    owner: Option<UserId>,
) -> Result<Imported, StoreError> {
    let known = show::Entity::find()
        .filter(show::Column::SourceKey.eq(source_key(said)?))
        .one(write)
        .await
        .map_err(store_error)?;
    let Some(known) = known.map(show_from_model).transpose()? else {
        let id = add(write, dialect, said, owner).await?;
        remember(write, id, said).await?;
        return Ok(Imported { id, outcome: ImportOutcome::Added, kept: Vec::new() });
    };
    let before = remembered(write, known.id).await?;
    let (details, kept) = merged(&known.details, before.as_ref(), said);
    if before.as_ref() != Some(said) {
        remember(write, known.id, said).await?;
    }
    if details == known.details {
        return Ok(Imported { id: known.id, outcome: ImportOutcome::Unchanged, kept });
    }
    change(write, dialect, known.id, &details).await?;
    Ok(Imported { id: known.id, outcome: ImportOutcome::Changed, kept })
}

/// The record that an imported show came from.
pub(super) fn source_key(details: &ShowDetails) -> Result<&str, StoreError> {
    let missing = || StoreError::Rejected("an imported show must name the record it came from".to_owned());
    details.source_key.as_deref().ok_or_else(missing)
}

/// The last word of a source about a show, as JSON. Its key is the show's.
#[derive(Serialize, Deserialize)]
struct Said<'a> {
    kind: Cow<'a, str>,
    title: Cow<'a, str>,
    grade: Option<Cow<'a, str>>,
    genre: Option<Cow<'a, str>>,
    release_date: Option<String>,
    thumbnail_image: Option<Cow<'a, str>>,
    running_time_min: Option<u32>,
    description: Option<Cow<'a, str>>,
    creator: Option<Cow<'a, str>>,
    source_key: Option<Cow<'a, str>>,
}

async fn remember(write: &impl ConnectionTrait, id: ShowId, said: &ShowDetails) -> Result<(), StoreError> {
    let optional = |text: &Option<String>| text.clone().map(Cow::Owned);
    let said = Said {
        kind: said.kind.as_str().into(),
        title: said.title.as_str().into(),
        grade: optional(&said.grade),
        genre: optional(&said.genre),
        release_date: said.release_date.map(|date| date.to_string()),
        thumbnail_image: optional(&said.thumbnail_image),
        running_time_min: said.running_time_min,
        description: optional(&said.description),
        creator: optional(&said.creator),
        source_key: optional(&said.source_key),
    };
    let said = serde_json::to_string(&said).map_err(broken)?;
    let replace =
        OnConflict::column(show_import::Column::ShowId).update_column(show_import::Column::Said).to_owned();
    show_import::Entity::insert(show_import::ActiveModel { show_id: Set(id.0), said: Set(said) })
        .on_conflict(replace)
        .exec_without_returning(write)
        .await
        .map_err(store_error)?;
    Ok(())
}

async fn remembered(read: &impl ConnectionTrait, id: ShowId) -> Result<Option<ShowDetails>, StoreError> {
    let model = show_import::Entity::find_by_id(id.0).one(read).await.map_err(store_error)?;
    let Some(model) = model else { return Ok(None) };
    let said: Said<'_> = serde_json::from_str(&model.said).map_err(broken)?;
    let optional = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    Ok(Some(ShowDetails {
        kind: ShowKind::from_name(&said.kind).ok_or_else(|| broken("an import is of an unknown kind"))?,
        title: said.title.into_owned(),
        grade: optional(said.grade),
        genre: optional(said.genre),
        release_date: said.release_date.map(|date| date.parse()).transpose().map_err(broken)?,
        thumbnail_image: optional(said.thumbnail_image),
        running_time_min: said.running_time_min,
        description: optional(said.description),
        creator: optional(said.creator),
        source_key: optional(said.source_key),
    }))
}
