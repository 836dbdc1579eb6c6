//! The same with events over a real broker, and with the broker gone.

use std::{sync::Arc, time::Duration};

use onsale_testbed::KafkaBroker;
use reqwest::Client;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    Buyer, Home, Sale, Server, audit, journal, killed_under_load, new_buyers, prepare, wait_until_ready,
};

/// For how long the broker is gone.
const GONE: Duration = Duration::from_secs(30);

async fn broker() -> Arc<KafkaBroker> {
    Arc::new(tokio::task::spawn_blocking(KafkaBroker::new).await.expect("the broker starts"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_fifty_times_under_load() {
    let broker = broker().await;
    let home = Home { events: Some(broker.url()), ..Home::new(None) };
    killed_under_load(home, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_gone_delays_events_and_nothing_else() {
    let broker = broker().await;
    let home = Home { events: Some(broker.url()), ..Home::new(None) };
    let server = Server::start(&home);
    let client = Client::new();
    wait_until_ready(&client, &server.url).await;
    let mut sale = prepare(&client, &server, &home).await;
    let mut buyers = new_buyers(&client, &server.url, &mut sale, 0).await;
    round(&client, &server.url, &sale, &mut buyers).await;
    while journal::told_of_orders(&home).len() < 2 * buyers.len() {
        sleep(Duration::from_millis(100)).await;
    }

    let stopped = broker.clone();
    tokio::task::spawn_blocking(move || stopped.kill()).await.expect("the broker ends");
    let told_before = journal::told_of_orders(&home).len();
    let until = Instant::now() + GONE;
    while Instant::now() < until {
        // Fails if an order does.
        round(&client, &server.url, &sale, &mut buyers).await;
        sleep(Duration::from_millis(200)).await;
    }
    // The control: it was really gone, and the backlog is reported.
    assert_eq!(journal::told_of_orders(&home).len(), told_before, "events came without a broker");
    let backlog = metric(&client, &server.url, "onsale_events_backlog_rows").await;
    assert!(backlog > 0.0, "nothing is reported to wait");

    let restarted = broker.clone();
    tokio::task::spawn_blocking(move || restarted.start()).await.expect("the broker starts");
    let mut orders = Vec::new();
    for buyer in &buyers {
        orders.extend(buyer.check(&client, &server.url).await);
    }
    assert!(orders.len() > 10 * buyers.len(), "too little happened to prove anything");
    journal::wait_and_check(&home, &orders).await;
    // It is measured every two seconds.
    sleep(Duration::from_secs(5)).await;
    assert!(metric(&client, &server.url, "onsale_events_backlog_rows").await < 1.0, "the backlog stays");
    audit(&home);
}

/// Every buyer holds a seat and pays for it.
async fn round(client: &Client, url: &str, sale: &Sale, buyers: &mut [Buyer]) {
    for buyer in buyers {
        let Some(seat) = buyer.seats.pop() else { return };
        let hold = json!({"performanceId": sale.performance, "seatIds": [seat]});
        let order = buyer.send(client, url, "reservations", hold).await.expect("an answer");
        let pay = json!({"reservationId": order["reservationId"]});
        buyer.send(client, url, "payments", pay).await.expect("an answer");
    }
}

async fn metric(client: &Client, url: &str, name: &str) -> f64 {
    let text = client.get(format!("{url}/metrics")).send().await.expect("an answer").text().await;
    let text = text.expect("metrics are a text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
    line.trim().parse().expect("a number")
}
