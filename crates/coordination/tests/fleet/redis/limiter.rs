//! The limiter's contract on Redis, and a Redis that fails.

use std::{
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use onsale_contract::coordination::limits::{LimiterAdapter, bookings, reads};
use onsale_coordination::{RedisLimiter, RedisOptions};
use onsale_domain::{
    ids::UserId,
    limits::{Subject, Verdict},
    time::Timestamp,
};
use onsale_engine::{
    clock::{Clock, ManualClock, SystemClock},
    ports::Limiter,
};
use onsale_testbed::RedisServer;
use tokio::time::{Instant, sleep};

use super::{shared_cluster, shared_redis, unused_prefix};

struct Node(String);

impl Node {
    fn limiter(&self, options: &RedisOptions, clock: Arc<dyn Clock>) -> Arc<RedisLimiter> {
        Arc::new(RedisLimiter::start(&self.0, options, clock).expect("the URL is understood"))
    }
}

#[async_trait]
impl LimiterAdapter for Node {
    async fn start(&self, clock: Arc<dyn Clock>) -> Arc<dyn Limiter> {
        let options = RedisOptions { prefix: unused_prefix(), node_clocks: true, ..RedisOptions::default() };
        self.limiter(&options, clock)
    }
}

mod single {
    use super::{Arc, LimiterAdapter, Node, shared_redis};

    async fn fresh() -> (Arc<dyn LimiterAdapter>, ()) {
        (Arc::new(Node(shared_redis().await)), ())
    }

    onsale_contract::limiter_contract!(fresh);
}

mod cluster {
    use super::{Arc, LimiterAdapter, Node, shared_cluster};

    async fn fresh() -> (Arc<dyn LimiterAdapter>, ()) {
        (Arc::new(Node(shared_cluster().await)), ())
    }

    onsale_contract::limiter_contract!(fresh);
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn buyer(number: i64) -> Subject {
    Subject::Account(UserId(number))
}

async fn allowed(nodes: &[Arc<RedisLimiter>], requests: usize) -> usize {
    let mut allowed = 0;
    for request in 0..requests {
        let verdict = nodes[request % nodes.len()].count(&reads(), buyer(1)).await;
        allowed += usize::from(verdict.is_allowed());
    }
    allowed
}

/// Each of these buyers tries to book at all nodes in turn, and what may go on succeeds; how often.
async fn booked(nodes: &[Arc<RedisLimiter>], buyers: Range<i64>) -> usize {
    let mut booked = 0;
    for buyer in buyers.map(buyer) {
        for node in nodes {
            let token = fresh();
            if node.take(&bookings(), buyer, token).await.is_allowed() {
                node.spend(&bookings(), buyer, token).await;
                booked += 1;
            }
        }
    }
    booked
}

/// A number that is given once: nobody repeats a request.
fn fresh() -> u128 {
    static NUMBERS: AtomicU32 = AtomicU32::new(1_000_000);
    NUMBERS.fetch_add(1, Ordering::Relaxed).into()
}

/// Waits until a node asks nobody but Redis: until then it lets only some buyers book.
async fn trusts_redis(node: &RedisLimiter) {
    let since = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 20 {
        assert!(since.elapsed() < PATIENCE, "Redis is not used again");
        let somebody = buyer(i64::try_from(fresh()).expect("a small number"));
        if node.take(&bookings(), somebody, fresh()).await.is_allowed() {
            in_a_row += 1;
        } else {
            in_a_row = 0;
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A Redis of its own, and nodes that know each other.
struct Fleet {
    redis: Arc<RedisServer>,
    nodes: Vec<Arc<RedisLimiter>>,
}

impl Fleet {
    async fn start(count: usize, shares: bool) -> Self {
        let redis = Arc::new(tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts"));
        let nodes = known_to_each_other(&redis.url(), count, shares).await;
        Self { redis, nodes }
    }

    async fn with_redis(&self, act: fn(&RedisServer)) {
        let redis = self.redis.clone();
        tokio::task::spawn_blocking(move || act(&redis)).await.expect("the server obeys");
    }
}

async fn known_to_each_other(url: &str, count: usize, shares: bool) -> Vec<Arc<RedisLimiter>> {
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let options =
        RedisOptions { prefix: unused_prefix(), shares, node_clocks: true, ..RedisOptions::default() };
    let nodes: Vec<_> = (0..count).map(|_| Node(url.to_owned()).limiter(&options, clock.clone())).collect();
    let since = Instant::now();
    while nodes.iter().any(|node| node.nodes() != count) {
        assert!(since.elapsed() < PATIENCE, "the nodes do not know each other");
        sleep(Duration::from_millis(20)).await;
    }
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_count_together() {
    let nodes = known_to_each_other(&shared_redis().await, 3, true).await;
    assert_eq!(allowed(&nodes, 200).await, 50);
}

/// Nodes whose clocks are so many milliseconds behind.
async fn with_clocks_behind(behind: &[i64], node_clocks: bool) -> Vec<Arc<RedisLimiter>> {
    let options = RedisOptions { prefix: unused_prefix(), node_clocks, ..RedisOptions::default() };
    let url = shared_redis().await;
    let clock = |behind: &i64| Arc::new(Behind(*behind)) as Arc<dyn Clock>;
    behind.iter().map(|behind| Node(url.clone()).limiter(&options, clock(behind))).collect()
}

/// A clock that goes, so many milliseconds behind.
struct Behind(i64);

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(-self.0)
    }

    fn sleep_until(&self, until: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        SystemClock.sleep_until(until.plus_ms(self.0))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_whose_clocks_differ_count_together() {
    for behind in [[0, 1_000], [1_000, 0], [0, 90_000], [0, -90_000], [7_200_000, 3_600_000]] {
        let nodes = with_clocks_behind(&behind, false).await;
        let (first, second) = (allowed(&nodes[..1], 50).await, allowed(&nodes[1..], 50).await);
        assert_eq!((first, second), (50, 0), "{behind:?}");
        // A block ends in an hour by each node's own clock, and both list it.
        for (node, behind) in nodes.iter().zip(behind) {
            let Verdict::Refused { until, blocked: true } = node.count(&reads(), buyer(1)).await else {
                panic!("the request too many blocks");
            };
            let left_ms = until.since_ms(Behind(behind).now());
            assert!((3_500_000..=3_600_100).contains(&left_ms), "{left_ms}");
            let blocks = node.blocks(10).await.expect("blocks are listed");
            assert!(
                blocks
                    .iter()
                    .any(|block| block.subject == buyer(1) && block.until.since_ms(until).abs() < 100)
            );
        }
        // A booking at one is a booking at the other.
        assert_eq!(booked(&nodes, 10..12).await, 2, "{behind:?}");
        nodes[1].restore(&bookings(), buyer(10), Behind(behind[1]).now()).await;
        assert_eq!(booked(&nodes, 10..12).await, 1, "{behind:?}");
    }
}

/// The negative control of the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_clocks_of_nodes_a_key_is_counted_anew() {
    let nodes = with_clocks_behind(&[0, 90_000], true).await;
    assert_eq!(allowed(&nodes[..1], 50).await, 50);
    assert_eq!(allowed(&nodes[1..], 50).await, 50, "its window begins before the other one's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bursts_of_twelve_let_exactly_the_rule_through() {
    for round in 0..10 {
        let nodes = with_clocks_behind(&[0, 0, 3], false).await;
        let crowd = (0..12).map(|client| {
            let node = nodes[client % nodes.len()].clone();
            tokio::spawn(async move {
                let mut allowed = 0;
                for _ in 0..10 {
                    allowed += usize::from(node.count(&reads(), buyer(1)).await.is_allowed());
                }
                allowed
            })
        });
        let allowed: usize = join_all(crowd).await.into_iter().map(|client| client.expect("it counts")).sum();
        assert_eq!(allowed, 50, "round {round}");
    }
}

/// The bar: at most twice the rule, also when Redis comes back and has forgotten everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_in_mid_window_opens_nothing_on_one_node() {
    let fleet = Fleet::start(1, true).await;
    assert_eq!(allowed(&fleet.nodes, 30).await, 30);
    fleet.with_redis(RedisServer::kill).await;
    assert_eq!(allowed(&fleet.nodes, 40).await, 20, "what passed before counts on");
    fleet.with_redis(RedisServer::start).await;
    let again = let_through_until(&fleet.nodes, 30).await;
    assert_eq!(again, 30, "a Redis that has forgotten is told of those twenty");
}

/// Asks again and again, until so many more have been let through, and then a while on.
async fn let_through_until(nodes: &[Arc<RedisLimiter>], expected: usize) -> usize {
    let (mut again, since) = (0, Instant::now());
    while again < expected {
        assert!(since.elapsed() < PATIENCE, "only {again} of {expected} were let through");
        again += allowed(nodes, 3).await;
        sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..10 {
        again += allowed(nodes, 10).await;
        sleep(Duration::from_millis(50)).await;
    }
    again
}

/// One node had nearly all requests before, the others have them after: the worst case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_whose_redis_is_killed_in_mid_window_lets_at_most_twice_the_rule_through() {
    let fleet = Fleet::start(3, true).await;
    assert_eq!(allowed(&fleet.nodes[..1], 45).await, 45);
    fleet.with_redis(RedisServer::kill).await;
    let alone = allowed(&fleet.nodes, 600).await;
    assert!((33..=34).contains(&alone), "two nodes have their shares of 50, the first has had it: {alone}");
    fleet.with_redis(RedisServer::start).await;
    let again = let_through_until(&fleet.nodes[1..], 50 - alone).await;
    assert_eq!(45 + alone + again, 95, "what was let through without Redis is told to it");
}

/// The negative control of the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_shares_each_node_lets_the_whole_rule_through() {
    let fleet = Fleet::start(3, false).await;
    assert_eq!(allowed(&fleet.nodes[..1], 45).await, 45);
    fleet.with_redis(RedisServer::kill).await;
    let alone = allowed(&fleet.nodes, 600).await;
    assert_eq!(45 + alone, 3 * 50, "more than twice the rule");
}

/// A rule for less than there are nodes: one of them has the share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_each_buyer_books_once_and_at_each_node_without_shares() {
    for (shares, each) in [(true, 1), (false, 3)] {
        let fleet = Fleet::start(3, shares).await;
        for node in &fleet.nodes {
            trusts_redis(node).await;
        }
        assert_eq!(booked(&fleet.nodes, 0..20).await, 20);
        let (repeated, token) = (buyer(50), fresh());
        for node in &fleet.nodes {
            assert!(node.take(&bookings(), repeated, token).await.is_allowed());
            node.spend(&bookings(), repeated, token).await;
        }

        fleet.with_redis(RedisServer::kill).await;
        for node in &fleet.nodes {
            let verdict = node.take(&bookings(), repeated, token).await;
            assert!(verdict.is_allowed(), "an answer that was lost is asked for again");
        }
        assert_eq!(booked(&fleet.nodes, 100..120).await, 20 * each, "shares: {shares}");

        fleet.with_redis(RedisServer::start).await;
        for node in &fleet.nodes {
            trusts_redis(node).await;
        }
        assert_eq!(booked(&fleet.nodes, 100..120).await, 0, "Redis has been told");
    }
}
