//! Waiting rooms: joining, asking, entering, leaving, and everything that is behind one.

use std::time::Duration;

use onsale_domain::{
    line::{Draw, Ticket},
    user::Role,
};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::{
    document,
    server::{Answer, START, Server, Walk},
};

const TOKENS: &str = "/api/v1/queue/tokens";
const ME: &str = "/api/v1/queue/tokens/me";
const ROOMS: &str = "/api/v1/admin/rooms";

/// What opens the door of a performance with a waiting room, and nothing else does. Paying comes last:
/// it uses the pass up.
const GUARDED: &[(&str, &str)] = &[
    ("get", "/api/v1/performances/{id}/seats"),
    ("get", "/api/v1/performances/{id}/layout"),
    ("get", "/api/v1/performances/{id}/availability"),
    ("get", "/api/v1/performances/{id}/events"),
    ("post", "/api/v1/reservations"),
    ("post", "/api/v1/payments"),
];

/// The same of an item. What is left of it everybody may know.
const GUARDED_ITEM: &[(&str, &str)] = &[("post", "/api/order"), ("post", "/api/order/{orderId}")];

/// Those of them that take the money.
const PAYING: &[&str] = &["/api/v1/payments", "/api/order/{orderId}"];

/// What is not behind a waiting room: what is on, whom one is, what one has already (to give back what
/// was paid takes no pass: paying has used it up), the rooms themselves, and what organisers do.
const OPEN: &[(&str, &str)] = &[
    ("get", "/api/v1/performances/{id}"),
    ("get", "/api/v1/reservations"),
    ("get", "/api/v1/reservations/{id}"),
    ("delete", "/api/v1/reservations/{id}"),
    ("get", "/api/item"),
    ("get", "/api/item/{itemNumber}"),
    ("get", "/api/stock/{itemNumber}"),
    ("get", "/api/order"),
    ("get", "/api/order/{orderId}"),
    ("delete", "/api/order/{orderId}"),
];

/// The beginnings of addresses that have nothing to do with the seats of a performance or the units of an
/// item.
const ELSEWHERE: &[&str] = &[
    "/api/v1/admin/",
    "/api/v1/auth/",
    "/api/v1/users",
    "/api/v1/movies",
    "/api/v1/concerts",
    "/api/v1/queue/",
    "/api/v1/items/",
    "/livez",
    "/media/",
    "/readyz",
    "/metrics",
    "/problems/",
];

/// A theme park's room in front of performance 1, open.
async fn open_room(walk: &mut Walk, admits: &str, admissions: u32) {
    open_room_for(walk, "performanceIds", admits, admissions).await;
}

/// The same in front of the first one of what a field names.
async fn open_room_for(walk: &mut Walk, field: &str, admits: &str, admissions: u32) {
    let organiser = walk.organiser.clone();
    let mode = json!({"type": "themePark", "admissions": admissions, "intervalMs": 10_000});
    let room = json!({"name": "Spring tour", field: [1], "admits": admits, "mode": mode});
    assert_eq!(walk.post(&organiser, ROOMS, room).await.status, 201);
    let open = patch(walk, 1, json!({"phase": "open"})).await;
    assert_eq!(open.json["phase"], "open");
}

async fn patch(walk: &mut Walk, room: i64, change: Value) -> Answer {
    let organiser = walk.organiser.clone();
    walk.call(Method::PATCH, &format!("{ROOMS}/{room}"), Some(&organiser), Some(change)).await
}

async fn join(walk: &mut Walk, login: Option<&str>) -> Answer {
    walk.call(Method::POST, TOKENS, login, Some(json!({"performanceId": 1}))).await
}

async fn ask(walk: &mut Walk, token: &str) -> Answer {
    walk.call_with(Method::GET, ME, None, None, &[("Queue-Token", token)]).await
}

async fn reserve(walk: &mut Walk, login: &str, token: &str, seat: i64) -> Answer {
    let body = json!({"performanceId": 1, "seatIds": [seat]});
    let shown = [("Queue-Token", token)];
    let shown = if token.is_empty() { &[][..] } else { &shown };
    walk.call_with(Method::POST, "/api/v1/reservations", Some(login), Some(body), shown).await
}

async fn pay(walk: &mut Walk, login: &str, token: &str, held: &Answer, key: &str) -> Answer {
    let body = json!({"reservationId": held.json["reservationId"]});
    let shown = [("Idempotency-Key", key), ("Queue-Token", token)];
    let shown = if token.is_empty() { &shown[..1] } else { &shown };
    walk.call_with(Method::POST, "/api/v1/payments", Some(login), Some(body), shown).await
}

