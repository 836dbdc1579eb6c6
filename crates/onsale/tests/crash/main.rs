//! `kill -9` under load: nothing answered is lost, nothing unanswered is done twice, and whoever listens is
//! told each change once.

mod journal;
#[cfg(feature = "kafka")]
mod kafka;

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

const BUYERS: usize = 12;
/// As many as one buyer may have.
const SEATS_PER_BUYER: usize = 100;

/// What all commands of one test share.
struct Home {
    folder: TempDir,
    /// None for the default, a file in the folder.
    database: Option<String>,
    /// None for the default, within the process.
    events: Option<String>,
}

impl Home {
    fn new(database: Option<String>) -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), database, events: None }
    }

    /// The file to which the attached consumer writes what it is told.
    fn journal(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    fn onsale(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onsale"));
        command.arg("--data").arg(self.folder.path());
        if let Some(url) = &self.database {
            command.env("ONSALE_DATABASE_URL", url);
        }
        if let Some(url) = &self.events {
            command.env("ONSALE_EVENTS_URL", url);
        }
        command.env("ONSALE_EVENTS_JOURNAL", self.journal());
        command
    }
}

/// A started server. Dropping it kills it.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(home: &Home) -> Self {
        let mut process = home
            .onsale()
            .args(["serve", "--listen", "127.0.0.1:0"])
            // Each buyer books again and again.
            .env("ONSALE_LIMITS_ENABLED", "false")
            .env("ONSALE_ACCOUNTS_POINTS_FROM", "anyone")
            // Accounts are not what is tested here.
            .env("ONSALE_ACCOUNTS_ARGON2_MEMORY_KIB", "64")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is ours")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("the server says where it listens");
        // Keeps the pipe open and empty for the rest of its life.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One request with its key, and what it was answered.
#[derive(Debug)]
struct Sent {
    path: &'static str,
    key: String,
    body: Value,
    answer: Option<(StatusCode, Value)>,
}

/// A buyer and everything they have sent.
struct Buyer {
    token: String,
    random: StdRng,
    sent: Vec<Sent>,
    /// Seats to try, each once.
    seats: Vec<i64>,
}

