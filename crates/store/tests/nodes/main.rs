//! Two nodes, each a process of its own with a store and an engine, sell from one database at the
//! same moment: nothing is sold twice and no money is lost, whatever the guard; without one, both
//! happen.

mod hearing;
mod node;
mod scenario;

use std::sync::Arc;

use onsale_contract::sale::stage::{PRICE, add_performance};
use onsale_domain::{
    offer::OfferKind,
    {ids::UserId, order::OrderStatus},
};
use onsale_engine::{
    audit::audit,
    clock::{Clock, SystemClock},
    ports::Guard,
};
use onsale_store::negative_control::drop_claims_key;
use rand::random;

use crate::{
    node::{Node, OtherNode, Task},
    scenario::{FUNDS, Scenario, Told},
};

/// When both nodes begin, after the other one has been told.
const HEAD_START_MS: i64 = 400;

/// This process as one node, and another process as the second.
struct Nodes {
    own: Arc<Node>,
    other: OtherNode,
    url: String,
}

/// What each of the two nodes told its callers.
type BothTold = (Told, Told);

impl Nodes {
    async fn start(url: String, guard: Guard, batch_max: usize) -> Self {
        Self::start_sharing(url, guard, batch_max, None).await
    }

    async fn start_sharing(url: String, guard: Guard, batch_max: usize, redis: Option<&str>) -> Self {
        let own = Arc::new(Node::start(&url, guard, batch_max, redis).await);
        let other = OtherNode::start(&url, guard, batch_max, redis).await;
        Self { own, other, url }
    }

    /// Both nodes play a scenario on a performance of its own.
    async fn play(&mut self, scenario: Scenario) -> (Task, BothTold) {
        let now = SystemClock.now();
        let (performance, seats) = add_performance(&self.own.engine, scenario.setup(), now).await;
        let orders = scenario::prepare(scenario, &self.own.engine, performance, &seats).await;
        let at_ms = SystemClock.now().0 + HEAD_START_MS;
        let task = Task { scenario, performance: performance.0, orders, at_ms };
        self.other.begin(&task).await;
        let own = scenario::play(self.own.clone(), 0, task.clone()).await;
        let other = self.other.told().await;
        println!("{scenario:?}: {:?} and {:?}", own.tally, other.tally);
        (task, (own, other))
    }

    async fn is_clean(&self) -> bool {
        let report = audit(&*self.own.store, |_, _| {}).await.expect("the audit runs").without_accounts();
        if !report.is_clean() {
            println!("{}: {:#?}", self.url, report.violations);
        }
        report.is_clean()
    }

    /// How many seats of a performance were paid for, however often each.
    async fn seats_paid(&self, buyers: i64) -> usize {
        let mut seats = 0;
        for buyer in 1..=buyers {
            let page = self
                .own
                .engine
                .sales
                .orders(UserId(buyer), OfferKind::Performance, None, 1_000)
                .await
                .expect("orders");
            let paid = page.orders.iter().filter(|order| order.status == OrderStatus::Paid);
            seats += paid.map(|order| order.lines().len()).sum::<usize>();
        }
        seats
    }
}

fn sum(told: &BothTold, what: &str) -> u64 {
    told.0.count(what) + told.1.count(what)
}

/// A thousand buyers, one seat.
async fn one_seat(nodes: &mut Nodes) {
    let (_, told) = nodes.play(Scenario::OneSeat).await;
    assert_eq!((sum(&told, "held"), sum(&told, "seat held")), (1, 999));
}

/// Two thousand buyers, five hundred seats.
async fn sell_out(nodes: &mut Nodes) {
    let (_, told) = nodes.play(Scenario::SellOut).await;
    assert_eq!(sum(&told, "seats paid"), 500);
    assert!(told.0.count("seats paid") > 0 && told.1.count("seats paid") > 0, "both nodes sold some");
    assert_eq!(nodes.seats_paid(2_000).await, 500);
}

