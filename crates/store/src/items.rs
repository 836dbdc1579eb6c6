//! The port under items.

use std::collections::HashMap;

use async_trait::async_trait;
use onsale_domain::{
    ids::{ItemId, OrderId, UserId},
    item::{Item, ItemDetails, ItemKind, ItemRules, ItemTerms, Stock},
    offer::Offer,
    time::Timestamp,
};
use onsale_engine::ports::{ItemSale, ItemStore, StoreError};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    IDS_PER_STATEMENT, SqlStore,
    entity::{item, order, stock},
    error::{broken, store_error},
    outbox::item_told,
};

#[async_trait]
impl ItemStore for SqlStore {
    async fn add_item(
        &self,
        details: &ItemDetails,
        units: i64,
        owner: Option<UserId>,
    ) -> Result<ItemId, StoreError> {
        let write = self.begin_change().await?;
        let row = item::ActiveModel { owner_id: Set(owner.map(|owner| owner.0)), ..values(details) };
        let inserted = item::Entity::insert(row).exec(&write.transaction).await.map_err(store_error)?;
        let id = inserted.last_insert_id;
        let stock = stock::ActiveModel {
            item_id: Set(id),
            units_total: Set(units),
            units_left: Set(units),
            revision: Set(1),
            version: Set(0),
        };
        stock::Entity::insert(stock).exec_without_returning(&write.transaction).await.map_err(store_error)?;
        let added = Item { id: ItemId(id), details: details.clone() };
        item_told(&write.transaction, &self.options, "item.added", &added).await?;
        write.commit().await?;
        Ok(added.id)
    }

    async fn change_item(&self, changed: &Item) -> Result<(), StoreError> {
        let id = changed.id.0;
        let write = self.begin_change().await?;
        // The stock's row first, which batches lock, too. Whoever loaded it decides again.
        let raised = stock::Entity::update_many()
            .col_expr(stock::Column::Revision, Expr::col(stock::Column::Revision).add(1))
            .col_expr(stock::Column::Version, Expr::col(stock::Column::Version).add(1))
            .filter(stock::Column::ItemId.eq(id))
            .exec(&write.transaction)
            .await
            .map_err(store_error)?;
        if raised.rows_affected == 0 {
            return Err(StoreError::Missing("item"));
        }
        item::Entity::update_many()
            .set(values(&changed.details))
            .filter(item::Column::Id.eq(id))
            .exec(&write.transaction)
            .await
            .map_err(store_error)?;
        item_told(&write.transaction, &self.options, "item.changed", changed).await?;
        write.commit().await
    }

    async fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError> {
        self.read_public(move |read| async move {
            let model = item::Entity::find_by_id(id.0).one(&read).await.map_err(store_error)?;
            model.map(item_from_model).transpose()
        })
        .await
    }

    async fn items(&self, after: Option<ItemId>, limit: usize) -> Result<Vec<Item>, StoreError> {
        let after = after.map_or(0, |after| after.0);
        self.read_public(move |read| async move {
            let models = item::Entity::find()
                .filter(item::Column::Id.gt(after))
                .order_by_asc(item::Column::Id)
                .limit(limit as u64)
                .all(&read)
                .await
                .map_err(store_error)?;
            models.into_iter().map(item_from_model).collect()
        })
        .await
    }

    async fn items_with_ids(&self, ids: &[ItemId]) -> Result<Vec<Item>, StoreError> {
        let models = item::Entity::find().filter(item::Column::Id.is_in(ids.iter().map(|id| id.0)));
        let models = models.all(&self.readers).await.map_err(store_error)?;
        let mut items = models.into_iter().map(item_from_model).collect::<Result<Vec<_>, _>>()?;
        items.sort_by_key(|item| ids.iter().position(|id| *id == item.id));
        Ok(items)
    }

    async fn item_sale(&self, id: ItemId, since: OrderId) -> Result<Option<ItemSale>, StoreError> {
        let read = self.begin_read().await?;
        let Some(stock) = stock::Entity::find_by_id(id.0).one(&read).await.map_err(store_error)? else {
            return Ok(None);
        };
        let model = item::Entity::find_by_id(id.0).one(&read).await.map_err(store_error)?;
        let model = model.ok_or_else(|| broken(format!("item {id} has a stock but does not exist")))?;
        let Item { details, .. } = item_from_model(model)?;
        let buyers: Vec<i64> = order::Entity::find()
            .select_only()
            .column(order::Column::UserId)
            .distinct()
            .filter(order::Column::PerformanceId.eq(Offer::Item(id).code()))
            .filter(order::Column::Id.gte(since.0))
            .into_tuple()
            .all(&read)
            .await
            .map_err(store_error)?;
        let terms = ItemTerms {
            item: id,
            revision: stock.revision,
            price: details.price,
            currency: self.options.currency,
            kind: details.kind,
            rules: details.rules,
        };
        Ok(Some(ItemSale {
            terms,
            stock: Stock { total: stock.units_total, left: stock.units_left },
            version: stock.version,
            buyers: buyers.into_iter().map(UserId).collect(),
        }))
    }

    async fn item_versions(&self, items: &[ItemId]) -> Result<HashMap<ItemId, (i64, i64)>, StoreError> {
        use stock::Column;
        let mut versions = HashMap::with_capacity(items.len());
        for chunk in items.chunks(IDS_PER_STATEMENT) {
            let rows: Vec<(i64, i64, i64)> = stock::Entity::find()
                .select_only()
                .columns([Column::ItemId, Column::Revision, Column::Version])
                .filter(Column::ItemId.is_in(chunk.iter().map(|item| item.0)))
                .into_tuple()
                .all(&self.readers)
                .await
                .map_err(store_error)?;
            versions
                .extend(rows.into_iter().map(|(id, revision, version)| (ItemId(id), (revision, version))));
        }
        Ok(versions)
    }
}

/// The columns that an organiser writes.
fn values(details: &ItemDetails) -> item::ActiveModel {
    item::ActiveModel {
        id: NotSet,
        name: Set(details.name.clone()),
        content: Set(details.content.clone()),
        price: Set(details.price),
        kind: Set(details.kind.as_str().to_owned()),
        start_at: Set(details.kind.start_at().map(|start_at| start_at.0)),
        time_zone: Set(details.time_zone.clone()),
        image_url: Set(details.image_url.clone()),
        hold_ms: Set(details.rules.hold_ms),
        units_per_buyer_max: Set(details.rules.units_per_buyer_max.into()),
        owner_id: NotSet,
    }
}

pub(crate) fn item_from_model(model: item::Model) -> Result<Item, StoreError> {
    let start_at = model.start_at.map(Timestamp);
    let kind = start_at.map_or(ItemKind::General, |start_at| ItemKind::TimeDeal { start_at });
    if kind.as_str() != model.kind {
        return Err(broken(format!("item {} is of kind `{}`, opens at {start_at:?}", model.id, model.kind)));
    }
    Ok(Item {
        id: ItemId(model.id),
        details: ItemDetails {
            name: model.name,
            content: model.content,
            price: model.price,
            kind,
            time_zone: model.time_zone,
            image_url: model.image_url,
            rules: ItemRules {
                hold_ms: model.hold_ms,
                units_per_buyer_max: u32::try_from(model.units_per_buyer_max).map_err(broken)?,
            },
        },
    })
}
