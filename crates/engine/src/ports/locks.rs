//! The port under locks that nodes share.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

/// Locks by key. They save work and never decide: a holder that was too slow may have been replaced,
/// so what is done under a lock is checked where it is written, by a version or by [`Held::fence`].
#[async_trait]
pub trait Locks: Send + Sync + 'static {
    /// Waits for a lock. It is kept, and extended by itself, until what is returned is dropped.
    async fn acquire(&self, key: &str, wait_max: Duration) -> Result<Held, LockError>;
}

/// A lock that is held. Dropping it lets the next one have it.
pub struct Held {
    /// Rises with every holder of the key, so that what an earlier one writes late can be refused.
    pub fence: u64,
    lost: Arc<AtomicBool>,
    _release: Box<dyn Any + Send + Sync>,
}

impl Held {
    /// A lock that dropping `release` gives up. The adapter sets `lost` when it could not be extended.
    #[must_use]
    pub fn new(fence: u64, lost: Arc<AtomicBool>, release: Box<dyn Any + Send + Sync>) -> Self {
        Self { fence, lost, _release: release }
    }

    /// Whether somebody else may hold the lock by now.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

/// Why there is no lock. Nothing has been done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it and did not give it up in time.
    #[error("somebody else holds the lock")]
    Held,
    /// What nodes share does not answer.
    #[error("the locks cannot be reached: {0}")]
    Unavailable(String),
}

/// Does something while holding a lock.
///
/// # Errors
/// If the lock is not to be had; then nothing was done.
pub async fn with_lock<T>(
    locks: &dyn Locks,
    key: &str,
    wait_max: Duration,
    act: impl AsyncFnOnce(&Held) -> T,
) -> Result<T, LockError> {
    let held = locks.acquire(key, wait_max).await?;
    Ok(act(&held).await)
}