/// One buyer wants forty seats, twenty at each node.
async fn per_buyer_limit(nodes: &mut Nodes) {
    let (_, told) = nodes.play(Scenario::Limit).await;
    assert_eq!((sum(&told, "held"), sum(&told, "too many")), (5, 35));
}

/// One node is asked to pay, the other to cancel, about when the hold ends.
async fn endings(nodes: &mut Nodes) {
    let (task, told) = nodes.play(Scenario::Endings).await;
    let (mut seen, now) = ([0_u32; 4], SystemClock.now());
    for (index, order) in task.orders.iter().enumerate() {
        let buyer = scenario::ending_buyer(index);
        let order = nodes.own.engine.sales.order(buyer, scenario::order_id(order)).await.expect("an order");
        let balance = nodes.own.engine.sales.wallet(buyer).await.expect("a wallet").balance;
        let (paid, cancelled) = (told.0.answer(index), told.1.answer(index));
        let (ending, expected) = match (order.status_at(now), paid) {
            (OrderStatus::Paid, "paid") => (0, (FUNDS - PRICE, "refused")),
            // Paid first, then given back with its money.
            (OrderStatus::Cancelled, "paid") => (1, (FUNDS, "cancelled")),
            (OrderStatus::Cancelled, "refused") => (2, (FUNDS, "cancelled")),
            (OrderStatus::Expired, "refused") => (3, (FUNDS, "refused")),
            other => panic!("order {} ended as {other:?}, {cancelled}", order.id),
        };
        assert_eq!((balance, cancelled), expected, "{order:?}");
        seen[ending] += 1;
    }
    println!("paid, refunded, cancelled, expired: {seen:?}");
    assert!(seen[3] > 0 && seen[1] + seen[2] > 0, "nothing was raced: {seen:?}");
}

/// Both nodes are asked the same with the same key.
async fn same_keys(nodes: &mut Nodes) {
    let (_, (own, other)) = nodes.play(Scenario::SameKeys).await;
    assert_eq!(own.answers, other.answers, "the same request had two answers");
    assert_eq!(own.count("done") + other.count("done"), scenario::KEYS * 2, "one effect each");
    assert_eq!(own.count("replayed") + other.count("replayed"), scenario::KEYS * 2);
}

/// Both nodes charge one wallet.
async fn charges(nodes: &mut Nodes) {
    assert_eq!(lost_charges(nodes).await, 0);
}

/// How much of what was charged is not in the wallet.
async fn lost_charges(nodes: &mut Nodes) -> i64 {
    let buyer = UserId(random::<u32>().into());
    let scenario = Scenario::Charges { buyer: buyer.0 };
    let (_, told) = nodes.play(scenario).await;
    let charged = i64::try_from(sum(&told, "charged")).expect("a small sum");
    assert!(charged > 0);
    charged - nodes.own.engine.sales.wallet(buyer).await.expect("a wallet").balance
}

async fn race_suite(url: String, guard: Guard, batch_max: usize) {
    race(Nodes::start(url, guard, batch_max).await).await;
}

async fn race(mut nodes: Nodes) {
    sell_out(&mut nodes).await;
    one_seat(&mut nodes).await;
    per_buyer_limit(&mut nodes).await;
    endings(&mut nodes).await;
    same_keys(&mut nodes).await;
    charges(&mut nodes).await;
    assert!(nodes.is_clean().await);
}

/// Only the guard stands between the nodes.
async fn without_the_claims_key(url: String, guard: Guard) {
    let mut nodes = Nodes::start(url, guard, 16).await;
    drop_claims_key(&nodes.own.store).await.expect("the key is dropped");
    sell_out(&mut nodes).await;
    for _ in 0..3 {
        one_seat(&mut nodes).await;
    }
    assert!(nodes.is_clean().await);
}