/// An item that anybody may order, number 1.
async fn add_item(walk: &mut Walk) {
    let organiser = walk.organiser.clone();
    let item =
        json!({"name": "Soup", "content": "Hot.", "price": 1_000, "type": "GENERAL", "timeZone": "UTC"});
    let added = walk.post(&organiser, "/api/v1/admin/items", json!({"stock": 10, "item": item})).await;
    assert_eq!(added.status, 201, "{}", added.json);
}

async fn order(walk: &mut Walk, login: &str, token: &str) -> Answer {
    let body = json!({"itemNumber": 1, "count": 1});
    let shown = [("Queue-Token", token)];
    let shown = if token.is_empty() { &[][..] } else { &shown };
    walk.call_with(Method::POST, "/api/order", Some(login), Some(body), shown).await
}

async fn pay_order(walk: &mut Walk, login: &str, token: &str, held: &Answer) -> Answer {
    let path = format!("/api/order/{}", held.json["data"].as_str().expect("an order's id"));
    let shown = [("Queue-Token", token)];
    let shown = if token.is_empty() { &[][..] } else { &shown };
    walk.call_with(Method::POST, &path, Some(login), None, shown).await
}

fn token(answer: &Answer) -> String {
    answer.json["token"].as_str().unwrap_or_else(|| panic!("{}", answer.json)).to_owned()
}

fn kind(answer: &Answer) -> &str {
    answer.json["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
}

async fn charge(walk: &mut Walk, login: &str) {
    walk.post(login, "/api/v1/users/me/points/charge", json!({"amount": 100_000})).await;
}

/// Time passes, and the rooms go on.
async fn seconds(walk: &Walk, seconds: i64) {
    for _ in 0..seconds * 10 {
        walk.server.clock.advance_ms(100);
        walk.server.engine.rooms.advance().await;
    }
}

#[tokio::test]
async fn a_buyer_waits_enters_reserves_and_pays() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let other = walk.server.log_in("other", Role::User).await;
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer).await;
    walk.forget();
    open_room(&mut walk, "accounts", 1).await;
    // The first goes straight through, the second waits.
    join(&mut walk, Some(&other)).await;
    let place = token(&join(&mut walk, Some(&buyer)).await);
    assert_eq!(token(&join(&mut walk, Some(&buyer)).await), place, "the same place again");
    reserve(&mut walk, &buyer, "", 1).await;
    reserve(&mut walk, &buyer, &place, 1).await;
    seconds(&walk, 11).await;
    let active = ask(&mut walk, &place).await;
    assert_eq!(active.json["status"], "active");
    let pass = token(&active);
    let held = reserve(&mut walk, &buyer, &pass, 1).await;
    pay(&mut walk, &buyer, "", &held, "first").await;
    let paid = pay(&mut walk, &buyer, &pass, &held, "second").await;
    assert_eq!(paid.status, 201);
    // The pass is used up, but what became of the payment can still be learnt.
    assert_eq!(pay(&mut walk, &buyer, &pass, &held, "second").await.json, paid.json);
    pay(&mut walk, &buyer, "", &held, "third").await;
    reserve(&mut walk, &buyer, &pass, 2).await;
    ask(&mut walk, &pass).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_room_is_run_by_its_organiser() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let bank = json!({"type": "bankWindow", "insideMax": 1});
    let room = json!({"name": "대기실", "performanceIds": [1, 2], "admits": "anybody", "mode": bank,
        "schedule": {"preQueueAt": "2026-11-21T10:01:00Z", "opensAt": "2026-11-21T11:00:00Z"},
        "times": {"passMs": 600_000, "pollMinMs": 500, "pollMaxMs": 5_000}});
    walk.post(&buyer, ROOMS, room.clone()).await;
    walk.post(&organiser, ROOMS, room.clone()).await;
    walk.post(&organiser, ROOMS, room.clone()).await;
    walk.get_as(&organiser, ROOMS).await;
    join(&mut walk, None).await;
    seconds(&walk, 61).await;
    let guest = token(&join(&mut walk, None).await);
    let early = walk.get("/api/v1/queue/rooms/1").await;
    let early_etag = early.headers["etag"].to_str().unwrap().to_owned();
    patch(&mut walk, 1, json!({"publicRandomness": "0badcafe", "phase": "open", "name": "Room"})).await;
    seconds(&walk, 1).await;
    let drawn = walk.get("/api/v1/queue/rooms/1").await;
    let etag = drawn.headers["etag"].to_str().unwrap().to_owned();
    let again = [("If-None-Match", etag.as_str())];
    walk.call_with(Method::GET, "/api/v1/queue/rooms/1", None, None, &again).await;
    let pass = token(&ask(&mut walk, &guest).await);
    let second = token(&join(&mut walk, None).await);
    patch(&mut walk, 1, json!({"mode": {"type": "adaptive", "floor": 1, "ceiling": 50}})).await;
    patch(&mut walk, 1, json!({"phase": "paused"})).await;
    ask(&mut walk, &second).await;
    walk.call_with(Method::DELETE, ME, None, None, &[("Queue-Token", &pass)]).await;
    walk.call_with(Method::DELETE, ME, None, None, &[("Queue-Token", &pass)]).await;
    ask(&mut walk, &pass).await;
    patch(&mut walk, 1, json!({"phase": "closed"})).await;
    join(&mut walk, None).await;
    for wrong in [
        json!({"phase": "open"}),
        json!({"phase": "scheduled"}),
        json!({"times": {"passMs": 299_999}}),
        json!({"mode": {"type": "bankWindow", "insideMax": 0}}),
        json!({"mode": {"type": "bankWindow", "insideMax": 1, "colour": "red"}}),
        json!({"schedule": {"opensAt": "2026-11-21T10:00:00Z", "closesAt": "2026-11-20T10:00:00Z"}}),
        json!({"publicRandomness": "x"}),
        json!({"performanceIds": [99]}),
        json!({"name": " "}),
    ] {
        patch(&mut walk, 1, wrong).await;
    }
    // Nothing behind it any more: the sale is open to all.
    patch(&mut walk, 1, json!({"performanceIds": []})).await;
    reserve(&mut walk, &buyer, "", 1).await;
    join(&mut walk, None).await;
    walk.get_as(&organiser, &format!("{ROOMS}/1")).await;
    walk.get_as(&organiser, &format!("{ROOMS}/2")).await;
    walk.get("/api/v1/queue/rooms/2").await;
    walk.post(&buyer, TOKENS, json!({"roomId": 2})).await;
    walk.post(&buyer, TOKENS, json!({"performanceId": 99})).await;
    walk.post(&buyer, TOKENS, json!({})).await;
    walk.post(&buyer, TOKENS, json!({"roomId": 1, "performanceId": 1})).await;
    // The digest of a document with a random commitment in it.
    insta::assert_snapshot!(walk.text().replace(&etag, "[digest]").replace(&early_etag, "[early digest]"));
}

