//! Learning what other nodes have changed.
//!
//! A view follows the batches of its own node by itself. Where other processes write to the same
//! database, the versions of the offers in use are looked up from time to time, and whatever
//! has moved on is read anew. A view that is behind costs no correctness: it may refuse a seat that
//! has just become free, or pass on a hold that the pipeline then refuses.

use std::{collections::HashSet, sync::Arc, time::Duration};

use onsale_domain::{
    ids::{ItemId, PerformanceId},
    offer::Offer,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Shared;
use crate::ports::StoreError;

/// How often the database is asked what has changed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The largest share of its time that a node spends on reading performances anew is one in this
/// many: the larger the halls, the longer it waits in between.
const PAUSES_PER_READING: u32 = 4;

/// An offer that nobody has used for this long is not looked up; its next use is told what
/// was known, and wakes it.
const IDLE_MS: i64 = 60_000;

/// Offers that are known to be behind, because a change in between was missed.
#[derive(Default)]
pub(super) struct Behind {
    offers: Mutex<HashSet<Offer>>,
    more: Notify,
}

impl Behind {
    /// Has an offer read anew.
    pub(super) fn add(&self, offer: Offer) {
        if self.offers.lock().insert(offer) {
            self.more.notify_one();
        }
    }

    fn take(&self) -> HashSet<Offer> {
        std::mem::take(&mut *self.offers.lock())
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
    for offer in behind {
        if let Err(error) = read_anew(shared, offer).await {
            shared.behind.add(offer);
            return Err(error);
        }
    }
    Ok(())
}

/// The offers in use whose versions differ from those in the database.
async fn moved_on(shared: &Shared) -> Result<Vec<Offer>, StoreError> {
    let since = shared.clock.now().plus_ms(-IDLE_MS);
    let mut moved: Vec<Offer> = Vec::new();
    let performances = shared.performances.used_since(since);
    if !performances.is_empty() {
        let ids: Vec<PerformanceId> = performances.iter().map(|(id, _)| *id).collect();
        let stored = shared.store.versions(&ids).await?;
        let differs = performances.iter().filter(|(id, view)| is_later(stored.get(id), view.tag()));
        moved.extend(differs.map(|(id, _)| Offer::Performance(*id)));
    }
    let items = shared.items.used_since(since);
    if !items.is_empty() {
        let ids: Vec<ItemId> = items.iter().map(|(id, _)| *id).collect();
        let stored = shared.store.item_versions(&ids).await?;
        let differs = items.iter().filter(|(id, view)| is_later(stored.get(id), view.tag()));
        moved.extend(differs.map(|(id, _)| Offer::Item(*id)));
    }
    Ok(moved)
}

/// Whether a (revision, version) in the database is later than the known one in either.
fn is_later(stored: Option<&(i64, i64)>, known: (i64, i64)) -> bool {
    stored.is_some_and(|stored| stored.0 > known.0 || stored.1 > known.1)
}

/// Reads terms and seats or stock of an offer again, if it is in memory.
pub(super) async fn read_anew(shared: &Shared, offer: Offer) -> Result<(), StoreError> {
    match offer {
        Offer::Performance(performance) => {
            if let Some(view) = shared.performances.get(performance)
                && let Some(terms) = shared.store.sale_terms(performance).await?
            {
                view.reload(terms, &shared.store.claims(performance).await?);
            }
        }
        Offer::Item(item) => {
            let read_at = shared.clock.now();
            if let Some(view) = shared.items.get(item)
                && let Some(sale) = shared.store.item_sale(item, view.buyers_unknown_since()).await?
            {
                view.reload(sale, read_at);
            }
        }
    }
    Ok(())
}
