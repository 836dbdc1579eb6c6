//! Answers kept in the process.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use onsale_domain::time::Timestamp;
use onsale_engine::{
    clock::Clock,
    ports::{Kept, Loading, Look, SharedCache},
};
use parking_lot::Mutex;

/// The most answers that are kept; when there are more, all are dropped.
const ENTRIES_MAX: usize = 10_000;

/// How long a caller may load before the next one does, in milliseconds.
pub(crate) const LOADING_MS: i64 = 5_000;

/// The answers of a single node.
pub struct LocalCache {
    entries: Mutex<HashMap<(u64, String), Entry>>,
    generation: AtomicU64,
    numbers: AtomicU64,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Entry {
    value: Option<(Vec<u8>, Kept, Timestamp)>,
    loading: Option<(Loading, Timestamp)>,
}

impl LocalCache {
    /// Without answers.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (generation, numbers) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { entries: Mutex::default(), generation, numbers, clock }
    }
}

#[async_trait]
impl SharedCache for LocalCache {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn drop_all(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.entries.lock().clear();
    }

    async fn look(&self, generation: u64, key: &str) -> Look {
        let now = self.clock.now();
        let mut entries = self.entries.lock();
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        let entry = entries.entry((generation, key.to_owned())).or_default();
        let age_ms = entry.value.as_ref().map(|(_, kept, since)| (kept, now.since_ms(*since)));
        let fresh = age_ms.is_some_and(|(kept, age_ms)| age_ms < kept.fresh_ms);
        if !fresh && age_ms.is_some_and(|(kept, age_ms)| age_ms >= kept.fresh_ms + kept.stale_ms) {
            entry.value = None;
        }
        let loaded_by_another = entry.loading.is_some_and(|(_, until)| now < until);
        match &entry.value {
            Some((value, ..)) if fresh || loaded_by_another => Look::Found(value.clone()),
            None if loaded_by_another => Look::Wait,
            _ => {
                let loading = Loading(self.numbers.fetch_add(1, Ordering::Relaxed));
                entry.loading = Some((loading, now.plus_ms(LOADING_MS)));
                Look::Load(loading)
            }
        }
    }

    async fn put(&self, generation: u64, key: &str, loading: Loading, value: &[u8], kept: Kept) {
        let now = self.clock.now();
        if let Some(entry) = self.entries.lock().get_mut(&(generation, key.to_owned()))
            && entry.loading.is_some_and(|(mine, _)| mine == loading)
        {
            *entry = Entry { value: Some((value.to_owned(), kept, now)), loading: None };
        }
    }

    async fn give_up(&self, generation: u64, key: &str, loading: Loading) {
        if let Some(entry) = self.entries.lock().get_mut(&(generation, key.to_owned())) {
            entry.loading = entry.loading.filter(|(other, _)| *other != loading);
        }
    }
}
