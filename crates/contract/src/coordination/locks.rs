//! One at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use onsale_engine::ports::{LockError, Locks, with_lock};
use tokio::{task::JoinSet, time::sleep};

/// Starts adapters.
#[async_trait]
pub trait LocksAdapter: Send + Sync + 'static {
    /// The locks of so many nodes. An adapter that shares nothing gives the same ones to all.
    async fn start(&self, nodes: usize) -> Vec<Arc<dyn Locks>>;
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody reads a number, waits, and writes it back increased; how often that was lost.
async fn lost_updates(nodes: &[Arc<dyn Locks>], locked: bool) -> u64 {
    const EACH: u64 = 10;
    let number = Arc::new(AtomicU64::new(0));
    let mut crowd = JoinSet::new();
    for turn in 0..12 {
        let (locks, number) = (nodes[turn % nodes.len()].clone(), number.clone());
        let key = if locked { "seat".to_owned() } else { format!("seat {turn}") };
        crowd.spawn(async move {
            for _ in 0..EACH {
                let held = locks.acquire(&key, PATIENCE).await;
                let read = number.load(Ordering::SeqCst);
                sleep(Duration::from_millis(1)).await;
                number.store(read + 1, Ordering::SeqCst);
                drop(held.expect("the lock is to be had"));
            }
        });
    }
    crowd.join_all().await;
    12 * EACH - number.load(Ordering::SeqCst)
}

pub async fn nobody_is_in_at_the_same_time(adapter: Arc<dyn LocksAdapter>) {
    let nodes = adapter.start(3).await;
    assert_eq!(lost_updates(&nodes, true).await, 0);
    assert!(lost_updates(&nodes, false).await > 0, "control: with a lock each, they get in each other's way");
}

pub async fn keys_know_nothing_of_one_another_and_waiting_ends(adapter: Arc<dyn LocksAdapter>) {
    let nodes = adapter.start(2).await;
    let first = nodes[0].acquire("a", PATIENCE).await.expect("nobody holds it");
    assert!(nodes[1].acquire("b", PATIENCE).await.is_ok());
    let refused = nodes[1].acquire("a", Duration::from_millis(100)).await;
    assert_eq!(refused.err(), Some(LockError::Held));
    let entered = AtomicU32::new(0);
    let waiting = with_lock(&*nodes[1], "a", PATIENCE, async |_| entered.fetch_add(1, Ordering::SeqCst));
    let (done, ()) = tokio::join!(waiting, async {
        sleep(Duration::from_millis(50)).await;
        assert_eq!(entered.load(Ordering::SeqCst), 0);
        drop(first);
    });
    assert_eq!(done, Ok(0));
}

pub async fn fences_rise(adapter: Arc<dyn LocksAdapter>) {
    let nodes = adapter.start(3).await;
    let mut last = 0;
    for turn in 0..30 {
        let fence = with_lock(&*nodes[turn % 3], "a", PATIENCE, async |held| held.fence).await;
        let fence = fence.expect("the lock is to be had");
        assert!(fence > last, "{fence} after {last}");
        last = fence;
    }
}

pub async fn a_lock_is_kept_as_long_as_it_is_held(adapter: Arc<dyn LocksAdapter>) {
    let nodes = adapter.start(2).await;
    let held = nodes[0].acquire("a", PATIENCE).await.expect("nobody holds it");
    let refused = nodes[1].acquire("a", Duration::from_secs(5)).await;
    assert_eq!(refused.err(), Some(LockError::Held), "longer than any lease");
    assert!(!held.is_lost());
}
