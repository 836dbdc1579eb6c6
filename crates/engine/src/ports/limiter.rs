//! The port under the limits: counters that nodes share and that may be lost.

use async_trait::async_trait;
use onsale_domain::{
    limits::{AllowanceRule, CountRule, RuleName, Subject, Verdict},
    time::Timestamp,
};

/// The most blocks that are listed at once.
pub const BLOCKS_LISTED_MAX: usize = 1_000;

/// Counts, exactly, however many ask at the same moment.
///
/// Counters are losable: one that was lost begins anew. They are never open: an adapter that cannot
/// reach what it shares with other nodes counts by itself meanwhile, up to its share of a rule, so
/// that all nodes together let at most the rule through once more. A key is a rule's name and a subject; rules with different
/// names know nothing of one another. How many keys are remembered is bounded.
#[async_trait]
pub trait Limiter: Send + Sync + 'static {
    /// Counts a request, as [`onsale_domain::limits::Count`] does.
    async fn count(&self, rule: &CountRule, subject: Subject) -> Verdict;

    /// Takes back a request that was counted and that should cost nothing. A block stays.
    async fn uncount(&self, rule: &CountRule, subject: Subject);

    /// Takes a use that is settled later, as [`onsale_domain::limits::Allowance`] does.
    async fn take(&self, rule: &AllowanceRule, subject: Subject, token: u128) -> Verdict;

    /// Settles a use that was taken: the request came to what the rule limits.
    async fn spend(&self, rule: &AllowanceRule, subject: Subject, token: u128);

    /// Settles a use that was taken: the request costs nothing.
    async fn give_back(&self, rule: &AllowanceRule, subject: Subject, token: u128);

    /// Takes back the spent use that came about at a time or nearest to it, as
    /// [`onsale_domain::limits::Allowance::restore`] does. To be called once for each.
    async fn restore(&self, rule: &AllowanceRule, subject: Subject, spent_at: Timestamp);

    /// Forgets all about a key: lifts its block and begins its counts anew. Whether anything was
    /// known of it.
    async fn forget(&self, rule: &RuleName, subject: Subject) -> Result<bool, LimiterError>;

    /// Who is blocked, at most `max` of them, those whose block ends last first.
    async fn blocks(&self, max: usize) -> Result<Vec<Block>, LimiterError>;
}

/// Somebody who is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// By which rule.
    pub rule: RuleName,
    /// Who.
    pub subject: Subject,
    /// Until when.
    pub until: Timestamp,
}

/// Why blocks could not be listed or lifted.
#[derive(Debug, thiserror::Error)]
pub enum LimiterError {
    /// What the nodes share cannot be reached.
    #[error("the shared limits cannot be reached: {0}")]
    Unavailable(String),
}