#[tokio::test]
async fn tokens_are_one_persons_one_rooms_and_never_in_the_address() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    open_room(&mut walk, "accounts", 100).await;
    let organiser = walk.organiser.clone();
    let mode = json!({"type": "bankWindow", "insideMax": 5});
    walk.post(&organiser, ROOMS, json!({"name": "Other", "performanceIds": [2], "mode": mode})).await;
    patch(&mut walk, 2, json!({"phase": "open"})).await;
    let (buyer, other) = (walk.buyer.clone(), walk.server.log_in("other", Role::User).await);
    assert_eq!(kind(&join(&mut walk, None).await), "not-authenticated", "the room is for accounts");
    let pass = token(&join(&mut walk, Some(&buyer)).await);
    let elsewhere = walk.post(&buyer, TOKENS, json!({"roomId": 2})).await;
    let elsewhere = token(&elsewhere);
    let held = reserve(&mut walk, &buyer, &pass, 1).await;
    assert_eq!(held.status, 201, "{}", held.json);

    for (login, shown) in [(&other, &pass), (&buyer, &elsewhere), (&buyer, &"x".repeat(95))] {
        let refused = reserve(&mut walk, login, shown, 5).await;
        assert_eq!((refused.status.as_u16(), kind(&refused)), (403, "invalid-queue-token"));
        assert_eq!(refused.json["roomId"], 1, "it says where to join");
    }
    let refused = pay(&mut walk, &buyer, &elsewhere, &held, "k").await;
    assert_eq!(kind(&refused), "invalid-queue-token");
    let theirs = [("Queue-Token", pass.as_str())];
    for method in [Method::GET, Method::DELETE] {
        let refused = walk.call_with(method, ME, Some(&other), None, &theirs).await;
        assert_eq!(kind(&refused), "invalid-queue-token", "somebody else who has logged in");
    }
    assert_eq!(kind(&walk.get(ME).await), "invalid-queue-token");
    let twice = [("Queue-Token", pass.as_str()), ("Queue-Token", pass.as_str())];
    assert_eq!(kind(&walk.call_with(Method::GET, ME, None, None, &twice).await), "invalid-queue-token");

    // The address is never looked at: unknown parameters are refused, or passed over.
    for name in ["queueToken", "Queue-Token", "token"] {
        let seats = walk.get(&format!("/api/v1/performances/1/seats?{name}={pass}")).await;
        assert!([400, 403].contains(&seats.status.as_u16()), "{}", seats.json);
        let availability = walk.get(&format!("/api/v1/performances/1/availability?{name}={pass}")).await;
        assert_eq!(kind(&availability), "queue-token-required");
    }
    let seats = walk.call_with(Method::GET, "/api/v1/performances/1/seats", None, None, &theirs).await;
    assert_eq!(seats.status, 200, "control: in the header it opens the door");
    assert_eq!(seats.headers["cache-control"], "private, no-cache");

    // After it has left, or its time is up, it opens nothing.
    walk.server.clock.set(START.plus_ms(300_000));
    walk.server.engine.rooms.advance().await;
    let late = walk.call_with(Method::GET, "/api/v1/performances/1/seats", None, None, &theirs).await;
    assert_eq!(kind(&late), "invalid-queue-token");
}

