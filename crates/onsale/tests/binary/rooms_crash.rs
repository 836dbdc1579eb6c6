//! `kill -9` while people join and enter: no number twice, nobody moves back, passes hold.

use std::{
    collections::{HashMap, HashSet},
    process::Command,
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IteratorRandom};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Place, Server, copy_database, run};

/// The room opens, and lots are drawn, before this kill.
const OPENS: usize = 3;

const VISITORS: usize = 16;

/// How many are asked about after each kill, of those waiting and of those inside.
const SAMPLE: usize = 150;

const TOKENS: &str = "/api/v1/queue/tokens";
const ME: &str = "/api/v1/queue/tokens/me";

/// What people have been told.
#[derive(Default)]
struct Told {
    /// Every number that was given, by the tokens of places.
    numbers: HashSet<u32>,
    /// Of those who wait: the place, once drawn, and how many were before it.
    waiting: HashMap<String, Option<(u64, u64)>>,
    passes: HashSet<String>,
}

impl Told {
    fn joined(&mut self, answer: &Value) {
        let token = answer["token"].as_str().expect("a token");
        assert!(self.numbers.insert(number(token)), "number {} was given twice", number(token));
        self.note(token, answer);
    }

    /// Notes an answer to somebody who waits; it must not be worse than the one before.
    fn note(&mut self, shown: &str, answer: &Value) {
        let before = self.waiting.remove(shown).flatten();
        let token = answer["token"].as_str().expect("a token");
        if answer["status"] == "active" {
            self.passes.insert(token.to_owned());
            return;
        }
        let now = answer["place"].as_u64().zip(answer["position"].as_u64());
        if let Some((place, position)) = before {
            let (place_now, position_now) = now.expect("lots are drawn once");
            assert_eq!(place, place_now, "a place never changes");
            assert!(position_now <= position, "{position} before, {position_now} now: moved back");
        }
        self.waiting.insert(token.to_owned(), now);
    }
}

