//! Limits that several nodes share.
//!
//! The scripts do what the domain's arithmetic does, at the time of Redis's own clock: nodes' clocks differ,
//! and two requests of one node may overtake each other on the way. Times that Redis answers are told in the
//! node's own. Beside them each node counts by itself what
//! passes through it. When Redis is away that decides, up to the node's share of the rule: all nodes
//! together let at most the rule through again, so in the window in which Redis is lost at most twice
//! the rule. Who is beyond a share is refused for a moment and never blocked.
//!
//! A Redis that comes back may have forgotten everything. Until each node has told it what it let
//! through meanwhile, both it and the share must agree.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use onsale_domain::{
    limits::{ALLOWANCE_MAX, AllowanceRule, CountRule, RuleName, Subject, Verdict},
    time::Timestamp,
};
use onsale_engine::{
    clock::Clock,
    ports::{Block, Limiter, LimiterError, StoreError},
    vitals::Supervised,
};
use parking_lot::Mutex;
use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::{Instant, sleep};

use super::{
    RedisOptions,
    link::{Away, Link},
    nodes::Nodes,
};
use crate::LocalLimiter;

static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count.lua")));
static COUNT_MORE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count_more.lua")));
static UNCOUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("uncount.lua")));
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take_use.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("settle_use.lua")));
static BLOCKS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("blocks.lua")));
static RESTORE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("restore_use.lua")));

/// After a failure Redis is not asked for so long: a limit must not make its requests slow.
const REST: Duration = Duration::from_millis(500);

/// How often a node says that it is there.
const BEAT: Duration = Duration::from_millis(500);

/// When somebody may come back who is beyond this node's share, in milliseconds: Redis may answer
/// again by then, or another node be asked.
const AGAIN_MS: i64 = 1_000;

/// The most keys that were let through without Redis and are told to it later. What is beyond is not
/// counted against them.
const OWED_MAX: usize = 100_000;

/// How many of them are told at once.
const TOLD_AT_ONCE: usize = 64;

/// The most blocks that are listed in Redis; what is beyond holds, but is not shown.
const BLOCKS_MAX: isize = 100_000;

/// The limits of several nodes.
pub struct RedisLimiter {
    shared: Arc<Shared>,
    _beating: Supervised,
}

struct Shared {
    link: Link,
    prefix: String,
    shares: bool,
    node_clocks: bool,
    clock: Arc<dyn Clock>,
    own: LocalLimiter,
    resting_until: Mutex<Option<Instant>>,
    nodes: Nodes,
    /// Redis may not know all that was let through: shares count, too.
    in_doubt: AtomicBool,
    owed: Mutex<Owed>,
}

/// What was let through without Redis, to be told to it.
#[derive(Default)]
struct Owed {
    counts: HashMap<(RuleName, Subject), Counted>,
    uses: Vec<SpentUse>,
}

/// Requests that were let through in a window.
#[derive(Clone, Copy)]
struct Counted {
    requests: u32,
    window_ms: i64,
    window_end: Timestamp,
}

/// A use of an allowance that was spent.
struct SpentUse {
    rule: AllowanceRule,
    subject: Subject,
    token: u128,
    until: Timestamp,
}

impl RedisLimiter {
    /// Limits that are shared over the Redis at `url`, as in [`super::RedisCoordination::start`].
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn start(url: &str, options: &RedisOptions, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            link: Link::open(url, Duration::ZERO, &options.breaker).map_err(StoreError::Rejected)?,
            prefix: options.prefix.clone(),
            shares: options.shares,
            node_clocks: options.node_clocks,
            own: LocalLimiter::new(clock.clone()),
            clock,
            resting_until: Mutex::default(),
            nodes: Nodes::new(),
            in_doubt: AtomicBool::new(false),
            owed: Mutex::default(),
        });
        let beating = Arc::downgrade(&shared);
        let beating =
            options.vitals.supervise("the heartbeat of shared limits", move || keep(beating.clone()));
        Ok(Self { shared, _beating: beating })
    }

    /// How many nodes share the limits, as this one last knew: itself at least.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.shared.nodes.count()
    }
}

/// Says that this node is there, and tells Redis what it owes.
async fn keep(shared: Weak<Shared>) {
    let mut settled_in = String::new();
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let again_at_once = shared.beat(&mut settled_in).await;
        drop(shared);
        if !again_at_once {
            sleep(BEAT).await;
        }
    }
}

