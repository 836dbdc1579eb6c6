//! The port under answers that nodes share: a miss is loaded once, by one of them.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

/// How long somebody else's loading is waited for before one loads by oneself.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// How often it is looked whether it is done.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Keeps answers for a while. What is kept may be lost at any moment; what has been dropped is not
/// served again.
///
/// Everything is dropped at once, by a new generation: callers that keep answers themselves keep
/// them under it.
#[async_trait]
pub trait SharedCache: Send + Sync + 'static {
    /// What all that is kept now belongs to. Another node's change is known within a second.
    fn generation(&self) -> u64;

    /// Drops everything, at once here and soon on the other nodes. Never fails: what cannot be told
    /// now is told as soon as possible.
    fn drop_all(&self);

    /// Looks for an answer.
    async fn look(&self, generation: u64, key: &str) -> Look;

    /// Keeps what was loaded, if nobody else has taken over.
    async fn put(&self, generation: u64, key: &str, loading: Loading, value: &[u8], kept: Kept);

    /// Loading failed: the next one may try.
    async fn give_up(&self, generation: u64, key: &str, loading: Loading);
}

/// The right to load an answer. It lapses after some seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading(pub u64);

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// As good as new, in milliseconds.
    pub fresh_ms: i64,
    /// After that, as long as somebody loads it anew, in milliseconds.
    pub stale_ms: i64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The answer, or an old one that somebody else is loading anew.
    Found(Vec<u8>),
    /// Nothing, or too old: the caller loads it.
    Load(Loading),
    /// Nothing; somebody else is loading it.
    Wait,
    /// The cache does not answer.
    Away,
}

/// An answer from the cache, or loaded: by one caller of all nodes, however many ask. When the cache
/// is away, or whoever loads is slow, callers load by themselves.
///
/// # Errors
/// If loading fails.
pub async fn through<E>(
    cache: &dyn SharedCache,
    generation: u64,
    key: &str,
    kept: Kept,
    load: impl Future<Output = Result<Vec<u8>, E>>,
) -> Result<Vec<u8>, E> {
    let since = Instant::now();
    while since.elapsed() < WAIT_MAX {
        match cache.look(generation, key).await {
            Look::Found(value) => return Ok(value),
            Look::Load(loading) => {
                let loaded = load.await;
                match &loaded {
                    Ok(value) => cache.put(generation, key, loading, value, kept).await,
                    Err(_) => cache.give_up(generation, key, loading).await,
                }
                return loaded;
            }
            Look::Wait => sleep(LOOK_AGAIN).await,
            Look::Away => break,
        }
    }
    load.await
}
