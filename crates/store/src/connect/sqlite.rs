//! Connecting to SQLite: a file, one connection that writes and several that read.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use onsale_domain::money::Currency;
use onsale_engine::ports::StoreError;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr, SqlxSqliteConnector, sqlx};

use super::{Pools, pool, sqlite_files};
use crate::{StoreOptions, error::store_error};

/// How long to wait before connecting is tried again.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// SQLite lets one connection write at a time, so there is exactly one that does: waiting for it
/// in our own queue is fair, waiting for SQLite's lock is not.
pub(super) async fn connect(url: &str, options: &StoreOptions) -> Result<Pools, StoreError> {
    let path = path_in(url)?;
    sqlite_files::prepare(&path, options.create).await?;
    let writer = connect_writer(&path, options).await?;
    let readers = Database::connect(reader(path.clone(), options)).await.map_err(store_error)?;
    let checkpoints = Database::connect(checkpointer(path.clone(), options)).await.map_err(store_error)?;
    sqlite_files::keep_names(&path).await?;
    Ok(Pools { sale: writer.clone(), writer, readers, embedded: Some((checkpoints, path)) })
}

/// Connects the writer. Of two processes that make a new file into a database at the same moment,
/// SQLite turns one away at once, whatever its patience; it only has to try again.
async fn connect_writer(path: &Path, options: &StoreOptions) -> Result<DatabaseConnection, StoreError> {
    let mut left = options.patience;
    loop {
        match Database::connect(writer(path.to_owned(), options)).await {
            Err(error) if error.to_string().contains("database is locked") && left > CONNECT_PAUSE => {
                left -= CONNECT_PAUSE;
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
            connected => return connected.map_err(store_error),
        }
    }
}

/// The URL of a database in a file.
pub(crate) fn file_url(path: &Path) -> Result<String, StoreError> {
    match path.to_str() {
        Some(path) => Ok(format!("sqlite:{path}")),
        None => Err(StoreError::Rejected(format!("the path is not UTF-8: {}", path.display()))),
    }
}

/// The file that a URL names.
pub(crate) fn path_in(url: &str) -> Result<PathBuf, StoreError> {
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

fn writer(path: PathBuf, options: &StoreOptions) -> ConnectOptions {
    let (create, patience) = (options.create, options.patience);
    let mut connect = pool("sqlite:", 1, options);
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
            // 64 MiB of pages. Not more: at a commit SQLite may look at every page that it has in
            // memory, which costs more than reading one again.
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "MEMORY")
            // 256 MiB: see `Checkpoints`.
            .pragma("wal_autocheckpoint", "65536")
            .pragma("journal_size_limit", "268435456")
    });
    connect
}

fn checkpointer(path: PathBuf, options: &StoreOptions) -> ConnectOptions {
    let mut connect = pool("sqlite:", 1, options);
    connect.map_sqlx_sqlite_opts(move |sqlite| {
        // The file must have the pages before the log may lose them.
        sqlite.filename(&path).create_if_missing(false).pragma("synchronous", "FULL")
    });
    connect
}

/// A connection that copies the database, and changes nothing of it.
pub(crate) async fn copier(url: &str) -> Result<ConnectOptions, StoreError> {
    let path = path_in(url)?;
    sqlite_files::prepare(&path, false).await?;
    let options = StoreOptions::new(Currency::KRW);
    let patience = options.patience;
    // The currency is of no consequence here.
    let mut connect = pool("sqlite:", 1, &options);
    connect.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite.filename(&path).create_if_missing(false).busy_timeout(patience)
    });
    Ok(connect)
}

/// A connection for one audit, alike the readers but for memory: the file is not mapped into it, and what is sorted
/// goes to temporary files.
pub(crate) async fn connect_auditor(readers: &DatabaseConnection) -> Result<DatabaseConnection, StoreError> {
    let options = readers.get_sqlite_connection_pool().connect_options();
    let options = (*options)
        .clone()
        .pragma("mmap_size", "0")
        .pragma("cache_size", "-8192")
        .pragma("temp_store", "FILE");
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    let pool = pool.map_err(|error| store_error(DbErr::Conn(RuntimeErr::SqlxError(error.into()))))?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

fn reader(path: PathBuf, options: &StoreOptions) -> ConnectOptions {
    let patience = options.patience;
    let mut connect = pool("sqlite:", options.readers, options);
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

/// Whether the writing connection can begin no transaction any more. When a disk is full, SQLite
/// undoes a transaction by itself; the driver then still counts it as open, for good.
pub(super) fn is_stuck(error: &DbErr) -> bool {
    matches!(
        error,
        DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error))
            if matches!(**error, sqlx::Error::InvalidSavePointStatement)
    )
}

/// Closes the writing connection; the pool opens a new one.
pub(super) async fn replace_writer(writer: &DatabaseConnection) -> Result<(), StoreError> {
    let broken = |error: sqlx::Error| StoreError::Unavailable(error.to_string());
    let connection = writer.get_sqlite_connection_pool().acquire().await.map_err(broken)?;
    connection.close().await.map_err(broken)
}
