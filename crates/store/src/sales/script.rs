//! The hot statements of one batch, packed as the dialect sends them best.

use onsale_engine::ports::TransactionError;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};

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

/// Statements that are sent together.
pub(super) struct Packed {
    pub(super) text: String,
    /// The parameters, unless the text has everything.
    pub(super) batches: Vec<Batch>,
}

impl Script {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, statements: Vec::new(), rows: 0 }
    }

    /// Adds a statement for a batch of `rows` rows, unless there are none.
    pub(super) fn add(&mut self, sql: &'static str, rows: usize, batch: impl FnOnce(Encoding) -> Batch) {
        self.add_as(self.dialect.hot().encoding, sql, rows, batch);
    }

    /// Adds a statement that inserts a batch of `rows` rows, unless there are none.
    pub(super) fn insert(&mut self, sql: &'static str, rows: usize, batch: impl FnOnce(Encoding) -> Batch) {
        self.add_as(self.dialect.hot().insert_encoding, sql, rows, batch);
    }

    fn add_as(
        &mut self,
        encoding: Encoding,
        sql: &'static str,
        rows: usize,
        batch: impl FnOnce(Encoding) -> Batch,
    ) {
        if rows > 0 {
            self.statements.push((sql, batch(encoding)));
            self.rows += rows as u64;
        }
    }

    /// How many rows it is to write.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Runs statements that read; their rows, one statement's after the other's.
    pub(super) async fn query(
        self,
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<QueryResult>, TransactionError> {
        let dialect = self.dialect;
        let mut rows = Vec::new();
        for packed in self.pack(dialect.hot().load_packing) {
            rows.extend(
                connection.query_all_raw(packed.statement(dialect)).await.map_err(transaction_error)?,
            );
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
        let (rows, dialect) = (self.rows, self.dialect);
        let mut written = 0;
        for packed in self.pack_writes() {
            written += packed.write(connection, dialect).await?;
        }
        if checked { all_written(rows, written) } else { Ok(()) }
    }

    /// What to send, of statements that write.
    pub(super) fn pack_writes(self) -> Vec<Packed> {
        let packing = self.dialect.hot().write_packing;
        self.pack(packing)
    }

    /// What to send. Which kinds of rows a batch has differs little from one to the next, so the few
    /// texts that come of it are prepared once.
    fn pack(self, packing: Packing) -> Vec<Packed> {
        let (mut packed, mut together, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (sql, batch) in self.statements {
            if !together.is_empty() && batch.bytes() > packing.bytes_max().saturating_sub(bytes) {
                packed.push(Packed::of(packing, std::mem::take(&mut together)));
                bytes = 0;
            }
            bytes += batch.bytes();
            together.push((sql, batch));
        }
        if !together.is_empty() {
            packed.push(Packed::of(packing, together));
        }
        packed
    }
}

impl Packed {
    fn of(packing: Packing, statements: Vec<(&'static str, Batch)>) -> Self {
        if packing == Packing::Literals {
            let mut text = String::with_capacity(packing.bytes_max() + 1_024);
            for (index, (sql, batch)) in statements.iter().enumerate() {
                if index > 0 {
                    text.push(';');
                }
                batch.written_into(sql, &mut text);
            }
            return Self { text, batches: Vec::new() };
        }
        let texts: Vec<_> = statements.iter().map(|(sql, batch)| (*sql, batch.parameters())).collect();
        Self { text: packing.pack(&texts), batches: statements.into_iter().map(|(_, batch)| batch).collect() }
    }

    /// Writes; how many rows.
    async fn write(
        self,
        connection: &impl ConnectionTrait,
        dialect: Dialect,
    ) -> Result<u64, TransactionError> {
        Ok(match dialect.hot().write_packing {
            Packing::CommonTables => {
                let counted = connection.query_one_raw(self.statement(dialect)).await;
                let counted = counted.map_err(transaction_error)?.ok_or_else(|| broken("no count"))?;
                get::<i64>(&counted, 0)?.unsigned_abs()
            }
            Packing::Literals => {
                let done = connection.execute_unprepared(&self.text).await;
                done.map_err(transaction_error)?.rows_affected()
            }
            Packing::Sequence | Packing::Union => {
                let done = connection.execute_raw(self.statement(dialect)).await;
                done.map_err(transaction_error)?.rows_affected()
            }
        })
    }

    fn statement(self, dialect: Dialect) -> Statement {
        let values: Vec<Value> = self.batches.into_iter().flat_map(Batch::into_values).collect();
        dialect.statement(&self.text, values)
    }
}

/// Whether as many rows were written as were to be. Fewer are a conflict: some are not as they were
/// known.
pub(super) fn all_written(rows: u64, written: u64) -> Result<(), TransactionError> {
    match written {
        written if written == rows => Ok(()),
        written if written < rows => Err(TransactionError::Conflict),
        written => Err(broken(format!("{written} rows were written instead of {rows}")).into()),
    }
}
