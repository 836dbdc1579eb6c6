//! For tests that must see a sale go wrong when its last guard is gone. Never for a real database.

use onsale_engine::ports::StoreError;
use sea_orm::{ConnectionTrait, sea_query::Table};

use crate::{SqlStore, error::store_error, migrations};

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
