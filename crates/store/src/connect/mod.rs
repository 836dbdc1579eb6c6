//! Connecting: pools that write and one that reads. What a dialect wants said to each session is in
//! its file.

mod charset;
mod checkpoints;
mod durability;
mod files;
mod message;
mod mysql;
mod postgres;
mod reason;
mod sale;
mod sqlite;
mod sqlite_files;

pub(crate) use charset::refuse_other_charsets;
pub(crate) use checkpoints::Checkpoints;
pub(crate) use durability::warn_of_risks;
pub(crate) use files::Files;
pub(crate) use message::message_bytes_max;
pub(crate) use sale::SaleConnection;
pub(crate) use sqlite::{connect_auditor, copier, file_url, path_in};

use std::sync::Arc;

use onsale_engine::ports::StoreError;
use sea_orm::{ConnectOptions, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use tokio::time::{Instant, sleep};

use crate::{
    StoreOptions,
    dialect::Dialect,
    error::{is_connection_lost, store_error},
};

/// Connections that write for accounts and the catalogue.
const WRITERS: u32 = 2;

/// Connections of the sale beside one for each lane: one that has committed is not yet ready when
/// its lane begins the next batch.
const BESIDE_LANES: u32 = 2;

/// How many lost connections are replaced before the database is given time to come back.
pub(crate) const REPLACED_AT_ONCE: u32 = 8;

/// How long to wait before a database that does not answer is tried again.
pub(crate) const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// What a store talks to its database through.
pub(crate) struct Pools {
    /// Writes batches of the sale.
    pub(crate) sale: DatabaseConnection,
    /// Writes everything else.
    pub(crate) writer: DatabaseConnection,
    /// Reads.
    pub(crate) readers: DatabaseConnection,
    /// The connection that keeps the log of an embedded database short, and the path of its file.
    pub(crate) embedded: Option<(DatabaseConnection, std::path::PathBuf)>,
}

/// Connects to a database.
pub(crate) async fn connect(
    dialect: Dialect,
    url: &str,
    options: &StoreOptions,
) -> Result<Pools, StoreError> {
    if dialect != Dialect::Sqlite {
        // Before the pools, whose errors repeat a URL that cannot be read, with its password.
        address(dialect, url)?;
    }
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

/// From now on looks after the files of an embedded database, which all there are by now.
pub(crate) fn look_after_files(
    embedded: Option<(DatabaseConnection, std::path::PathBuf)>,
    options: &StoreOptions,
) -> (Option<Arc<Files>>, Option<Checkpoints>) {
    let Some((connection, path)) = embedded else { return (None, None) };
    let files = Arc::new(Files::note(&path));
    let checkpoints = Checkpoints::start(connection, files.clone(), &options.vitals);
    (Some(files), Some(checkpoints))
}

/// Begins a transaction that writes. A connection that turns out to be lost is replaced, and a
/// database that is being restarted is waited for: nothing has been asked of it yet.
pub(crate) async fn begin_write(
    writer: &DatabaseConnection,
    dialect: Dialect,
    options: &StoreOptions,
) -> Result<DatabaseTransaction, StoreError> {
    let until = Instant::now() + options.patience;
    let mut lost = 0;
    loop {
        match writer.begin_with_options(dialect.write_transaction()).await {
            Err(error) if dialect == Dialect::Sqlite && sqlite::is_stuck(&error) => {
                sqlite::replace_writer(writer).await?;
            }
            Err(error) if is_connection_lost(&error) && Instant::now() < until => {
                lost += 1;
                if lost > REPLACED_AT_ONCE {
                    sleep(PAUSE).await;
                }
            }
            begun => return begun.map_err(store_error),
        }
    }
}

/// Reads, and reads again while the connection turns out to be lost or the database is being
/// restarted.
pub(crate) async fn patiently<T, F>(options: &StoreOptions, read: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, DbErr>>,
{
    let until = Instant::now() + options.patience;
    loop {
        match read().await {
            Err(error) if is_connection_lost(&error) && Instant::now() < until => sleep(PAUSE).await,
            answered => return answered.map_err(store_error),
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

/// The greatest age of a connection to a server. A name that has moved to another server is followed by then,
/// also by connections that nothing has failed on.
const AGE_MAX: std::time::Duration = std::time::Duration::from_secs(1_800);

/// The pools of a database server: for the sale, for other writers, for readers. A connection is
/// opened when it is first needed, on the thread that needs it, so that a lane waits for its
/// answers itself; it ends with that thread, so lanes share theirs with nobody else. Connections
/// are tried before use, since the server may have been restarted since; a batch saves itself that
/// trip, and [`begin_write`] replaces those that are lost.
fn server_pools(url: &str, options: &StoreOptions) -> [ConnectOptions; 3] {
    let mut pools = [options.lanes + BESIDE_LANES, WRITERS, options.readers].map(|connections| {
        let mut pool = pool(url, connections, options);
        pool.min_connections(0).max_lifetime(AGE_MAX).test_before_acquire(true);
        pool
    });
    pools[0].test_before_acquire(false);
    pools
}

/// The most connections that a node on a server opens to it; as many again for each replica are readers.
const fn connections_max(options: &StoreOptions) -> u32 {
    options.lanes + BESIDE_LANES + WRITERS + options.readers
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
