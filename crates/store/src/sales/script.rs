//! Several statements in one trip to the database.
//!
//! A batch's statements follow one another without anything to decide in between. Each trip costs
//! two hand-overs between threads, which under load take longer than a statement.

use onsale_engine::ports::{StoreError, WriteError};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::json::Json;
use crate::{
    dialect::Dialect,
    error::{broken, store_error, write_error},
};

/// Hot statements with one batch each, to be run one after the other.
pub(super) struct Script {
    dialect: Dialect,
    sql: String,
    batches: Vec<Value>,
    rows: u64,
}

impl Script {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, sql: String::new(), batches: Vec::new(), rows: 0 }
    }

    /// Adds a statement for a batch of `rows` rows, unless there are none.
    pub(super) fn add(&mut self, sql: &'static str, rows: usize, batch: impl FnOnce() -> Json) {
        if rows == 0 {
            return;
        }
        // Which kinds of rows a batch has differs little from one to the next, so the few texts
        // that come of it are prepared once, too.
        self.sql.push_str(sql);
        self.sql.push(';');
        self.batches.push(batch().into());
        self.rows += rows as u64;
    }

    /// Runs statements that read; their rows, one statement's after the other's.
    pub(super) async fn query(
        self,
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<QueryResult>, StoreError> {
        if self.batches.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.dialect.statement(&self.sql, self.batches);
        connection.query_all_raw(statement).await.map_err(store_error)
    }

    /// Runs statements that write. A row that is there already or not as it was loaded is a
    /// conflict.
    pub(super) async fn execute(self, connection: &impl ConnectionTrait) -> Result<(), WriteError> {
        if self.batches.is_empty() {
            return Ok(());
        }
        let statement = self.dialect.statement(&self.sql, self.batches);
        let written = connection.execute_raw(statement).await.map_err(write_error)?.rows_affected();
        match written {
            written if written == self.rows => Ok(()),
            written if written < self.rows => Err(WriteError::Conflict),
            written => Err(broken(format!("{written} rows were written instead of {}", self.rows)).into()),
        }
    }
}
