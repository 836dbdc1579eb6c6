//! Limits in the process.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
};

use async_trait::async_trait;
use onsale_domain::{
    limits::{Allowance, AllowanceRule, Count, CountRule, RuleName, Subject, Verdict},
    time::Timestamp,
};
use onsale_engine::{
    clock::{Clock, Reading},
    ports::{Block, Limiter, LimiterError},
};
use parking_lot::Mutex;

use crate::recent::{Fading, Recent};

/// The most keys of each kind that are remembered, about 150 bytes each.
const KEYS_MAX: usize = 1 << 20;

/// Requests of different keys rarely wait for one another.
const SHARDS: usize = 64;

/// The limits of a single node.
pub struct LocalLimiter {
    counts: Shards<Counted>,
    allowances: Shards<Allowed>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    rule: RuleName,
    subject: Subject,
}

struct Shards<V> {
    shards: Box<[Mutex<Recent<Key, V>>]>,
    hasher: RandomState,
}

impl<V: Fading> Shards<V> {
    fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Recent::new(KEYS_MAX / SHARDS))).collect();
        Self { shards, hasher: RandomState::new() }
    }

    fn of(&self, key: &Key) -> &Mutex<Recent<Key, V>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

#[derive(Default)]
struct Counted {
    count: Count,
    forgotten_at: Option<Timestamp>,
}

impl Fading for Counted {
    fn forgotten_at(&self) -> Timestamp {
        self.forgotten_at.unwrap_or(Timestamp(i64::MIN))
    }

    /// Blocks are kept.
    fn kept_until(&self) -> Timestamp {
        self.count.blocked_until(Timestamp(i64::MIN)).unwrap_or(Timestamp(i64::MIN))
    }
}

#[derive(Default)]
struct Allowed(Allowance);

impl Fading for Allowed {
    fn forgotten_at(&self) -> Timestamp {
        self.0.forgotten_at()
    }

    fn kept_until(&self) -> Timestamp {
        Timestamp(i64::MIN)
    }
}

impl LocalLimiter {
    /// Without counts.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { counts: Shards::new(), allowances: Shards::new(), clock }
    }

    fn with_allowance(&self, key: &Key, act: impl FnOnce(&mut Allowance, Timestamp)) {
        let mut shard = self.allowances.of(key).lock();
        let now = self.clock.reading().steady();
        act(&mut shard.entry(key, now).0, now);
    }
}

/// A verdict at the times that the clock shows. Limits are about spans, so they go by a clock that is never
/// set: else a window would last for as long as the clock was set back.
fn as_told(verdict: Verdict, Reading { set_by_ms, .. }: Reading) -> Verdict {
    match verdict {
        Verdict::Allowed { left, more_at } => Verdict::Allowed { left, more_at: more_at.plus_ms(set_by_ms) },
        Verdict::Refused { until, blocked } => Verdict::Refused { until: until.plus_ms(set_by_ms), blocked },
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn count(&self, rule: &CountRule, subject: Subject) -> Verdict {
        let key = Key { rule: rule.name.clone(), subject };
        let mut shard = self.counts.of(&key).lock();
        // Read inside the lock, so that time does not go back from one request to the next.
        let reading = self.clock.reading();
        let now = reading.steady();
        let counted = shard.entry(&key, now);
        let verdict = counted.count.take(rule, now);
        counted.forgotten_at = Some(counted.count.forgotten_at(rule));
        as_told(verdict, reading)
    }

    async fn uncount(&self, rule: &CountRule, subject: Subject) {
        let key = Key { rule: rule.name.clone(), subject };
        let now = self.clock.reading().steady();
        self.counts.of(&key).lock().entry(&key, now).count.give_back();
    }

    async fn take(&self, rule: &AllowanceRule, subject: Subject, token: u128) -> Verdict {
        let key = Key { rule: rule.name.clone(), subject };
        let mut shard = self.allowances.of(&key).lock();
        let reading = self.clock.reading();
        let now = reading.steady();
        as_told(shard.entry(&key, now).0.take(rule, token, now), reading)
    }

    async fn spend(&self, rule: &AllowanceRule, subject: Subject, token: u128) {
        let key = Key { rule: rule.name.clone(), subject };
        self.with_allowance(&key, |allowance, now| allowance.spend(rule, token, now));
    }

    async fn give_back(&self, rule: &AllowanceRule, subject: Subject, token: u128) {
        let key = Key { rule: rule.name.clone(), subject };
        self.with_allowance(&key, |allowance, _| allowance.give_back(token));
    }

    async fn restore(&self, rule: &AllowanceRule, subject: Subject, spent_at: Timestamp) {
        let key = Key { rule: rule.name.clone(), subject };
        let spent_at = spent_at.plus_ms(-self.clock.reading().set_by_ms);
        self.with_allowance(&key, |allowance, now| allowance.restore(rule, spent_at, now));
    }

    async fn forget(&self, rule: &RuleName, subject: Subject) -> Result<bool, LimiterError> {
        let key = Key { rule: rule.clone(), subject };
        let now = self.clock.reading().steady();
        let counted = self.counts.of(&key).lock().forget(&key, now);
        let allowed = self.allowances.of(&key).lock().forget(&key, now);
        Ok(counted || allowed)
    }

    async fn blocks(&self, max: usize) -> Result<Vec<Block>, LimiterError> {
        let reading = self.clock.reading();
        let (now, set_by_ms) = (reading.steady(), reading.set_by_ms);
        let mut blocks = Vec::new();
        for shard in &self.counts.shards {
            let shard = shard.lock();
            blocks.extend(shard.iter().filter_map(|(key, counted)| {
                let until = counted.count.blocked_until(now)?.plus_ms(set_by_ms);
                Some(Block { rule: key.rule.clone(), subject: key.subject, until })
            }));
        }
        blocks.sort_unstable_by(|a, b| (b.until, a.subject).cmp(&(a.until, b.subject)));
        blocks.truncate(max);
        Ok(blocks)
    }
}
