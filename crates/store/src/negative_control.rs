//! For tests that must see what happens without a guard or without room. Never for a real database.

use onsale_engine::ports::{FrozenStore, StoreError};
use sea_orm::{
    ConnectionTrait,
    sea_query::{Index, Table},
};

use crate::{SqlStore, audit::SqlFrozenStore, error::store_error, migrations};

/// Takes the primary key off the claims, so that a seat can be claimed twice. Claims that are
/// there are lost.
///
/// # Errors
/// If the database cannot be written.
pub async fn drop_claims_key(store: &SqlStore) -> Result<(), StoreError> {
    let write = store.begin_write().await?;
    write.execute(&Table::drop().table("claims").take()).await.map_err(store_error)?;
    let (table, index) = migrations::claims_without_key();
    write.execute(&table).await.map_err(store_error)?;
    write.execute(&index).await.map_err(store_error)?;
    write.commit().await.map_err(store_error)
}

/// Takes the indexes off what the catalogue's lists and searches read, to see what they are for.
///
/// # Errors
/// If the database cannot be written.
pub async fn drop_catalogue_indexes(store: &SqlStore) -> Result<(), StoreError> {
    for (name, table) in [
        ("shows_by_genre", "shows"),
        ("shows_by_release", "shows"),
        ("performances_by_show", "performances"),
        ("show_grams_by_show", "show_grams"),
    ] {
        let mut drop = Index::drop();
        store.writer.execute(drop.name(name).table(table)).await.map_err(store_error)?;
    }
    Ok(())
}

/// Takes the check off the stocks, so that more can be sold than there is. Stocks that are there are
/// lost.
///
/// # Errors
/// If the database cannot be written.
pub async fn drop_stock_check(store: &SqlStore) -> Result<(), StoreError> {
    let write = store.begin_write().await?;
    write.execute(&Table::drop().table("stocks").take()).await.map_err(store_error)?;
    write.execute(&migrations::stocks_without_check(store.dialect)).await.map_err(store_error)?;
    write.commit().await.map_err(store_error)
}

/// Lets the database grow to so many pages, as on a disk of that size, for as long as the writing
/// connection is open. SQLite raises the limit to what there is.
///
/// # Errors
/// If the database cannot be reached.
pub async fn limit_pages(store: &SqlStore, pages: u32) -> Result<(), StoreError> {
    let limit = format!("PRAGMA max_page_count = {pages}");
    store.writer.execute_unprepared(&limit).await.map(drop).map_err(store_error)
}

/// Lets replicas be used however far behind they are, and whatever this store has written since.
pub fn use_stale_replicas(store: &SqlStore) {
    store.replicas.use_stale();
}

/// Reads as an audit does, but each statement sees what is there when it runs. `says_so`: whether that is told, as
/// when the database was asked for one moment and does not confirm it.
#[must_use]
pub fn read_without_snapshot(store: &SqlStore, says_so: bool) -> Box<dyn FrozenStore> {
    Box::new(SqlFrozenStore::new(store.readers.clone(), store.dialect, !says_so))
}