/// A request as an operation of the document would have it, for performance 1 or item 1 and what is held.
async fn call(walk: &mut Walk, operation: (&str, &str), login: &str, pass: &str, seat: i64) -> (u16, Value) {
    let (method, template) = operation;
    let mut path = template.replace("{id}", "1");
    let body = match template {
        "/api/v1/reservations" => json!({"performanceId": 1, "seatIds": [seat]}),
        "/api/v1/payments" => {
            let page: Value = walk.get_as(login, "/api/v1/reservations").await.json;
            json!({"reservationId": held(&page["reservations"])["reservationId"]})
        }
        "/api/order" => json!({"itemNumber": 1, "count": 1}),
        "/api/order/{orderId}" => {
            let page: Value = walk.get_as(login, "/api/order").await.json;
            let order = held(&page["data"])["orderId"].as_str().unwrap();
            path = path.replace("{orderId}", order);
            Value::Null
        }
        _ => Value::Null,
    };
    let method: Method = method.to_uppercase().parse().unwrap();
    let mut request = walk.server.request(method, &path).bearer_auth(login);
    if !pass.is_empty() {
        request = request.header("Queue-Token", pass);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (status, Value::Null);
    }
    (status, response.json().await.unwrap())
}

fn held(orders: &Value) -> &Value {
    let mut orders = orders.as_array().unwrap().iter();
    orders.find(|order| order["status"] == "held").expect("something to pay")
}

#[test]
fn every_operation_is_behind_the_room_or_is_not() {
    let known: Vec<(&str, &str)> = document::operations().map(|(method, path, _)| (method, path)).collect();
    for operation @ (_, path) in &known {
        let places = usize::from(GUARDED.contains(operation))
            + usize::from(GUARDED_ITEM.contains(operation))
            + usize::from(OPEN.contains(operation))
            + usize::from(ELSEWHERE.iter().any(|start| path.starts_with(start)));
        assert_eq!(places, 1, "{operation:?}: is it behind the waiting room or not? say so in this file");
    }
    for operation in GUARDED.iter().chain(GUARDED_ITEM).chain(OPEN) {
        assert!(known.contains(operation), "{operation:?} does not exist");
    }
}

#[tokio::test]
async fn every_door_of_a_guarded_performance_is_shut_without_a_pass() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let buyer = walk.buyer.clone();
    // Something to pay from before the room was there.
    reserve(&mut walk, &buyer, "", 1).await;
    doors_are_shut(&mut walk, GUARDED, "performanceIds").await;
}

#[tokio::test]
async fn every_door_of_a_guarded_item_is_shut_without_a_pass() {
    let mut walk = Server::start().await.walk().await;
    add_item(&mut walk).await;
    let buyer = walk.buyer.clone();
    order(&mut walk, &buyer, "").await;
    doors_are_shut(&mut walk, GUARDED_ITEM, "itemNumbers").await;
}

