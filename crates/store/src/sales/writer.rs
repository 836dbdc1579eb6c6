//! What one lane writes through.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_domain::decide::Changes;
use onsale_engine::ports::{CommitError, Guard, SaleTransaction, SaleWriter, StoreError};
use sea_orm::DbErr;

use super::{
    SqlSaleTransaction,
    script::{Script, all_written},
    under_way::Connections,
    write,
};
use crate::error::{transaction_error, whole_error};

/// A lane's way to a SQL database.
pub(super) struct SqlSaleWriter(pub(super) Arc<Connections>);

#[async_trait]
impl SaleWriter for SqlSaleWriter {
    async fn begin(&mut self, guard: Guard) -> Result<Box<dyn SaleTransaction>, StoreError> {
        Ok(Box::new(SqlSaleTransaction::begin(&self.0, guard).await?))
    }

    async fn write(&mut self, guard: Guard, changes: &Changes) -> Result<(), CommitError> {
        let Connections { dialect, options, .. } = &*self.0;
        let script = write::script(*dialect, guard, options.currency, changes);
        if dialect.is_embedded() { self.write_whole(script).await } else { self.write_in_parts(script).await }
    }

    fn rest(&mut self) {
        self.0.rest();
    }
}

impl SqlSaleWriter {
    /// Everything from BEGIN to COMMIT in one text.
    async fn write_whole(&self, script: Script) -> Result<(), CommitError> {
        let under_way = self.0.begin_later().await.map_err(not_written)?;
        under_way.write_and_commit(script.pack_whole()).await.map_err(whole_error)
    }

    /// BEGIN with as much as can share its trip, the rest, and COMMIT. As long as that has not been sent,
    /// it is known that nothing has happened.
    async fn write_in_parts(&self, script: Script) -> Result<(), CommitError> {
        let rows = script.rows();
        let mut parts = script.pack_writes().into_iter().peekable();
        let first = parts.next_if(|part| part.batches.is_empty()).map(|part| part.text);
        let begun = self.0.begin_now(&first.unwrap_or_default()).await;
        let (mut under_way, mut written) = begun.map_err(not_written)?;
        for part in parts {
            written += under_way.write(part).await.map_err(not_written)?;
        }
        all_written(rows, written).map_err(CommitError::NotCommitted)?;
        under_way.commit().await
    }
}

/// What an error means before COMMIT has been sent.
fn not_written(error: DbErr) -> CommitError {
    CommitError::NotCommitted(transaction_error(error))
}
