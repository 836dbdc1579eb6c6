//! Locks in the process.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use onsale_engine::ports::{Held, LockError, Locks};
use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::timeout,
};

type Keys = Arc<Mutex<HashMap<String, Arc<AsyncMutex<()>>>>>;

/// The locks of a single node. Only keys that somebody holds or waits for are remembered.
#[derive(Default)]
pub struct LocalLocks {
    keys: Keys,
    fences: AtomicU64,
}

/// Somebody who holds a lock, or waits for it.
struct Interest {
    keys: Keys,
    key: String,
    lock: Option<Arc<AsyncMutex<()>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Interest {
    fn drop(&mut self) {
        drop(self.guard.take());
        drop(self.lock.take());
        let mut keys = self.keys.lock();
        if keys.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            keys.remove(&self.key);
        }
    }
}

#[async_trait]
impl Locks for LocalLocks {
    async fn acquire(&self, key: &str, wait_max: Duration) -> Result<Held, LockError> {
        let lock = self.keys.lock().entry(key.to_owned()).or_default().clone();
        let mut interest =
            Interest { keys: self.keys.clone(), key: key.to_owned(), lock: Some(lock.clone()), guard: None };
        let guard = timeout(wait_max, lock.lock_owned()).await.map_err(|_| LockError::Held)?;
        interest.guard = Some(guard);
        let fence = self.fences.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Held::new(fence, Arc::default(), Box::new(interest)))
    }
}