impl Shared {
    /// Whether the others are to be told at once that this node is settled.
    async fn beat(&self, settled_in: &mut String) -> bool {
        let Ok(beat) = self.nodes.beat(&self.link, &self.prefix, settled_in).await else {
            self.in_doubt.store(true, Ordering::Release);
            return false;
        };
        // A node that has just begun owes nothing.
        if !settled_in.is_empty() && *settled_in != beat.memory {
            self.in_doubt.store(true, Ordering::Release);
        }
        // From here on nothing more is let through without it.
        *self.resting_until.lock() = None;
        if self.tell_what_is_owed().await.is_err() {
            return false;
        }
        if *settled_in != beat.memory {
            *settled_in = beat.memory;
            return true;
        }
        if beat.all_settled {
            self.in_doubt.store(false, Ordering::Release);
        }
        false
    }

    /// What cannot be told is told later.
    async fn tell_what_is_owed(&self) -> Result<(), Away> {
        loop {
            let (counts, uses) = {
                let mut owed = self.owed.lock();
                let keys: Vec<_> = owed.counts.keys().take(TOLD_AT_ONCE).cloned().collect();
                let counts: Vec<_> = keys.iter().filter_map(|key| owed.counts.remove_entry(key)).collect();
                let left = owed.uses.len().saturating_sub(TOLD_AT_ONCE);
                (counts, owed.uses.split_off(left))
            };
            if counts.is_empty() && uses.is_empty() {
                return Ok(());
            }
            let (counts_told, uses_told) = tokio::join!(
                join_all(
                    counts.iter().map(|((rule, subject), counted)| self.tell_count(rule, *subject, *counted))
                ),
                join_all(uses.iter().map(|spent| self.tell_use(spent))),
            );
            let mut failed = None;
            for (((rule, subject), counted), told) in counts.into_iter().zip(counts_told) {
                failed = told.err().inspect(|_| self.owe(&rule, subject, counted)).or(failed);
            }
            for (spent, told) in uses.into_iter().zip(uses_told) {
                failed = told.err().inspect(|_| self.owe_use(spent)).or(failed);
            }
            if let Some(away) = failed {
                return Err(away);
            }
        }
    }

    async fn tell_count(&self, rule: &RuleName, subject: Subject, counted: Counted) -> Result<(), Away> {
        let Counted { requests, window_ms, window_end } = counted;
        let began_ms_ago = self.clock.now().since_ms(window_end.plus_ms(-window_ms));
        let mut call = COUNT_MORE.key(self.key("count", rule, subject));
        call.arg(self.now_or_redis()).arg(window_ms).arg(requests).arg(began_ms_ago);
        self.link.script::<String>(&call).await.map(drop)
    }

    async fn tell_use(&self, spent: &SpentUse) -> Result<(), Away> {
        let SpentUse { rule, subject, token, until } = spent;
        self.link.script::<String>(&self.settling(rule, *subject, *token, true, *until)).await.map(drop)
    }

    fn owe(&self, rule: &RuleName, subject: Subject, more: Counted) {
        let mut owed = self.owed.lock();
        let room = owed.counts.len() < OWED_MAX;
        match owed.counts.get_mut(&(rule.clone(), subject)) {
            Some(counted) if counted.window_end == more.window_end => counted.requests += more.requests,
            // The window before is over.
            Some(counted) => *counted = more,
            None if room => drop(owed.counts.insert((rule.clone(), subject), more)),
            None => {}
        }
    }

