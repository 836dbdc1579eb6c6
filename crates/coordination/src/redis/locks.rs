//! Locks that several nodes share.
//!
//! Whoever waits is told by a message when the lock is given up; should that be lost, it looks again
//! when the holder's lease ends.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt;
use onsale_engine::{
    ports::{Held, LockError, Locks, StoreError},
    vitals::Supervised,
};
use parking_lot::Mutex;
use redis::{Client, Script};
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    RedisOptions,
    link::{Away, Link},
};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lock_take.lua")));
static EXTEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lock_extend.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lock_release.lua")));

/// How long the last fence of a key is remembered, in milliseconds; after that the clock is ahead of it.
const FENCE_KEPT_MS: u64 = 3_600_000;

/// How long to wait before listening again when that failed.
const RETRY: Duration = Duration::from_millis(200);

/// The longest wait without looking: a message may have been lost.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(500);

/// The locks of several nodes.
pub struct RedisLocks {
    shared: Arc<Shared>,
    _listening: Supervised,
}

struct Shared {
    link: Link,
    prefix: String,
    lease_ms: u64,
    /// Those who wait, by key.
    waiting: Mutex<HashMap<String, Weak<Notify>>>,
}

impl RedisLocks {
    /// Locks that are shared over the Redis at `url`, as in [`super::RedisCoordination::start`].
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn start(url: &str, options: &RedisOptions) -> Result<Self, StoreError> {
        let link = Link::open(url, Duration::ZERO, &options.breaker).map_err(StoreError::Rejected)?;
        let listener = link.any_node();
        let (prefix, lease_ms) = (options.prefix.clone(), options.lease_ms);
        let shared = Arc::new(Shared { link, prefix, lease_ms, waiting: Mutex::default() });
        let (weak, channel) = (Arc::downgrade(&shared), shared.channel());
        let listening = options.vitals.supervise("the listener for released locks", move || {
            listen(listener.clone(), weak.clone(), channel.clone())
        });
        Ok(Self { shared, _listening: listening })
    }
}

async fn listen(client: Client, shared: Weak<Shared>, channel: String) {
    loop {
        if let Ok(mut connection) = client.get_async_pubsub().await
            && connection.subscribe(&channel).await.is_ok()
        {
            let mut released = connection.on_message();
            while let Some(message) = released.next().await {
                let Some(shared) = shared.upgrade() else { return };
                if let Ok(key) = message.get_payload::<String>()
                    && let Some(waiting) = shared.waiting.lock().get(&key).and_then(Weak::upgrade)
                {
                    waiting.notify_one();
                }
            }
        }
        sleep(RETRY).await;
    }
}

impl Shared {
    fn channel(&self) -> String {
        format!("{}:locks-released", self.prefix)
    }

    fn lock_key(&self, key: &str) -> String {
        format!("{}:{{lock:{key}}}:holder", self.prefix)
    }

    /// The fence if the lock was taken, else how long its holder has it for.
    async fn take(&self, key: &str, token: &str) -> Result<Result<u64, Duration>, Away> {
        let mut call = TAKE.key(self.lock_key(key));
        call.key(format!("{}:{{lock:{key}}}:fence", self.prefix));
        call.arg(token).arg(self.lease_ms).arg(FENCE_KEPT_MS);
        let (fence, left_ms): (String, i64) = self.link.script(&call).await?;
        Ok(fence.parse().map_err(|_| Duration::from_millis(u64::try_from(left_ms).unwrap_or(1))))
    }

    fn waiting_for(&self, key: &str) -> Arc<Notify> {
        let mut waiting = self.waiting.lock();
        if let Some(others) = waiting.get(key).and_then(Weak::upgrade) {
            return others;
        }
        waiting.retain(|_, others| others.strong_count() > 0);
        let mine = Arc::new(Notify::new());
        waiting.insert(key.to_owned(), Arc::downgrade(&mine));
        mine
    }
}

#[async_trait]
impl Locks for RedisLocks {
    async fn acquire(&self, key: &str, wait_max: Duration) -> Result<Held, LockError> {
        let token = format!("{:016x}", rand::random::<u64>());
        let until = Instant::now() + wait_max;
        let released = self.shared.waiting_for(key);
        loop {
            let held_for = match self.shared.take(key, &token).await {
                Ok(Ok(fence)) => return Ok(hold(self.shared.clone(), key.to_owned(), token, fence)),
                Ok(Err(held_for)) => held_for,
                Err(away) => return Err(LockError::Unavailable(away.to_string())),
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LockError::Held);
            }
            let _ = timeout(held_for.min(LOOK_AGAIN_MAX).min(left), released.notified()).await;
        }
    }
}

/// Gives the lock up when it is dropped.
struct Release {
    shared: Arc<Shared>,
    key: String,
    token: String,
    extending: JoinHandle<()>,
    runtime: Handle,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.extending.abort();
        let (shared, key, token) = (self.shared.clone(), self.key.clone(), self.token.clone());
        self.runtime.spawn(async move {
            let mut call = RELEASE.key(shared.lock_key(&key));
            // If that fails, the lease ends by itself.
            let _ = shared.link.script::<String>(call.arg(token).arg(shared.channel()).arg(key)).await;
        });
    }
}

fn hold(shared: Arc<Shared>, key: String, token: String, fence: u64) -> Held {
    let lost = Arc::new(AtomicBool::new(false));
    let extending = tokio::spawn(extend(shared.clone(), key.clone(), token.clone(), lost.clone()));
    let release = Release { shared, key, token, extending, runtime: Handle::current() };
    Held::new(fence, lost, Box::new(release))
}

async fn extend(shared: Arc<Shared>, key: String, token: String, lost: Arc<AtomicBool>) {
    let lease = Duration::from_millis(shared.lease_ms);
    let mut extended_at = Instant::now();
    loop {
        sleep(lease / 3).await;
        let asked_at = Instant::now();
        let mut call = EXTEND.key(shared.lock_key(&key));
        match shared.link.script::<String>(call.arg(&token).arg(shared.lease_ms)).await {
            Ok(done) if done == "ok" => extended_at = asked_at,
            Ok(_) => return lost.store(true, Ordering::Release),
            Err(_) if extended_at.elapsed() < lease => {}
            Err(_) => return lost.store(true, Ordering::Release),
        }
    }
}
