//! Limits that several nodes share.
//!
//! The scripts do what the domain's arithmetic does. Beside them each node counts by itself what
//! passes through it: when Redis is away that decides, so a limit is never open, and what a node let
//! through before counts on.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use onsale_domain::{
    limits::{ALLOWANCE_MAX, AllowanceRule, CountRule, RuleName, Subject, Verdict},
    time::Timestamp,
};
use onsale_engine::{
    clock::Clock,
    ports::{Block, Limiter, LimiterError, StoreError},
};
use parking_lot::Mutex;
use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::Instant;

use super::{
    RedisOptions,
    link::{Away, Link},
};
use crate::LocalLimiter;

static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count.lua")));
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take_use.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("settle_use.lua")));

/// After a failure Redis is not asked for so long: a limit must not make its requests slow.
const REST: Duration = Duration::from_millis(500);

/// The most blocks that are listed in Redis; what is beyond holds, but is not shown.
const BLOCKS_MAX: isize = 100_000;

/// The limits of several nodes.
pub struct RedisLimiter {
    link: Link,
    prefix: String,
    clock: Arc<dyn Clock>,
    own: LocalLimiter,
    resting_until: Mutex<Option<Instant>>,
}

impl RedisLimiter {
    /// Limits that are shared over the Redis at `url`, as in [`super::RedisCoordination::start`].
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn new(url: &str, options: &RedisOptions, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let link = Link::open(url, Duration::ZERO).map_err(StoreError::Rejected)?;
        let own = LocalLimiter::new(clock.clone());
        Ok(Self { link, prefix: options.prefix.clone(), clock, own, resting_until: Mutex::default() })
    }

    /// Rules and subjects are words without blanks, so no two pairs have one name.
    fn key(&self, kind: &str, rule: &RuleName, subject: Subject) -> String {
        format!("{}:{kind}:{rule} {subject}", self.prefix)
    }

    fn blocks_key(&self) -> String {
        format!("{}:blocks", self.prefix)
    }

    async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, Away> {
        if let Some(until) = *self.resting_until.lock()
            && Instant::now() < until
        {
            return Err(Away::resting());
        }
        let answer = self.link.script(call).await;
        if let Err(away) = &answer {
            tracing::warn!(%away, "limits are counted by this node alone");
            *self.resting_until.lock() = Some(Instant::now() + REST);
        }
        answer
    }

    /// Lists a block; it holds whether or not that works.
    async fn list(&self, rule: &RuleName, subject: Subject, until: i64) {
        let key = self.blocks_key();
        let add = redis::cmd("ZADD").arg(&key).arg(until).arg(format!("{rule} {subject}")).to_owned();
        let trim = redis::cmd("ZREMRANGEBYRANK").arg(&key).arg(0).arg(-1 - BLOCKS_MAX).to_owned();
        for command in [add, trim] {
            if let Err(away) = self.link.command::<i64>(&command).await {
                tracing::debug!(%away, "a block is not listed");
                return;
            }
        }
    }

    async fn settle(&self, rule: &AllowanceRule, subject: Subject, token: u128, spent: bool) {
        let now = self.clock.now();
        let mut call = SETTLE.key(self.key("uses", &rule.name, subject));
        call.arg(now.0).arg(token.to_string()).arg(u8::from(spent)).arg(now.plus_ms(rule.window_ms).0);
        call.arg(2 * ALLOWANCE_MAX).arg(lifetime_ms(rule));
        // If it is lost, the use lapses by itself, or this node's own count remembers it.
        let _ = self.run::<String>(&call).await;
    }
}

fn lifetime_ms(rule: &AllowanceRule) -> i64 {
    rule.window_ms.max(rule.unsettled_ms)
}

fn unavailable(away: Away) -> LimiterError {
    LimiterError::Unavailable(away.to_string())
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn count(&self, rule: &CountRule, subject: Subject) -> Verdict {
        let own = self.own.count(rule, subject).await;
        let mut call = COUNT.key(self.key("count", &rule.name, subject));
        call.arg(self.clock.now().0).arg(rule.requests).arg(rule.window_ms).arg(rule.burst);
        call.arg(rule.block_ms).arg(rule.block_ms_max);
        match self.run::<(u8, i64, i64, u8)>(&call).await {
            Ok((1, left, more_at, _)) => {
                Verdict::Allowed { left: u32::try_from(left).unwrap_or(0), more_at: Timestamp(more_at) }
            }
            Ok((_, until, blocked, begun)) => {
                if begun == 1 {
                    self.list(&rule.name, subject, until).await;
                }
                Verdict::Refused { until: Timestamp(until), blocked: blocked == 1 }
            }
            Err(_) => own,
        }
    }

    async fn take(&self, rule: &AllowanceRule, subject: Subject, token: u128) -> Verdict {
        let own = self.own.take(rule, subject, token).await;
        let mut call = TAKE.key(self.key("uses", &rule.name, subject));
        call.arg(self.clock.now().0).arg(token.to_string()).arg(rule.requests).arg(rule.unsettled_ms);
        call.arg(lifetime_ms(rule));
        let verdict = match self.run::<Vec<i64>>(&call).await.as_deref() {
            Ok([1, left, more_at]) => {
                Verdict::Allowed { left: u32::try_from(*left).unwrap_or(0), more_at: Timestamp(*more_at) }
            }
            Ok([_, until, ..]) => Verdict::Refused { until: Timestamp(*until), blocked: false },
            Ok(_) | Err(_) => return own,
        };
        if !verdict.is_allowed() && own.is_allowed() {
            self.own.give_back(rule, subject, token).await;
        }
        verdict
    }

    async fn spend(&self, rule: &AllowanceRule, subject: Subject, token: u128) {
        self.own.spend(rule, subject, token).await;
        self.settle(rule, subject, token, true).await;
    }

    async fn give_back(&self, rule: &AllowanceRule, subject: Subject, token: u128) {
        self.own.give_back(rule, subject, token).await;
        self.settle(rule, subject, token, false).await;
    }

    async fn forget(&self, rule: &RuleName, subject: Subject) -> Result<bool, LimiterError> {
        let own = self.own.forget(rule, subject).await?;
        let mut known = own;
        for kind in ["count", "uses"] {
            let gone = self.link.command::<i64>(redis::cmd("DEL").arg(self.key(kind, rule, subject))).await;
            known |= gone.map_err(unavailable)? > 0;
        }
        let unlist = redis::cmd("ZREM").arg(self.blocks_key()).arg(format!("{rule} {subject}")).to_owned();
        self.link.command::<i64>(&unlist).await.map_err(unavailable)?;
        Ok(known)
    }

    async fn blocks(&self, max: usize) -> Result<Vec<Block>, LimiterError> {
        let now = self.clock.now();
        let mut list = redis::cmd("ZRANGE");
        list.arg(self.blocks_key()).arg("+inf").arg(format!("({}", now.0)).arg("BYSCORE").arg("REV");
        list.arg("LIMIT").arg(0).arg(max).arg("WITHSCORES");
        let listed: Vec<(String, f64)> = self.link.command(&list).await.map_err(unavailable)?;
        let block = |(name, until): (String, f64)| {
            let (rule, subject) = name.split_once(' ')?;
            // Milliseconds are far below 2^53.
            Some(Block { rule: rule.into(), subject: subject.parse().ok()?, until: Timestamp(until as i64) })
        };
        Ok(listed.into_iter().filter_map(block).collect())
    }
}
