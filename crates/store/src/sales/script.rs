//! The hot statements of one batch, packed as the dialect sends them best.

use onsale_engine::ports::TransactionError;
use sea_orm::QueryResult;

use super::{
    batch::{Batch, Encoding},
    under_way::UnderWay,
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
    counted: u64,
}

/// Statements that are sent together.
pub(super) struct Packed {
    pub(super) text: String,
    /// The parameters, unless the text has everything.
    pub(super) batches: Vec<Batch>,
}

impl Script {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, statements: Vec::new(), counted: 0 }
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
            if self.dialect.hot().write_packing.counts(sql) {
                self.counted += rows as u64;
            }
        }
    }

    /// How many rows it is to have written, of those that are counted.
    pub(super) const fn counted(&self) -> u64 {
        self.counted
    }

    /// Runs statements that read; their rows, one statement's after the other's.
    pub(super) async fn query(self, under_way: &mut UnderWay) -> Result<Vec<QueryResult>, TransactionError> {
        let packing = self.dialect.hot().load_packing;
        let mut rows = Vec::new();
        for packed in self.pack(packing, under_way.home.message_bytes_max) {
            rows.extend(under_way.query(packed).await.map_err(transaction_error)?);
        }
        Ok(rows)
    }

    /// Runs statements that write. A row that is there already is a conflict, and so is one that
    /// is not as it was loaded, if `checked`.
    pub(super) async fn execute(
        self,
        under_way: &mut UnderWay,
        checked: bool,
    ) -> Result<(), TransactionError> {
        let rows = self.counted;
        let mut written = 0;
        for packed in self.pack_writes(under_way.home.message_bytes_max) {
            written += under_way.write(packed).await.map_err(transaction_error)?;
        }
        if checked { all_written(rows, written) } else { Ok(()) }
    }

    /// All statements in one text.
    pub(super) fn pack_whole(self) -> Packed {
        Packed::of(Packing::Sequence, self.statements)
    }

    /// What to send, of statements that write, so many bytes at a time.
    pub(super) fn pack_writes(self, bytes_max: usize) -> Vec<Packed> {
        let packing = self.dialect.hot().write_packing;
        self.pack(packing, bytes_max)
    }

    /// What to send. Which kinds of rows a batch has differs little from one to the next, so the few
    /// texts that come of it are prepared once.
    fn pack(self, packing: Packing, bytes_max: usize) -> Vec<Packed> {
        let (mut packed, mut together, mut bytes) = (Vec::new(), Vec::new(), 0);
        let statements = self.statements.into_iter();
        let pieces = statements
            .flat_map(|(sql, batch)| batch.pieces(bytes_max).into_iter().map(move |piece| (sql, piece)));
        for (sql, piece) in pieces {
            let more = piece.bytes();
            if !together.is_empty() && more > bytes_max.saturating_sub(bytes) {
                packed.push(Packed::of(packing, std::mem::take(&mut together)));
                bytes = 0;
            }
            bytes += more;
            together.push((sql, piece));
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
            let bytes: usize = statements.iter().map(|(sql, batch)| sql.len() + batch.bytes()).sum();
            let mut text = String::with_capacity(bytes);
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
