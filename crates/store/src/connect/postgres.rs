//! Connecting to PostgreSQL.

use onsale_engine::ports::StoreError;
use sea_orm::{Database, DatabaseConnection};

use super::{cannot_connect, server_pools};
use crate::StoreOptions;

pub(super) async fn connect(
    url: &str,
    options: &StoreOptions,
) -> Result<(DatabaseConnection, DatabaseConnection), StoreError> {
    let (mut writers, mut readers) = server_pools(url, options);
    let lock_timeout = options.patience.as_millis().to_string();
    writers.map_sqlx_postgres_opts(move |postgres| {
        postgres.options([
            ("default_transaction_isolation", "read committed"),
            // One plan for good, made for a few rows looked up by key. A plan made by cost while
            // a table is small scans it, and is kept when it has grown.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_memoize", "off"),
            ("jit", "off"),
            ("lock_timeout", lock_timeout.as_str()),
            // A node that vanished in the middle of a batch holds its locks no longer than this.
            ("idle_in_transaction_session_timeout", "10000"),
        ])
    });
    readers.map_sqlx_postgres_opts(|postgres| {
        postgres.options([
            ("default_transaction_isolation", "repeatable read"),
            ("default_transaction_read_only", "on"),
            ("jit", "off"),
        ])
    });
    let writers = Database::connect(writers).await.map_err(cannot_connect)?;
    let readers = Database::connect(readers).await.map_err(cannot_connect)?;
    Ok((writers, readers))
}
