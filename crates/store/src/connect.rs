//! Connecting: one writer, several readers.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use onsale_engine::ports::StoreError;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr, sqlx};

use crate::{StoreOptions, dialect::Dialect, error::store_error};

/// How long to wait before connecting is tried again.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Connects to a database; the first connection is the one that writes.
pub(crate) async fn connect(
    dialect: Dialect,
    url: &str,
    options: &StoreOptions,
) -> Result<(DatabaseConnection, DatabaseConnection), StoreError> {
    match dialect {
        Dialect::Sqlite => connect_sqlite(url, options).await,
    }
}

/// SQLite lets one connection write at a time, so there is exactly one that does: waiting for it
/// in our own queue is fair, waiting for SQLite's lock is not.
async fn connect_sqlite(
    url: &str,
    options: &StoreOptions,
) -> Result<(DatabaseConnection, DatabaseConnection), StoreError> {
    let path = sqlite_path(url)?;
    let writer = connect_writer(&path, options).await?;
    let readers = Database::connect(sqlite_readers(path, options)).await.map_err(store_error)?;
    Ok((writer, readers))
}

/// Connects the writer. Of two processes that make a new file into a database at the same moment,
/// SQLite turns one away at once, whatever its patience; it only has to try again.
async fn connect_writer(path: &Path, options: &StoreOptions) -> Result<DatabaseConnection, StoreError> {
    let mut left = options.patience;
    loop {
        match Database::connect(sqlite_writer(path.to_owned(), options)).await {
            Err(error) if error.to_string().contains("database is locked") && left > CONNECT_PAUSE => {
                left -= CONNECT_PAUSE;
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
            connected => return connected.map_err(store_error),
        }
    }
}

fn sqlite_path(url: &str) -> Result<PathBuf, StoreError> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.starts_with(':') {
        return Err(StoreError::Rejected(
            "name a file after `sqlite:`; a database in memory cannot be shared by several connections"
                .to_owned(),
        ));
    }
    Ok(PathBuf::from(path))
}

fn sqlite_writer(path: PathBuf, options: &StoreOptions) -> ConnectOptions {
    let (create, patience) = (options.create, options.patience);
    let mut connect = pool(1, options);
    connect.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .filename(&path)
            .create_if_missing(create)
            .busy_timeout(patience)
            .pragma("page_size", "4096")
            .pragma("journal_mode", "WAL")
            // A commit is on disk when it returns: what was answered survives a power cut.
            .pragma("synchronous", "FULL")
            .pragma("foreign_keys", "OFF")
            // 128 MiB of pages, so that random keys rarely cost a read. Not more: at a commit
            // SQLite may look at every page that it has in memory.
            .pragma("cache_size", "-131072")
            .pragma("temp_store", "MEMORY")
            // Moving pages from the log into the file in larger runs: a page that many
            // commits touched is moved once.
            .pragma("wal_autocheckpoint", "16384")
            .pragma("journal_size_limit", "134217728")
    });
    connect
}

fn sqlite_readers(path: PathBuf, options: &StoreOptions) -> ConnectOptions {
    let patience = options.patience;
    let mut connect = pool(options.readers, options);
    connect.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .filename(&path)
            .create_if_missing(false)
            .busy_timeout(patience)
            .pragma("query_only", "ON")
            .pragma("cache_size", "-16384")
            .pragma("temp_store", "MEMORY")
            .pragma("mmap_size", "1073741824")
            // A reader hands over many rows at a time instead of waking its caller for each.
            .row_buffer_size(1_024)
    });
    connect
}

/// Connections that stay open: a new one would have to warm its cache and statements again.
fn pool(connections: u32, options: &StoreOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new("sqlite:");
    connect
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(options.patience)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false);
    connect
}

/// Whether the writing connection can begin no transaction any more. When a disk is full, SQLite
/// undoes a transaction by itself; the driver then still counts it as open, for good.
pub(crate) fn is_stuck(error: &DbErr) -> bool {
    matches!(
        error,
        DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error))
            if matches!(**error, sqlx::Error::InvalidSavePointStatement)
    )
}

/// Closes the writing connection; the pool opens a new one.
pub(crate) async fn replace_writer(writer: &DatabaseConnection) -> Result<(), StoreError> {
    let broken = |error: sqlx::Error| StoreError::Unavailable(error.to_string());
    let connection = writer.get_sqlite_connection_pool().acquire().await.map_err(broken)?;
    connection.close().await.map_err(broken)
}
