//! What one lane writes through.

use std::sync::Arc;

use async_trait::async_trait;
use onsale_domain::decide::Changes;
use onsale_engine::ports::{Guard, SaleTransaction, SaleWriter, StoreError, TransactionError};

use super::{
    SqlSaleTransaction,
    script::{Script, all_written},
    under_way::{Connections, UnderWay},
    write,
};
use crate::error::transaction_error;

/// A lane's way to a SQL database.
pub(super) struct SqlSaleWriter(pub(super) Arc<Connections>);

#[async_trait]
impl SaleWriter for SqlSaleWriter {
    async fn begin(&mut self, guard: Guard) -> Result<Box<dyn SaleTransaction>, StoreError> {
        Ok(Box::new(SqlSaleTransaction::begin(&self.0, guard).await?))
    }

    async fn write(
        &mut self,
        guard: Guard,
        changes: &Changes,
    ) -> Result<Box<dyn SaleTransaction>, TransactionError> {
        self.0.check_files()?;
        let Connections { dialect, options, .. } = &*self.0;
        let script = write::script(*dialect, guard, options.currency, changes);
        let under_way = if dialect.is_embedded() {
            // Everything from BEGIN to COMMIT in one text. What is not to be committed stops it.
            self.0.begin_later().await.map_err(transaction_error)?.writing_at_commit(script.pack_whole())
        } else {
            self.write_in_parts(script).await?
        };
        Ok(Box::new(SqlSaleTransaction { under_way, guard }))
    }

    fn rest(&mut self) {
        self.0.rest();
    }
}

impl SqlSaleWriter {
    /// BEGIN with as much as can share its trip, and the rest.
    async fn write_in_parts(&self, script: Script) -> Result<UnderWay, TransactionError> {
        let rows = script.counted();
        let mut parts = script.pack_writes(self.0.message_bytes_max).into_iter().peekable();
        let first = parts.next_if(|part| part.batches.is_empty()).map(|part| part.text);
        let begun = self.0.begin_now(&first.unwrap_or_default()).await;
        let (mut under_way, mut written) = begun.map_err(transaction_error)?;
        for part in parts {
            written += under_way.write(part).await.map_err(transaction_error)?;
        }
        all_written(rows, written)?;
        Ok(under_way)
    }
}
