//! Items, stocks and orders for units.

use std::sync::Arc;

use onsale_api::{
    ApiSettings,
    door::{By, DoorSettings, Group, GroupRule, LimitSettings},
};
use onsale_coordination::LocalLimiter;
use onsale_domain::{limits::CountRule, user::Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Server, Walk};

const ORDER: &str = "/api/order";
const ITEMS: &str = "/api/v1/admin/items";

/// Item 1 is always on sale, item 2 opens in an hour.
async fn set_up(walk: &mut Walk) {
    let organiser = walk.organiser.clone();
    let general = json!({
        "stock": 10,
        "item": {"name": "라면", "content": "라면입니다.", "price": 1_000, "type": "GENERAL",
            "timeZone": "Asia/Seoul", "unitsPerBuyerMax": 5},
    });
    walk.post(&organiser, ITEMS, general).await;
    let deal = json!({
        "stock": 2,
        "item": {"name": "Shoes", "content": "One hundred pairs.", "price": 99_000, "type": "TIME_DEAL",
            "startAt": "2026-11-21T19:59:59.700+09:00", "timeZone": "Asia/Seoul",
            "imageUrl": "https://example.com/shoes.jpg", "unitsPerBuyerMax": 2, "holdSeconds": 60},
    });
    walk.post(&organiser, ITEMS, deal).await;
}

async fn charge(walk: &mut Walk, token: &str, amount: i64) {
    walk.post(token, "/api/v1/users/me/points/charge", json!({"amount": amount})).await;
}

async fn order(walk: &mut Walk, token: &str, item: i64, count: i64) -> Value {
    walk.post(token, ORDER, json!({"itemNumber": item, "count": count})).await.json
}

fn path(order: &Value) -> String {
    format!("{ORDER}/{}", order["data"].as_str().expect("an order's id"))
}

