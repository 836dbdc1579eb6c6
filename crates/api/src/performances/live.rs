//! Encoded answers about seats, made once per version.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use moka::{future::Cache, policy::EvictionPolicy};
use onsale_domain::{ids::PerformanceId, order::SeatStatus};
use onsale_engine::sales::{PerformanceView, SeatChanges};

use crate::encoded::Encoded;

/// The most memory that answers take, in bytes.
const BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// How long an answer is kept that nobody asks for.
const IDLE_S: u64 = 60;

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

/// The latest answers by performance. Only the newest version of each is kept.
pub(crate) struct LiveCache {
    answers: Cache<(PerformanceId, Answer), Arc<Live>>,
    frames: moka::sync::Cache<(PerformanceId, i64), Bytes>,
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

    fn serves(self, wanted: Self) -> bool {
        self.version >= wanted.version && self.revision >= wanted.revision
    }
}

impl LiveCache {
    pub(crate) fn new() -> Self {
        let answers = Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(|_, live: &Arc<Live>| u32::try_from(live.encoded.weight()).unwrap_or(u32::MAX))
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(Duration::from_secs(IDLE_S))
            .build();
        let frames = moka::sync::Cache::builder()
            .max_capacity(FRAMES_MAX)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { answers, frames }
    }

    /// The answer for the version that `view` has now, or a later one. If there is none yet, one
    /// request encodes it and the others wait for that. `encode` tells what it encoded.
    pub(crate) async fn latest(
        &self,
        performance: PerformanceId,
        answer: Answer,
        view: &PerformanceView,
        encode: impl Future<Output = (Stamp, Arc<Encoded>)>,
    ) -> Arc<Encoded> {
        let wanted = Stamp::of(view);
        let key = (performance, answer);
        if let Some(live) = self.answers.get(&key).await
            && live.stamp.serves(wanted)
        {
            return live.encoded.clone();
        }
        let encode = async {
            let (stamp, encoded) = encode.await;
            Arc::new(Live { stamp, encoded })
        };
        let entry =
            self.answers.entry(key).or_insert_with_if(encode, |live| !live.stamp.serves(wanted)).await;
        entry.into_value().encoded.clone()
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
}
