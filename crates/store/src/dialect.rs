//! What differs between the SQL dialects, apart from the hot statements and connecting.

use onsale_engine::ports::StoreError;
use sea_orm::{
    ConnectionTrait, DbBackend, SqliteTransactionMode, Statement, TransactionOptions, Value,
    sea_query::{ColumnDef, TableCreateStatement},
};

use crate::{
    error::{broken, store_error},
    hot::{self, HotStatements},
};

/// Which SQL the database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The embedded default.
    Sqlite,
    /// PostgreSQL, and what speaks its protocol.
    Postgres,
    /// MariaDB and MySQL, and what speaks their protocol.
    MySql,
}

/// The statements about whole databases on a server. Names are ours and need no quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerDatabases {
    pub(crate) create: fn(&str) -> String,
    pub(crate) drop: fn(&str) -> String,
    /// Gives the name of the session's database.
    pub(crate) current: &'static str,
}

impl Dialect {
    /// The dialect behind a database URL.
    pub(crate) fn of_url(url: &str) -> Result<Self, StoreError> {
        // The rest is not repeated: there may be a password in it, and in a text that is no URL anywhere.
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let dialect = match scheme {
            "sqlite" => Self::Sqlite,
            "postgres" | "postgresql" => Self::Postgres,
            "mysql" | "mariadb" => Self::MySql,
            _ => {
                let named = scheme.chars().all(|c| c.is_ascii_alphanumeric()) && !scheme.is_empty();
                let instead = if named { format!(", not with `{scheme}:`") } else { String::new() };
                return Err(StoreError::Rejected(format!(
                    "a database URL begins with `sqlite:`, `postgres://` or `mysql://`{instead}"
                )));
            }
        };
        if dialect != Self::Sqlite && !url[scheme.len()..].starts_with("://") {
            return Err(StoreError::Rejected(format!(
                "a server's URL is `{scheme}://USER:PASSWORD@HOST:PORT/DATABASE`"
            )));
        }
        Ok(dialect)
    }

