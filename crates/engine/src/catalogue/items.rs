//! Items: what is sold by the unit.

use onsale_domain::{
    ids::{ItemId, UserId},
    item::{Item, ItemDetails, ItemRules, UNITS_MAX, UNITS_PER_BUYER_MAX},
    money::AMOUNT_MAX,
};

use super::{Catalogue, CatalogueError, accept, accept_lines, check_zone, invalid};
use crate::ports::StoreError;

impl Catalogue {
    /// An item.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none.
    pub async fn item(&self, id: ItemId) -> Result<Item, CatalogueError> {
        Ok(self.store.item(id).await?.ok_or(StoreError::Missing("item"))?)
    }

    /// All items, by id, at most `limit` after `after`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn items(&self, after: Option<ItemId>, limit: usize) -> Result<Vec<Item>, CatalogueError> {
        Ok(self.store.items(after, limit).await?)
    }

    /// These items, in the order of `ids`; what is not there is left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn items_with_ids(&self, ids: &[ItemId]) -> Result<Vec<Item>, CatalogueError> {
        Ok(self.store.items_with_ids(ids).await?)
    }

    /// Adds an item with so many units, of an account or of nobody.
    ///
    /// # Errors
    /// If a field is not acceptable.
    pub async fn add_item(
        &self,
        mut details: ItemDetails,
        units: i64,
        owner: Option<UserId>,
    ) -> Result<Item, CatalogueError> {
        accept_item(&mut details)?;
        if !(0..=UNITS_MAX).contains(&units) {
            return Err(invalid("stock", format!("a stock is 0 to {UNITS_MAX} units")));
        }
        let id = self.store.add_item(&details, units, owner).await?;
        self.changed();
        Ok(Item { id, details })
    }

    /// Replaces an item. Its stock stays as it is, and what is ordered already costs what it did.
    ///
    /// # Errors
    /// If a field is not acceptable or there is no such item.
    pub async fn change_item(&self, id: ItemId, mut details: ItemDetails) -> Result<Item, CatalogueError> {
        accept_item(&mut details)?;
        let item = Item { id, details };
        self.store.change_item(&item).await?;
        self.terms_changed(id.into()).await;
        self.changed();
        Ok(item)
    }
}

/// Brings an item into the form in which it is kept, and checks it.
fn accept_item(item: &mut ItemDetails) -> Result<(), CatalogueError> {
    item.kind = item.kind.on_the_second();
    accept("name", &mut item.name, 500)?;
    accept_lines("content", &mut item.content, 10_000)?;
    if let Some(url) = &mut item.image_url {
        accept("imageUrl", url, 2_000)?;
    }
    check_zone(&item.time_zone)?;
    if !(0..=AMOUNT_MAX / i64::from(UNITS_PER_BUYER_MAX)).contains(&item.price) {
        return Err(invalid("price", "a price is not below 0 and not above 10^12"));
    }
    if !item.rules.is_valid() {
        let (least, most) = ItemRules::HOLD_MS_BOUNDS;
        let (least, most) = (least / 1_000, most / 1_000);
        let reason = format!(
            "a hold lasts {least} to {most} seconds, a buyer may have 1 to {UNITS_PER_BUYER_MAX} units"
        );
        return Err(invalid("rules", reason));
    }
    Ok(())
}
