//! Nodes die, Redis forgets, dies, freezes or is cut off: no place is lost, no number is given
//! twice, nobody is let in who should not be, and it goes on by itself.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use onsale_contract::coordination::fixture::{Journal, OPENING, TICK_MS, account, refusal, settings};
use onsale_coordination::{Breaker, RedisCoordination, RedisOptions};
use onsale_domain::{
    ids::RoomId,
    line::{Mode, Pass, Refusal, RoomChange, RoomRecord, RoomSettings, Schedule, Standing, Ticket},
};
use onsale_engine::{
    clock::ManualClock,
    ports::{Admits, Coordination as _, CoordinationError, Holder},
};
use onsale_testbed::{RedisServer, Relay};
use tokio::time::{Instant, sleep};

use super::unused_prefix;

const ROOM: RoomId = RoomId(7);

/// How long anything may take to be as it should again.
const LIVENESS: Duration = Duration::from_secs(60);

/// A room, its nodes, and a Redis of its own.
struct World {
    redis: Arc<RedisServer>,
    options: RedisOptions,
    journal: Arc<Journal>,
    clock: Arc<ManualClock>,
    record: RoomRecord,
}

type Node = Arc<RedisCoordination>;

impl World {
    async fn new(mode: Mode) -> Self {
        let redis = tokio::task::spawn_blocking(RedisServer::new).await.expect("Redis starts");
        let journal = Arc::new(Journal::default());
        // The clock runs faster than the clients: no pass may run out under them.
        let patient = RoomSettings { pass_ms: 86_400_000, ..settings(mode) };
        let record = RoomRecord::new(patient, Schedule::default(), [3; 32]);
        journal.set(record.clone());
        Self {
            redis: Arc::new(redis),
            options: RedisOptions { prefix: unused_prefix(), ..RedisOptions::default() },
            journal,
            clock: Arc::new(ManualClock::new(OPENING)),
            record,
        }
    }

    async fn node(&self) -> Node {
        self.node_at(&self.redis.url()).await
    }

    async fn node_at(&self, url: &str) -> Node {
        // Each node finds out by itself whether Redis answers it.
        let options = RedisOptions { breaker: Breaker::default(), ..self.options.clone() };
        let node = RedisCoordination::start(url, options, self.journal.node(), self.clock.clone());
        let node = Arc::new(node.expect("the URL is understood"));
        node.add_room(ROOM, Admits::Accounts, self.record.clone()).await.expect("it is new");
        node
    }

    async fn nodes(&self, count: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(self.node().await);
        }
        nodes
    }

    async fn with_redis(&self, act: impl FnOnce(&RedisServer) + Send + 'static) {
        let redis = self.redis.clone();
        tokio::task::spawn_blocking(move || act(&redis)).await.expect("the server obeys");
    }

    /// Lets the room go on; how many were called.
    async fn tick(&self, nodes: &[Node]) -> usize {
        self.clock.advance_ms(TICK_MS);
        let mut called = 0;
        for node in nodes {
            called += node.advance(ROOM).await.map_or(0, |tick| tick.called.len());
        }
        called
    }
}

/// Does something as often as it takes, while it is only not possible just now.
macro_rules! insist {
    ($act:expr) => {{
        let since = Instant::now();
        loop {
            match $act.await {
                Err(CoordinationError::Unavailable(error)) => {
                    assert!(since.elapsed() < LIVENESS, "{error}");
                    sleep(Duration::from_millis(20)).await;
                }
                done => break refusal(done),
            }
        }
    }};
}

async fn join(node: &Node, number: i64) -> Holder {
    let ticket = insist!(node.join(ROOM, account(number))).expect("the room is open");
    Holder::new(ticket, account(number))
}

async fn enter(node: &Node, holder: Holder) -> Result<Pass, Refusal> {
    insist!(node.enter(ROOM, holder))
}

