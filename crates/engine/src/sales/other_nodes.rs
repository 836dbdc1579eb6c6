//! Learning what other nodes have changed.
//!
//! A view follows the batches of its own node by itself. Where other processes write to the same
//! database, the versions of the performances in use are looked up from time to time, and whatever
//! has moved on is read anew. A view that is behind costs no correctness: it may refuse a seat that
//! has just become free, or pass on a hold that the pipeline then refuses.

use std::{collections::HashSet, sync::Arc, time::Duration};

use onsale_domain::ids::PerformanceId;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Shared, view::PerformanceView};
use crate::ports::StoreError;

/// How often the database is asked what has changed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The largest share of its time that a node spends on reading performances anew is one in this
/// many: the larger the halls, the longer it waits in between.
const PAUSES_PER_READING: u32 = 4;

/// A performance that nobody has used for this long is not looked up; its next use is told what
/// was known, and wakes it.
const IDLE_MS: i64 = 60_000;

/// Performances that are known to be behind, because a change in between was missed.
#[derive(Default)]
pub(super) struct Behind {
    performances: Mutex<HashSet<PerformanceId>>,
    more: Notify,
}

impl Behind {
    /// Has a performance read anew.
    pub(super) fn add(&self, performance: PerformanceId) {
        if self.performances.lock().insert(performance) {
            self.more.notify_one();
        }
    }

    fn take(&self) -> HashSet<PerformanceId> {
        std::mem::take(&mut *self.performances.lock())
    }
}

/// Reads again what has moved on, until the task is aborted.
pub(super) async fn follow(shared: Arc<Shared>) {
    loop {
        wait(&shared).await;
        let begun = tokio::time::Instant::now();
        if let Err(error) = catch_up(&shared).await {
            tracing::warn!(%error, "cannot read what other nodes have changed");
        }
        tokio::time::sleep(begun.elapsed() * PAUSES_PER_READING).await;
    }
}

async fn wait(shared: &Shared) {
    if shared.store.is_shared() {
        tokio::time::sleep(LOOK_EVERY).await;
    } else {
        shared.behind.more.notified().await;
    }
}

async fn catch_up(shared: &Shared) -> Result<(), StoreError> {
    let mut behind = shared.behind.take();
    if shared.store.is_shared() {
        behind.extend(moved_on(shared).await?);
    }
    for performance in behind {
        if let Err(error) = read_anew(shared, performance).await {
            shared.behind.add(performance);
            return Err(error);
        }
    }
    Ok(())
}

/// The performances in use whose versions differ from those in the database.
async fn moved_on(shared: &Shared) -> Result<Vec<PerformanceId>, StoreError> {
    let in_use = shared.views.used_since(shared.clock.now().plus_ms(-IDLE_MS));
    if in_use.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<PerformanceId> = in_use.iter().map(|(id, _)| *id).collect();
    let stored = shared.store.versions(&ids).await?;
    let differs = |(id, view): &(PerformanceId, Arc<PerformanceView>)| {
        let (revision, version) = view.tag();
        stored.get(id).is_some_and(|stored| stored.0 > revision || stored.1 > version)
    };
    Ok(in_use.iter().filter(|entry| differs(entry)).map(|(id, _)| *id).collect())
}

/// Reads terms and seats of a performance again, if it is in memory.
pub(super) async fn read_anew(shared: &Shared, performance: PerformanceId) -> Result<(), StoreError> {
    let Some(view) = shared.views.get(performance) else {
        return Ok(());
    };
    if let Some(terms) = shared.store.sale_terms(performance).await? {
        view.reload(terms, &shared.store.claims(performance).await?);
    }
    Ok(())
}
