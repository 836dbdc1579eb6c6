//! Holding, paying and giving back.

use onsale_domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{START, Server, Walk};

const RESERVATIONS: &str = "/api/v1/reservations";

async fn reserve(walk: &mut Walk, token: &str, performance: i64, seats: &[i64]) -> Value {
    walk.post(token, RESERVATIONS, json!({"performanceId": performance, "seatIds": seats})).await.json
}

async fn charge(walk: &mut Walk, token: &str, amount: i64) {
    walk.post(token, "/api/v1/users/me/points/charge", json!({"amount": amount})).await;
}

fn path(reservation: &Value) -> String {
    format!("{RESERVATIONS}/{}", reservation["reservationId"].as_str().unwrap())
}

#[tokio::test]
async fn a_seat_is_held_paid_and_given_back() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer, 50_000).await;
    let held = reserve(&mut walk, &buyer, 1, &[1, 2]).await;
    walk.get_as(&buyer, &path(&held)).await;
    let payment = json!({"reservationId": held["reservationId"]});
    walk.post(&buyer, "/api/v1/payments", payment.clone()).await;
    walk.post(&buyer, "/api/v1/payments", payment.clone()).await;
    walk.get_as(&buyer, &path(&held)).await;
    walk.call(Method::DELETE, &path(&held), Some(&buyer), None).await;
    walk.call(Method::DELETE, &path(&held), Some(&buyer), None).await;
    walk.post(&buyer, "/api/v1/payments", payment).await;
    walk.get_as(&buyer, "/api/v1/users/me/points").await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn what_the_rules_forbid_is_refused() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    let hall = json!({"name": "2관", "sections": [{"name": "Stalls", "rows": 1, "seatsPerRow": 2}]});
    walk.post(&organiser, "/api/v1/admin/venues/1/halls", hall).await;
    walk.post(&organiser, "/api/v1/admin/performances/1/seats/lock", json!({"seatIds": [5]})).await;
    let other = walk.server.log_in("other", Role::User).await;
    let held = reserve(&mut walk, &other, 1, &[1, 2]).await;
    let sold = reserve(&mut walk, &other, 1, &[3]).await;
    charge(&mut walk, &other, 14_000).await;
    walk.post(&other, "/api/v1/payments", json!({"reservationId": sold["reservationId"]})).await;
    walk.forget();
    reserve(&mut walk, &buyer, 1, &[]).await;
    reserve(&mut walk, &buyer, 1, &[6, 6]).await;
    reserve(&mut walk, &buyer, 9, &[6]).await;
    reserve(&mut walk, &buyer, 1, &[999]).await;
    reserve(&mut walk, &buyer, 1, &[25]).await;
    reserve(&mut walk, &buyer, 1, &[1]).await;
    reserve(&mut walk, &buyer, 1, &[3]).await;
    reserve(&mut walk, &buyer, 1, &[5]).await;
    reserve(&mut walk, &buyer, 1, &[6, 8]).await;
    reserve(&mut walk, &buyer, 1, &[11, 12, 13, 14, 15, 16]).await;
    reserve(&mut walk, &buyer, 2, &[1]).await;
    walk.get_as(&buyer, &path(&held)).await;
    walk.call(Method::DELETE, &path(&held), Some(&buyer), None).await;
    walk.post(&buyer, "/api/v1/payments", json!({"reservationId": held["reservationId"]})).await;
    walk.post(&other, "/api/v1/payments", json!({"reservationId": held["reservationId"]})).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn time_ends_holds_sales_and_refunds() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer, 100_000).await;
    let lapsing = reserve(&mut walk, &buyer, 1, &[1]).await;
    let paid = reserve(&mut walk, &buyer, 1, &[2]).await;
    walk.post(&buyer, "/api/v1/payments", json!({"reservationId": paid["reservationId"]})).await;
    walk.server.clock.set(START.plus_ms(300_000));
    walk.get_as(&buyer, &path(&lapsing)).await;
    walk.post(&buyer, "/api/v1/payments", json!({"reservationId": lapsing["reservationId"]})).await;
    walk.call(Method::DELETE, &path(&lapsing), Some(&buyer), None).await;
    // The film begins 26 hours after the start; the log-ins have run out by then.
    walk.server.clock.set(START.plus_ms(26 * 3_600_000));
    walk.get_as(&buyer, RESERVATIONS).await;
    let log_in = json!({"email": "buyer@example.com", "password": "correct horse"});
    let tokens = walk.call(Method::POST, "/api/v1/auth/login", None, Some(log_in)).await.json;
    let buyer = tokens["accessToken"].as_str().unwrap().to_owned();
    reserve(&mut walk, &buyer, 1, &[4]).await;
    walk.call(Method::DELETE, &path(&paid), Some(&buyer), None).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_performance_that_is_called_off_sells_nothing() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    let mut performance = walk.get_as(&organiser, "/api/v1/admin/performances/1").await.json;
    walk.forget();
    performance.as_object_mut().unwrap().remove("id");
    performance["cancelled"] = json!(true);
    walk.put(&organiser, "/api/v1/admin/performances/1", performance).await;
    reserve(&mut walk, &buyer, 1, &[1]).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_key_makes_a_request_safe_to_repeat() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let (buyer, other) = (walk.buyer.clone(), walk.server.log_in("other", Role::User).await);
    let key: &[(&str, &str)] = &[("Idempotency-Key", "a key of 1/2 ~")];
    let ask = |seat: i64| Some(json!({"performanceId": 1, "seatIds": [seat]}));
    let first = walk.call_with(Method::POST, RESERVATIONS, Some(&buyer), ask(1), key).await;
    let again = walk.call_with(Method::POST, RESERVATIONS, Some(&buyer), ask(1), key).await;
    assert_eq!(first.json, again.json);
    walk.call_with(Method::POST, RESERVATIONS, Some(&buyer), ask(2), key).await;
    // Another buyer's key is another key.
    walk.call_with(Method::POST, RESERVATIONS, Some(&other), ask(4), key).await;
    charge(&mut walk, &buyer, 20_000).await;
    let pay = Some(json!({"reservationId": first.json["reservationId"]}));
    let key: &[(&str, &str)] = &[("Idempotency-Key", "pay")];
    let paid = walk.call_with(Method::POST, "/api/v1/payments", Some(&buyer), pay.clone(), key).await;
    let again = walk.call_with(Method::POST, "/api/v1/payments", Some(&buyer), pay, key).await;
    assert_eq!(paid.json, again.json);
    let long = "k".repeat(256);
    for bad in ["", "schlüssel", &long] {
        walk.call_with(Method::POST, RESERVATIONS, Some(&buyer), ask(5), &[("Idempotency-Key", bad)]).await;
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    walk.call_with(Method::POST, RESERVATIONS, Some(&buyer), ask(5), &twice).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn reservations_are_paged_newest_first_and_only_ones_own() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    for seat in [1, 2, 3] {
        reserve(&mut walk, &buyer, 1, &[seat]).await;
    }
    walk.forget();
    let page = walk.get_as(&buyer, "/api/v1/reservations?size=2").await.json;
    let next = page["next"].as_str().unwrap();
    let rest = walk.get_as(&buyer, &format!("/api/v1/reservations?size=2&before={next}")).await.json;
    assert_eq!(rest["next"], Value::Null);
    walk.get_as(&organiser, RESERVATIONS).await;
    walk.get_as(&buyer, "/api/v1/reservations?before=5").await;
    walk.get_as(&buyer, "/api/v1/reservations/00000000-0000-0000-0000-000000000000").await;
    insta::assert_snapshot!(walk.text());
}
