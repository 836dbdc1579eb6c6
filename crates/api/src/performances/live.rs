//! Encoded answers about seats, made once per version.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use moka::{policy::EvictionPolicy, sync::Cache};
use onsale_domain::{ids::PerformanceId, order::SeatStatus};
use onsale_engine::sales::{PerformanceView, SeatChanges};
use tokio::sync::Mutex;

use crate::encoded::Encoded;

/// The most memory that answers take, in bytes. Beyond it all are dropped and made again when they
/// are asked for: that happens when very many large halls are asked for at once, and then rarely.
const BYTES_MAX: usize = 256 * 1_024 * 1_024;

/// The most answers that are kept; likewise. Making room for a new one copies the table.
const PLACES_MAX: usize = 4_096;

/// How many encoded changes are kept for those who watch.
const FRAMES_MAX: u64 = 4_096;

/// What is answered about a performance's seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// The bitmap.
    Availability,
    /// The list, whole or of one status.
    Seats(Option<SeatStatus>),
}

type Key = (PerformanceId, Answer);

/// The latest answer of each kind for each performance. Reading one takes no lock: this is what a
/// crowd asks for before a sale opens.
pub(crate) struct LiveCache {
    places: ArcSwap<HashMap<Key, Arc<Place>>>,
    bytes: AtomicUsize,
    frames: Cache<(PerformanceId, i64), Bytes>,
}

/// Where the latest answer of one kind stands.
#[derive(Default)]
struct Place {
    latest: ArcSwapOption<Live>,
    encoding: Mutex<()>,
}

struct Live {
    stamp: Stamp,
    encoded: Arc<Encoded>,
}

/// What an answer depends on: the seats' version and the terms' revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) version: i64,
    pub(crate) revision: i64,
}

impl Stamp {
    /// Of a view as it is now.
    pub(crate) fn of(view: &PerformanceView) -> Self {
        let (revision, version) = view.tag();
        Self { version, revision }
    }

    /// The entity tag.
    pub(crate) fn tag(self) -> String {
        format!("{}-{}", self.version, self.revision)
    }

    const fn serves(self, wanted: Self) -> bool {
        self.version >= wanted.version && self.revision >= wanted.revision
    }
}

impl LiveCache {
    pub(crate) fn new() -> Self {
        let frames = Cache::builder().max_capacity(FRAMES_MAX).eviction_policy(EvictionPolicy::lru()).build();
        Self { places: ArcSwap::default(), bytes: AtomicUsize::new(0), frames }
    }

    /// The answer at the stamp `wanted`, or a later one. If there is none yet, one request encodes it
    /// and the others wait for that. `encode` tells what it encoded.
    pub(crate) async fn latest(
        &self,
        performance: PerformanceId,
        answer: Answer,
        wanted: Stamp,
        encode: impl Future<Output = (Stamp, Arc<Encoded>)>,
    ) -> Arc<Encoded> {
        let place = self.place((performance, answer));
        if let Some(encoded) = place.serving(wanted) {
            return encoded;
        }
        let _encoding = place.encoding.lock().await;
        if let Some(encoded) = place.serving(wanted) {
            return encoded;
        }
        let (stamp, encoded) = encode.await;
        let before = place.latest.swap(Some(Arc::new(Live { stamp, encoded: encoded.clone() })));
        self.account(before.map_or(0, |before| before.encoded.weight()), encoded.weight());
        encoded
    }

    /// A change as it is sent to those who watch, encoded once for all of them.
    pub(crate) fn frame(
        &self,
        performance: PerformanceId,
        changes: &SeatChanges,
        encode: impl FnOnce(&SeatChanges) -> Bytes,
    ) -> Bytes {
        self.frames.get_with((performance, changes.version), || encode(changes))
    }

    fn place(&self, key: Key) -> Arc<Place> {
        if let Some(place) = self.places.load().get(&key) {
            return place.clone();
        }
        let new = Arc::new(Place::default());
        self.places.rcu(|places| {
            let full = places.len() >= PLACES_MAX;
            let mut places = if full { HashMap::new() } else { HashMap::clone(places) };
            places.entry(key).or_insert_with(|| new.clone());
            places
        });
        // Should all have been dropped in between, this one serves its request and is forgotten.
        self.places.load().get(&key).cloned().unwrap_or(new)
    }

    /// Counts memory that is given back and taken. Answers whose place was dropped stay counted,
    /// which only means dropping all of them early.
    fn account(&self, before: usize, after: usize) {
        let count = |bytes: usize| Some(bytes.saturating_sub(before).saturating_add(after));
        let counted = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        let bytes = counted.ok().and_then(count).unwrap_or_default();
        if bytes > BYTES_MAX {
            self.bytes.store(0, Ordering::Relaxed);
            self.places.store(Arc::default());
        }
    }
}

impl Place {
    fn serving(&self, wanted: Stamp) -> Option<Arc<Encoded>> {
        let latest = self.latest.load();
        latest.as_ref().filter(|live| live.stamp.serves(wanted)).map(|live| live.encoded.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures_util::future::join_all;

    use super::*;
    use crate::encoded::Freshness;

    const fn stamp(version: i64, revision: i64) -> Stamp {
        Stamp { version, revision }
    }

    async fn ask(cache: &LiveCache, performance: i64, wanted: Stamp, bytes: usize, made: &AtomicU32) {
        let encode = async {
            tokio::task::yield_now().await;
            made.fetch_add(1, Ordering::Relaxed);
            (wanted, Encoded::with_tag(vec![b' '; bytes], wanted.tag(), Freshness::Revalidate))
        };
        cache.latest(PerformanceId(performance), Answer::Availability, wanted, encode).await;
    }

    #[tokio::test]
    async fn each_version_and_revision_is_encoded_once_however_many_ask() {
        let (cache, made) = (LiveCache::new(), AtomicU32::new(0));
        for wanted in [stamp(1, 1), stamp(2, 1), stamp(2, 2)] {
            join_all((0..100).map(|_| ask(&cache, 1, wanted, 10, &made))).await;
        }
        assert_eq!(made.load(Ordering::Relaxed), 3);
        // A view that was read a moment ago is served with what is newer.
        ask(&cache, 1, stamp(1, 2), 10, &made).await;
        assert_eq!(made.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let (cache, made) = (LiveCache::new(), AtomicU32::new(0));
        for performance in 0..200 {
            ask(&cache, performance, stamp(1, 1), 4 * 1_024 * 1_024, &made).await;
            assert!(cache.bytes.load(Ordering::Relaxed) <= BYTES_MAX);
            assert!(cache.places.load().len() <= BYTES_MAX / (4 * 1_024 * 1_024));
        }
        for performance in 0..2 * PLACES_MAX as i64 {
            cache.place((PerformanceId(performance), Answer::Availability));
            assert!(cache.places.load().len() <= PLACES_MAX);
        }
    }
}
