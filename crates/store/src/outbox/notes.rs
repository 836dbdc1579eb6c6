//! Outbox rows of changes that organisers make, written in the transaction that makes the change.

use std::collections::HashMap;

use onsale_domain::{
    catalogue::Show,
    ids::{PerformanceId, ShowId},
    item::Item,
};
use onsale_engine::{
    events::{item_data, performance_data, show_data},
    ports::StoreError,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    StoreOptions,
    catalogue::{performance_from_models, show_from_model},
    entity::{outbox, performance, price_level, show, stock},
    error::store_error,
    terms_history::Terms,
};

/// Tells of a performance as it is now in this transaction, and keeps its terms.
pub(crate) async fn performance_told(
    write: &impl ConnectionTrait,
    options: &StoreOptions,
    kind: &str,
    id: PerformanceId,
) -> Result<(), StoreError> {
    performances_told(write, options, kind, &[id.0]).await
}

/// The same of several, a few hundred at the most.
pub(crate) async fn performances_told(
    write: &impl ConnectionTrait,
    options: &StoreOptions,
    kind: &str,
    ids: &[i64],
) -> Result<(), StoreError> {
    let models = performance::Entity::find().filter(performance::Column::Id.is_in(ids.iter().copied()));
    let models = models.order_by_asc(performance::Column::Id).all(write).await.map_err(store_error)?;
    if models.len() < ids.len() {
        return Err(StoreError::Missing("performance"));
    }
    let levels = price_level::Entity::find();
    let levels = levels.filter(price_level::Column::PerformanceId.is_in(ids.iter().copied()));
    let mut levels_of: HashMap<i64, Vec<price_level::Model>> = HashMap::new();
    for level in levels.all(write).await.map_err(store_error)? {
        levels_of.entry(level.performance_id).or_default().push(level);
    }
    let mut rows = Vec::with_capacity(models.len());
    for model in &models {
        let told = performance_from_models(model, levels_of.remove(&model.id).unwrap_or_default())?;
        Terms::of_performance(&told).keep(write, options, model.revision).await?;
        let data = performance_data(&told, model.revision, options.currency);
        rows.push(row(options, kind, format!("performances/{}", model.id), model.revision, &data));
    }
    if !rows.is_empty() {
        outbox::Entity::insert_many(rows).exec_without_returning(write).await.map_err(store_error)?;
        options.outbox_grows.notify_one();
    }
    Ok(())
}

/// Tells of a film or a concert as it is now in this transaction.
pub(crate) async fn show_told(
    write: &impl ConnectionTrait,
    options: &StoreOptions,
    kind: &str,
    id: ShowId,
) -> Result<(), StoreError> {
    let model = show::Entity::find_by_id(id.0).one(write).await.map_err(store_error)?;
    let model = model.ok_or(StoreError::Missing("show"))?;
    let told: Show = show_from_model(model)?;
    note(write, options, kind, format!("shows/{id}"), 0, &show_data(&told)).await
}

/// Tells of an item as it is now in this transaction, and keeps its terms.
pub(crate) async fn item_told(
    write: &impl ConnectionTrait,
    options: &StoreOptions,
    kind: &str,
    told: &Item,
) -> Result<(), StoreError> {
    let stock = stock::Entity::find_by_id(told.id.0).one(write).await.map_err(store_error)?;
    let revision = stock.ok_or(StoreError::Missing("item"))?.revision;
    Terms::of_item(told).keep(write, options, revision).await?;
    let data = item_data(told, revision, options.currency);
    note(write, options, kind, format!("items/{}", told.id), revision, &data).await
}

async fn note(
    write: &impl ConnectionTrait,
    options: &StoreOptions,
    kind: &str,
    subject: String,
    version: i64,
    data: &Value,
) -> Result<(), StoreError> {
    let row = row(options, kind, subject, version, data);
    outbox::Entity::insert(row).exec_without_returning(write).await.map_err(store_error)?;
    options.outbox_grows.notify_one();
    Ok(())
}

fn row(
    options: &StoreOptions,
    kind: &str,
    subject: String,
    version: i64,
    data: &Value,
) -> outbox::ActiveModel {
    outbox::ActiveModel {
        seq: NotSet,
        kind: Set(kind.to_owned()),
        order_id: Set(Uuid::nil()),
        version: Set(version),
        created_at: Set(options.clock.now().0),
        subject: Set(Some(subject)),
        data: Set(Some(data.to_string())),
    }
}
