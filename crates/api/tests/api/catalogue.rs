//! What is on.

use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn films_and_concerts_are_listed() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let organiser = walk.organiser.clone();
    let old = json!({"kind": "movie", "title": "1776", "genre": "Drama", "releaseDate": "1972-11-09"});
    walk.post(&organiser, "/api/v1/admin/shows", old).await;
    walk.forget();
    walk.get("/api/v1/movies").await;
    walk.get("/api/v1/movies?title=177").await;
    walk.get("/api/v1/movies?genre=drama&showing=true").await;
    walk.get("/api/v1/movies?showing=false&size=1&page=1").await;
    walk.get("/api/v1/movies/1").await;
    walk.get("/api/v1/movies/2").await;
    walk.get("/api/v1/concerts").await;
    walk.get("/api/v1/concerts/2").await;
    walk.get("/api/v1/concerts/2/dates").await;
    walk.get("/api/v1/concerts/1/dates").await;
    walk.get("/api/v1/performances/1").await;
    walk.get("/api/v1/performances/9").await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn parameters_out_of_bounds_are_refused() {
    let mut walk = Server::start().await.walk().await;
    for path in [
        "/api/v1/movies/abc",
        "/api/v1/movies/99999999999999999999",
        "/api/v1/movies?size=0",
        "/api/v1/movies?size=501",
        "/api/v1/movies?size=-1",
        "/api/v1/movies?page=1000001",
        "/api/v1/movies?page=x",
        "/api/v1/movies?showing=maybe",
        "/api/v1/movies?colour=red",
        "/api/v1/movies?title=a&title=b",
        "/api/v1/concerts?size=101",
        "/api/v1/performances/1/seats?status=free",
        "/api/v1/performances/x/seats",
    ] {
        let answer = walk.get(path).await;
        assert_eq!(answer.json["type"], "/problems/invalid-request", "{path}");
    }
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn more_films_than_a_page_holds_are_not_passed_over_in_silence() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let organiser = walk.organiser.clone();
    for number in 0..104 {
        let film = json!({"kind": "movie", "title": format!("Film {number:03}")});
        let show = walk.post(&organiser, "/api/v1/admin/shows", film).await.json["id"].clone();
        let screening = json!({
            "showId": show, "hallId": 1, "onSaleAt": "2026-11-01T00:00:00Z",
            "startsAt": "2026-11-22T21:00:00+09:00", "endsAt": "2026-11-23T00:01:00+09:00", "prices": [],
        });
        walk.post(&organiser, "/api/v1/admin/performances", screening).await;
    }
    // Follow the links.
    let (mut path, mut titles) = ("/api/v1/movies".to_owned(), Vec::new());
    loop {
        let page = walk.get(&path).await;
        assert_eq!(
            (&page.json["total"], &page.headers["x-total-count"]),
            (&json!(105), &"105".parse().unwrap())
        );
        let films = page.json["responses"].as_array().unwrap();
        titles.extend(films.iter().map(|film| film["title"].as_str().unwrap().to_owned()));
        let Some(link) = page.headers.get("link") else { break };
        let link = link.to_str().unwrap();
        path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
        assert!(link.ends_with("; rel=\"next\""), "{link}");
    }
    assert_eq!(path, "/api/v1/movies?page=1");
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(titles.len(), 105);
    // A search, and a list that fits.
    let found = walk.get("/api/v1/movies?title=Film%2000&size=4").await;
    assert_eq!(found.headers["link"], "</api/v1/movies?title=Film%2000&size=4&page=1>; rel=\"next\"");
    assert_eq!(found.json["total"], 10);
    let all = walk.get("/api/v1/movies?size=500").await;
    assert!(!all.headers.contains_key("link"));
    let concerts = walk.get("/api/v1/concerts?size=1").await;
    assert_eq!(concerts.headers["x-total-count"], "1");
}
