//! The sale: prepared, run, and checked.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use onsale_testbed::{PostgresServer, RedisServer};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use super::{
    buyer::{Buyer, Stage},
    faults::{self, Parts},
    ledger::{Account, POINTS, PRICE, text},
    report,
    timeline::{Seen, Timeline},
};
use crate::{
    client::{Caller, With},
    node::Node,
    proxy,
};

/// Any key that all nodes share.
const SIGNING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PASSWORD: &str = "correct horse";
/// Accounts made at once.
const AT_ONCE: usize = 16;

/// How large, how fast, how long.
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) buyers: usize,
    /// How many seats there are, and as many units of an item.
    pub(super) seats: usize,
    /// How many come to the sale a second: let in by the waiting room, or at their own pace.
    pub(super) arrivals_per_second: u32,
    /// Whether there is a waiting room, which all of them join within the first seconds.
    pub(super) room: bool,
    pub(super) hold_seconds: i64,
    pub(super) drain_seconds: u64,
    pub(super) fault_every: Duration,
    /// The longest that nobody may get a seat from a fault on, or from its end if nothing can be sold
    /// while it lasts.
    pub(super) pause_max: Duration,
}

impl Plan {
    /// When a buyer comes.
    fn arrives(&self, number: usize) -> Duration {
        let number = u32::try_from(number).expect("few");
        let a_second = if self.room { self.arrivals_per_second * 10 } else { self.arrivals_per_second };
        Duration::from_secs(1) * number / a_second
    }
}

/// Runs it and checks everything that was promised; writes the report.
pub(super) async fn run(plan: &Plan) {
    let folder = folder(plan);
    let database = Arc::new(spawn_blocking(PostgresServer::new).await.expect("a PostgreSQL server"));
    let name = database.create_database();
    let redis = Arc::new(spawn_blocking(RedisServer::new).await.expect("a Redis server"));
    let nodes = nodes(plan, &folder, &database.url(&name), &redis.url());
    let parts = Parts { nodes, database, redis };
    parts.nodes.iter().for_each(Node::start);
    for node in &parts.nodes {
        node.ready().await;
    }
    let proxy = proxy::deployed(parts.nodes.each_ref().map(Node::address)).await;
    let calls = Caller::new(proxy.address());
    let (performance, item, seats) = prepare(plan, &parts.nodes).await;
    let mut accounts = accounts(plan.buyers + 1, &calls).await;
    let orphan = accounts.pop().expect("there is one more");

    let stage = Arc::new(Stage { performance, item, room: plan.room, seats, timeline: Timeline::begin() });
    let mut orphan = Buyer::new(plan.buyers, orphan, stage.clone(), calls.clone());
    orphan.wait_in_line().await;
    let mut buyers = JoinSet::new();
    for (number, account) in accounts.into_iter().enumerate() {
        let buyer = Buyer::new(number, account, stage.clone(), calls.clone());
        buyers.spawn(buyer.buy(plan.arrives(number)));
    }
    faults::inject(plan, &parts, &stage, &mut orphan).await;
    let mut accounts = buyers.join_all().await;
    let ended = stage.timeline.now();

    accounts.push(orphan.account);
    let sold: usize = accounts.iter().map(Account::seats).sum();
    let units: usize = accounts.iter().map(Account::units).sum();
    let somebody = accounts.iter().find(|account| account.seats() > 0).expect("somebody has paid").clone();
    let wrong = check_accounts(accounts, &calls).await;
    let overdue = wait_for_no_overdue(&parts.database, &name).await;
    let (clean, audit) = audit(&parts.nodes[0]);
    let report = report::write(plan, &folder, &stage.timeline, ended, [sold, units], &audit);
    println!("{report}\nThe report is in {}", folder.display());

    assert!(wrong.is_empty(), "{} answers are not so: {wrong:#?}", wrong.len());
    assert_eq!((sold, units), (plan.seats, plan.seats), "exactly all seats and units are sold");
    assert!(clean, "the audit: {audit}");
    assert_eq!(overdue, "0", "holds past their deadline that nobody has finished");
    check_timeline(plan, &stage.timeline);
    losses_would_be_noticed(&somebody, &parts, &name, &calls).await;
}