    pub(crate) const fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
            Self::MySql => DbBackend::MySql,
        }
    }

    /// The statements that a rush runs.
    pub(crate) const fn hot(self) -> &'static HotStatements {
        match self {
            Self::Sqlite => &hot::SQLITE,
            Self::Postgres => &hot::POSTGRES,
            Self::MySql => &hot::MYSQL,
        }
    }

    /// A statement written by hand.
    pub(crate) fn statement(self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// Whether several connections write at once, and lock rows against each other.
    pub(crate) const fn has_row_locks(self) -> bool {
        !matches!(self, Self::Sqlite)
    }

    /// How a transaction that writes begins. On SQLite it takes the write lock at once: one that
    /// began by reading could be refused the lock later, after its facts were loaded. Elsewhere
    /// the session says how; see `connect`.
    pub(crate) const fn write_transaction(self) -> TransactionOptions {
        self.transaction(SqliteTransactionMode::Immediate)
    }

    /// The same, as text.
    pub(crate) const fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres | Self::MySql => "BEGIN",
        }
    }

    /// Whether it is in this process: no connection to it is ever lost, and statements with parameters can
    /// share a text with BEGIN and COMMIT.
    pub(crate) const fn is_embedded(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// Whether BEGIN is a trip of its own: what follows it has parameters.
    pub(crate) const fn begins_alone(self) -> bool {
        matches!(self, Self::Postgres)
    }

    /// Asks whether the session can only read: `on` or `off`. `None` where nothing says so.
    pub(crate) const fn asks_whether_read_only(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT current_setting('transaction_read_only')"),
            Self::MySql => Some("SELECT IF(@@global.read_only, 'on', 'off')"),
        }
    }

    /// How a transaction that reads one state of the database begins.
    pub(crate) const fn read_transaction(self) -> TransactionOptions {
        self.transaction(SqliteTransactionMode::Deferred)
    }

    const fn transaction(self, sqlite: SqliteTransactionMode) -> TransactionOptions {
        let sqlite_transaction_mode = match self {
            Self::Sqlite => Some(sqlite),
            Self::Postgres | Self::MySql => None,
        };
        TransactionOptions { isolation_level: None, access_mode: None, sqlite_transaction_mode }
    }

    /// Makes other processes wait that would migrate too, for as long as this connection's
    /// transaction goes on or until it is unlocked. Answers 1 when it does. SQLite's transaction
    /// does by itself.
    pub(crate) const fn lock_migrations(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT 1 FROM pg_advisory_xact_lock(7020346591)"),
            Self::MySql => Some("SELECT GET_LOCK(CONCAT('onsale ', MD5(DATABASE())), 600)"),
        }
    }

    /// The opposite, where the lock is not the transaction's.
    pub(crate) const fn unlock_migrations(self) -> Option<&'static str> {
        match self {
            Self::Sqlite | Self::Postgres => None,
            Self::MySql => Some("SELECT RELEASE_LOCK(CONCAT('onsale ', MD5(DATABASE())))"),
        }
    }

    /// How databases are made and removed on a server; none where a database is a file.
    pub(crate) fn server_databases(self) -> Option<ServerDatabases> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(ServerDatabases {
                create: |name| format!("CREATE DATABASE {name}"),
                // A client that has just ended may not be gone yet for the server.
                drop: |name| format!("DROP DATABASE {name} WITH (FORCE)"),
                current: "SELECT current_database()::text",
            }),
            Self::MySql => Some(ServerDatabases {
                create: |name| format!("CREATE DATABASE {name}"),
                drop: |name| format!("DROP DATABASE {name}"),
                current: "SELECT DATABASE()",
            }),
        }
    }

    /// What the database is called, with its version, for people.
    pub(crate) fn name(self, server_version: &str) -> String {
        let mut words = server_version.split([' ', '-']);
        match self {
            Self::Sqlite => format!("SQLite {server_version}"),
            // It names itself first: PostgreSQL, or what speaks its protocol.
            Self::Postgres => words.by_ref().take(2).collect::<Vec<_>>().join(" "),
            Self::MySql => {
                let version = words.next().unwrap_or_default();
                let product = if server_version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
                format!("{product} {version}")
            }
        }
    }

    /// What the server calls itself.
    pub(crate) async fn server_version(
        self,
        connection: &impl ConnectionTrait,
    ) -> Result<String, StoreError> {
        let sql = match self {
            Self::Sqlite => "SELECT sqlite_version()",
            Self::Postgres | Self::MySql => "SELECT version()",
        };
        let row = connection.query_one_raw(self.statement(sql, [])).await.map_err(store_error)?;
        let row = row.ok_or_else(|| broken("the server has no version"))?;
        row.try_get_by_index(0).map_err(store_error)
    }

    /// Stores a table's rows in the order of its primary key. That is a matter of course on
    /// MySQL and not to be had on PostgreSQL; on SQLite it saves a second tree and half the
    /// writing for tables whose key is not one ascending integer.
    pub(crate) fn keep_in_key_order(self, table: &mut TableCreateStatement) {
        if self == Self::Sqlite {
            table.extra("WITHOUT ROWID");
        }
    }

    /// Compares and sorts texts by their code points, blanks at the end included: alike on all.
    /// `version` is what the server calls itself.
    pub(crate) fn compare_by_code_points(self, table: &mut TableCreateStatement, version: &str) {
        if self == Self::MySql {
            let collation =
                if version.contains("MariaDB") { "utf8mb4_nopad_bin" } else { "utf8mb4_0900_bin" };
            table.character_set("utf8mb4").collate(collation);
        }
    }

    /// What the sum of integers is cast to: on some it is a decimal number otherwise.
    pub(crate) const fn integer(self) -> &'static str {
        match self {
            Self::Sqlite => "INTEGER",
            Self::Postgres => "BIGINT",
            Self::MySql => "SIGNED",
        }
    }

    /// A column of text by which rows are sorted, by its code points.
    pub(crate) fn sorted_text(self, column: &mut ColumnDef) {
        if self == Self::Postgres {
            column.extra("COLLATE \"C\"");
        }
    }

    /// A primary key that numbers rows in the order in which they are written. After the highest
    /// row is deleted its number may be given out again on SQLite; never giving one out twice
    /// would make it keep a copy of every page that a batch of such rows touches, indexes included.
    pub(crate) fn row_number(self, column: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(column);
        match self {
            Self::Sqlite => column.integer().not_null().primary_key().take(),
            Self::Postgres | Self::MySql => {
                column.big_integer().not_null().auto_increment().primary_key().take()
            }
        }
    }

    /// A primary key that is an integer from elsewhere.
    pub(crate) fn given_id(self, column: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(column);
        match self {
            // The row's own number, which saves a second tree.
            Self::Sqlite => column.big_integer().not_null().auto_increment().primary_key().take(),
            Self::Postgres | Self::MySql => column.big_integer().not_null().primary_key().take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn a_database_is_called_what_it_calls_itself() {
        let postgres = "PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc";
        assert_eq!(Dialect::Postgres.name(postgres), "PostgreSQL 15.14");
        assert_eq!(Dialect::MySql.name("10.11.14-MariaDB-0+deb12u2"), "MariaDB 10.11.14");
        assert_eq!(Dialect::MySql.name("8.4.2"), "MySQL 8.4.2");
        assert_eq!(Dialect::Sqlite.name("3.50.1"), "SQLite 3.50.1");
    }
}