/// Puts a room in front of what a field names and tries all its doors.
async fn doors_are_shut(walk: &mut Walk, guarded: &[(&str, &str)], field: &str) {
    let buyer = walk.buyer.clone();
    charge(walk, &buyer).await;
    open_room_for(walk, field, "accounts", 100).await;
    let joined = walk.post(&buyer, TOKENS, json!({"roomId": 1})).await;
    let pass = token(&joined);
    for operation in guarded {
        let (status, problem) = call(walk, *operation, &buyer, "", 2).await;
        let kind = &problem["type"];
        assert_eq!((status, kind), (403, &json!("/problems/queue-token-required")), "{operation:?}");
        assert_eq!(problem["roomId"], 1, "{operation:?}");
    }
    // The pass opens all of them.
    for operation in guarded {
        let (status, answer) = call(walk, *operation, &buyer, &pass, 2).await;
        assert!((200..300).contains(&status), "{operation:?}: {answer}");
    }
    for operation in guarded {
        if PAYING.contains(&operation.1) {
            continue;
        }
        let (status, problem) = call(walk, *operation, &buyer, &pass, 3).await;
        assert_eq!(
            (status, &problem["type"]),
            (403, &json!("/problems/invalid-queue-token")),
            "{operation:?}"
        );
    }
    // The negative control: without the guard everything goes through without a pass.
    patch(walk, 1, json!({field: []})).await;
    for operation in guarded {
        let (status, answer) = call(walk, *operation, &buyer, "", 3).await;
        assert!((200..300).contains(&status), "{operation:?}: {answer}");
    }
}

#[tokio::test]
async fn an_item_is_ordered_and_paid_with_a_pass() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    add_item(&mut walk).await;
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer).await;
    let unguarded = walk.post(&buyer, TOKENS, json!({"itemNumber": 1})).await;
    assert_eq!((unguarded.status.as_u16(), kind(&unguarded)), (409, "not-possible"), "{}", unguarded.json);
    open_room_for(&mut walk, "itemNumbers", "accounts", 100).await;
    walk.forget();
    order(&mut walk, &buyer, "").await;
    let joined = walk.post(&buyer, TOKENS, json!({"itemNumber": 1})).await;
    let pass = token(&joined);
    let held = order(&mut walk, &buyer, &pass).await;
    pay_order(&mut walk, &buyer, "", &held).await;
    let longer = held.headers["queue-token"].to_str().unwrap().to_owned();
    assert_eq!(ask(&mut walk, &longer).await.json["status"], "active");
    assert_eq!(pay_order(&mut walk, &buyer, &pass, &held).await.status, 200);
    order(&mut walk, &buyer, &pass).await;
    // What everybody may know of it, and what one has.
    walk.get("/api/stock/1").await;
    walk.get_as(&buyer, "/api/order").await;
    // The performance with the same number is open to all.
    assert_eq!(reserve(&mut walk, &buyer, "", 1).await.status, 201);
    for wrong in [
        json!({"itemNumber": 9}),
        json!({"itemNumber": i64::MIN}),
        json!({"itemNumber": 1, "roomId": 1}),
        json!({"itemNumber": 1, "performanceId": 1}),
        json!({"itemNumber": "soup"}),
    ] {
        walk.post(&buyer, TOKENS, wrong).await;
    }
    // What is not named stays behind the room.
    patch(&mut walk, 1, json!({"performanceIds": [2]})).await;
    patch(&mut walk, 1, json!({"itemNumbers": []})).await;
    patch(&mut walk, 1, json!({"itemNumbers": [1], "performanceIds": [1, 2]})).await;
    for wrong in [json!({"itemNumbers": [9]}), json!({"itemNumbers": [1, 1]}), json!({"itemNumbers": [-1]})] {
        patch(&mut walk, 1, wrong).await;
    }
    let organiser = walk.organiser.clone();
    let mode = json!({"type": "bankWindow", "insideMax": 5});
    walk.post(&organiser, ROOMS, json!({"name": "Other", "itemNumbers": [1], "mode": mode})).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn one_pass_pays_once_also_in_the_same_moment() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer).await;
    open_room(&mut walk, "accounts", 100).await;
    let pass = token(&join(&mut walk, Some(&buyer)).await);
    let mut orders = Vec::new();
    for seat in 1..=4 {
        orders.push(reserve(&mut walk, &buyer, &pass, seat).await);
    }
    let mut payments = Vec::new();
    for held in orders {
        let request = walk.server.request(Method::POST, "/api/v1/payments").bearer_auth(&buyer);
        let body = json!({"reservationId": held.json["reservationId"]});
        payments.push(tokio::spawn(request.header("Queue-Token", &pass).json(&body).send()));
    }
    let mut statuses = Vec::new();
    for payment in payments {
        statuses.push(payment.await.unwrap().unwrap().status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403, 403, 403]);
}