/// Whether the audit found everything in order, and what it said.
fn audit(node: &Node) -> (bool, String) {
    let audit = node.command().arg("audit").output().expect("the audit runs");
    (audit.status.success(), String::from_utf8_lossy(&audit.stdout).into_owned())
}

/// The control of the checks: one payment is taken away again.
async fn losses_would_be_noticed(somebody: &Account, parts: &Parts, database: &str, calls: &Caller) {
    let order = somebody.paid_order().expect("they have paid");
    parts.database.query(database, &format!("UPDATE orders SET status = 2 WHERE id = '{order}'"));
    let wrong = somebody.check(calls).await;
    assert_eq!(wrong.len(), 1, "an answer that was lost is not noticed: {wrong:?}");
    assert!(!audit(&parts.nodes[0]).0, "a sold seat without a paid order is not noticed");
}

/// Where the report and the nodes' logs are; what was there before is removed.
fn folder(plan: &Plan) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleet").join(plan.name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the report");
    folder
}

fn nodes(plan: &Plan, folder: &Path, database: &str, redis: &str) -> [Node; 3] {
    let drain = plan.drain_seconds.to_string();
    let settings = [
        ("ONSALE_DATABASE_URL", database),
        ("ONSALE_COORDINATION_URL", redis),
        ("ONSALE_ACCOUNTS_SIGNING_KEY", SIGNING_KEY),
        ("ONSALE_SERVER_DRAIN_SECONDS", &drain),
    ];
    std::array::from_fn(|index| Node::new(folder, &format!("node{}", index + 1), &settings))
}

