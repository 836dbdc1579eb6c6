//! The port under items: what is sold by the unit, and its stock.

use std::collections::HashMap;

use async_trait::async_trait;
use onsale_domain::{
    ids::{ItemId, OrderId, UserId},
    item::{Item, ItemDetails, ItemTerms, Stock},
};

use super::error::StoreError;

/// Keeps items. What the public reads ([`item`](Self::item) and [`items`](Self::items)) may be a
/// moment old, as the catalogue's lists may; everything else is as new as the database.
#[async_trait]
pub trait ItemStore: Send + Sync + 'static {
    /// Adds an item with so many units, of an account or of nobody.
    async fn add_item(
        &self,
        item: &ItemDetails,
        units: i64,
        owner: Option<UserId>,
    ) -> Result<ItemId, StoreError>;

    /// Replaces what is known of an item but its stock; its revision rises.
    /// [`StoreError::Missing`] if there is none.
    async fn change_item(&self, item: &Item) -> Result<(), StoreError>;

    /// An item.
    async fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError>;

    /// All items, by id, at most `limit` after `after`.
    async fn items(&self, after: Option<ItemId>, limit: usize) -> Result<Vec<Item>, StoreError>;

    /// These items, in the order of `ids`; what is not there is left out.
    async fn items_with_ids(&self, ids: &[ItemId]) -> Result<Vec<Item>, StoreError>;

    /// An item's terms and stock at one moment, with everybody who has an order of it that is
    /// `since` or has a higher id. `None` if there is no such item.
    async fn item_sale(&self, id: ItemId, since: OrderId) -> Result<Option<ItemSale>, StoreError>;

    /// (terms revision, stock version) of each of these items that exists.
    async fn item_versions(&self, items: &[ItemId]) -> Result<HashMap<ItemId, (i64, i64)>, StoreError>;
}

/// An item's terms and stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSale {
    /// The terms.
    pub terms: ItemTerms,
    /// The stock.
    pub stock: Stock,
    /// Counts the batches that changed the stock.
    pub version: i64,
    /// Who has ordered, ended orders included.
    pub buyers: Vec<UserId>,
}
