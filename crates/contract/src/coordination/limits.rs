//! What is counted, taken and blocked.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use onsale_domain::{
    ids::{PerformanceId, UserId},
    limits::{AllowanceRule, CountRule, Subject, Verdict},
    time::Timestamp,
};
use onsale_engine::{
    clock::{Clock, ManualClock},
    ports::{BLOCKS_LISTED_MAX, Block, Limiter},
};
use tokio::task::JoinSet;

use super::fixture::OPENING;

/// Starts adapters.
#[async_trait]
pub trait LimiterAdapter: Send + Sync + 'static {
    /// An adapter over what the adapter shares, if it does, else a new one.
    async fn start(&self, clock: Arc<dyn Clock>) -> Arc<dyn Limiter>;
}

struct Stage {
    limiter: Arc<dyn Limiter>,
    clock: Arc<ManualClock>,
}

impl Stage {
    async fn new(adapter: Arc<dyn LimiterAdapter>) -> Self {
        let clock = Arc::new(ManualClock::new(OPENING));
        Self { limiter: adapter.start(clock.clone()).await, clock }
    }

    /// So many at once, each so often; how many were allowed.
    async fn count_from_all_sides(&self, clients: u32, each: u32, subject: Subject) -> u32 {
        let mut crowd = JoinSet::new();
        for _ in 0..clients {
            let limiter = self.limiter.clone();
            crowd.spawn(async move {
                let mut allowed = 0;
                for _ in 0..each {
                    allowed += u32::from(limiter.count(&reads(), subject).await.is_allowed());
                }
                allowed
            });
        }
        crowd.join_all().await.into_iter().sum()
    }
}

/// Subjects of tests that run side by side on one server must not be the same.
static SUBJECTS: AtomicI64 = AtomicI64::new(1);

fn somebody() -> Subject {
    let process = i64::from(std::process::id());
    Subject::Account(UserId(process << 32 | SUBJECTS.fetch_add(1, Ordering::SeqCst)))
}

/// Fifty a minute; one more blocks for an hour.
#[must_use]
pub fn reads() -> CountRule {
    CountRule {
        name: "reads".into(),
        requests: 50,
        window_ms: 60_000,
        burst: 50,
        block_ms: 3_600_000,
        block_ms_max: 0,
    }
}

/// One in five minutes.
#[must_use]
pub fn bookings() -> AllowanceRule {
    AllowanceRule { name: "bookings".into(), requests: 1, window_ms: 300_000, unsettled_ms: 30_000 }
}

fn blocked(until: Timestamp) -> Verdict {
    Verdict::Refused { until, blocked: true }
}

pub async fn the_fifty_first_read_of_a_minute_blocks_for_an_hour(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (who, other, rule) = (somebody(), somebody(), reads());
    let window_end = OPENING.plus_ms(60_000);
    for left in (0..50).rev() {
        let verdict = stage.limiter.count(&rule, who).await;
        assert_eq!(verdict, Verdict::Allowed { left, more_at: window_end });
    }
    stage.clock.advance_ms(59_999);
    let until = OPENING.plus_ms(59_999 + 3_600_000);
    assert_eq!(stage.limiter.count(&rule, who).await, blocked(until));
    assert!(stage.limiter.count(&rule, other).await.is_allowed());
    stage.clock.set(until.plus_ms(-1));
    assert_eq!(stage.limiter.count(&rule, who).await, blocked(until));
    stage.clock.set(until);
    assert_eq!(stage.count_from_all_sides(1, 60, who).await, 50);
}

pub async fn counts_are_exact_under_a_hundred_clients(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let crowded = somebody();
    assert_eq!(stage.count_from_all_sides(100, 20, crowded).await, 50);
    let exactly = somebody();
    assert_eq!(stage.count_from_all_sides(25, 2, exactly).await, 50);
    let blocks = stage.limiter.blocks(BLOCKS_LISTED_MAX).await.expect("blocks are listed");
    assert!(blocks.iter().any(|block| block.subject == crowded));
    assert!(blocks.iter().all(|block| block.subject != exactly));
}

pub async fn what_is_taken_back_was_not_counted(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (who, rule) = (somebody(), reads());
    for _ in 0..200 {
        assert!(stage.limiter.count(&rule, who).await.is_allowed());
        stage.limiter.uncount(&rule, who).await;
    }
    for left in (0..50).rev() {
        let more_at = OPENING.plus_ms(rule.window_ms);
        assert_eq!(stage.limiter.count(&rule, who).await, Verdict::Allowed { left, more_at });
    }
    // A block stays, and taking back what was never counted gives nothing.
    let until = OPENING.plus_ms(rule.block_ms);
    assert_eq!(stage.limiter.count(&rule, who).await, blocked(until));
    stage.limiter.uncount(&rule, who).await;
    assert_eq!(stage.limiter.count(&rule, who).await, blocked(until));
    let other = somebody();
    stage.limiter.uncount(&rule, other).await;
    let allowed = stage.count_from_all_sides(1, 51, other).await;
    assert_eq!(allowed, 50);
}

