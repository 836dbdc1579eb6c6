//! Sessions that have ended while their access tokens may still be about.
//!
//! The node on which one ends knows at once. The others read the database every three seconds; over
//! Redis they are told, and read it at once (within 0.2 s, as long as they hear each other).

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use crate::{
    clock::Clock,
    ports::{Store, StoreError},
    vitals::{Supervised, Vitals},
};
use onsale_domain::{ids::SessionId, time::Timestamp};
use parking_lot::RwLock;

/// How often sessions that other nodes ended are read, in milliseconds.
const REFRESH_MS: i64 = 3_000;

/// How far the clocks of two nodes, or a commit and the time written in it, may be apart.
const SKEW_MS: i64 = 60_000;

/// The sessions that have ended. One is forgotten once its last access token has run out, so the
/// set is bounded by the log-ins of that time.
pub(super) struct Revocations {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    access_ms: i64,
    ended: RwLock<HashMap<SessionId, Timestamp>>,
    /// The size of `ended`: nearly always 0, and then nothing needs to be locked.
    count: AtomicUsize,
    /// Up to when the store has been read.
    read_until: AtomicI64,
}

impl Revocations {
    /// Reads the sessions that have ended.
    pub(super) async fn load(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        access_s: i64,
    ) -> Result<Self, StoreError> {
        let access_ms = access_s.saturating_mul(1_000);
        let since = clock.now().plus_ms(-access_ms);
        let revocations = Self {
            store,
            clock,
            access_ms,
            ended: RwLock::default(),
            count: AtomicUsize::new(0),
            read_until: AtomicI64::new(since.0),
        };
        revocations.refresh().await?;
        Ok(revocations)
    }

    /// Whether a session has ended, as far as this node knows.
    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.ended.read().contains_key(&session)
    }

    /// Notes sessions that end now on this node.
    pub(super) fn add(&self, sessions: impl IntoIterator<Item = SessionId>) {
        let now = self.clock.now();
        let mut ended = self.ended.write();
        ended.extend(sessions.into_iter().map(|session| (session, now)));
        self.count.store(ended.len(), Ordering::Release);
    }

    /// Reads what has ended since the last time, and forgets what no longer matters.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let read_until = Timestamp(self.read_until.load(Ordering::Acquire));
        // A clock that was set back brings tokens to life again that had run out, and of which it has been
        // forgotten that they had ended.
        let set_back = now < read_until;
        let since = if set_back { now.plus_ms(-self.access_ms) } else { read_until };
        let since = since.plus_ms(-SKEW_MS);
        let found = self.store.sessions_ended_since(since).await?;
        let mut ended = self.ended.write();
        ended.extend(found);
        let oldest = now.plus_ms(-self.access_ms - SKEW_MS);
        ended.retain(|_, at| *at >= oldest);
        self.count.store(ended.len(), Ordering::Release);
        self.read_until.store(now.0, Ordering::Release);
        Ok(())
    }

    /// Refreshes; if that fails, the next time will do.
    pub(super) async fn refresh_or_warn(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "cannot read which sessions other nodes have ended");
        }
    }

    /// Refreshes again and again until the part is dropped.
    pub(super) fn keep_fresh(self: &Arc<Self>, vitals: &Vitals) -> Supervised {
        let revocations = self.clone();
        vitals.supervise("the reader of ended sessions", move || {
            let revocations = revocations.clone();
            async move {
                let clock = &revocations.clock;
                loop {
                    let set_by_ms = clock.reading().set_by_ms;
                    tokio::select! {
                        () = clock.sleep(REFRESH_MS) => {}
                        () = clock.is_set_from(set_by_ms) => {}
                    }
                    revocations.refresh_or_warn().await;
                }
            }
        })
    }
}