    fn owe_use(&self, spent: SpentUse) {
        let mut owed = self.owed.lock();
        if owed.uses.len() < OWED_MAX {
            owed.uses.push(spent);
        }
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
            self.in_doubt.store(true, Ordering::Release);
            *self.resting_until.lock() = Some(Instant::now() + REST);
        }
        answer
    }

    /// How much of a rule this node lets through by itself.
    fn share(&self, requests: u32, rule: &RuleName, subject: Subject) -> u32 {
        if self.shares { self.nodes.share(requests, &format!("{rule} {subject}")) } else { requests }
    }

    /// What this node counted, within its share.
    fn within_share(&self, own: Verdict, rule: &CountRule, subject: Subject) -> Verdict {
        let Verdict::Allowed { left, more_at } = own else { return own };
        let (used, share) = (rule.requests - left, self.share(rule.requests, &rule.name, subject));
        match share.checked_sub(used) {
            Some(left) => Verdict::Allowed { left, more_at },
            None => self.refused_for_now(more_at),
        }
    }

    /// Takes a use, if there is one in this node's share, in the place of the one that was taken.
    async fn take_from_share(&self, rule: &AllowanceRule, subject: Subject, token: u128) -> Verdict {
        self.own.give_back(rule, subject, token).await;
        let requests = self.share(rule.requests, &rule.name, subject);
        match self.own.take(&AllowanceRule { requests, ..rule.clone() }, subject, token).await {
            Verdict::Refused { until, .. } => self.refused_for_now(until),
            allowed => allowed,
        }
    }

    fn refused_for_now(&self, until: Timestamp) -> Verdict {
        let soon = self.clock.now().plus_ms(AGAIN_MS);
        // Without any use of this node's own there is no end to wait for.
        let until = if until > self.clock.now() { until.min(soon) } else { soon };
        Verdict::Refused { until, blocked: false }
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

    /// The time for a script: none, which is Redis's own, unless this node's is to decide.
    fn now_or_redis(&self) -> String {
        if self.node_clocks { self.clock.now().0.to_string() } else { String::new() }
    }

    /// A time of Redis in this node's, given what Redis's clock said just now.
    fn here(&self, time: i64, redis_now: i64) -> Timestamp {
        self.clock.now().plus_ms(time - redis_now)
    }

    fn settling(
        &self,
        rule: &AllowanceRule,
        subject: Subject,
        token: u128,
        spent: bool,
        until: Timestamp,
    ) -> ScriptInvocation<'static> {
        let mut call = SETTLE.key(self.key("uses", &rule.name, subject));
        let counts_ms = until.since_ms(self.clock.now());
        call.arg(self.now_or_redis()).arg(token.to_string()).arg(u8::from(spent)).arg(counts_ms);
        call.arg(2 * ALLOWANCE_MAX).arg(lifetime_ms(rule));
        call
    }

    async fn settle(&self, rule: &AllowanceRule, subject: Subject, token: u128, spent: bool) {
        let until = self.clock.now().plus_ms(rule.window_ms);
        let told = self.run::<String>(&self.settling(rule, subject, token, spent, until)).await;
        // A use that is not given back lapses by itself.
        if told.is_err() && spent {
            self.owe_use(SpentUse { rule: rule.clone(), subject, token, until });
        }
    }

    async fn count(&self, rule: &CountRule, subject: Subject) -> Verdict {
        let own = self.own.count(rule, subject).await;
        if self.in_doubt.load(Ordering::Acquire) {
            let within_share = self.within_share(own, rule, subject);
            if !within_share.is_allowed() {
                return within_share;
            }
        }
        let mut call = COUNT.key(self.key("count", &rule.name, subject));
        call.arg(self.now_or_redis()).arg(rule.requests).arg(rule.window_ms).arg(rule.burst);
        call.arg(rule.block_ms).arg(rule.block_ms_max);
        match self.run::<(u8, i64, i64, u8, i64)>(&call).await {
            Ok((1, left, more_at, _, now)) => {
                Verdict::Allowed { left: u32::try_from(left).unwrap_or(0), more_at: self.here(more_at, now) }
            }
            Ok((_, until, blocked, begun, now)) => {
                if begun == 1 {
                    self.list(&rule.name, subject, until).await;
                }
                Verdict::Refused { until: self.here(until, now), blocked: blocked == 1 }
            }
            Err(_) => {
                let verdict = self.within_share(own, rule, subject);
                if let Verdict::Allowed { more_at: window_end, .. } = verdict {
                    let one = Counted { requests: 1, window_ms: rule.window_ms, window_end };
                    self.owe(&rule.name, subject, one);
                }
                verdict
            }
        }
    }

    async fn uncount(&self, rule: &CountRule, subject: Subject) {
        self.own.uncount(rule, subject).await;
        if let Some(counted) = self.owed.lock().counts.get_mut(&(rule.name.clone(), subject)) {
            counted.requests = counted.requests.saturating_sub(1);
            return;
        }
        let call = UNCOUNT.key(self.key("count", &rule.name, subject));
        // What cannot be taken back is forgotten when its window ends.
        let _ = self.run::<i64>(&call).await;
    }

    async fn take(&self, rule: &AllowanceRule, subject: Subject, token: u128) -> Verdict {
        let mut own = self.own.take(rule, subject, token).await;
        if own.is_allowed() && self.in_doubt.load(Ordering::Acquire) {
            own = self.take_from_share(rule, subject, token).await;
            if !own.is_allowed() {
                return own;
            }
        }
        let mut call = TAKE.key(self.key("uses", &rule.name, subject));
        call.arg(self.now_or_redis()).arg(token.to_string()).arg(rule.requests).arg(rule.unsettled_ms);
        call.arg(lifetime_ms(rule));
        let verdict = match self.run::<Vec<i64>>(&call).await.as_deref() {
            Ok([now, 1, left, more_at]) => Verdict::Allowed {
                left: u32::try_from(*left).unwrap_or(0),
                more_at: self.here(*more_at, *now),
            },
            Ok([now, _, until, ..]) => Verdict::Refused { until: self.here(*until, *now), blocked: false },
            Ok(_) | Err(_) if own.is_allowed() => return self.take_from_share(rule, subject, token).await,
            Ok(_) | Err(_) => return own,
        };
        if !verdict.is_allowed() && own.is_allowed() {
            self.own.give_back(rule, subject, token).await;
        }
        verdict
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
        self.shared.count(rule, subject).await
    }

    async fn uncount(&self, rule: &CountRule, subject: Subject) {
        self.shared.uncount(rule, subject).await;
    }

    async fn take(&self, rule: &AllowanceRule, subject: Subject, token: u128) -> Verdict {
        self.shared.take(rule, subject, token).await
    }

    async fn spend(&self, rule: &AllowanceRule, subject: Subject, token: u128) {
        self.shared.own.spend(rule, subject, token).await;
        self.shared.settle(rule, subject, token, true).await;
    }

    async fn give_back(&self, rule: &AllowanceRule, subject: Subject, token: u128) {
        self.shared.own.give_back(rule, subject, token).await;
        self.shared.settle(rule, subject, token, false).await;
    }

    async fn restore(&self, rule: &AllowanceRule, subject: Subject, spent_at: Timestamp) {
        let shared = &self.shared;
        shared.own.restore(rule, subject, spent_at).await;
        let spent_ms_ago = shared.clock.now().since_ms(spent_at);
        let mut call = RESTORE.key(shared.key("uses", &rule.name, subject));
        call.arg(shared.now_or_redis()).arg(spent_ms_ago).arg(rule.window_ms);
        // One that cannot be told lapses by itself.
        let _ = shared.run::<String>(&call).await;
    }

    async fn forget(&self, rule: &RuleName, subject: Subject) -> Result<bool, LimiterError> {
        let Shared { link, own, owed, .. } = &*self.shared;
        let mut known = own.forget(rule, subject).await?;
        {
            let mut owed = owed.lock();
            owed.counts.remove(&(rule.clone(), subject));
            owed.uses.retain(|spent| (&spent.rule.name, spent.subject) != (rule, subject));
        }
        for kind in ["count", "uses"] {
            let key = self.shared.key(kind, rule, subject);
            known |= link.command::<i64>(redis::cmd("DEL").arg(key)).await.map_err(unavailable)? > 0;
        }
        let name = format!("{rule} {subject}");
        let unlist = redis::cmd("ZREM").arg(self.shared.blocks_key()).arg(name).to_owned();
        link.command::<i64>(&unlist).await.map_err(unavailable)?;
        Ok(known)
    }

    async fn blocks(&self, max: usize) -> Result<Vec<Block>, LimiterError> {
        let mut call = BLOCKS.key(self.shared.blocks_key());
        call.arg(self.shared.now_or_redis()).arg(max);
        let (now, listed) =
            self.shared.link.script::<(i64, Vec<(String, f64)>)>(&call).await.map_err(unavailable)?;
        let block = |(name, until): (String, f64)| {
            let (rule, subject) = name.split_once(' ')?;
            // Milliseconds are far below 2^53.
            let until = self.shared.here(until as i64, now);
            Some(Block { rule: rule.into(), subject: subject.parse().ok()?, until })
        };
        Ok(listed.into_iter().filter_map(block).collect())
    }
}
