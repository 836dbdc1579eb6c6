//! Moving what SQLite has committed from its log into the database file, beside the sale.
//!
//! By itself SQLite does it within a commit, every so many pages; the whole sale then waits for a
//! large write. A connection of its own does it while the sale goes on. The log begins anew only
//! when all of it has been moved, which under load hardly ever happens by chance: for that the
//! writer still does what little is left, when the log has grown long.

use std::time::Duration;

use onsale_engine::ports::StoreError;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::{task::JoinHandle, time::sleep};

use crate::error::store_error;

/// How often. With nothing to move it costs next to nothing.
const EVERY: Duration = Duration::from_millis(100);

/// Moves pages until it is closed or dropped.
pub(crate) struct Checkpoints {
    connection: DatabaseConnection,
    task: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts moving pages over a connection that is used for nothing else.
    pub(super) fn start(connection: DatabaseConnection) -> Self {
        let task = tokio::spawn(keep_moving(connection.clone()));
        Self { connection, task }
    }

    /// Ends it, so that the last connection to the file can fold in the log.
    pub(crate) async fn close(mut self) -> Result<(), StoreError> {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.connection.clone().close().await.map_err(store_error)
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_moving(connection: DatabaseConnection) {
    let mut failing = false;
    loop {
        sleep(EVERY).await;
        // It waits for nobody: what readers or the writer are in the way of is moved next time.
        let moved = connection.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await;
        if let Err(error) = &moved
            && !failing
        {
            tracing::warn!(%error, "cannot move committed pages into the database file; trying on");
        }
        failing = moved.is_err();
    }
}
