//! The cache in front of rankings, as a port, and one in the process.

use std::sync::Arc;

use async_trait::async_trait;
use moka::sync::Cache;
use onsale_domain::{
    popularity::{Period, SubjectKind},
    time::Timestamp,
};

use super::Ranking;
use crate::ports::ChartKey;

/// The most rankings that are kept.
const ENTRIES_MAX: u64 = 1_000;

/// Keeps rankings for a while. Whatever it loses is loaded again.
#[async_trait]
pub trait RankingCache: Send + Sync + 'static {
    /// What is kept. It may be past its time; whoever asks looks.
    async fn get(&self, key: RankingKey) -> Result<Option<Kept>, CacheError>;

    /// Keeps a ranking in the place of the one before.
    async fn put(&self, key: RankingKey, kept: Kept) -> Result<(), CacheError>;
}

/// The cache does not work. Nobody has to know: the database answers.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CacheError(pub String);

/// Which ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RankingKey {
    /// What sells now.
    Now(SubjectKind),
    /// The latest chart.
    Latest(SubjectKind, Period),
    /// The chart of a date.
    Of(ChartKey),
}

/// A ranking and how long it is good.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The ranking.
    pub ranking: Arc<Ranking>,
    /// From this moment on it is loaded again.
    pub until: Timestamp,
}

/// Keeps rankings in the process.
pub struct LocalRankings(Cache<RankingKey, Kept>);

impl Default for LocalRankings {
    fn default() -> Self {
        Self(Cache::new(ENTRIES_MAX))
    }
}

#[async_trait]
impl RankingCache for LocalRankings {
    async fn get(&self, key: RankingKey) -> Result<Option<Kept>, CacheError> {
        Ok(self.0.get(&key))
    }

    async fn put(&self, key: RankingKey, kept: Kept) -> Result<(), CacheError> {
        self.0.insert(key, kept);
        Ok(())
    }
}
