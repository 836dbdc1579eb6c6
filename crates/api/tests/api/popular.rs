//! What is popular.

use jiff::civil::date;
use onsale_domain::{
    ids::{PerformanceId, ShowId},
    time::Timestamp,
};
use onsale_engine::ports::{CountedSale, Sold};

use crate::server::{START, Server, Walk};

/// Two days before [`START`], of which no chart was published.
const BEFORE: Timestamp = START.plus_ms(-2 * 86_400_000);

async fn sell(walk: &Walk, event: &str, performance: i64, units: i64, paid_at: Timestamp) {
    let sold = Sold::Performance(PerformanceId(performance));
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
    }
    insta::assert_snapshot!(walk.text());
}