#[tokio::test]
async fn one_account_has_one_lot_and_is_told_its_number() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let mode = json!({"type": "bankWindow", "insideMax": 1});
    walk.post(&organiser, ROOMS, json!({"name": "Draw", "performanceIds": [1], "mode": mode})).await;
    patch(&mut walk, 1, json!({"phase": "preQueue"})).await;
    let mut kept = Vec::new();
    for number in 0..60 {
        let joined = join(&mut walk, Some(&buyer)).await;
        assert_eq!((joined.status.as_u16(), &joined.json["number"]), (201, &json!(number)));
        kept.push(token(&joined));
        if number < 59 {
            let shown = [("Queue-Token", kept[number].as_str())];
            let left = walk.call_with(Method::DELETE, ME, Some(&buyer), None, &shown).await;
            assert_eq!(left.status, 204);
        }
    }
    patch(&mut walk, 1, json!({"phase": "open"})).await;
    seconds(&walk, 1).await;
    for given_up in &kept[..59] {
        assert_eq!(kind(&ask(&mut walk, given_up).await), "invalid-queue-token");
        assert_eq!(reserve(&mut walk, &buyer, given_up, 1).await.status, 403);
    }
    let last = ask(&mut walk, &kept[59]).await;
    assert_eq!(last.json["number"], 59, "{}", last.json);
    // From the number and the room's document alone everybody computes their place.
    let draw = walk.get("/api/v1/queue/rooms/1").await.json["draw"].clone();
    let seed: [u8; 32] = hex::decode(draw["seed"].as_str().unwrap()).unwrap().try_into().unwrap();
    let draw = Draw::new(&seed, b"", draw["cohort"].as_u64().unwrap().try_into().unwrap());
    let place = draw.place(Ticket(59)).0;
    let told = if last.json["status"] == "active" { json!(place) } else { last.json["place"].clone() };
    assert_eq!(told, json!(place));
}

#[tokio::test]
async fn a_pass_lasts_as_long_as_a_hold() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer).await;
    open_room(&mut walk, "accounts", 100).await;
    let first = join(&mut walk, Some(&buyer)).await;
    assert_eq!(first.json["expiresAt"], "2026-11-21T10:05:00Z");
    let pass = token(&first);
    seconds(&walk, 200).await;
    let held = reserve(&mut walk, &buyer, &pass, 1).await;
    let longer = held.headers["queue-token"].to_str().unwrap().to_owned();
    assert_eq!(ask(&mut walk, &longer).await.json["expiresAt"], held.json["expiresAt"]);
    // Past the end of the first pass: its token is still as good as the new one.
    seconds(&walk, 200).await;
    assert_eq!(token(&ask(&mut walk, &pass).await), longer);
    assert_eq!(pay(&mut walk, &buyer, &pass, &held, "k").await.status, 201);
}

#[tokio::test]
async fn the_rooms_document_is_the_same_for_everybody_and_watched() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    open_room(&mut walk, "anybody", 100).await;
    let path = "/api/v1/queue/rooms/1";
    let get = |headers: HeaderMap| walk.server.request(Method::GET, path).headers(headers).send();
    let plain = get(HeaderMap::new()).await.unwrap();
    assert_eq!(plain.headers()["cache-control"], "public, max-age=1");
    let login: HeaderMap =
        [(reqwest::header::AUTHORIZATION, format!("Bearer {}", walk.buyer).parse().unwrap())]
            .into_iter()
            .collect();
    let (mine, theirs) = (get(login).await.unwrap().bytes().await, plain.bytes().await);
    assert_eq!(mine.unwrap(), theirs.unwrap());

    let mut stream = walk.server.request(Method::GET, &format!("{path}/events")).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut told = String::new();
    let mut changed = false;
    while !told.contains("\"phase\":\"paused\"") {
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("read {told}")).unwrap().expect("the stream goes on");
        told.push_str(std::str::from_utf8(&chunk).unwrap());
        if !changed && told.contains("\"phase\":\"open\"") {
            changed = true;
            patch(&mut walk, 1, json!({"phase": "paused"})).await;
            seconds(&walk, 1).await;
        }
    }
    assert!(changed && told.starts_with("data: {\"roomId\":1,"), "{told}");
    let gone = walk.get("/api/v1/queue/rooms/9/events").await;
    assert_eq!(gone.status, 404);
}
