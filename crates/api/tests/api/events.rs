//! Watching seats.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::json;

use crate::server::{Server, Walk};

const EVENTS: &str = "/api/v1/performances/1/events";

/// Reads until a text has come, and answers everything read.
async fn read_until(stream: &mut Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("waited for {wanted:?}, read {text:?}")).unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
    text
}

async fn hold(walk: &mut Walk, seat: i64) {
    let buyer = walk.buyer.clone();
    let body = json!({"performanceId": 1, "seatIds": [seat]});
    assert_eq!(walk.post(&buyer, "/api/v1/reservations", body).await.status, 201);
}

#[tokio::test]
async fn changes_are_told_as_they_happen_and_again_to_those_who_come_back() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let mut stream = walk.server.request(Method::GET, EVENTS).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    read_until(&mut stream, ": watching\n\n").await;
    hold(&mut walk, 3).await;
    hold(&mut walk, 4).await;
    let told = read_until(&mut stream, "id: 2\n").await;
    assert_eq!(
        told,
        "id: 1\ndata: {\"version\":1,\"seats\":[[2,\"held\"]]}\n\nid: 2\ndata: {\"version\":2,\"seats\":[[3,\"held\"]]}\n\n"
    );
    drop(stream);

    let back = walk.server.request(Method::GET, EVENTS).header("Last-Event-ID", "1");
    let mut stream = back.send().await.unwrap();
    let told = read_until(&mut stream, "id: 2\n").await;
    assert!(!told.contains("id: 1\n") && told.contains("[[3,\"held\"]]"), "{told}");

    let mut stream = walk.server.request(Method::GET, &format!("{EVENTS}?since=0")).send().await.unwrap();
    let told = read_until(&mut stream, "id: 2\n").await;
    assert!(told.contains("id: 1\n"), "{told}");
}

#[tokio::test]
async fn a_version_that_is_not_remembered_begins_anew() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    hold(&mut walk, 1).await;
    let mut stream = walk.server.request(Method::GET, &format!("{EVENTS}?since=77")).send().await.unwrap();
    let told = read_until(&mut stream, "id: 1\n").await;
    assert!(told.contains("event: reset\nid: 1\ndata: {\"version\":1}\n\n"), "{told}");
    hold(&mut walk, 2).await;
    let told = read_until(&mut stream, "id: 2\n").await;
    assert_eq!(told, "id: 2\ndata: {\"version\":2,\"seats\":[[1,\"held\"]]}\n\n");
}

#[tokio::test]
async fn watchers_are_bounded_and_let_go_when_the_server_stops() {
    let server = Server::start_with(|mut settings| {
        settings.watchers_max = 1;
        settings
    });
    let mut walk = server.await.walk().await;
    walk.set_up().await;
    let mut stream = walk.server.request(Method::GET, EVENTS).send().await.unwrap();
    read_until(&mut stream, ": watching").await;
    let refused = walk.get(EVENTS).await;
    assert_eq!(refused.json["type"], "/problems/overloaded");
    assert_eq!(refused.headers["retry-after"], "1");
    walk.server.stopping.send_replace(true);
    let end = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await.unwrap().unwrap();
    assert!(end.is_none());
}

#[tokio::test]
async fn what_is_not_a_version_is_refused() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    assert_eq!(walk.get(&format!("{EVENTS}?since=x")).await.status, 400);
    assert_eq!(walk.get(&format!("{EVENTS}?since=-1")).await.status, 400);
    let bad = walk.call_with(Method::GET, EVENTS, None, None, &[("Last-Event-ID", "x")]).await;
    assert_eq!(bad.json["field"], "Last-Event-ID");
    assert_eq!(walk.get("/api/v1/performances/9/events").await.status, 404);
}
