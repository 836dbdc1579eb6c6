//! What operators look at: a real Prometheus with the deployed rules, the dashboard's expressions, and
//! `onsale top`.

use std::time::Duration;

use onsale_testbed::Prometheus;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use crate::{
    client::{Caller, With},
    node::Node,
    proxy,
};

const CONFIGURATION: &str = include_str!("../../../../../deploy/prometheus/prometheus.yml");
const ALERTS: &str = include_str!("../../../../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../../../deploy/grafana/onsale.json");

/// Panels that stay empty where there is nothing of the kind.
const NEEDS_REPLICAS: &str = "onsale_replica_";

/// A node with the demo's data.
async fn demo(folder: &tempfile::TempDir) -> Node {
    let node = Node::new(folder.path(), "demo", &[]).with_arguments(&["--demo"]);
    node.start();
    node.ready().await;
    node
}

/// Buys a seat, is refused one, and waits in the demo's waiting room. Returns the access token.
async fn shop(calls: &Caller) -> String {
    let log_in = json!({"email": "buyer1@demo.example", "password": "demo-buyer"});
    let answer = calls.post("/api/v1/auth/login", With::default(), &log_in).await.expect("an answer");
    let login = answer.body["accessToken"].as_str().expect("a token").to_owned();
    let with = With { login: Some(&login), ..With::default() };
    let mut performances = (1..).map(|id| json!(id));
    let (performance, seat) = loop {
        let id = performances.next().expect("there are enough");
        let path = format!("/api/v1/performances/{id}/seats?status=available");
        let seats = calls.get(&path, With::default()).await.expect("an answer");
        match (seats.status, seats.body[0]["seatId"].as_i64()) {
            (200, Some(seat)) => break (id, seat),
            (404, _) => panic!("nothing is on sale"),
            _ => {}
        }
    };
    let hold = json!({"performanceId": performance, "seatIds": [seat]});
    let held = calls.post("/api/v1/reservations", with, &hold).await.expect("an answer");
    assert_eq!(held.status, 201, "{held:?}");
    let pay = json!({"reservationId": held.body["reservationId"]});
    assert_eq!(calls.post("/api/v1/payments", with, &pay).await.expect("an answer").status, 201);
    assert_eq!(calls.post("/api/v1/reservations", with, &hold).await.expect("an answer").status, 409);
    let join = json!({"roomId": 1});
    assert_eq!(calls.post("/api/v1/queue/tokens", with, &join).await.expect("an answer").status, 201);
    login
}

/// Keeps the pipeline busy while the test runs.
async fn charge_for_ever(calls: Caller, login: String) {
    loop {
        let with = With { login: Some(&login), ..With::default() };
        calls.post("/api/v1/users/me/points/charge", with, &json!({"amount": 1})).await;
        sleep(Duration::from_millis(200)).await;
    }
}

/// What an expression gives now.
async fn ask(prometheus: &str, expression: &str) -> Vec<Value> {
    let url = format!("{prometheus}/api/v1/query");
    let answer = Client::new().get(url).query(&[("query", expression)]).send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    answer["data"]["result"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_shows_something_and_every_alert_can_be_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let node = demo(&folder).await;
    let proxy = proxy::deployed([node.address(); 3]).await;
    let mut configuration = CONFIGURATION.to_owned();
    for (deployed, here) in [
        (r#""onsale1:8080", "onsale2:8080", "onsale3:8080""#, format!("\"{}\"", node.address())),
        (r#""proxy:8405""#, format!("\"{}\"", proxy.metrics_address())),
        ("scrape_interval: 5s", "scrape_interval: 1s".to_owned()),
        ("evaluation_interval: 5s", "evaluation_interval: 1s".to_owned()),
    ] {
        assert!(configuration.contains(deployed), "the configuration has no `{deployed}`");
        configuration = configuration.replace(deployed, &here);
    }
    let start = move || Prometheus::start(&configuration, &[("alerts.yml", ALERTS)]);
    let prometheus = spawn_blocking(start).await.expect("Prometheus starts");
    let url = format!("http://{}", prometheus.address());
    let calls = Caller::new(proxy.address());
    let login = shop(&calls).await;
    let busy = tokio::spawn(charge_for_ever(calls, login));

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let mut expressions = 0;
    let begun = Instant::now();
    for target in panels.flat_map(|panel| panel["targets"].as_array().unwrap()) {
        let expression = target["expr"].as_str().unwrap();
        expressions += 1;
        while ask(&url, expression).await.is_empty() && !expression.contains(NEEDS_REPLICAS) {
            assert!(begun.elapsed() < Duration::from_secs(60), "`{expression}` shows nothing");
            sleep(Duration::from_millis(500)).await;
        }
    }
    assert!(expressions > 30, "{expressions}");
    assert!(ask(&url, "onsale_no_such_metric").await.is_empty(), "the control: a wrong name shows nothing");
    busy.abort();
    let up = ask(&url, "up").await;
    assert!(up.len() == 2 && up.iter().all(|target| target["value"][1] == "1"), "{up:?}");

    let rules: Value = reqwest::get(format!("{url}/api/v1/rules")).await.unwrap().json().await.unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() >= 8);
    for rule in rules {
        assert_eq!((&rule["health"], &rule["state"]), (&json!("ok"), &json!("inactive")), "{rule}");
    }
    // The control: an alert that should, does.
    node.kill();
    let begun = Instant::now();
    while ask(&url, "ALERTS{alertname=\"OnsaleNodeDown\"}").await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is told that the node is down");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fleet_is_shown_in_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let node = demo(&folder).await;
    shop(&Caller::new(node.address())).await;
    let gone = Node::new(folder.path(), "gone", &[]);
    let list = folder.path().join("nodes");
    std::fs::write(&list, format!("# not running\n{}\n", gone.url())).unwrap();

    let mut shown = node.command();
    shown.args(["top", &node.url(), "--once", "--nodes-from", list.to_str().unwrap(), "--every", "2"]);
    let reading = tokio::spawn({
        let url = node.url();
        async move {
            for _ in 0..40 {
                reqwest::get(format!("{url}/api/v1/concerts")).await.expect("an answer");
                sleep(Duration::from_millis(50)).await;
            }
        }
    });
    let shown = spawn_blocking(move || shown.output()).await.unwrap().unwrap();
    reading.await.unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success(), "{text}");
    let line = |start: &str| {
        let line =
            text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}\n{text}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(text.starts_with("2 nodes, 1 ready\n"), "{text}");
    let figures = line(&node.address().to_string());
    assert_eq!(figures[1], "ready");
    assert!(figures[2].parse::<f64>().unwrap() >= 1.0, "requests a second\n{text}");
    assert_eq!(line(&gone.address().to_string())[1], "silent");
    assert_eq!(line("1 ")[1], "open", "the demo's waiting room\n{text}");

    let run = |arguments: &[&str]| node.command().arg("top").args(arguments).output().unwrap();
    assert_eq!(run(&["--once", "--every", "0.1", &gone.url()]).status.code(), Some(1));
    let refused = run(&["--once", "ftp://x"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("http://HOST:PORT"));
    assert_eq!(run(&[&node.url()]).status.code(), Some(2), "not a terminal");
}
