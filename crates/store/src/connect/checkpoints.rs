//! Moving what SQLite has committed from its log into the database file, beside the sale, and looking
//! whether the files are still there.
//!
//! By itself SQLite moves pages within a commit, every so many; the whole sale then waits for a large
//! write. A connection of its own does it while the sale goes on. The log begins anew only when all of it
//! has been moved, which under load hardly ever happens by chance: for that the writer still does what
//! little is left, when the log has grown long. While nothing is written there is nothing to move, and
//! the database is not asked.

use std::{sync::Arc, time::Duration};

use onsale_engine::{
    ports::StoreError,
    vitals::{Supervised, Vitals},
};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::sleep;

use super::Files;
use crate::error::store_error;

/// How often it is looked, while something is written and while nothing is.
const BUSY_EVERY: Duration = Duration::from_millis(100);
const IDLE_EVERY: Duration = Duration::from_millis(250);

/// In how many looks it is asked once how much room the disk has.
const LOOKS_PER_ROOM: u32 = 4;

/// The name of missing files among the node's conditions.
const FILES: &str = "the database's file";

/// Moves pages until it is closed or dropped.
pub(crate) struct Checkpoints {
    connection: DatabaseConnection,
    task: Supervised,
}

impl Checkpoints {
    /// Starts moving pages over a connection that is used for nothing else.
    pub(super) fn start(connection: DatabaseConnection, files: Arc<Files>, vitals: &Vitals) -> Self {
        let (moving, conditions) = (connection.clone(), vitals.clone());
        let task = vitals.supervise("the keeper of the database's file", move || {
            keep(moving.clone(), files.clone(), conditions.clone())
        });
        Self { connection, task }
    }

    /// Ends it, so that the last connection to the file can fold in the log.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        self.task.end().await;
        self.connection.clone().close().await.map_err(store_error)
    }
}

async fn keep(connection: DatabaseConnection, files: Arc<Files>, vitals: Vitals) {
    let (mut failing, mut moved_until, mut more) = (false, None, true);
    for look in 0_u32.. {
        vitals.note(
            FILES,
            files.missing().map(|why| format!("{why}; what is sold would be lost, so nothing is")),
        );
        if look.is_multiple_of(LOOKS_PER_ROOM)
            && let Some(why) = files.no_room()
        {
            tracing::warn!(why, "the database may take no more writes");
            vitals.doubt_writes();
        }
        let written = files.log_written();
        let changed = written.is_none() || written != moved_until;
        // Once more after the last change: what others were in the way of is moved then.
        if changed || more {
            // It waits for nobody: what readers or the writer are in the way of is moved next time.
            let moved = connection.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await;
            if let Err(error) = &moved
                && !failing
            {
                tracing::warn!(%error, "cannot move committed pages into the database file; trying on");
            }
            failing = moved.is_err();
            (moved_until, more) = (written, changed || failing);
        }
        sleep(if more { BUSY_EVERY } else { IDLE_EVERY }).await;
    }
}