/// The number in a token: after its version, the key's id and the room.
fn number(token: &str) -> u32 {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).expect("a token is base64");
    u32::from_be_bytes(bytes[10..14].try_into().expect("four bytes"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_while_people_join_and_enter() {
    killed(None, 20).await;
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn killed_eight_times_while_people_join_and_enter() {
        super::killed(Some(onsale_testbed::postgres().fresh_database().await), 8).await;
    }
}

mod mariadb {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn killed_eight_times_while_people_join_and_enter() {
        super::killed(Some(onsale_testbed::mariadb().fresh_database().await), 8).await;
    }
}

/// On a database server, or embedded if none is named.
async fn killed(database: Option<String>, kills: usize) {
    let place = Place::new();
    // All visitors are guests at one address.
    let mut variables =
        vec![("ONSALE_ACCOUNTS_ARGON2_MEMORY_KIB", "64"), ("ONSALE_LIMITS_GUEST_NUMBERS", "0")];
    variables.extend(database.as_deref().map(|url| ("ONSALE_DATABASE_URL", url)));
    let serve = || place.serve_with(&[], &variables);
    let mut server = serve();
    let mut add = place.command(["user", "add", "a@b.example", "--role", "admin", "--password-stdin"]);
    add.envs(variables.iter().copied());
    let ended = run(add, "correct horse\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    let admin = server.log_in("a@b.example", "correct horse").await;
    let performance = prepare(&server, &admin).await;
    let mut random = StdRng::seed_from_u64(20);
    let mut told = Told::default();

    for kill in 0..kills {
        if kill == OPENS {
            let opened = server.call(
                Method::PATCH,
                "/api/v1/admin/rooms/1",
                Some(&admin),
                None,
                Some(json!({"phase": "open"})),
            );
            assert_eq!(opened.await.expect("an answer").0, 200);
        }
        let load_ms = random.random_range(30..200);
        let answers = under_load(&server, load_ms, kill as u64).await;
        drop(server);
        for (shown, answer) in answers {
            match shown {
                None => told.joined(&answer),
                Some(shown) => told.note(&shown, &answer),
            }
        }
        server = serve();
        let waiting: Vec<String> = told.waiting.keys().cloned().choose_multiple(&mut random, SAMPLE);
        for _ in 0..2 {
            for shown in &waiting {
                if told.waiting.contains_key(shown) {
                    let (status, answer) = ask(&server, shown).await;
                    assert_eq!(status, 200, "a place was lost: {answer}");
                    told.note(shown, &answer);
                }
            }
            // Some ticks, so that some of those who have said that they are there are called.
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        for pass in told.passes.iter().choose_multiple(&mut random, SAMPLE) {
            let (status, answer) = ask(&server, pass).await;
            assert_eq!((status, &answer["status"]), (200, &json!("active")), "a pass was lost: {answer}");
        }
    }
    let (given, waiting, inside) = (told.numbers.len(), told.waiting.len(), told.passes.len());
    println!("{kills} kills: {given} numbers given, {inside} inside, {waiting} waiting");
    assert!(given > 50 * kills && inside > kills && waiting > kills, "too little happened to prove anything");
    buy(&server, &performance, told.passes.iter().next().expect("somebody is inside"), &admin).await;
}

/// The control: a server that forgets what it has recorded gives numbers twice, and that is noticed.
#[tokio::test]
async fn a_server_that_forgets_its_records_gives_numbers_twice() {
    let place = Place::new();
    let serve = || place.serve_with(&[], &[("ONSALE_ACCOUNTS_ARGON2_MEMORY_KIB", "64")]);
    let server = serve();
    let add = ["user", "add", "a@b.example", "--role", "admin", "--password-stdin"];
    assert_eq!(place.run_with_input(&add, "correct horse\n").code, 0);
    let admin = server.log_in("a@b.example", "correct horse").await;
    prepare(&server, &admin).await;
    server.stop();
    copy_database(&place.data(), &place.path("before"));
    let join = async |server: &Server| {
        let join = server.call(Method::POST, TOKENS, None, None, Some(json!({"roomId": 1})));
        number(join.await.expect("an answer").1["token"].as_str().expect("a token"))
    };
    let server = serve();
    let first = join(&server).await;
    server.kill();
    let server = serve();
    assert_ne!(join(&server).await, first, "as it should be");
    server.kill();
    std::fs::remove_dir_all(place.path("data")).unwrap();
    copy_database(&place.path("before"), &place.data());
    let server = serve();
    assert_eq!(join(&server).await, first, "without the record the number is given again");
}

async fn ask(server: &Server, token: &str) -> (u16, Value) {
    server.call(Method::GET, ME, None, Some(token), None).await.expect("it is up")
}

/// A performance with a waiting room whose pre-queue has begun.
async fn prepare(server: &Server, admin: &str) -> Value {
    let add = async |path: &str, body: Value| {
        let path = format!("/api/v1/admin/{path}");
        let (status, answer) =
            server.call(Method::POST, &path, Some(admin), None, Some(body)).await.expect("an answer");
        assert_eq!(status, 201, "{answer}");
        answer
    };
    add("venues", json!({"name": "Arena", "timeZone": "UTC"})).await;
    add(
        "venues/1/halls",
        json!({"name": "Main", "sections": [{"name": "A", "rows": 10, "seatsPerRow": 10}]}),
    )
    .await;
    add("shows", json!({"kind": "concert", "title": "Crash"})).await;
    let performance = json!({
        "showId": 1, "hallId": 1,
        "startsAt": "2100-01-01T20:00:00Z", "endsAt": "2100-01-01T22:00:00Z", "onSaleAt": "2020-01-01T00:00:00Z",
        "prices": [{"category": "Standard", "grade": "S", "price": 1_000}],
    });
    let performance = add("performances", performance).await["id"].clone();
    let hour = 3_600_000;
    let room = json!({
        "name": "Crash", "performanceIds": [performance], "admits": "anybody",
        "mode": {"type": "themePark", "admissions": 200, "intervalMs": 1_000},
        "times": {"passMs": hour, "claimMs": hour, "unseenMs": hour},
    });
    add("rooms", room).await;
    let begun = server.call(
        Method::PATCH,
        "/api/v1/admin/rooms/1",
        Some(admin),
        None,
        Some(json!({"phase": "preQueue"})),
    );
    assert_eq!(begun.await.expect("an answer").0, 200);
    performance
}

/// Lets visitors join and ask, kills the server in the middle, and returns what was answered: the token
/// that was shown, if any, and the answer.
async fn under_load(server: &Server, load_ms: u64, seed: u64) -> Vec<(Option<String>, Value)> {
    let caller = Arc::new(server.caller());
    let tasks: Vec<_> = (0..VISITORS as u64)
        .map(|visitor| {
            let (caller, random) = (caller.clone(), StdRng::seed_from_u64(seed << 32 | visitor));
            tokio::spawn(async move { visit(&caller, random).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(load_ms)).await;
    let killed = Command::new("kill").args(["-9", &server.id().to_string()]).status();
    assert!(killed.expect("kill can be run").success());
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.expect("no visitor panics"));
    }
    answers
}

/// Joins, and asks with what was got before, until the server is gone.
async fn visit(caller: &crate::support::Caller, mut random: StdRng) -> Vec<(Option<String>, Value)> {
    let mut answers: Vec<(Option<String>, Value)> = Vec::new();
    let mut waiting: Vec<String> = Vec::new();
    loop {
        let shown = if waiting.is_empty() || random.random_bool(0.6) {
            None
        } else {
            Some(waiting.swap_remove(random.random_range(0..waiting.len())))
        };
        let answer = match &shown {
            None => caller.call(Method::POST, TOKENS, None, None, Some(json!({"roomId": 1}))).await,
            Some(token) => caller.call(Method::GET, ME, None, Some(token), None).await,
        };
        let Some((status, answer)) = answer else { return answers };
        assert!(status == 200 || status == 201, "{answer}");
        if answer["status"] == "waiting" {
            waiting.push(answer["token"].as_str().expect("a token").to_owned());
        }
        answers.push((shown, answer));
    }
}

/// A pass from before the kills still buys; without one nothing is sold.
async fn buy(server: &Server, performance: &Value, pass: &str, login: &str) {
    let charge = json!({"amount": 1_000});
    server.post("/api/v1/users/me/points/charge", Some(login), "charge", charge).await;
    let hold = json!({"performanceId": performance, "seatIds": [1]});
    let reserve = async |pass: Option<&str>| {
        let held = server.call(Method::POST, "/api/v1/reservations", Some(login), pass, Some(hold.clone()));
        held.await.expect("an answer")
    };
    assert_eq!(reserve(None).await.0, 403);
    let (status, held) = reserve(Some(pass)).await;
    assert_eq!(status, 201, "{held}");
    let pay = json!({"reservationId": held["reservationId"]});
    let paid = server.call(Method::POST, "/api/v1/payments", Some(login), Some(pass), Some(pay)).await;
    let (status, paid) = paid.expect("an answer");
    assert_eq!(status, 201, "{paid}");
    assert_eq!(reserve(Some(pass)).await.0, 403, "it is used up");
}