/// A performance whose seats all cost the same, and an item; their ids, and the seats by ordinal.
async fn prepare(plan: &Plan, nodes: &[Node; 3]) -> (Value, Value, Vec<i64>) {
    // Other nodes learn of it a moment later.
    let calls = &Caller::new(nodes[0].address());
    let mut add = nodes[0]
        .command()
        .args(["user", "add", "admin@example.org", "--role", "admin", "--password-stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("an account can be added beside running nodes");
    add.stdin.take().expect("its input is ours").write_all(PASSWORD.as_bytes()).expect("it reads it");
    assert!(add.wait().expect("it ends").success());
    let admin = log_in("admin@example.org", calls).await;
    let add = async |path: &str, body: Value| {
        let with = With { login: Some(&admin), ..With::default() };
        let answer = calls.post(&format!("/api/v1/admin/{path}"), with, &body).await.expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body.get("id").unwrap_or(&answer.body["itemNumber"]).clone()
    };
    let venue = add("venues", json!({"name": "Arena", "timeZone": "UTC"})).await;
    let sections = json!([{"name": "A", "rows": plan.seats / 20, "seatsPerRow": 20}]);
    let hall = add(&format!("venues/{venue}/halls"), json!({"name": "Main", "sections": sections})).await;
    let show = add("shows", json!({"kind": "concert", "title": "Fleet"})).await;
    let performance = json!({
        "showId": show, "hallId": hall,
        "startsAt": "2100-01-01T20:00:00Z", "endsAt": "2100-01-01T22:00:00Z", "onSaleAt": "2020-01-01T00:00:00Z",
        "rules": {"holdSeconds": plan.hold_seconds, "seatsPerBuyerMax": 1, "sideBySide": false},
        "prices": [{"category": "Standard", "grade": "S", "price": PRICE}],
    });
    let performance = add("performances", performance).await;
    let item = json!({"name": "Programme", "content": "Of the night", "price": PRICE, "type": "GENERAL"});
    let item = add("items", json!({"stock": plan.seats, "item": item})).await;
    let seats = calls.get(&format!("/api/v1/performances/{performance}/seats"), With::default()).await;
    let seats = seats.expect("an answer").body;
    if plan.room {
        let mode = json!({"type": "themePark", "admissions": plan.arrivals_per_second, "intervalMs": 1_000});
        let times = json!({"passMs": 120_000});
        let room = json!({"name": "Fleet", "performanceIds": [performance], "mode": mode, "times": times});
        let room = add("rooms", room).await;
        let with = With { login: Some(&admin), ..With::default() };
        let (path, open) = (format!("/api/v1/admin/rooms/{room}"), json!({"phase": "open"}));
        let opened = calls.call(Method::PATCH, &path, with, Some(&open)).await.expect("an answer");
        assert_eq!(opened.status, 200, "{opened:?}");
        for node in nodes {
            wait_until_open(&room, node).await;
        }
    }
    let ids = seats.as_array().expect("a list").iter().map(|seat| seat["seatId"].as_i64().expect("an id"));
    let seats: Vec<i64> = ids.collect();
    assert_eq!(seats.len(), plan.seats);
    (performance, item, seats)
}

async fn wait_until_open(room: &Value, node: &Node) {
    let calls = Caller::new(node.address());
    for _ in 0..300 {
        let document = calls.get(&format!("/api/v1/queue/rooms/{room}"), With::default()).await;
        if document.is_some_and(|document| document.body["phase"] == "open") {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the room is not open at {}:\n{}", node.url(), node.log());
}

async fn log_in(email: &str, calls: &Caller) -> String {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = calls.post("/api/v1/auth/login", With::default(), &body).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.body["accessToken"]).to_owned()
}

/// People with points.
async fn accounts(count: usize, calls: &Caller) -> Vec<Account> {
    let mut making = JoinSet::new();
    let mut accounts = Vec::new();
    for number in 0..count {
        let calls = calls.clone();
        making.spawn(async move {
            let email = format!("buyer{number}@example.org");
            let body = json!({"email": email, "password": PASSWORD, "name": "Mina"});
            let made = calls.post("/api/v1/users", With::default(), &body).await.expect("an answer");
            assert_eq!(made.status, 201, "{made:?}");
            let login = log_in(&email, &calls).await;
            let with = With { login: Some(&login), ..With::default() };
            let charge = json!({"amount": POINTS});
            let charged = calls.post("/api/v1/users/me/points/charge", with, &charge).await;
            assert_eq!(charged.expect("an answer").status, 200);
            Account::new(login)
        });
        if making.len() >= AT_ONCE {
            accounts.push(making.join_next().await.expect("one is under way").expect("nobody panics"));
        }
    }
    accounts.extend(making.join_all().await);
    accounts
}

async fn check_accounts(accounts: Vec<Account>, calls: &Caller) -> Vec<String> {
    let mut checking = JoinSet::new();
    let mut wrong = Vec::new();
    for account in accounts {
        let calls = calls.clone();
        checking.spawn(async move { account.check(&calls).await });
        if checking.len() >= AT_ONCE {
            wrong.extend(checking.join_next().await.expect("one is under way").expect("nobody panics"));
        }
    }
    wrong.extend(checking.join_all().await.into_iter().flatten());
    wrong
}

/// How many holds are past their deadline and still not released, once all had time to be: those of the
/// dead node, too.
async fn wait_for_no_overdue(database: &PostgresServer, name: &str) -> String {
    let held = "SELECT count(*) FROM orders WHERE status = 0";
    let mut overdue = database.query(name, held);
    for _ in 0..300 {
        if overdue == "0" {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        overdue = database.query(name, held);
    }
    overdue
}

fn check_timeline(plan: &Plan, timeline: &Timeline) {
    let not_now = timeline.times(|seen| matches!(seen, Seen::NotNow(_)));
    for fault in timeline.faults() {
        let pause = timeline.pause_after(&fault);
        let pause_max =
            plan.pause_max + if fault.stops_all { fault.over - fault.begun } else { Duration::ZERO };
        assert!(pause <= pause_max, "{}: nobody got a seat for {pause:?}", fault.what);
        if fault.what == faults::POLITE {
            let noticed = not_now.iter().filter(|at| (fault.begun..=fault.over).contains(at)).count();
            assert_eq!(noticed, 0, "a polite restart was noticed");
        }
    }
}