async fn run_by(nodes: &[Node]) -> usize {
    let since = Instant::now();
    loop {
        if let Some(runner) = nodes.iter().position(|node| node.runs(ROOM)) {
            return runner;
        }
        assert!(since.elapsed() < LIVENESS, "nobody runs the room");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Ten are inside, one has paid and one has left, and two more have been called for them.
async fn a_sale_under_way(world: &World, nodes: &[Node]) -> (Vec<Holder>, Vec<Pass>) {
    nodes[0].change(ROOM, RoomChange::Open).await.expect("it can be opened");
    let mut crowd = Vec::new();
    for number in 0..40 {
        crowd.push(join(&nodes[number as usize % nodes.len()], number).await);
    }
    world.tick(nodes).await;
    let mut passes = Vec::new();
    for (index, holder) in crowd[..10].iter().enumerate() {
        passes.push(enter(&nodes[index % nodes.len()], *holder).await.expect("it is their turn"));
    }
    nodes[1].use_up(ROOM, crowd[0]).await.expect("it is inside");
    nodes[2].leave(ROOM, crowd[1]).await.expect("it is inside");
    assert_eq!(world.tick(nodes).await, 2);
    (crowd, passes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_node_dies_another_goes_on_exactly_where_it_was() {
    let world = World::new(Mode::BankWindow { inside_max: 10 }).await;
    let mut nodes = world.nodes(3).await;
    let (crowd, passes) = a_sale_under_way(&world, &nodes).await;
    let numbers = world.journal.last().numbers;
    let runner = run_by(&nodes).await;
    drop(nodes.remove(runner));
    run_by(&nodes).await;

    assert_eq!(world.tick(&nodes).await, 0, "ten are inside or called");
    for (holder, pass) in crowd.iter().zip(&passes).skip(2) {
        let known = insist!(nodes[0].pass(ROOM, *holder));
        assert_eq!(known, Ok(*pass), "a pass is known without being shown");
    }
    for (holder, pass) in crowd.iter().zip(&passes).take(2) {
        let replayed = insist!(nodes[1].resume(ROOM, *holder, pass.until));
        assert_eq!(replayed, Err(Refusal::Over), "what was used up stays so");
    }
    for (number, holder) in crowd.iter().enumerate().skip(2) {
        assert_eq!(join(&nodes[number % 2], number as i64).await, *holder, "one place an account");
    }
    assert!(enter(&nodes[0], crowd[10]).await.is_ok(), "who was called still is");
    insist!(nodes[0].leave(ROOM, crowd[5])).expect("it is inside");
    for holder in &crowd[12..] {
        insist!(nodes[1].ask(ROOM, *holder)).expect("the number is known");
    }
    assert_eq!(world.tick(&nodes).await, 1);
    let new = join(&nodes[1], 1_000).await;
    assert!(new.ticket.0 >= numbers, "no number is given twice: {new:?}");
}

/// A node dies and Redis forgets everything; whether what was used up may be shown again.
async fn node_and_redis_are_gone(forgets_log: bool) -> Result<Pass, Refusal> {
    let world = World::new(Mode::BankWindow { inside_max: 10 }).await;
    let mut nodes = world.nodes(3).await;
    let (crowd, passes) = a_sale_under_way(&world, &nodes).await;
    let runner = run_by(&nodes).await;
    drop(nodes.remove(runner));
    if forgets_log {
        world.journal.forget_log();
    }
    world.with_redis(RedisServer::flush).await;
    run_by(&nodes).await;
    let known = insist!(nodes[0].pass(ROOM, crowd[5]));
    let expected = if forgets_log { Err(Refusal::NotYourTurn) } else { Ok(passes[5]) };
    assert_eq!(known, expected, "without the log a pass must be shown");
    let replayed = insist!(nodes[0].resume(ROOM, crowd[0], passes[0].until));
    for holder in &crowd[12..] {
        insist!(nodes[0].ask(ROOM, *holder)).expect("the number is known");
    }
    // Eight are inside; those two who had been called are called again when they ask.
    assert_eq!(world.tick(&nodes).await, if forgets_log { 0 } else { 2 }, "the window is not overfilled");
    replayed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_node_and_redis_are_gone_what_was_used_up_stays_so() {
    assert_eq!(node_and_redis_are_gone(false).await, Err(Refusal::Over));
}

/// The negative control: without the log, too, it is good once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_copy_and_log_the_next_node_forgets_what_was_used_up() {
    assert!(node_and_redis_are_gone(true).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_hands_its_rooms_over() {
    let world = World::new(Mode::BankWindow { inside_max: 10 }).await;
    let mut nodes = world.nodes(3).await;
    let (crowd, passes) = a_sale_under_way(&world, &nodes).await;
    let stopping = nodes.remove(run_by(&nodes).await);
    stopping.retire().await;
    let runner = run_by(&nodes).await;
    assert!(matches!(stopping.document(ROOM).await, Err(CoordinationError::NoSuchRoom(_))));
    assert_eq!(insist!(nodes[1 - runner].pass(ROOM, crowd[5])), Ok(passes[5]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_is_told_again() {
    let world = World::new(Mode::BankWindow { inside_max: 10 }).await;
    let mut nodes = world.nodes(3).await;
    let (mut crowd, passes) = a_sale_under_way(&world, &nodes).await;
    for round in 0..10 {
        world.with_redis(RedisServer::flush).await;
        crowd.push(join(&nodes[round % 3], 1_000 + round as i64).await);
        let known = insist!(nodes[(round + 1) % 3].pass(ROOM, crowd[5]));
        assert_eq!(known, Ok(passes[5]));
    }
    let tickets: HashSet<Ticket> = crowd.iter().map(|holder| holder.ticket).collect();
    assert_eq!(tickets, (0..50).map(Ticket).collect(), "no number is lost or given twice");
    // What was told again is all: a node that knows nothing else goes on from it.
    drop(nodes.remove(run_by(&nodes).await));
    run_by(&nodes).await;
    let replayed = insist!(nodes[1].resume(ROOM, crowd[0], passes[0].until));
    assert_eq!(replayed, Err(Refusal::Over));
    assert_eq!(join(&nodes[0], 1_003).await, crowd[43]);
    assert_eq!(world.tick(&nodes).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_nobody_is_answered_and_then_it_goes_on() {
    let world = World::new(Mode::BankWindow { inside_max: 10 }).await;
    let nodes = world.nodes(3).await;
    let (crowd, passes) = a_sale_under_way(&world, &nodes).await;
    for (frozen, number) in [(false, 2_000), (true, 2_001)] {
        world.with_redis(if frozen { RedisServer::freeze } else { RedisServer::kill }).await;
        for node in &nodes {
            let since = Instant::now();
            let joined = node.join(ROOM, account(number)).await;
            assert!(matches!(joined, Err(CoordinationError::Unavailable(_))), "{joined:?}");
            let entered = node.enter(ROOM, crowd[if frozen { 10 } else { 11 }]).await;
            assert!(matches!(entered, Err(CoordinationError::Unavailable(_))), "{entered:?}");
            assert!(since.elapsed() < LIVENESS / 4, "nobody waits for long");
        }
        world.with_redis(if frozen { RedisServer::thaw } else { RedisServer::start }).await;
        assert_eq!(insist!(nodes[0].pass(ROOM, crowd[5])), Ok(passes[5]));
        let replayed = insist!(nodes[1].resume(ROOM, crowd[0], passes[0].until));
        assert_eq!(replayed, Err(Refusal::Over), "nothing was forgotten");
    }
    for number in [2_000, 2_001] {
        let joined = join(&nodes[2], number).await;
        assert_eq!(joined.ticket.0, number as u32 - 1_960, "what was not answered was done once");
        assert_eq!(join(&nodes[1], number).await, joined);
    }
}

/// A node that runs a room is cut off; another takes it; the first comes back. What both then say.
async fn a_node_that_was_replaced_comes_back(fenced: bool) -> Result<Pass, Refusal> {
    let mut world = World::new(Mode::BankWindow { inside_max: 1 }).await;
    world.options.fenced = fenced;
    let relay = Relay::start(world.redis.address()).await;
    let first = world.node_at(&format!("redis://{}", relay.address())).await;
    let second = world.node().await;
    let nodes = [first.clone(), second.clone()];
    assert!(first.runs(ROOM));
    first.change(ROOM, RoomChange::Open).await.expect("it can be opened");
    let (called, waiting) = (join(&first, 1).await, join(&second, 2).await);
    assert!(matches!(first.ask(ROOM, called).await, Ok(Standing::Called { .. })));

    relay.hold();
    let cut_off = first.enter(ROOM, called).await;
    assert!(matches!(cut_off, Err(CoordinationError::Unavailable(_))), "{cut_off:?}");
    assert_eq!(run_by(&nodes[1..]).await, 0, "the other one takes the room");
    insist!(second.leave(ROOM, called)).expect("it was called");
    world.clock.advance_ms(TICK_MS);
    // After a crash those who wait are called as they ask.
    insist!(second.ask(ROOM, waiting)).expect("it waits");
    second.advance(ROOM).await.expect("the room goes on");
    assert!(enter(&second, waiting).await.is_ok(), "the only one inside");

    relay.forward();
    enter(&first, called).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_replaced_lets_nobody_in() {
    assert_eq!(a_node_that_was_replaced_comes_back(true).await, Err(Refusal::Over));
}

/// The negative control: without the fence two are inside a window for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_fence_a_node_that_was_replaced_overfills_the_window() {
    assert!(a_node_that_was_replaced_comes_back(false).await.is_ok());
}

async fn node(nodes: &tokio::sync::RwLock<Vec<Node>>, client: i64) -> Node {
    nodes.read().await[client as usize % 3].clone()
}

const CLIENTS: i64 = 60;
const INSIDE_MAX: u32 = 8;
const ROUNDS: usize = 4;

/// Clients on three nodes join, wait, enter and pay while Redis is flushed, killed and frozen, and a
/// node is killed and replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_faults_overfills_nothing_and_loses_nobody() {
    let world = Arc::new(World::new(Mode::BankWindow { inside_max: INSIDE_MAX }).await);
    let nodes = Arc::new(tokio::sync::RwLock::new(world.nodes(3).await));
    nodes.read().await[0].change(ROOM, RoomChange::Open).await.expect("it can be opened");
    let (inside, most, entries) =
        (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)), Arc::new(AtomicU32::new(0)));
    let done = Arc::new(AtomicBool::new(false));
    let ticking = tokio::spawn({
        let (world, nodes, done) = (world.clone(), nodes.clone(), done.clone());
        async move {
            while !done.load(Ordering::SeqCst) {
                let nodes = nodes.read().await.clone();
                world.tick(&nodes).await;
                sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (nodes, inside, most, entries) =
                (nodes.clone(), inside.clone(), most.clone(), entries.clone());
            tokio::spawn(async move {
                let mut tickets = Vec::new();
                for _ in 0..ROUNDS {
                    let ticket = insist!(node(&nodes, client).await.join(ROOM, account(client)));
                    let holder = Holder::new(ticket.expect("open"), account(client));
                    tickets.push(holder.ticket);
                    while insist!(node(&nodes, client).await.enter(ROOM, holder)).is_err() {
                        sleep(Duration::from_millis(10)).await;
                    }
                    entries.fetch_add(1, Ordering::SeqCst);
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sleep(Duration::from_millis(30)).await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    // Refused if it was done and not answered.
                    let _ = insist!(node(&nodes, client).await.use_up(ROOM, holder));
                }
                tickets
            })
        })
        .collect();

    world.with_redis(RedisServer::flush).await;
    sleep(Duration::from_millis(300)).await;
    world.with_redis(RedisServer::kill).await;
    sleep(Duration::from_millis(300)).await;
    world.with_redis(RedisServer::start).await;
    sleep(Duration::from_millis(1_500)).await;
    {
        let replacement = world.node().await;
        let mut nodes = nodes.write().await;
        let runner = nodes.iter().position(|node| node.runs(ROOM)).unwrap_or_default();
        nodes[runner] = replacement;
    }
    sleep(Duration::from_millis(3_000)).await;
    world.with_redis(RedisServer::freeze).await;
    sleep(Duration::from_millis(2_500)).await;
    world.with_redis(RedisServer::thaw).await;

    let mut tickets = HashSet::new();
    for client in clients {
        for ticket in client.await.expect("no client panics") {
            assert!(tickets.insert(ticket), "{ticket} was given twice");
        }
    }
    done.store(true, Ordering::SeqCst);
    ticking.await.expect("the ticks do not panic");
    let most = most.load(Ordering::SeqCst);
    assert!(most <= i64::from(INSIDE_MAX), "{most} were inside");
    assert_eq!(entries.load(Ordering::SeqCst) as usize, CLIENTS as usize * ROUNDS);
}
