//! Answers that are loaded once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use onsale_engine::{
    clock::{Clock, ManualClock},
    ports::{Kept, Look, SharedCache, through},
};
use tokio::time::sleep;

use super::fixture::OPENING;

/// Starts adapters.
#[async_trait]
pub trait CacheAdapter: Send + Sync + 'static {
    /// The caches of so many nodes that share theirs, empty. An adapter that shares nothing gives
    /// the same one to all.
    async fn start(&self, nodes: usize, clock: Arc<dyn Clock>) -> Vec<Arc<dyn SharedCache>>;
}

const KEPT: Kept = Kept { fresh_ms: 120_000, stale_ms: 60_000 };

/// Three nodes, and how often something was loaded.
struct Stage {
    nodes: Vec<Arc<dyn SharedCache>>,
    clock: Arc<ManualClock>,
    loads: Arc<AtomicU32>,
}

impl Stage {
    async fn new(adapter: Arc<dyn CacheAdapter>) -> Self {
        let clock = Arc::new(ManualClock::new(OPENING));
        let nodes = adapter.start(3, clock.clone()).await;
        let stage = Self { nodes, clock, loads: Arc::default() };
        stage.agreed().await;
        stage
    }

    /// Waits until all nodes know the same generation.
    async fn agreed(&self) -> u64 {
        for _ in 0..600 {
            let mut known: Vec<_> = self.nodes.iter().map(|node| node.generation()).collect();
            known.dedup();
            if known.len() == 1 {
                return known[0];
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the nodes do not agree after half a minute");
    }

    /// So many readers at each node at once; what they got.
    async fn read(&self, readers: usize) -> Vec<String> {
        let mut reading = tokio::task::JoinSet::new();
        for node in &self.nodes {
            for _ in 0..readers {
                let (node, loads) = (node.clone(), self.loads.clone());
                reading.spawn(async move {
                    let load = async {
                        let load = loads.fetch_add(1, Ordering::SeqCst) + 1;
                        sleep(Duration::from_millis(50)).await;
                        Ok::<_, ()>(format!("answer {load}").into_bytes())
                    };
                    let answer = through(&*node, node.generation(), "/movies", KEPT, load).await;
                    String::from_utf8(answer.expect("loading does not fail")).expect("it is text")
                });
            }
        }
        let mut answers = reading.join_all().await;
        answers.sort();
        answers.dedup();
        answers
    }
}

pub async fn a_miss_is_loaded_once_however_many_ask(adapter: Arc<dyn CacheAdapter>) {
    let stage = Stage::new(adapter).await;
    assert_eq!(stage.read(50).await, ["answer 1"]);
    stage.clock.advance_ms(119_999);
    assert_eq!(stage.read(50).await, ["answer 1"]);
    assert_eq!(stage.loads.load(Ordering::SeqCst), 1);
}

pub async fn what_is_old_is_served_while_one_loads_it_anew(adapter: Arc<dyn CacheAdapter>) {
    let stage = Stage::new(adapter).await;
    stage.read(1).await;
    stage.clock.advance_ms(120_000);
    let generation = stage.agreed().await;
    let Look::Load(loading) = stage.nodes[0].look(generation, "/movies").await else {
        panic!("one is to load it")
    };
    for node in &stage.nodes {
        assert_eq!(node.look(generation, "/movies").await, Look::Found(b"answer 1".to_vec()));
    }
    stage.nodes[0].put(generation, "/movies", loading, b"new", KEPT).await;
    assert_eq!(stage.nodes[1].look(generation, "/movies").await, Look::Found(b"new".to_vec()));
    stage.clock.advance_ms(180_000);
    assert!(matches!(stage.nodes[1].look(generation, "/movies").await, Look::Load(_)));
    assert_eq!(stage.nodes[2].look(generation, "/movies").await, Look::Wait, "too old to be served");
}

pub async fn a_change_drops_everything_and_is_loaded_once(adapter: Arc<dyn CacheAdapter>) {
    let stage = Stage::new(adapter).await;
    for change in 1..=5 {
        assert_eq!(stage.read(20).await, [format!("answer {change}")]);
        let before = stage.agreed().await;
        // Somebody loads what is about to change.
        let key = format!("/late/{change}");
        let Look::Load(late) = stage.nodes[1].look(before, &key).await else { panic!("it is not kept") };
        stage.nodes[change % 3].drop_all();
        assert_ne!(stage.nodes[change % 3].generation(), before, "at once where it was changed");
        let after = stage.agreed().await;
        stage.nodes[1].put(before, &key, late, b"old", KEPT).await;
        assert!(matches!(stage.nodes[2].look(after, &key).await, Look::Load(_)), "what is late is old");
    }
    assert_eq!(stage.read(20).await, ["answer 6"]);
}

pub async fn loading_that_fails_is_done_by_the_next(adapter: Arc<dyn CacheAdapter>) {
    let stage = Stage::new(adapter).await;
    let generation = stage.agreed().await;
    let failed = through(&*stage.nodes[0], generation, "/movies", KEPT, async { Err::<Vec<u8>, _>("no") });
    assert_eq!(failed.await, Err("no"));
    assert_eq!(stage.read(20).await, ["answer 1"]);
}
