//! The hot statements of one batch, packed as the dialect sends them best.

use onsale_engine::ports::TransactionError;
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::{
    batch::{Batch, Encoding},
    rows::get,
};
use crate::{
    dialect::Dialect,
    error::{broken, transaction_error},
    hot::Packing,
};

/// Hot statements with one batch each, to be run one after the other.
pub(super) struct Script {
    dialect: Dialect,
    statements: Vec<(&'static str, Batch)>,
    rows: u64,
}

impl Script {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, statements: Vec::new(), rows: 0 }
    }

    /// Adds a statement for a batch of `rows` rows, unless there are none.
    pub(super) fn add(&mut self, sql: &'static str, rows: usize, batch: impl FnOnce(Encoding) -> Batch) {
        if rows > 0 {
            self.statements.push((sql, batch(self.dialect.hot().encoding)));
            self.rows += rows as u64;
        }
    }

    /// Runs statements that read; their rows, one statement's after the other's.
    pub(super) async fn query(
        self,
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<QueryResult>, TransactionError> {
        let packing = self.dialect.hot().load_packing;
        let mut rows = Vec::new();
        for statement in self.pack(packing) {
            rows.extend(connection.query_all_raw(statement).await.map_err(transaction_error)?);
        }
        Ok(rows)
    }

    /// Runs statements that write. A row that is there already is a conflict, and so is one that
    /// is not as it was loaded, if `checked`.
    pub(super) async fn execute(
        self,
        connection: &impl ConnectionTrait,
        checked: bool,
    ) -> Result<(), TransactionError> {
        let (rows, packing) = (self.rows, self.dialect.hot().write_packing);
        let mut written = 0;
        for statement in self.pack(packing) {
            written += match packing {
                Packing::CommonTables => {
                    let counted = connection.query_one_raw(statement).await.map_err(transaction_error)?;
                    get::<i64>(&counted.ok_or_else(|| broken("no count"))?, 0)?.unsigned_abs()
                }
                _ => connection.execute_raw(statement).await.map_err(transaction_error)?.rows_affected(),
            };
        }
        match written {
            written if written == rows || !checked => Ok(()),
            written if written < rows => Err(TransactionError::Conflict),
            written => Err(broken(format!("{written} rows were written instead of {rows}")).into()),
        }
    }

    /// The statements to send. Which kinds of rows a batch has differs little from one to the
    /// next, so the few texts that come of it are prepared once, too.
    fn pack(self, packing: Packing) -> Vec<Statement> {
        let (mut packed, mut texts, mut values, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (sql, batch) in self.statements {
            if !texts.is_empty() && batch.bytes() > packing.bytes_max().saturating_sub(bytes) {
                packed.push(self.dialect.statement(&packing.pack(&texts), values.drain(..)));
                texts.clear();
                bytes = 0;
            }
            bytes += batch.bytes();
            let parameters = batch.into_values();
            texts.push((sql, parameters.len()));
            values.extend(parameters);
        }
        if !texts.is_empty() {
            packed.push(self.dialect.statement(&packing.pack(&texts), values));
        }
        packed
    }
}
