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