/// The five calls as their description has them.
#[tokio::test]
async fn units_are_ordered_and_paid() {
    let mut walk = Server::start().await.walk().await;
    set_up(&mut walk).await;
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer, 5_000).await;
    walk.forget();
    walk.get("/api/item/1").await;
    walk.get("/api/item/2").await;
    walk.get("/api/item").await;
    walk.get("/api/item?after=1&size=1").await;
    walk.get("/api/stock/1").await;
    let held = order(&mut walk, &buyer, 1, 3).await;
    walk.get("/api/stock/1").await;
    walk.call(Method::POST, &path(&held), Some(&buyer), None).await;
    walk.call(Method::POST, &path(&held), Some(&buyer), None).await;
    walk.get_as(&buyer, &path(&held)).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn orders_are_listed_and_given_back() {
    let mut walk = Server::start().await.walk().await;
    set_up(&mut walk).await;
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer, 5_000).await;
    let paid = order(&mut walk, &buyer, 1, 2).await;
    walk.call(Method::POST, &path(&paid), Some(&buyer), None).await;
    let held = order(&mut walk, &buyer, 1, 1).await;
    walk.forget();
    walk.get_as(&buyer, "/api/order?size=1").await;
    let before = held["data"].as_str().unwrap().to_owned();
    walk.get_as(&buyer, &format!("/api/order?before={before}")).await;
    walk.call(Method::DELETE, &path(&paid), Some(&buyer), None).await;
    walk.call(Method::DELETE, &path(&paid), Some(&buyer), None).await;
    walk.call(Method::POST, &path(&paid), Some(&buyer), None).await;
    walk.get("/api/stock/1").await;
    walk.get_as(&buyer, "/api/v1/users/me/points").await;
    walk.server.clock.advance_ms(120_000);
    walk.call(Method::POST, &path(&held), Some(&buyer), None).await;
    walk.call(Method::DELETE, &path(&held), Some(&buyer), None).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn what_the_rules_forbid_is_refused_in_the_envelope() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    set_up(&mut walk).await;
    let buyer = walk.buyer.clone();
    let other = walk.server.log_in("other", Role::User).await;
    let seats = walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [1]})).await;
    let reservation = seats.json["reservationId"].as_str().unwrap().to_owned();
    let units = order(&mut walk, &buyer, 1, 4).await;
    walk.forget();
    order(&mut walk, &buyer, 2, 1).await;
    order(&mut walk, &buyer, 9, 1).await;
    order(&mut walk, &buyer, 1, 0).await;
    order(&mut walk, &buyer, 1, 2).await;
    order(&mut walk, &other, 1, 7).await;
    order(&mut walk, &buyer, 1, -1).await;
    walk.post(&buyer, ORDER, json!({"itemNumber": 1, "count": 1, "colour": "red"})).await;
    walk.call(Method::POST, ORDER, None, Some(json!({"itemNumber": 1, "count": 1}))).await;
    walk.get("/api/item/9").await;
    walk.get("/api/item/soup").await;
    walk.get("/api/item?size=0").await;
    walk.get("/api/stock/9").await;
    walk.call(Method::POST, &path(&units), Some(&buyer), None).await;
    walk.call(Method::POST, &path(&units), Some(&other), None).await;
    walk.get_as(&other, &path(&units)).await;
    // A reservation is no order, and an order no reservation; neither is touched by the other's calls.
    walk.get_as(&buyer, &format!("{ORDER}/{reservation}")).await;
    walk.call(Method::POST, &format!("{ORDER}/{reservation}"), Some(&buyer), None).await;
    walk.call(Method::DELETE, &format!("{ORDER}/{reservation}"), Some(&buyer), None).await;
    let as_reservation = format!("/api/v1/reservations/{}", units["data"].as_str().unwrap());
    walk.get_as(&buyer, &as_reservation).await;
    walk.call(Method::DELETE, &as_reservation, Some(&buyer), None).await;
    insta::assert_snapshot!(walk.text());
    let reservation = walk.get_as(&buyer, &format!("/api/v1/reservations/{reservation}")).await.json;
    assert_eq!(reservation["status"], "held");
    assert_eq!(walk.get_as(&buyer, &path(&units)).await.json["data"]["status"], "held");
    assert_eq!(walk.get_as(&buyer, "/api/order").await.json["data"].as_array().unwrap().len(), 1);
    let listed = walk.get_as(&buyer, "/api/v1/reservations").await.json;
    assert_eq!(listed["reservations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_time_deal_opens_and_sells_out() {
    let mut walk = Server::start().await.walk().await;
    set_up(&mut walk).await;
    walk.forget();
    walk.server.clock.advance_ms(3_600_000 - 1);
    // The log-ins from the beginning have run out.
    let buyer = walk.server.log_in("early", Role::User).await;
    let other = walk.server.log_in("late", Role::User).await;
    order(&mut walk, &buyer, 2, 2).await;
    walk.server.clock.advance_ms(1);
    order(&mut walk, &buyer, 2, 2).await;
    order(&mut walk, &other, 2, 1).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn an_order_with_a_key_is_made_and_paid_once() {
    let mut walk = Server::start().await.walk().await;
    set_up(&mut walk).await;
    let buyer = walk.buyer.clone();
    charge(&mut walk, &buyer, 5_000).await;
    walk.forget();
    let key = [("Idempotency-Key", "order-1")];
    let body = json!({"itemNumber": 1, "count": 2});
    let first = walk.call_with(Method::POST, ORDER, Some(&buyer), Some(body.clone()), &key).await.json;
    let second = walk.call_with(Method::POST, ORDER, Some(&buyer), Some(body), &key).await.json;
    assert_eq!(first, second);
    let other_body = json!({"itemNumber": 1, "count": 1});
    walk.call_with(Method::POST, ORDER, Some(&buyer), Some(other_body), &key).await;
    let key = [("Idempotency-Key", "pay-1")];
    for _ in 0..2 {
        walk.call_with(Method::POST, &path(&first), Some(&buyer), None, &key).await;
    }
    walk.call_with(Method::POST, &path(&first), Some(&buyer), None, &[("Idempotency-Key", "")]).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn organisers_keep_items_and_stock() {
    let mut walk = Server::start().await.walk().await;
    set_up(&mut walk).await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    order(&mut walk, &buyer, 1, 4).await;
    let soup = |price: i64| json!({"name": "Soup", "content": "Hot.", "price": price, "type": "GENERAL", "timeZone": "UTC"});
    for total in [12, 3, -1] {
        walk.put(&organiser, &format!("{ITEMS}/1/stock"), json!({"total": total})).await;
    }
    walk.put(&organiser, &format!("{ITEMS}/1"), soup(1_500)).await;
    walk.get("/api/item/1").await;
    walk.get_as(&organiser, &format!("{ITEMS}/1")).await;
    walk.get_as(&organiser, &format!("{ITEMS}/9")).await;
    walk.put(&organiser, &format!("{ITEMS}/9"), soup(1)).await;
    walk.put(&organiser, &format!("{ITEMS}/9/stock"), json!({"total": 1})).await;
    walk.put(&organiser, &format!("{ITEMS}/1"), soup(-1)).await;
    let with = |name: &str, value: Value| {
        let mut item = soup(1);
        item[name] = value;
        json!({"stock": 1, "item": item})
    };
    for (name, value) in [
        ("name", json!(" ")),
        ("timeZone", json!("Seoul")),
        ("startAt", json!("2026-11-21T20:00:00Z")),
        ("type", json!("TIME_DEAL")),
        ("type", json!("general")),
        ("unitsPerBuyerMax", json!(1_001)),
        ("holdSeconds", json!(i64::MAX)),
    ] {
        walk.post(&organiser, ITEMS, with(name, value)).await;
    }
    walk.post(&organiser, ITEMS, json!({"stock": -1, "item": soup(1)})).await;
    walk.post(&buyer, ITEMS, json!({"stock": 1, "item": soup(1)})).await;
    insta::assert_snapshot!(walk.text());
}

/// Whatever goes wrong at these addresses is told in the envelope.
#[tokio::test]
async fn every_refusal_at_the_items_addresses_is_in_the_envelope() {
    let rule = |group| GroupRule {
        group,
        by: By::Ip,
        rule: CountRule {
            name: "few".into(),
            requests: 1,
            window_ms: 60_000,
            burst: 1,
            block_ms: 60_000,
            block_ms_max: 0,
        },
    };
    let server = Server::start_with_clock(|settings, clock| ApiSettings {
        door: DoorSettings {
            limits: Some(LimitSettings {
                limiter: Arc::new(LocalLimiter::new(clock)),
                rules: vec![rule(Group::Lists)],
                guest_numbers: None,
            }),
            ..DoorSettings::default()
        },
        ..settings
    });
    let mut walk = server.await.walk().await;
    set_up(&mut walk).await;
    walk.get("/api/item").await;
    walk.forget();
    let buyer = walk.buyer.clone();
    for (method, path, status) in [
        (Method::GET, "/api/item", 429),
        (Method::GET, "/api/item?size=0", 429),
        (Method::PUT, "/api/order", 405),
        (Method::PATCH, "/api/order", 405),
        (Method::DELETE, "/api/item", 405),
        (Method::PUT, "/api/item/1", 405),
        (Method::POST, "/api/stock/1", 405),
        (Method::GET, "/api/item/", 404),
        (Method::GET, "/api/item/1/", 404),
        (Method::GET, "/api/item/1/cache", 404),
        (Method::GET, "/api/order/", 404),
        (Method::GET, "/api/stock", 404),
        (Method::GET, "/api/item/x", 400),
        (Method::GET, "/api/item/999", 404),
        (Method::GET, "/api/stock/x", 400),
        (Method::GET, "/api/order/x", 400),
        (Method::GET, "/api/order?size=0", 400),
        (Method::POST, "/api/order", 415),
    ] {
        let request = walk.server.request(method.clone(), path).bearer_auth(&buyer);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        assert_eq!(response.headers()["content-type"], "application/json", "{method} {path}");
        if status == 405 {
            assert!(response.headers().contains_key("allow"), "{method} {path}");
        }
        let json: Value = response.json().await.unwrap();
        assert_eq!(json["success"], false, "{method} {path}: {json}");
        assert!(json["message"].is_string() && json["type"].as_str().unwrap().starts_with("/problems/"));
    }
    let bodies = [
        ("", 400),
        ("[]", 400),
        ("{", 400),
        ("{\"itemNumber\":\"x\"}", 400),
        (&*format!("{{\"itemNumber\":1,\"count\":1}}{}", " ".repeat(70_000)), 413),
    ];
    for (body, status) in bodies {
        let request = walk.server.request(Method::POST, "/api/order").bearer_auth(&buyer);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{}", &body[..body.len().min(40)]);
        let json: Value = response.json().await.unwrap();
        assert_eq!(json["success"], false, "{json}");
    }
    let response = walk.server.request(Method::POST, "/api/order").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.json::<Value>().await.unwrap()["success"], false);
    // Elsewhere it is a problem.
    for path in ["/api/items", "/api/orders/1", "/api/itemx"] {
        let response = walk.server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn a_list_tells_the_local_time_as_it_is_and_the_moment_beside_it() {
    let mut walk = Server::start().await.walk().await;
    let organiser = walk.organiser.clone();
    for (start, told, opens) in [
        ("2026-11-21T20:00:00+09:00", "2026-11-21 20:00:00", "2026-11-21T11:00:00Z"),
        ("2026-11-21T11:59:43.900Z", "2026-11-21 20:59:44", "2026-11-21T11:59:44Z"),
        ("2026-11-21T11:59:43.0000001Z", "2026-11-21 20:59:44", "2026-11-21T11:59:44Z"),
    ] {
        let item = json!({"stock": 1, "item": {"name": "라면", "content": "c", "price": 1_000,
            "type": "TIME_DEAL", "startAt": start, "timeZone": "Asia/Seoul"}});
        let added = walk.post(&organiser, "/api/v1/admin/items", item).await.json;
        assert_eq!(added["startAt"], opens, "never before the second that was asked for");
        let listed = walk.get("/api/item").await.json;
        let last = listed["data"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["startAt"], &last["opensAt"]), (&json!(told), &json!(opens)));
        assert_eq!(last["timeZone"], "Asia/Seoul");
        let item = walk.get(&format!("/api/item/{}", last["itemNumber"])).await.json;
        assert_eq!((&item["data"]["start_at"], &item["data"]["opensAt"]), (&json!(told), &json!(opens)));
    }
    let page = walk.get("/api/item?size=2").await;
    assert_eq!(page.headers["link"], "</api/item?size=2&after=2>; rel=\"next\"");
    let last = walk.get("/api/item?size=2&after=2").await;
    assert!(!last.headers.contains_key("link") && last.json["data"].as_array().unwrap().len() == 1);
}

#[tokio::test]
async fn a_time_deal_does_not_open_before_its_moment() {
    let mut walk = Server::start().await.walk().await;
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let item = json!({"stock": 5, "item": {"name": "라면", "content": "c", "price": 0,
        "type": "TIME_DEAL", "startAt": "2026-11-21T10:00:43.900Z"}});
    walk.post(&organiser, "/api/v1/admin/items", item).await;
    for (after_ms, status) in [(43_000, 403), (43_900, 403), (43_999, 403), (44_000, 200)] {
        walk.server.clock.set(crate::server::START.plus_ms(after_ms));
        let order = walk.post(&buyer, "/api/order", json!({"itemNumber": 1, "count": 1})).await;
        assert_eq!(order.status.as_u16(), status, "{after_ms}");
    }
}
