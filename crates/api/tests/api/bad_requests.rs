//! Requests that are not as they should be.

use reqwest::Method;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn bodies_that_are_not_what_was_asked_for_are_refused() {
    let mut walk = Server::start().await.walk().await;
    let buyer = walk.buyer.clone();
    let (method, path) = (Method::POST, "/api/v1/reservations");
    for (media_type, body) in [
        ("application/json", ""),
        ("application/json", "{"),
        ("application/json", "{\"performanceId\": 1, \"seatIds\": [1]} x"),
        ("application/json", "[1, [1]]"),
        ("application/json", "null"),
        ("application/json", "{\"performanceId\": 1}"),
        ("application/json", "{\"performanceId\": \"1\", \"seatIds\": [1]}"),
        ("application/json", "{\"performanceId\": 1, \"seatIds\": [1.5]}"),
        ("application/json", "{\"performanceId\": 1, \"seatIds\": [99999999999999999999]}"),
        ("application/json", "{\"performanceId\": 1, \"seatIds\": [1], \"colour\": \"red\"}"),
        ("application/json", "{\"performanceId\": 1, \"performanceId\": 1, \"seatIds\": [1]}"),
        ("text/plain", "{\"performanceId\": 1, \"seatIds\": [1]}"),
        ("application/x-www-form-urlencoded", "performanceId=1"),
    ] {
        let request = walk.server.request(method.clone(), path).bearer_auth(&buyer);
        let request = request.header("content-type", media_type).body(body);
        walk.note(&format!("{media_type}: {body}"));
        walk.send(&method, path, request).await;
    }
    walk.note("no type: {}");
    let no_type = walk.server.request(method.clone(), path).bearer_auth(&buyer).body("{}");
    walk.send(&method, path, no_type).await;
    walk.note("101 seats");
    let too_many: Vec<i64> = (1..=101).collect();
    let request = walk.server.request(method.clone(), path).bearer_auth(&buyer);
    walk.send(&method, path, request.json(&json!({"performanceId": 1, "seatIds": too_many}))).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let mut walk = Server::start().await.walk().await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    for (token, path, bytes) in
        [(&buyer, "/api/v1/reservations", 65_537), (&organiser, "/api/v1/admin/shows", 8 * 1_024 * 1_024 + 1)]
    {
        let request = walk.server.request(Method::POST, path).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(" ".repeat(bytes));
        walk.note(&format!("{path}: {bytes} bytes"));
        walk.send(&Method::POST, path, request).await;
    }
    walk.note("/api/v1/payments: 70 pieces of 1,024 bytes");
    // In pieces and without a length, as a proxy may pass it on.
    let pieces = futures_util::stream::iter((0..70).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_024])));
    let request = walk.server.request(Method::POST, "/api/v1/payments").bearer_auth(&buyer);
    let request = request.header("content-type", "application/json");
    walk.send(&Method::POST, "/api/v1/payments", request.body(reqwest::Body::wrap_stream(pieces))).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn unknown_addresses_methods_and_tokens_are_problems() {
    let mut walk = Server::start().await.walk().await;
    walk.get("/nothing").await;
    walk.get("/api/v1/movies/1/nothing").await;
    walk.call(Method::DELETE, "/api/v1/movies", None, None).await;
    walk.call(Method::PUT, "/livez", None, None).await;
    walk.get("/api/v1/reservations").await;
    walk.get_as("x", "/api/v1/reservations").await;
    for scheme in ["Basic dXNlcjpwYXNz", "Bearer", ""] {
        walk.call_with(Method::GET, "/api/v1/reservations", None, None, &[("Authorization", scheme)]).await;
    }
    walk.get("/problems/seat-sold").await;
    walk.get("/problems/seat-stolen").await;
    walk.get("/livez").await;
    walk.get("/readyz").await;
    walk.get("/metrics").await;
    insta::assert_snapshot!(walk.text());
}
