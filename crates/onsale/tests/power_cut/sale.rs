//! A sale on a machine that is about to lose its power.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::shim::Machine;

const BUYERS: usize = 8;
const SEATS: usize = 4_000;
const PASSWORD: &str = "correct horse";

/// The orders answered before the power goes, in each life of the server.
const ORDERS: usize = 25;

/// A sale that is going on.
pub(crate) struct Sale {
    client: Client,
    performance: Value,
    /// Seats that nobody has tried, and how many have been.
    seats: Arc<Vec<i64>>,
    tried: Arc<AtomicUsize>,
    /// The buyers' tokens.
    buyers: Vec<String>,
}

impl Sale {
    /// Sets up a sale, with a picture and buyers who have points.
    pub(crate) async fn set_up(machine: &Machine, url: &str) -> Self {
        let client = Client::new();
        machine.add_admin("admin@example.org", PASSWORD);
        let admin = log_in(&client, url, "admin@example.org").await;
        let add = async |path: &str, body: Value| {
            done(client.post(format!("{url}/api/v1/admin/{path}")).bearer_auth(&admin).json(&body)).await
        };
        let venue = add("venues", json!({"name": "Arena", "timeZone": "UTC"})).await;
        let sections = json!([{"name": "Stalls", "rows": 40, "seatsPerRow": SEATS / 40, "category": "All"}]);
        let halls = format!("venues/{}/halls", venue["id"]);
        let hall = add(&halls, json!({"name": "Main", "sections": sections})).await;
        let show = add("shows", json!({"kind": "concert", "title": "Blackout"})).await;
        let performance = json!({
            "showId": show["id"], "hallId": hall["id"], "startsAt": "2100-01-01T20:00:00Z",
            "endsAt": "2100-01-01T22:00:00Z", "onSaleAt": "2020-01-01T00:00:00Z",
            "rules": {"holdSeconds": 86_400, "seatsPerBuyerMax": 100, "sideBySide": false},
            "prices": [{"category": "All", "grade": "S", "price": 1_000}],
        });
        let performance = add("performances", performance).await["id"].clone();
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/images/small.png");
        let image = client.put(format!("{url}/api/v1/admin/shows/{}/image", show["id"])).bearer_auth(&admin);
        let image = image.header("content-type", "image/png").body(fs::read(picture).expect("a picture"));
        assert!(image.send().await.expect("an answer").status().is_success());
        let concert = done(client.get(format!("{url}/api/v1/concerts/{}", show["id"]))).await;
        assert!(concert.to_string().contains("/media/"), "its picture has been told of: {concert}");
        let seats = done(client.get(format!("{url}/api/v1/performances/{performance}/seats"))).await;
        let seats =
            seats.as_array().expect("a list").iter().map(|seat| seat["seatId"].as_i64().expect("an id"));
        let mut buyers = Vec::new();
        for number in 0..BUYERS {
            buyers.push(new_buyer(&client, url, &format!("buyer{number}@example.org")).await);
        }
        Self { seats: Arc::new(seats.collect()), tried: Arc::default(), client, performance, buyers }
    }

    /// Lets the buyers hold seats and pay for half of them, each until the server is gone. Returns when
    /// enough has been answered.
    pub(crate) async fn rush(&self, url: &str) -> Rush {
        let answered = Arc::new(AtomicUsize::new(0));
        let tasks = self.buyers.iter().map(|token| {
            let (client, performance, token) = (self.client.clone(), self.performance.clone(), token.clone());
            let (seats, tried) = (self.seats.clone(), self.tried.clone());
            let (answered, url) = (answered.clone(), url.to_owned());
            tokio::spawn(async move {
                loop {
                    let number = tried.fetch_add(1, Ordering::Relaxed);
                    let hold = json!({"performanceId": performance, "seatIds": [seats[number]]});
                    let hold = client.post(format!("{url}/api/v1/reservations")).json(&hold);
                    let Some(held) = answer(keyed(hold, "hold", number).bearer_auth(&token)).await else {
                        break;
                    };
                    answered.fetch_add(1, Ordering::Relaxed);
                    if number.is_multiple_of(2) {
                        let pay = json!({"reservationId": held["reservationId"]});
                        let pay = client.post(format!("{url}/api/v1/payments")).json(&pay);
                        if answer(keyed(pay, "pay", number).bearer_auth(&token)).await.is_none() {
                            break;
                        }
                    }
                }
            })
        });
        let rush = Rush { buyers: tasks.collect(), answered };
        while rush.answered.load(Ordering::Relaxed) < ORDERS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rush
    }

    /// Lets every buyer ask what they have.
    pub(crate) async fn ask(&self, url: &str) -> Vec<Value> {
        let mut orders = Vec::new();
        for token in &self.buyers {
            let list = format!("{url}/api/v1/reservations?size=100");
            orders.push(done(self.client.get(list).bearer_auth(token)).await);
        }
        orders
    }
}

/// Buyers who are at it.
pub(crate) struct Rush {
    buyers: Vec<JoinHandle<()>>,
    answered: Arc<AtomicUsize>,
}

impl Rush {
    /// Waits until all have noticed that the server is gone; how many orders they were answered.
    pub(crate) async fn over(self) -> usize {
        for buyer in self.buyers {
            buyer.await.expect("nobody panics");
        }
        self.answered.load(Ordering::Relaxed)
    }
}

async fn new_buyer(client: &Client, url: &str, email: &str) -> String {
    let account = json!({"email": email, "password": PASSWORD, "name": "Buyer"});
    done(client.post(format!("{url}/api/v1/users")).json(&account)).await;
    let token = log_in(client, url, email).await;
    let charge = client.post(format!("{url}/api/v1/users/me/points/charge")).bearer_auth(&token);
    done(charge.json(&json!({"amount": 1_000_000}))).await;
    token
}

async fn log_in(client: &Client, url: &str, email: &str) -> String {
    let log_in = json!({"email": email, "password": PASSWORD});
    let tokens = done(client.post(format!("{url}/api/v1/auth/login")).json(&log_in)).await;
    tokens["accessToken"].as_str().expect("a token").to_owned()
}

fn keyed(request: RequestBuilder, what: &str, number: usize) -> RequestBuilder {
    request.header("Idempotency-Key", format!("{what}-{number}"))
}

/// The answer to what must be done.
async fn done(request: RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let body = answer.text().await.expect("a whole answer");
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).unwrap_or_default()
}

/// None, if the server is gone.
async fn answer(request: RequestBuilder) -> Option<Value> {
    let answer = request.send().await.ok()?;
    let status = answer.status();
    let body: Value = answer.json().await.ok()?;
    assert!(status.is_success(), "nobody else wants these seats: {status}: {body}");
    Some(body)
}
