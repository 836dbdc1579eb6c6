//! What differs between the SQL dialects, apart from the hot statements.

use onsale_engine::ports::StoreError;
use sea_orm::{
    DbBackend, SqliteTransactionMode, Statement, TransactionOptions, Value,
    sea_query::{ColumnDef, TableCreateStatement},
};

use crate::hot::{self, HotStatements};

/// Which SQL the database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
}

impl Dialect {
    /// The dialect behind a database URL.
    pub(crate) fn of_url(url: &str) -> Result<Self, StoreError> {
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        match scheme {
            "sqlite" => Ok(Self::Sqlite),
            _ => Err(StoreError::Rejected(format!(
                "a database URL begins with `sqlite:`, not with `{scheme}:`"
            ))),
        }
    }

    pub(crate) const fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
        }
    }

    /// The statements that a rush runs.
    pub(crate) const fn hot(self) -> &'static HotStatements {
        match self {
            Self::Sqlite => &hot::SQLITE,
        }
    }

    /// A statement written by hand.
    pub(crate) fn statement(self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// How a transaction that writes begins. On SQLite it takes the write lock at once: one that
    /// began by reading could be refused the lock later, after its facts were loaded.
    pub(crate) const fn write_transaction(self) -> TransactionOptions {
        match self {
            Self::Sqlite => TransactionOptions {
                isolation_level: None,
                access_mode: None,
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            },
        }
    }

    /// How a transaction that reads one state of the database begins.
    pub(crate) const fn read_transaction(self) -> TransactionOptions {
        match self {
            Self::Sqlite => TransactionOptions {
                isolation_level: None,
                access_mode: None,
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
            },
        }
    }

    /// Stores a table's rows in the order of its primary key. That is a matter of course on
    /// MySQL and not to be had on PostgreSQL; on SQLite it saves a second tree and half the
    /// writing for tables whose key is not one ascending integer.
    pub(crate) fn keep_in_key_order(self, table: &mut TableCreateStatement) {
        match self {
            Self::Sqlite => table.extra("WITHOUT ROWID"),
        };
    }

    /// A primary key that numbers rows in the order in which they are written. After the highest
    /// row is deleted its number may be given out again; never giving one out twice would make
    /// SQLite keep a copy of every page that a batch of such rows touches, indexes included.
    pub(crate) fn row_number(self, column: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(column);
        match self {
            Self::Sqlite => column.integer().not_null().primary_key().take(),
        }
    }
}