pub async fn windows_of_a_key_end_and_begin_anew(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let who = somebody();
    for _ in 0..10 {
        assert_eq!(stage.count_from_all_sides(10, 5, who).await, 50);
        stage.clock.advance_ms(60_000);
    }
}

pub async fn a_burst_is_followed_by_the_even_pace(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (who, rule) = (somebody(), CountRule { burst: 5, block_ms: 0, name: "paced".into(), ..reads() });
    for turn in 0..40 {
        let allowed = stage.limiter.count(&rule, who).await.is_allowed();
        assert_eq!(allowed, turn < 5, "{turn}");
    }
    let next = OPENING.plus_ms(1_200);
    assert_eq!(stage.limiter.count(&rule, who).await, Verdict::Refused { until: next, blocked: false });
    stage.clock.set(next);
    assert!(stage.limiter.count(&rule, who).await.is_allowed());
    assert!(!stage.limiter.count(&rule, who).await.is_allowed());
}

pub async fn blocks_that_grow_grow(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (block_ms, block_ms_max) = (1_000, 3_000);
    let (who, rule) = (somebody(), CountRule { block_ms, block_ms_max, name: "grows".into(), ..reads() });
    for _ in 0..50 {
        assert!(stage.limiter.count(&rule, who).await.is_allowed());
    }
    let mut until = OPENING;
    for block_ms in [1_000, 2_000, 3_000, 3_000] {
        until = until.plus_ms(block_ms);
        assert_eq!(stage.limiter.count(&rule, who).await, blocked(until));
        stage.clock.set(until);
        assert!(stage.limiter.count(&rule, who).await.is_allowed());
    }
    stage.clock.advance_ms(60_000);
    for _ in 0..50 {
        assert!(stage.limiter.count(&rule, who).await.is_allowed());
    }
}

pub async fn rules_know_nothing_of_one_another(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let who = somebody();
    assert_eq!(stage.count_from_all_sides(1, 60, who).await, 50);
    let other = CountRule { name: "others".into(), ..reads() };
    assert!(stage.limiter.count(&other, who).await.is_allowed());
    assert!(stage.limiter.take(&bookings(), who, 1).await.is_allowed());
}

pub async fn blocks_are_listed_and_lifted(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (first, second, rule) = (somebody(), somebody(), reads());
    stage.count_from_all_sides(1, 51, first).await;
    stage.clock.advance_ms(10);
    stage.count_from_all_sides(1, 51, second).await;
    let mine = async || {
        let blocks = stage.limiter.blocks(BLOCKS_LISTED_MAX).await.expect("blocks are listed");
        blocks.into_iter().filter(|block| [first, second].contains(&block.subject)).collect::<Vec<_>>()
    };
    let block =
        |subject, ms: i64| Block { rule: rule.name.clone(), subject, until: OPENING.plus_ms(3_600_000 + ms) };
    assert_eq!(mine().await, [block(second, 10), block(first, 0)]);
    assert_eq!(stage.limiter.blocks(1).await.expect("blocks are listed").len(), 1);

    assert!(stage.limiter.forget(&rule.name, first).await.expect("a block is lifted"));
    assert!(!stage.limiter.forget(&rule.name, first).await.expect("there is none any more"));
    assert_eq!(mine().await, [block(second, 10)]);
    assert_eq!(stage.count_from_all_sides(1, 50, first).await, 50);
    stage.clock.advance_ms(3_600_000);
    assert_eq!(mine().await, []);
}

