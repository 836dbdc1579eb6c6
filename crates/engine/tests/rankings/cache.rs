//! A cold cache, a crowd, and a cache that is down.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use async_trait::async_trait;
use onsale_domain::popularity::{Period, SubjectKind};
use onsale_engine::rankings::{CacheError, Kept, LocalRankings, RankingCache, RankingKey};
use tokio::sync::Barrier;

use crate::world::{World, shown};

const READERS: usize = 1_000;

/// A thousand readers at the same moment; how often the database was asked.
async fn crowd(world: &World) -> usize {
    let barrier = Arc::new(Barrier::new(READERS));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (node, barrier) = (world.node.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                node.chart(SubjectKind::Item, Period::Day, None).await.unwrap()
            })
        })
        .collect();
    for reader in readers {
        assert_eq!(shown(&reader.await.unwrap()).0, [(1, 3.0)]);
    }
    world.charts_read()
}

async fn slow_world(cache: Arc<dyn RankingCache>, share_loads: bool) -> World {
    let slow = |store: &mut crate::world::Watched| store.slow = Duration::from_millis(300);
    let world = World::with("Asia/Seoul", "2026-11-21T12:00:00Z", slow, cache, share_loads).await;
    world.sell(1, 3, "2026-11-20T12:00:00Z").await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_readers_of_a_cold_cache_ask_the_database_once() {
    let world = slow_world(Arc::new(LocalRankings::default()), true).await;
    assert_eq!(crowd(&world).await, 1);
    assert_eq!(crowd(&world).await, 1, "and then the cache answers");
}

/// The control: without sharing, a crowd that misses is a crowd at the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sharing_everybody_asks_the_database() {
    let world = slow_world(Arc::new(LocalRankings::default()), false).await;
    assert_eq!(crowd(&world).await, READERS);
}

/// A cache that is down.
enum Dead {
    /// It says so.
    Refuses,
    /// It says nothing.
    Hangs,
}

#[async_trait]
impl RankingCache for Dead {
    async fn get(&self, _: RankingKey) -> Result<Option<Kept>, CacheError> {
        self.fail().await
    }

    async fn put(&self, _: RankingKey, _: Kept) -> Result<(), CacheError> {
        self.fail().await
    }
}

impl Dead {
    async fn fail<T>(&self) -> Result<T, CacheError> {
        match self {
            Self::Refuses => Err(CacheError("connection refused".to_owned())),
            Self::Hangs => pending().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_cache_is_down_the_database_answers_once_for_all_who_wait() {
    for dead in [Dead::Refuses, Dead::Hangs] {
        let world = slow_world(Arc::new(dead), true).await;
        assert_eq!(crowd(&world).await, 1);
        let ranking = world.node.now(SubjectKind::Item).await.unwrap();
        assert_eq!(ranking.places.len(), 0, "a day ago is not now");
        assert!(world.node.make_charts().await.unwrap(), "the job goes on");
        assert_eq!(world.store.publications.load(SeqCst), 1);
    }
}
