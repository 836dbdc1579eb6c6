//! Learning what other nodes have changed.
//!
//! A view follows the batches of its own node by itself. Where other processes write to the same
//! database, nodes that share something tell each other which offers they have changed; besides, the
//! versions of the offers in use are looked up from time to time. Whatever has moved on is read anew.
//! A view that is behind costs no correctness: it may refuse a seat that has just become free, or pass
//! on a hold that the pipeline then refuses.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use onsale_domain::{
    ids::{ItemId, PerformanceId},
    offer::Offer,
};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{Shared, view::PerformanceView};
use crate::ports::StoreError;

/// While nodes tell each other what they change, the database is asked so many times more rarely.
const RARELY: u32 = 8;

/// How often it is looked whether it is time to ask.
const TICK_MAX: Duration = Duration::from_millis(250);

/// How long to wait after the database has failed.
const AFTER_FAILURE: Duration = Duration::from_millis(250);

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

/// When the database is to be asked about all offers in use.
struct Looks {
    last: Instant,
    /// Whether others were heard the last time.
    heard: bool,
}

impl Looks {
    fn are_due(&self, shared: &Shared) -> bool {
        let hears = shared.broadcast.get().is_some_and(|others| others.works());
        let every = shared.settings.look_every;
        // What was told before others were heard again has been missed.
        let every = if hears && self.heard { every * RARELY } else { every };
        self.last.elapsed() >= every
    }
}

/// What may have changed.
enum Suspects {
    All,
    These(HashSet<Offer>),
}

/// Reads again what has moved on, until the task is aborted.
pub(super) async fn follow(shared: Arc<Shared>) {
    let mut looks = Looks { last: Instant::now(), heard: false };
    loop {
        let suspects = wait(&shared, &mut looks).await;
        let begun = Instant::now();
        match catch_up(&shared, &suspects).await {
            Ok(()) => sleep(begun.elapsed() * PAUSES_PER_READING).await,
            Err(error) => {
                tracing::warn!(%error, "cannot read what other nodes have changed");
                // What was told and not looked up is found among all.
                looks.heard = false;
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn wait(shared: &Shared, looks: &mut Looks) -> Suspects {
    let tick = shared.settings.look_every.min(TICK_MAX);
    loop {
        // Also if there is always something told.
        if shared.store.is_shared() && looks.are_due(shared) {
            looks.last = Instant::now();
            looks.heard = shared.broadcast.get().is_some_and(|others| others.works());
            return Suspects::All;
        }
        let told = async {
            match shared.broadcast.get() {
                Some(others) => others.heard().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.behind.more.notified() => return Suspects::These(HashSet::new()),
            offers = told => return Suspects::These(offers),
            () = sleep(tick), if shared.store.is_shared() => {}
        }
    }
}

async fn catch_up(shared: &Shared, suspects: &Suspects) -> Result<(), StoreError> {
    let mut behind = shared.behind.take();
    let read = read_behind(shared, suspects, &mut behind).await;
    // What could not be read is read later.
    behind.into_iter().for_each(|offer| shared.behind.add(offer));
    read
}

async fn read_behind(
    shared: &Shared,
    suspects: &Suspects,
    behind: &mut HashSet<Offer>,
) -> Result<(), StoreError> {
    behind.extend(moved_on(shared, suspects).await?);
    while let Some(offer) = behind.iter().next().copied() {
        read_anew(shared, offer).await?;
        behind.remove(&offer);
    }
    Ok(())
}

/// The suspects in use whose versions differ from those in the database.
async fn moved_on(shared: &Shared, suspects: &Suspects) -> Result<Vec<Offer>, StoreError> {
    let is_suspect = |offer: Offer| match suspects {
        Suspects::All => true,
        Suspects::These(offers) => offers.contains(&offer),
    };
    let since = shared.clock.now().plus_ms(-IDLE_MS);
    let mut moved: Vec<Offer> = Vec::new();
    let performances = shared.performances.used_since(since);
    let performances: HashMap<_, _> =
        performances.into_iter().filter(|(id, _)| is_suspect((*id).into())).collect();
    if !performances.is_empty() {
        let ids: Vec<PerformanceId> = performances.keys().copied().collect();
        let stored = shared.store.versions(&ids).await?;
        let differs = performances.iter().filter(|(id, view)| is_later(stored.get(*id), view.tag()));
        moved.extend(differs.map(|(id, _)| Offer::Performance(*id)));
    }
    let items = shared.items.used_since(since);
    let items: HashMap<_, _> = items.into_iter().filter(|(id, _)| is_suspect((*id).into())).collect();
    if !items.is_empty() {
        let ids: Vec<ItemId> = items.keys().copied().collect();
        let stored = shared.store.item_versions(&ids).await?;
        let differs = items.iter().filter(|(id, view)| is_later(stored.get(*id), view.tag()));
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
            if let Some(view) = shared.performances.get(performance) {
                read_performance(shared, performance, &view).await?;
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

async fn read_performance(
    shared: &Shared,
    performance: PerformanceId,
    view: &PerformanceView,
) -> Result<(), StoreError> {
    // Before the terms, so that these are not older.
    let stored = shared.store.versions(&[performance]).await?;
    let Some(terms) = shared.store.sale_terms(performance).await? else { return Ok(()) };
    let terms = match stored.get(&performance) {
        Some(stored) => match view.take_terms(terms, *stored) {
            Ok(()) => return Ok(()),
            Err(terms) => terms,
        },
        None => terms,
    };
    view.reload(terms, &shared.store.claims(performance).await?);
    Ok(())
}
