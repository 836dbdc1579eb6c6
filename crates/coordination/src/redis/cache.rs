//! Answers that several nodes share.

use std::{
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use onsale_engine::{
    clock::Clock,
    ports::{Kept, Loading, Look, SharedCache, StoreError},
    vitals::Supervised,
};
use redis::{Script, ScriptInvocation};
use tokio::{sync::Notify, time::timeout};

use super::{
    RedisOptions,
    link::{Away, Link},
};
use crate::cache::LOADING_MS;

static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("cache_look.lua")));
static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("cache_put.lua")));

/// How often it is looked whether another node has dropped everything.
const FOLLOW: Duration = Duration::from_millis(250);

/// Larger answers are not kept, in bytes.
const VALUE_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// The answers of several nodes.
pub struct RedisCache {
    shared: Arc<Shared>,
    _following: Supervised,
}

struct Shared {
    link: Link,
    prefix: String,
    clock: Arc<dyn Clock>,
    /// Random, so that no generation ever comes back, whatever Redis forgets.
    generation: AtomicU64,
    /// The generation is this node's own, and Redis has not been told yet.
    untold: AtomicBool,
    dropped: Notify,
}

impl RedisCache {
    /// Answers that are shared over the Redis at `url`, as in [`super::RedisCoordination::start`].
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn start(url: &str, options: &RedisOptions, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            link: Link::open(url, Duration::ZERO, &options.breaker).map_err(StoreError::Rejected)?,
            prefix: options.prefix.clone(),
            clock,
            generation: AtomicU64::new(rand::random()),
            untold: AtomicBool::new(false),
            dropped: Notify::new(),
        });
        let following = Arc::downgrade(&shared);
        let following =
            options.vitals.supervise("the follower of the shared cache", move || follow(following.clone()));
        Ok(Self { shared, _following: following })
    }
}

async fn follow(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        if let Err(away) = shared.agree().await {
            tracing::debug!(%away, "the shared cache's generation is not known");
        }
        let _ = timeout(FOLLOW, shared.dropped.notified()).await;
    }
}

impl Shared {
    /// Tells the others of this node's generation, or learns theirs.
    async fn agree(&self) -> Result<(), Away> {
        let key = format!("{}:cache-generation", self.prefix);
        let untold = self.untold.swap(false, Ordering::AcqRel);
        let mine = self.generation.load(Ordering::Acquire);
        let mut agree = redis::cmd("SET");
        agree.arg(&key).arg(mine);
        if !untold {
            // Also tells a Redis that has forgotten it.
            agree.arg("NX").arg("GET");
        }
        match self.link.command::<Option<String>>(&agree).await {
            Ok(Some(theirs)) if !untold => {
                if let Ok(theirs) = theirs.parse() {
                    // Unless this node has dropped everything meanwhile.
                    let _ =
                        self.generation.compare_exchange(mine, theirs, Ordering::AcqRel, Ordering::Acquire);
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(away) => {
                self.untold.fetch_or(untold, Ordering::AcqRel);
                Err(away)
            }
        }
    }

    fn call<'a>(&self, script: &'a Script, generation: u64, key: &str) -> ScriptInvocation<'a> {
        let base = format!("{}:{{cache:{generation}:{key}}}", self.prefix);
        let mut call = script.key(format!("{base}:answer"));
        call.key(format!("{base}:loading"));
        call
    }
}

#[async_trait]
impl SharedCache for RedisCache {
    fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    fn drop_all(&self) {
        self.shared.generation.store(rand::random(), Ordering::Release);
        self.shared.untold.store(true, Ordering::Release);
        self.shared.dropped.notify_one();
    }

    async fn look(&self, generation: u64, key: &str) -> Look {
        let loading: u64 = rand::random();
        let mut call = self.shared.call(&LOOK, generation, key);
        call.arg(self.shared.clock.now().0).arg(loading).arg(LOADING_MS);
        let answer: Result<Vec<Vec<u8>>, _> = self.shared.link.script(&call).await;
        match answer.map(|mut parts| (parts.len(), parts.pop())) {
            Ok((2, Some(value))) => Look::Found(value),
            Ok((1, Some(what))) if what == b"load" => Look::Load(Loading(loading)),
            Ok(_) => Look::Wait,
            Err(away) => {
                tracing::debug!(%away, "the shared cache is passed over");
                Look::Away
            }
        }
    }

    async fn put(&self, generation: u64, key: &str, Loading(loading): Loading, value: &[u8], kept: Kept) {
        if value.len() > VALUE_BYTES_MAX {
            return;
        }
        let fresh_until = self.shared.clock.now().plus_ms(kept.fresh_ms);
        let mut call = self.shared.call(&PUT, generation, key);
        call.arg(loading).arg(fresh_until.0).arg(fresh_until.plus_ms(kept.stale_ms).0);
        call.arg(kept.fresh_ms + kept.stale_ms).arg(value);
        if let Err(away) = self.shared.link.script::<String>(&call).await {
            tracing::debug!(%away, "an answer is not shared");
        }
    }

    async fn give_up(&self, generation: u64, key: &str, Loading(loading): Loading) {
        let mut call = self.shared.call(&PUT, generation, key);
        // If that fails it lapses by itself.
        let _ = self.shared.link.script::<String>(call.arg(loading)).await;
    }
}
