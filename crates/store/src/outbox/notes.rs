//! Outbox rows of changes that organisers make, written in the transaction that makes the change.

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
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
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
    let model = performance::Entity::find_by_id(id.0).one(write).await.map_err(store_error)?;
    let model = model.ok_or(StoreError::Missing("performance"))?;
    let levels = price_level::Entity::find().filter(price_level::Column::PerformanceId.eq(id.0));
    let levels = levels.all(write).await.map_err(store_error)?;
    let told = performance_from_models(&model, levels)?;
    Terms::of_performance(&told).keep(write, options, model.revision).await?;
    let data = performance_data(&told, model.revision, options.currency);
    note(write, options, kind, format!("performances/{id}"), model.revision, &data).await
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
    let row = outbox::ActiveModel {
        seq: NotSet,
        kind: Set(kind.to_owned()),
        order_id: Set(Uuid::nil()),
        version: Set(version),
        created_at: Set(options.clock.now().0),
        subject: Set(Some(subject)),
        data: Set(Some(data.to_string())),
    };
    outbox::Entity::insert(row).exec_without_returning(write).await.map_err(store_error)?;
    Ok(())
}