/// An order as it stands at the end.
struct Bought {
    id: String,
    paid: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_fifty_times_under_load() {
    let slowest = killed_under_load(Home::new(None), 50).await;
    assert!(slowest < Duration::from_secs(2), "the promise is: ready again within two seconds");
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn killed_fifteen_times_under_load() {
        let url = onsale_testbed::postgres().fresh_database().await;
        super::killed_under_load(super::Home::new(Some(url)), 15).await;
    }
}

mod mariadb {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn killed_fifteen_times_under_load() {
        let url = onsale_testbed::mariadb().fresh_database().await;
        super::killed_under_load(super::Home::new(Some(url)), 15).await;
    }
}

/// Returns how long it took at most until the server was ready again.
#[expect(clippy::disallowed_methods, reason = "measures how long starting takes")]
async fn killed_under_load(home: Home, kills: usize) -> Duration {
    let mut server = Server::start(&home);
    let client = Client::new();
    wait_until_ready(&client, &server.url).await;
    let mut sale = prepare(&client, &server, &home).await;
    let mut random = StdRng::seed_from_u64(50);
    let (mut orders, mut unanswered) = (Vec::new(), 0);
    let mut slowest = Duration::ZERO;

    for cycle in 0..kills {
        let buyers = new_buyers(&client, &server.url, &mut sale, cycle).await;
        let load_ms = random.random_range(20..150);
        let mut buyers = under_load(&client, &server, &sale, buyers, load_ms).await;
        drop(server);
        let started = Instant::now();
        server = Server::start(&home);
        wait_until_ready(&client, &server.url).await;
        slowest = slowest.max(started.elapsed());
        for buyer in &mut buyers {
            unanswered += buyer.sent.iter().filter(|sent| sent.answer.is_none()).count();
            buyer.resolve(&client, &server.url).await;
            orders.extend(buyer.check(&client, &server.url).await);
        }
    }
    let paid = orders.iter().filter(|order| order.paid).count();
    let held = orders.len() - paid;
    println!(
        "{kills} kills: {held} held, {paid} paid, {unanswered} unanswered and resolved; \
         ready again after at most {slowest:?}"
    );
    assert!(held > kills && paid > kills && unanswered > kills, "too little happened to prove anything");
    journal::wait_and_check(&home, &orders).await;
    audit(&home);
    drop(server);
    audit(&home);
    slowest
}

/// A performance with seats for everybody, and nobody yet to buy them.
async fn prepare(client: &Client, server: &Server, home: &Home) -> Sale {
    let admin = add_admin(client, &server.url, home).await;
    let admin = Some(admin.as_str());
    let url = format!("{}/api/v1/admin", server.url);
    let venue =
        created(client, &format!("{url}/venues"), admin, &json!({"name": "Arena", "timeZone": "UTC"})).await;
    let sections = json!([{"name": "Stalls", "rows": 100, "seatsPerRow": 1_000, "category": "Standard"}]);
    let hall = json!({"name": "Main", "sections": sections});
    let hall = created(client, &format!("{url}/venues/{}/halls", venue["id"]), admin, &hall).await;
    let show =
        created(client, &format!("{url}/shows"), admin, &json!({"kind": "concert", "title": "Crash"})).await;
    let performance = json!({
        "showId": show["id"], "hallId": hall["id"],
        "startsAt": "2100-01-01T20:00:00Z", "endsAt": "2100-01-01T22:00:00Z", "onSaleAt": "2020-01-01T00:00:00Z",
        "rules": {"holdSeconds": 86_400, "seatsPerBuyerMax": 100, "sideBySide": false},
        "prices": [{"category": "Standard", "grade": "S", "price": 1_000}],
    });
    let performance =
        created(client, &format!("{url}/performances"), admin, &performance).await["id"].clone();
    let seats: Value =
        get(client, &format!("{}/api/v1/performances/{performance}/seats", server.url), None).await;
    let seats = seats.as_array().expect("seats are a list");
    let mut seats: Vec<i64> = seats.iter().map(|seat| seat["seatId"].as_i64().expect("an id")).collect();
    seats.shuffle(&mut StdRng::seed_from_u64(1));
    Sale { performance, seats }
}

/// A performance and the seats that nobody has tried yet.
struct Sale {
    performance: Value,
    seats: Vec<i64>,
}

async fn add_admin(client: &Client, url: &str, home: &Home) -> String {
    let mut add = home
        .onsale()
        .args(["user", "add", "admin@example.org", "--role", "admin", "--password-stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("an account can be added beside a running server");
    add.stdin.take().expect("its input is ours").write_all(b"correct horse").expect("it reads the password");
    assert!(add.wait().expect("it ends").success());
    log_in(client, url, "admin@example.org").await
}

async fn log_in(client: &Client, url: &str, email: &str) -> String {
    let login = json!({"email": email, "password": "correct horse"});
    let (status, tokens) =
        post(client, &format!("{url}/api/v1/auth/login"), None, None, &login).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{tokens}");
    tokens["accessToken"].as_str().expect("a token").to_owned()
}

/// New buyers with points and seats to try.
async fn new_buyers(client: &Client, url: &str, sale: &mut Sale, cycle: usize) -> Vec<Buyer> {
    let mut buyers = Vec::new();
    for index in 0..BUYERS {
        let email = format!("buyer-{cycle}-{index}@example.org");
        let account = json!({"email": email, "password": "correct horse", "name": "Buyer"});
        let (status, answer) =
            post(client, &format!("{url}/api/v1/users"), None, None, &account).await.expect("an answer");
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let token = log_in(client, url, &email).await;
        let charge = format!("{url}/api/v1/users/me/points/charge");
        let (status, answer) = post(client, &charge, Some(&token), None, &json!({"amount": 1_000_000}))
            .await
            .expect("an answer");
        assert!(status.is_success(), "{answer}");
        let left = sale.seats.len() - SEATS_PER_BUYER;
        let seats = sale.seats.split_off(left);
        let random = StdRng::seed_from_u64((cycle * BUYERS + index) as u64);
        buyers.push(Buyer { token, random, sent: Vec::new(), seats });
    }
    buyers
}

/// Lets all buyers loose, kills the server in the middle, and waits until all have noticed.
async fn under_load(
    client: &Client,
    server: &Server,
    sale: &Sale,
    buyers: Vec<Buyer>,
    load_ms: u64,
) -> Vec<Buyer> {
    let tasks: Vec<_> = buyers
        .into_iter()
        .map(|buyer| tokio::spawn(shop(client.clone(), server.url.clone(), sale.performance.clone(), buyer)))
        .collect();
    tokio::time::sleep(Duration::from_millis(load_ms)).await;
    let killed = Command::new("kill").args(["-9", &server.process.id().to_string()]).status();
    assert!(killed.expect("kill can be run").success());
    let mut buyers = Vec::new();
    for task in tasks {
        buyers.push(task.await.expect("no buyer panics"));
    }
    buyers
}

/// Holds seats and pays for about half of them until the server is gone.
async fn shop(client: Client, url: String, performance: Value, mut buyer: Buyer) -> Buyer {
    while let Some(seat) = buyer.seats.pop() {
        let hold = json!({"performanceId": performance, "seatIds": [seat]});
        let Some(order) = buyer.send(&client, &url, "reservations", hold).await else { break };
        if buyer.random.random_bool(0.5) {
            let pay = json!({"reservationId": order["reservationId"]});
            if buyer.send(&client, &url, "payments", pay).await.is_none() {
                break;
            }
        }
    }
    buyer
}

impl Buyer {
    /// Sends a request and notes the answer. None if the server is gone.
    async fn send(&mut self, client: &Client, url: &str, path: &'static str, body: Value) -> Option<Value> {
        let key = format!("{path}-{}", self.sent.len());
        let answer =
            post(client, &format!("{url}/api/v1/{path}"), Some(&self.token), Some(&key), &body).await;
        self.sent.push(Sent { path, key, body, answer: answer.clone() });
        let (status, answer) = answer?;
        assert_eq!(status, StatusCode::CREATED, "nobody else wants these seats: {answer}");
        Some(answer)
    }

    /// Sends again what was not answered: now it is. Sends again what was: the answer is the same.
    async fn resolve(&mut self, client: &Client, url: &str) {
        for sent in &mut self.sent {
            let target = format!("{url}/api/v1/{}", sent.path);
            let (status, answer) = post(client, &target, Some(&self.token), Some(&sent.key), &sent.body)
                .await
                .expect("it is up again");
            assert_eq!(status, StatusCode::CREATED, "{} was lost: {answer}", sent.key);
            if let Some((_, first)) = &sent.answer {
                assert_eq!(&answer, first, "the same request had another answer");
            }
            sent.answer = Some((status, answer));
        }
    }

    /// The orders that the server says this buyer has; they must be those it promised.
    async fn check(&self, client: &Client, url: &str) -> Vec<Bought> {
        let page: Value =
            get(client, &format!("{url}/api/v1/reservations?size=100"), Some(&self.token)).await;
        let orders = page["reservations"].as_array().expect("reservations are a list");
        let promised = |path: &str| self.sent.iter().filter(|sent| sent.path == path).count();
        let paid = orders.iter().filter(|order| order["status"] == "paid").count();
        assert_eq!((orders.len(), paid), (promised("reservations"), promised("payments")));
        let bought = orders.iter().map(|order| Bought {
            id: order["reservationId"].as_str().expect("an id").to_owned(),
            paid: order["status"] == "paid",
        });
        bought.collect()
    }
}

async fn wait_until_ready(client: &Client, url: &str) {
    for _ in 0..1_000 {
        if client.get(format!("{url}/readyz")).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server is not ready after ten seconds");
}

fn audit(home: &Home) {
    let output = home.onsale().arg("audit").output();
    let output = output.expect("the audit runs");
    assert!(output.status.success(), "the audit found:\n{}", String::from_utf8_lossy(&output.stdout));
}

async fn get(client: &Client, url: &str, token: Option<&str>) -> Value {
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.json().await.expect("JSON")
}

async fn created(client: &Client, url: &str, token: Option<&str>, body: &Value) -> Value {
    let (status, answer) = post(client, url, token, None, body).await.expect("an answer");
    assert_eq!(status, StatusCode::CREATED, "{url}: {answer}");
    answer
}

/// None if the connection broke before the whole answer was there.
async fn post(
    client: &Client,
    url: &str,
    token: Option<&str>,
    key: Option<&str>,
    body: &Value,
) -> Option<(StatusCode, Value)> {
    let mut request = client.post(url).json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let answer = request.send().await.ok()?;
    let status = answer.status();
    Some((status, answer.json().await.ok()?))
}
