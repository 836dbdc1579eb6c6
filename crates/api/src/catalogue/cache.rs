//! The tiers in front of the catalogue: encoded answers by address in the process, behind them those
//! that nodes share.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{http::HeaderMap, response::Response};
use equivalent::Equivalent;
use metrics::counter;
use moka::{future::Cache, policy::EvictionPolicy};
use onsale_engine::ports::{Kept, through};
use serde::Serialize;

use crate::{
    Api,
    encoded::{Encoded, Freshness},
    problem::Problem,
};

/// How long an answer is kept. Performances that have ended vanish this late at most.
const KEPT_S: u64 = 60;

/// How long nodes share an answer. Then one of them loads it anew, and the others serve the old one
/// meanwhile.
const SHARED: Kept = Kept { fresh_ms: 120_000, stale_ms: 30_000 };

/// The most answers that are kept.
const ENTRIES_MAX: u64 = 10_000;

/// The most memory they take, in bytes.
const BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// Encoded answers to catalogue reads. An answer is found by the catalogue's epoch and the address
/// exactly as it was asked, so that a hit costs one hash and no parsing.
pub(crate) struct CatalogueCache {
    answers: Cache<Key, Arc<Encoded>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    epoch: u64,
    address: Box<str>,
}

/// A [`Key`] that is only looked up. Must hash as [`Key`] does.
#[derive(Hash)]
struct KeyRef<'a> {
    epoch: u64,
    address: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.epoch == key.epoch && *self.address == *key.address
    }
}

impl CatalogueCache {
    pub(crate) fn new() -> Self {
        let answers = Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(|_, answer: &Arc<Encoded>| weight(answer))
            // Old epochs are never asked for again and must not keep new ones out.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(Duration::from_secs(KEPT_S))
            .build();
        Self { answers }
    }
}

/// An answer weighs at least the share that makes both bounds hold.
fn weight(answer: &Encoded) -> u32 {
    let share = BYTES_MAX / ENTRIES_MAX;
    u32::try_from(share.max(answer.weight() as u64)).unwrap_or(u32::MAX)
}

/// Answers a catalogue read from the cache; on a miss one request loads and the others wait for it.
/// `address` is the part of the address that the answer depends on.
pub(crate) async fn cached<T: Serialize>(
    api: &Api,
    address: &str,
    headers: &HeaderMap,
    load: impl Future<Output = Result<T, Problem>>,
) -> Result<Response, Problem> {
    cached_with(api, address, headers, |_| HeaderMap::new(), load).await
}

/// As [`cached`], with headers that are made from the answer's body.
pub(crate) async fn cached_with<T: Serialize>(
    api: &Api,
    address: &str,
    headers: &HeaderMap,
    more: impl FnOnce(&[u8]) -> HeaderMap,
    load: impl Future<Output = Result<T, Problem>>,
) -> Result<Response, Problem> {
    let epoch = api.engine.catalogue.epoch();
    let cache = &api.catalogue.answers;
    if let Some(answer) = cache.get(&KeyRef { epoch, address }).await {
        return Ok(answer.answer(headers).await);
    }
    let key = Key { epoch, address: address.into() };
    let answer = cache
        .try_get_with(key, async {
            let load = async {
                counter!("onsale_catalogue_loads_total").increment(1);
                Ok::<_, Problem>(serde_json::to_vec(&load.await?).expect("an answer is plain JSON"))
            };
            let body = match api.engine.catalogue.shared() {
                Some(shared) => through(shared, epoch, address, SHARED, load).await?,
                None => load.await?,
            };
            let more = more(&body);
            Ok::<_, Problem>(Encoded::with_headers(body, Freshness::Short, more))
        })
        .await
        .map_err(Arc::unwrap_or_clone)?;
    Ok(answer.answer(headers).await)
}
