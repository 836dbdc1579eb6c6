//! A bank window under two hundred clients: never more than so many inside, and no slot lies idle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    rooms::performance,
    support::{Caller, PASSWORD, Place, Server},
};

const TOKENS: &str = "/api/v1/queue/tokens";
const ME: &str = "/api/v1/queue/tokens/me";

const ROOM: i64 = 3;

const CLIENTS: u64 = 200;

/// How many may be inside.
const INSIDE_MAX: i64 = 20;

/// How often each client goes through.
const VISITS: usize = 2;

/// A server with a guests' room in which `mode` says who enters.
async fn room(place: &Place, mode: &str) -> Server {
    let server = place.serve(&["--demo"]);
    let performance = performance(&server).await.to_string();
    let add = ["room", "add", "Rush", "--anybody", "--mode", mode, "--performance", &performance];
    assert!(place.done(&add).contains(&format!("waiting room {ROOM} ")), "the demo has two");
    place.done(&["room", "open", &ROOM.to_string()]);
    for _ in 0..100 {
        if server.get(&format!("/api/v1/queue/rooms/{ROOM}"), None).await.1["phase"] == "open" {
            return server;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the room does not open");
}

async fn call(
    caller: &Caller,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> Value {
    let (status, answer) = caller.call(method, path, None, token, body).await.expect("the server answers");
    assert!(status < 300, "{status}: {answer}");
    answer
}

/// How many are inside, as those know who are: from the answer that lets them in until they ask to be
/// let out, so never more than the room counts.
#[derive(Default)]
struct Inside {
    now: AtomicI64,
    most: AtomicI64,
    visits: AtomicUsize,
}

async fn visits(caller: Caller, inside: Arc<Inside>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..VISITS {
        let mut standing = call(&caller, Method::POST, TOKENS, None, Some(json!({"roomId": ROOM}))).await;
        while standing["status"] != "active" {
            tokio::time::sleep(Duration::from_millis(random.random_range(20..60))).await;
            standing = call(&caller, Method::GET, ME, standing["token"].as_str(), None).await;
        }
        let now = inside.now.fetch_add(1, SeqCst) + 1;
        inside.most.fetch_max(now, SeqCst);
        tokio::time::sleep(Duration::from_millis(random.random_range(0..30))).await;
        inside.now.fetch_sub(1, SeqCst);
        call(&caller, Method::DELETE, ME, standing["token"].as_str(), None).await;
        inside.visits.fetch_add(1, SeqCst);
    }
}

/// The most that were inside at any moment while all clients went through.
async fn rush(mode: &str) -> i64 {
    let place = Place::new();
    let server = room(&place, mode).await;
    let inside = Arc::new(Inside::default());
    let clients: Vec<_> =
        (0..CLIENTS).map(|seed| tokio::spawn(visits(server.caller(), inside.clone(), seed))).collect();
    for client in clients {
        client.await.expect("a client went through");
    }
    assert_eq!(inside.visits.load(SeqCst), CLIENTS as usize * VISITS);
    inside.most.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_are_inside_a_bank_window_than_may_be() {
    let most = rush(&format!("bank:{INSIDE_MAX}")).await;
    assert!(most <= INSIDE_MAX, "{most} were inside");
    assert!(most > INSIDE_MAX / 2, "{most}: the window was hardly used, so it was not tried");
}

/// The negative control: without the window the same clients are inside together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_window_more_are_inside() {
    let most = rush("theme-park:100000/1s").await;
    assert!(most > INSIDE_MAX, "only {most} were inside");
}

/// No waiting for a tick: the next question after a slot has become free is answered with a pass.
#[tokio::test]
async fn a_slot_is_given_on_in_the_same_moment() {
    let place = Place::new();
    let server = room(&place, "bank:1").await;
    let caller = server.caller();
    let join = || call(&caller, Method::POST, TOKENS, None, Some(json!({"roomId": ROOM})));
    let mut inside = join().await;
    assert_eq!(inside["status"], "active");
    for _ in 0..20 {
        let next = join().await;
        assert_eq!(next["status"], "waiting");
        call(&caller, Method::DELETE, ME, inside["token"].as_str(), None).await;
        inside = call(&caller, Method::GET, ME, next["token"].as_str(), None).await;
        assert_eq!(inside["status"], "active", "{inside}");
    }
}

/// The same when somebody is let out by paying: the pass is used up, and the next in line has the slot.
#[tokio::test]
async fn the_slot_of_somebody_who_has_paid_is_given_on_in_the_same_moment() {
    let place = Place::new();
    let server = room(&place, "bank:1").await;
    let performance = performance(&server).await;
    let caller = server.caller();
    let mut logins = Vec::new();
    for buyer in 1..=4 {
        logins.push(server.log_in(&format!("buyer{buyer}@demo.example"), PASSWORD).await);
    }
    let seats = format!("/api/v1/performances/{performance}/seats?status=available");
    let joined = json!({"roomId": ROOM});
    let mut standings = Vec::new();
    for login in &logins {
        standings.push(as_buyer(&caller, Method::POST, TOKENS, login, None, Some(joined.clone())).await);
    }
    for (turn, login) in logins.iter().enumerate() {
        let inside = as_buyer(&caller, Method::GET, ME, login, standings[turn]["token"].as_str(), None).await;
        assert_eq!(inside["status"], "active", "buyer {turn} is next: {inside}");
        let pass = inside["token"].as_str();
        let free = as_buyer(&caller, Method::GET, &seats, login, pass, None).await;
        let seat = json!({"performanceId": performance, "seatIds": [free[0]["seatId"]]});
        let held = as_buyer(&caller, Method::POST, "/api/v1/reservations", login, pass, Some(seat)).await;
        // Whoever is inside keeps the others out, reserved or not.
        for (behind, standing) in standings.iter().enumerate().skip(turn + 1) {
            let token = standing["token"].as_str();
            let waits = as_buyer(&caller, Method::GET, ME, &logins[behind], token, None).await;
            assert_eq!(waits["status"], "waiting", "buyer {behind} while buyer {turn} is inside: {waits}");
        }
        let order = json!({"reservationId": held["reservationId"]});
        let paid = as_buyer(&caller, Method::POST, "/api/v1/payments", login, pass, Some(order)).await;
        assert_eq!(paid["reservationId"], held["reservationId"], "{paid}");
        let again = caller.call(Method::GET, &seats, Some(login), pass, None).await;
        let (status, refused) = again.expect("the server answers");
        assert_eq!((status, &refused["type"]), (403, &json!("/problems/invalid-queue-token")), "{refused}");
    }
}

/// As [`call`], with a log-in.
async fn as_buyer(
    caller: &Caller,
    method: Method,
    path: &str,
    login: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> Value {
    let answer = caller.call(method, path, Some(login), token, body).await;
    let (status, answer) = answer.expect("the server answers");
    assert!(status < 300, "{path}: {status}: {answer}");
    answer
}
