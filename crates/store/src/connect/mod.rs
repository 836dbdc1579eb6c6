//! Connecting: a pool that writes and one that reads. What a dialect wants said to each session is
//! in its file.

mod mysql;
mod postgres;
mod sqlite;

pub(crate) use sqlite::file_url;

use onsale_engine::ports::StoreError;
use sea_orm::{ConnectOptions, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use tokio::time::{Instant, sleep};

use crate::{
    StoreOptions,
    dialect::Dialect,
    error::{is_connection_lost, store_error},
};

/// Connections that write beside those of the sale's lanes: for accounts and the catalogue.
const WRITERS_BESIDE_LANES: u32 = 2;

/// How long to wait before a database that does not answer is tried again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Connects to a database; the first pool is the one that writes.
pub(crate) async fn connect(
    dialect: Dialect,
    url: &str,
    options: &StoreOptions,
) -> Result<(DatabaseConnection, DatabaseConnection), StoreError> {
    match dialect {
        Dialect::Sqlite => sqlite::connect(url, options).await,
        Dialect::Postgres => postgres::connect(url, options).await,
        Dialect::MySql => mysql::connect(url, options).await,
    }
}

/// Connections that read from a replica, opened as they are needed: one that is down does not keep
/// a node from starting.
pub(crate) async fn connect_replica(
    dialect: Dialect,
    url: &str,
    options: &StoreOptions,
) -> Result<DatabaseConnection, StoreError> {
    match dialect {
        Dialect::Sqlite => Err(no_replicas()),
        Dialect::Postgres => postgres::connect_replica(url, options).await,
        Dialect::MySql => mysql::connect_replica(url, options).await,
    }
}

/// The host and the port that a server's URL names.
pub(crate) fn address(dialect: Dialect, url: &str) -> Result<String, StoreError> {
    match dialect {
        Dialect::Sqlite => Err(no_replicas()),
        Dialect::Postgres => postgres::address(url),
        Dialect::MySql => mysql::address(url),
    }
}

/// What an embedded database is told that is to have replicas.
pub(crate) fn no_replicas() -> StoreError {
    StoreError::Rejected(
        "a SQLite file has no replicas; they need a database server, such as PostgreSQL".to_owned(),
    )
}

/// Begins a transaction that writes. A connection that turns out to be lost is replaced, and a
/// database that is being restarted is waited for: nothing has been asked of it yet.
pub(crate) async fn begin_write(
    writer: &DatabaseConnection,
    dialect: Dialect,
    options: &StoreOptions,
) -> Result<DatabaseTransaction, StoreError> {
    let until = Instant::now() + options.patience;
    loop {
        match writer.begin_with_options(dialect.write_transaction()).await {
            Err(error) if dialect == Dialect::Sqlite && sqlite::is_stuck(&error) => {
                sqlite::replace_writer(writer).await?;
            }
            Err(error) if is_connection_lost(&error) && Instant::now() < until => sleep(PAUSE).await,
            begun => return begun.map_err(store_error),
        }
    }
}

/// Connections that stay open: a new one would have to warm its cache and statements again.
fn pool(url: &str, connections: u32, options: &StoreOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(url);
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

/// The two pools of a database server. A connection is opened when it is first needed, on the
/// thread that needs it, so that a lane waits for its answers itself. Readers are tried before
/// use, since the server may have been restarted since; writers are replaced as they fail.
fn server_pools(url: &str, options: &StoreOptions) -> (ConnectOptions, ConnectOptions) {
    let mut writers = pool(url, options.lanes + WRITERS_BESIDE_LANES, options);
    let mut readers = pool(url, options.readers, options);
    writers.min_connections(0);
    readers.min_connections(0).test_before_acquire(true);
    (writers, readers)
}

fn not_an_address(error: impl std::fmt::Display) -> StoreError {
    StoreError::Rejected(format!("not a database's URL: {error}"))
}

/// As for a server that cannot be reached, said with what to do.
fn cannot_connect(error: DbErr) -> StoreError {
    match store_error(error) {
        StoreError::Broken(reason) => StoreError::Unavailable(reason),
        other => other,
    }
}
