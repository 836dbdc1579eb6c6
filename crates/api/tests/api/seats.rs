//! Seats: list, layout, bitmap.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn seats_are_listed_drawn_and_counted() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [2, 3]})).await;
    walk.post(&organiser, "/api/v1/admin/performances/1/seats/lock", json!({"section": "Balcony"})).await;
    walk.forget();
    walk.get("/api/v1/performances/1/seats?status=held").await;
    walk.get("/api/v1/performances/1/seats?status=locked").await;
    walk.get("/api/v1/performances/2/seats?status=locked").await;
    walk.get("/api/v1/performances/1/availability").await;
    walk.get("/api/v1/performances/1/layout").await;
    for path in ["seats", "availability", "layout"] {
        walk.get(&format!("/api/v1/performances/9/{path}")).await;
    }
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn the_bitmap_the_counts_the_list_and_the_layout_agree() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let buyer = walk.buyer.clone();
    walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [9, 10]})).await;
    let availability = walk.get("/api/v1/performances/1/availability").await.json;
    let seats = walk.get("/api/v1/performances/1/seats").await.json;
    let layout = walk.get("/api/v1/performances/1/layout").await.json;
    let bitmap = BASE64_STANDARD.decode(availability["bitmap"].as_str().unwrap()).unwrap();
    let seats = seats.as_array().unwrap();
    assert_eq!(seats.len(), 24);
    for (ordinal, seat) in seats.iter().enumerate() {
        let taken = bitmap[ordinal / 8] >> (ordinal % 8) & 1 == 1;
        assert_eq!(taken, seat["status"] != "available", "{seat}");
        assert_eq!(layout["seats"][ordinal]["id"], seat["seatId"]);
    }
    let count = |status: &str| seats.iter().filter(|seat| seat["status"] == status).count();
    for status in ["available", "held", "sold", "locked"] {
        assert_eq!(availability["counts"][status], json!(count(status)), "{status}");
    }
    assert_eq!(availability["counts"]["total"], 24);
}

#[tokio::test]
async fn availability_is_new_after_every_change_and_304_otherwise() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    let path = "/api/v1/performances/1/availability";
    let mut tags: Vec<String> = Vec::new();
    let prices = json!([{"category": "Standard", "grade": "A", "price": 15_000}]);
    let changes: [(Method, &str, &str, Value); 3] = [
        (Method::POST, &buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [1]})),
        (Method::POST, &organiser, "/api/v1/admin/performances/1/seats/lock", json!({"seatIds": [5]})),
        (Method::PUT, &organiser, "/api/v1/admin/performances/1/prices", prices),
    ];
    let mut taken = Vec::new();
    for (method, token, call, body) in changes {
        for list in ["availability", "seats"] {
            let path = format!("/api/v1/performances/1/{list}");
            let fresh = walk.get(&path).await;
            let tag = fresh.headers["etag"].to_str().unwrap().to_owned();
            let again = walk.call_with(Method::GET, &path, None, None, &[("If-None-Match", &tag)]).await;
            assert_eq!(again.status, 304, "{path}");
        }
        let fresh = walk.get(path).await;
        taken.push(fresh.json["counts"]["available"].as_i64().unwrap());
        tags.push(fresh.headers["etag"].to_str().unwrap().to_owned());
        assert!(walk.call(method, call, Some(token), Some(body)).await.status.is_success());
    }
    taken.push(walk.get(path).await.json["counts"]["available"].as_i64().unwrap());
    assert_eq!(taken, [24, 23, 22, 18]);
    tags.dedup();
    assert_eq!(tags.len(), 3);
}