/// The negative control: without a guard, one of two nodes overwrites what the other has done.
async fn without_a_guard(url: String) {
    let mut nodes = Nodes::start(url, Guard::None, 1).await;
    drop_claims_key(&nodes.own.store).await.expect("the key is dropped");
    let (_, told) = nodes.play(Scenario::SellOut).await;
    let mut sold_twice = sum(&told, "seats paid").saturating_sub(500);
    let mut lost = 0;
    // Chance decides; it has not taken more than one round yet.
    for _ in 0..20 {
        let (_, told) = nodes.play(Scenario::OneSeat).await;
        sold_twice += sum(&told, "held") - 1;
        lost += lost_charges(&mut nodes).await;
        if sold_twice > 0 && lost > 0 {
            break;
        }
    }
    assert!(sold_twice > 0, "no seat was sold twice although nothing guarded them");
    assert!(lost > 0, "no charge was lost although nothing guarded the wallet");
    assert!(!nodes.is_clean().await, "the audit did not see it");
}

/// All tests on the databases that `$server` makes.
macro_rules! suite {
    ($server:path) => {
        use onsale_engine::ports::Guard;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn pessimistic_batched() {
            crate::race_suite($server().fresh_database().await, Guard::Pessimistic, 1_024).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn pessimistic_one_by_one() {
            crate::race_suite($server().fresh_database().await, Guard::Pessimistic, 1).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn optimistic_batched() {
            crate::race_suite($server().fresh_database().await, Guard::Optimistic, 1_024).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn optimistic_one_by_one() {
            crate::race_suite($server().fresh_database().await, Guard::Optimistic, 1).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn each_guard_alone_prevents_overselling() {
            for guard in [Guard::Pessimistic, Guard::Optimistic] {
                crate::without_the_claims_key($server().fresh_database().await, guard).await;
            }
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn without_a_guard_seats_are_sold_twice_and_money_is_lost() {
            crate::without_a_guard($server().fresh_database().await).await;
        }
    };
}

mod postgres {
    suite!(onsale_testbed::postgres);
}

mod mariadb {
    suite!(onsale_testbed::mariadb);
}

/// Locks in Redis around what the versions guard.
mod redis {
    use std::{sync::Arc, time::Duration};

    use onsale_engine::ports::Guard;
    use onsale_testbed::RedisServer;

    use crate::Nodes;

    async fn race(url: String, batch_max: usize) {
        let redis = tokio::task::spawn_blocking(onsale_testbed::redis).await.expect("Redis starts");
        crate::race(Nodes::start_sharing(url, Guard::Distributed, batch_max, Some(redis)).await).await;
    }

    /// Redis dies and comes back, empty, again and again while both nodes sell.
    async fn race_while_redis_fails(url: String) {
        let redis = Arc::new(tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts"));
        let nodes = Nodes::start_sharing(url, Guard::Distributed, 16, Some(&redis.url())).await;
        let failing = tokio::spawn(async move {
            loop {
                let server = redis.clone();
                let failed = tokio::task::spawn_blocking(move || {
                    server.kill();
                    std::thread::sleep(Duration::from_millis(300));
                    server.start();
                    std::thread::sleep(Duration::from_millis(300));
                    server.freeze();
                    std::thread::sleep(Duration::from_millis(300));
                    server.thaw();
                });
                failed.await.expect("the server obeys");
            }
        });
        crate::race(nodes).await;
        failing.abort();
    }

    mod postgres {
        use onsale_testbed::postgres;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn distributed_batched() {
            super::race(postgres().fresh_database().await, 1_024).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn distributed_one_by_one() {
            super::race(postgres().fresh_database().await, 1).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn distributed_while_redis_fails() {
            super::race_while_redis_fails(postgres().fresh_database().await).await;
        }
    }

    mod mariadb {
        use onsale_testbed::mariadb;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn distributed_batched() {
            super::race(mariadb().fresh_database().await, 1_024).await;
        }
    }
}
