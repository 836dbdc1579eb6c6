//! What is popular.

use jiff::civil::date;
use onsale_domain::{
    ids::{PerformanceId, ShowId},
    time::Timestamp,
};
use onsale_engine::ports::{CountedSale, Sold};
use serde_json::json;

use crate::server::{START, Server, Walk};

/// Two days before [`START`], of which no chart was published.
const BEFORE: Timestamp = START.plus_ms(-2 * 86_400_000);

async fn sell(walk: &Walk, event: &str, performance: i64, units: i64, paid_at: Timestamp) {
    count(walk, event, Sold::Performance(PerformanceId(performance)), units, paid_at).await;
}

async fn count(walk: &Walk, event: &str, sold: Sold, units: i64, paid_at: Timestamp) {
    let sale = CountedSale { event: event.to_owned(), sold, units, paid_at };
    walk.server.engine.rankings.count(&[sale]).await.unwrap();
}

#[tokio::test]
async fn popular_films_and_concerts_are_ranked() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    sell(&walk, "a.2", 1, 5, BEFORE).await;
    sell(&walk, "b.2", 2, 7, BEFORE).await;
    sell(&walk, "c.2", 2, 2, START).await;
    sell(&walk, "a.3", 1, -1, BEFORE).await;
    walk.server.clock.advance_ms(86_400_000);
    walk.get("/api/v1/movies/popular?date=2026-11-19").await;
    walk.get("/api/v1/concerts/popular?period=week&date=2026-11-21&size=1").await;
    let month = walk.get("/api/v1/concerts/popular?period=month&date=2026-11-21").await;
    assert_eq!(month.json["ranking"][0]["score"], 9.0);
    let tag = month.headers["etag"].to_str().unwrap().to_owned();
    let path = "/api/v1/concerts/popular?period=month&date=2026-11-21";
    let known = walk.call_with(reqwest::Method::GET, path, None, None, &[("If-None-Match", &tag)]).await;
    assert_eq!(known.status, 304);
    insta::assert_snapshot!(walk.text());
}

/// Item 1 is always on sale, item 2 is a time deal.
async fn add_items(walk: &mut Walk) {
    let organiser = walk.organiser.clone();
    let general = json!({"name": "라면", "content": "라면입니다.", "price": 1_000, "type": "GENERAL",
        "timeZone": "Asia/Seoul"});
    let deal = json!({"name": "Shoes", "content": "Two.", "price": 99_000, "type": "TIME_DEAL",
        "startAt": "2026-11-21T20:00:00+09:00", "timeZone": "Asia/Seoul",
        "imageUrl": "https://example.com/shoes.jpg"});
    for item in [general, deal] {
        let added = walk.post(&organiser, "/api/v1/admin/items", json!({"stock": 10, "item": item})).await;
        assert_eq!(added.status, 201, "{}", added.json);
    }
}

#[tokio::test]
async fn popular_items_are_ranked() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    add_items(&mut walk).await;
    walk.forget();
    // Films have the same numbers, and a chart of their own.
    sell(&walk, "film.2", 1, 50, BEFORE).await;
    count(&walk, "a.2", Sold::Item(1), 5, BEFORE).await;
    count(&walk, "b.2", Sold::Item(2), 7, BEFORE).await;
    count(&walk, "c.2", Sold::Item(2), 2, START).await;
    count(&walk, "a.3", Sold::Item(1), -1, BEFORE).await;
    // Nobody knows this one any more.
    count(&walk, "d.2", Sold::Item(9), 6, BEFORE).await;
    walk.server.clock.advance_ms(86_400_000);
    walk.get("/api/v1/items/popular?date=2026-11-19").await;
    walk.get("/api/v1/items/popular?period=week&date=2026-11-21&size=1").await;
    let path = "/api/v1/items/popular?period=month&date=2026-11-21";
    let month = walk.get(path).await;
    assert_eq!(month.json["ranking"][0]["score"], 9.0);
    let tag = month.headers["etag"].to_str().unwrap().to_owned();
    let known = walk.call_with(reqwest::Method::GET, path, None, None, &[("If-None-Match", &tag)]).await;
    assert_eq!(known.status, 304);
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn the_latest_chart_of_items_and_what_sells_now_follow_the_clock() {
    let mut walk = Server::start().await.walk().await;
    add_items(&mut walk).await;
    let latest = walk.get("/api/v1/items/popular").await;
    assert_eq!((&latest.json["to"], &latest.json["ranking"]), (&"2026-11-20".into(), &json!([])));
    count(&walk, "a.2", Sold::Item(2), 4, START.plus_ms(-3_600_000)).await;
    let now = walk.get("/api/v1/items/popular?period=now").await;
    assert_eq!((&now.json["ranking"][0]["score"], &now.json["to"]), (&2.0.into(), &serde_json::Value::Null));
    assert_eq!(now.json["ranking"][0]["name"], "Shoes");
    walk.server.clock.set(START.plus_ms(5 * 3_600_000 + 5 * 60_000));
    let latest = walk.get("/api/v1/items/popular").await;
    assert_eq!(
        (&latest.json["to"], &latest.json["ranking"][0]["score"]),
        (&"2026-11-21".into(), &4.0.into())
    );
    assert_eq!(latest.json["ranking"][0]["itemNumber"], 2);
}

#[tokio::test]
async fn the_latest_chart_and_what_sells_now_follow_the_clock() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let latest = walk.get("/api/v1/movies/popular").await;
    assert_eq!((&latest.json["to"], &latest.json["ranking"]), (&"2026-11-20".into(), &serde_json::json!([])));
    sell(&walk, "a.2", 1, 4, START.plus_ms(-3_600_000)).await;
    let now = walk.get("/api/v1/movies/popular?period=now").await;
    assert_eq!((&now.json["ranking"][0]["score"], &now.json["to"]), (&2.0.into(), &serde_json::Value::Null));
    assert_eq!(now.json["ranking"][0]["title"], "범죄도시 4");
    // Past midnight in Seoul, and past the five minutes for which the chart before may be shown.
    walk.server.clock.set(START.plus_ms(5 * 3_600_000 + 5 * 60_000));
    let latest = walk.get("/api/v1/movies/popular").await;
    assert_eq!(latest.json["to"], date(2026, 11, 21).to_string());
    assert_eq!(latest.json["ranking"][0]["score"], 4.0);
    assert_eq!(latest.json["ranking"][0]["id"], ShowId(1).0);
}

#[tokio::test]
async fn rankings_that_there_are_none_of_are_refused() {
    let mut walk = Server::start().await.walk().await;
    for query in [
        "size=0",
        "size=101",
        "size=x",
        "period=year",
        "period=",
        "date=2026-11-21",
        "date=2025-11-19",
        "date=2026-02-30",
        "date=yesterday",
        "date=2026-11-20T00:00",
        "date=-009999-01-01",
        "period=now&date=2026-11-20",
        "colour=red",
    ] {
        let answer = walk.get(&format!("/api/v1/concerts/popular?{query}")).await;
        assert_eq!(answer.json["type"], "/problems/invalid-request", "{query}");
        let request = walk.server.request(reqwest::Method::GET, &format!("/api/v1/items/popular?{query}"));
        assert_eq!(request.send().await.unwrap().json::<serde_json::Value>().await.unwrap(), answer.json);
    }
    insta::assert_snapshot!(walk.text());
}