pub async fn a_use_is_spent_by_success_alone(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (rule, limiter) = (bookings(), &stage.limiter);
    let Subject::Account(user) = somebody() else { unreachable!("somebody is an account") };
    let (here, there) =
        (Subject::AccountAt(user, PerformanceId(1)), Subject::AccountAt(user, PerformanceId(2)));
    for token in 1..=20 {
        assert!(limiter.take(&rule, here, token).await.is_allowed(), "a refused booking costs nothing");
        limiter.give_back(&rule, here, token).await;
    }
    assert!(limiter.take(&rule, here, 21).await.is_allowed());
    limiter.spend(&rule, here, 21).await;
    let until = OPENING.plus_ms(300_000);
    let refused = Verdict::Refused { until, blocked: false };
    assert_eq!(limiter.take(&rule, here, 22).await, refused);
    assert!(limiter.take(&rule, there, 22).await.is_allowed());
    stage.clock.set(until.plus_ms(-1));
    assert_eq!(limiter.take(&rule, here, 22).await, refused);
    assert!(limiter.take(&rule, here, 21).await.is_allowed(), "an answer that was lost is asked for again");
    limiter.give_back(&rule, here, 21).await;
    assert_eq!(limiter.take(&rule, here, 22).await, refused);
    stage.clock.set(until);
    assert!(limiter.take(&rule, here, 22).await.is_allowed());
}

pub async fn of_a_hundred_who_take_at_once_one_gets_it(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let who = somebody();
    for round in 0..10_u128 {
        let mut crowd = JoinSet::new();
        for client in 0..100_u128 {
            let limiter = stage.limiter.clone();
            let token = round * 1_000 + client;
            crowd.spawn(async move { (token, limiter.take(&bookings(), who, token).await.is_allowed()) });
        }
        let winners: Vec<u128> = crowd
            .join_all()
            .await
            .into_iter()
            .filter_map(|(token, allowed)| allowed.then_some(token))
            .collect();
        assert_eq!(winners.len(), 1, "round {round}");
        stage.limiter.give_back(&bookings(), who, winners[0]).await;
    }
}

pub async fn a_repeated_request_shares_its_use(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (rule, who, limiter) = (bookings(), somebody(), &stage.limiter);
    assert!(limiter.take(&rule, who, 1).await.is_allowed());
    assert!(limiter.take(&rule, who, 1).await.is_allowed());
    limiter.give_back(&rule, who, 1).await;
    assert!(!limiter.take(&rule, who, 2).await.is_allowed());
    limiter.spend(&rule, who, 1).await;
    stage.clock.advance_ms(200_000);
    assert!(limiter.take(&rule, who, 1).await.is_allowed());
    limiter.spend(&rule, who, 1).await;
    assert!(!limiter.take(&rule, who, 2).await.is_allowed());
    stage.clock.set(OPENING.plus_ms(300_000));
    assert!(limiter.take(&rule, who, 2).await.is_allowed(), "repeating does not prolong");
}

pub async fn a_use_that_is_never_settled_lapses(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (rule, who, limiter) = (bookings(), somebody(), &stage.limiter);
    assert!(limiter.take(&rule, who, 1).await.is_allowed());
    stage.clock.advance_ms(29_999);
    let until = OPENING.plus_ms(30_000);
    assert_eq!(limiter.take(&rule, who, 2).await, Verdict::Refused { until, blocked: false });
    stage.clock.advance_ms(1);
    assert!(limiter.take(&rule, who, 2).await.is_allowed());
    limiter.give_back(&rule, who, 2).await;
    // The first was slow, not dead.
    limiter.spend(&rule, who, 1).await;
    assert!(!limiter.take(&rule, who, 3).await.is_allowed());
}

pub async fn a_use_is_taken_back_with_what_was_booked(adapter: Arc<dyn LimiterAdapter>) {
    let stage = Stage::new(adapter).await;
    let (rule, who, limiter) = (AllowanceRule { requests: 2, ..bookings() }, somebody(), &stage.limiter);
    for token in 1..=2 {
        assert!(limiter.take(&rule, who, token).await.is_allowed());
        limiter.spend(&rule, who, token).await;
        stage.clock.advance_ms(10_000);
    }
    assert!(!limiter.take(&rule, who, 3).await.is_allowed());
    // The second one, to the millisecond or nearly.
    limiter.restore(&rule, who, OPENING.plus_ms(9_990)).await;
    assert!(limiter.take(&rule, who, 3).await.is_allowed());
    assert!(limiter.take(&rule, who, 1).await.is_allowed(), "the first one is as it was");
    let first_ends = OPENING.plus_ms(300_000);
    let Verdict::Refused { until, .. } = limiter.take(&rule, who, 4).await else {
        panic!("one was taken back, and one is taken");
    };
    assert!(until <= first_ends, "{until:?}");
    // Not settled, so there is nothing to take back.
    limiter.give_back(&rule, who, 1).await;
    limiter.restore(&rule, who, OPENING).await;
    limiter.restore(&rule, who, OPENING).await;
    assert!(limiter.take(&rule, who, 4).await.is_allowed(), "the first one was taken back");
    assert!(!limiter.take(&rule, who, 5).await.is_allowed(), "the one under way was not");
}
