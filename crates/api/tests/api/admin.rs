//! What organisers do.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn an_organiser_sets_everything_up() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let organiser = walk.organiser.clone();
    let venue = json!({"name": "강남점", "timeZone": "Asia/Seoul"});
    walk.put(&organiser, "/api/v1/admin/venues/1", venue).await;
    walk.get_as(&organiser, "/api/v1/admin/venues").await;
    walk.get_as(&organiser, "/api/v1/admin/venues?after=1").await;
    walk.get_as(&organiser, "/api/v1/admin/venues/1").await;
    walk.get_as(&organiser, "/api/v1/admin/venues/1/halls").await;
    walk.get_as(&organiser, "/api/v1/admin/halls/1").await;
    walk.get_as(&organiser, "/api/v1/admin/shows/1").await;
    let show = json!({"kind": "movie", "title": "범죄도시 4 (재개봉)"});
    walk.put(&organiser, "/api/v1/admin/shows/1", show).await;
    walk.get_as(&organiser, "/api/v1/admin/performances/1").await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn seats_are_priced_locked_and_unlocked() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let vip = json!({"seats": {"section": "Stalls", "rows": ["A"]}, "category": "VIP"});
    walk.call(Method::PATCH, "/api/v1/admin/halls/1/seats", Some(&organiser), Some(vip)).await;
    let prices = json!([
        {"category": "VIP", "grade": "VIP", "price": 50_000},
        {"category": "Standard", "grade": "A", "price": 15_000},
    ]);
    walk.put(&organiser, "/api/v1/admin/performances/1/prices", prices).await;
    walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [1]})).await;
    let lock = "/api/v1/admin/performances/1/seats/lock";
    walk.post(&organiser, lock, json!({"section": "Stalls", "rows": ["A"]})).await;
    walk.post(&organiser, lock, json!({"seatIds": [2, 2, 11]})).await;
    walk.post(&organiser, "/api/v1/admin/performances/1/seats/unlock", json!({"all": true})).await;
    walk.post(&organiser, lock, json!({"section": "Pit"})).await;
    walk.post(&organiser, lock, json!({"seatIds": [999]})).await;
    walk.post(&organiser, lock, json!({"all": true, "section": "Stalls"})).await;
    walk.post(&organiser, lock, json!({"all": false})).await;
    walk.post(&organiser, "/api/v1/admin/performances/9/seats/lock", json!({"all": true})).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn lists_without_members_are_refused() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    for none in [json!({"seatIds": []}), json!({"section": "Stalls", "rows": []})] {
        let vip = json!({"seats": none, "category": "VIP"});
        walk.call(Method::PATCH, "/api/v1/admin/halls/1/seats", Some(&organiser), Some(vip)).await;
        walk.post(&organiser, "/api/v1/admin/performances/1/seats/lock", none).await;
    }
    walk.post(&organiser, "/api/v1/admin/venues/1/halls", json!({"name": "2관", "sections": []})).await;
    walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": []})).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let second = json!({"name": "2관", "sections": [{"name": "Stalls", "rows": 1, "seatsPerRow": 2, "category": "Standard"}]});
    walk.post(&organiser, "/api/v1/admin/venues/1/halls", second).await;
    walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [1]})).await;
    let performance = json!({
        "showId": 1, "hallId": 1, "onSaleAt": "2026-11-01T00:00:00Z",
        "startsAt": "2026-11-22T12:00:00Z", "endsAt": "2026-11-22T14:00:00Z", "prices": [],
    });
    let with = |name: &str, value: serde_json::Value| {
        let mut changed = performance.clone();
        changed[name] = value;
        changed
    };
    walk.forget();
    let base = "/api/v1/admin";
    walk.post(&organiser, &format!("{base}/venues"), json!({"name": "x", "timeZone": "Seoul"})).await;
    walk.post(
        &organiser,
        &format!("{base}/venues/9/halls"),
        json!({"name": "x", "sections": [{"name": "s", "rows": 1, "seatsPerRow": 1}]}),
    )
    .await;
    walk.post(&organiser, &format!("{base}/venues/1/halls"), json!({"name": "x"})).await;
    walk.post(
        &organiser,
        &format!("{base}/venues/1/halls"),
        json!({"name": "x", "sections": [{"name": "s", "rows": 1001, "seatsPerRow": 1000}]}),
    )
    .await;
    walk.get_as(&organiser, &format!("{base}/venues/9/halls")).await;
    walk.get_as(&organiser, &format!("{base}/halls/9")).await;
    walk.post(
        &organiser,
        &format!("{base}/shows"),
        json!({"kind": "movie", "title": "x", "releaseDate": "24.4.2024"}),
    )
    .await;
    walk.post(&organiser, &format!("{base}/shows"), json!({"kind": "opera", "title": "x"})).await;
    walk.post(&organiser, &format!("{base}/shows"), json!({"kind": "movie", "title": " "})).await;
    walk.put(&organiser, &format!("{base}/shows/9"), json!({"kind": "movie", "title": "x"})).await;
    for body in [
        with("endsAt", json!("2026-11-22T12:00:00Z")),
        with("startsAt", json!("2026-11-22T12:00:00")),
        with("showId", json!(9)),
        with("hallId", json!(9)),
        with("rules", json!({"holdSeconds": 0, "seatsPerBuyerMax": 5, "sideBySide": false})),
        with("prices", json!([{"category": "Gold", "grade": "A", "price": 1}])),
        with("prices", json!([{"category": "Box", "grade": "A", "price": -1}])),
        with("cancelled", json!(true)),
    ] {
        walk.post(&organiser, &format!("{base}/performances"), body).await;
    }
    walk.put(&organiser, &format!("{base}/performances/9"), performance.clone()).await;
    walk.put(&organiser, &format!("{base}/performances/1"), with("hallId", json!(2))).await;
    walk.put(&organiser, &format!("{base}/performances/9/prices"), json!([])).await;
    walk.get_as(&buyer, &format!("{base}/venues")).await;
    walk.get(&format!("{base}/venues")).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_source_names_one_show() {
    let mut walk = Server::start().await.walk().await;
    let organiser = walk.organiser.clone();
    let show = json!({"kind": "movie", "title": "x", "sourceKey": "movies/1"});
    walk.post(&organiser, "/api/v1/admin/shows", show.clone()).await;
    walk.post(&organiser, "/api/v1/admin/shows", show).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_hundred_thousand_seats_are_made_listed_and_locked() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let organiser = walk.organiser.clone();
    let stadium =
        json!({"name": "Stadium", "sections": [{"name": "Field", "rows": 250, "seatsPerRow": 400}]});
    let hall = walk.post(&organiser, "/api/v1/admin/venues/1/halls", stadium).await.json;
    assert_eq!(hall["seatTotal"], 100_000);
    let performance = json!({
        "showId": 2, "hallId": hall["id"], "onSaleAt": "2026-11-01T00:00:00Z",
        "startsAt": "2026-11-22T12:00:00Z", "endsAt": "2026-11-22T14:00:00Z",
        "prices": [{"category": "Standard", "grade": "R", "price": 10}],
    });
    let id = walk.post(&organiser, "/api/v1/admin/performances", performance).await.json["id"].clone();
    let seats = walk.get(&format!("/api/v1/performances/{id}/seats")).await.json;
    assert_eq!(seats.as_array().unwrap().len(), 100_000);
    let all: Vec<_> = seats.as_array().unwrap().iter().map(|seat| seat["seatId"].clone()).collect();
    let lock = format!("/api/v1/admin/performances/{id}/seats/lock");
    let locked = walk.post(&organiser, &lock, json!({"seatIds": all})).await.json;
    assert_eq!(locked["changed"], 100_000);
    let counts = walk.get(&format!("/api/v1/performances/{id}/availability")).await.json["counts"].clone();
    assert_eq!((&counts["locked"], &counts["available"]), (&json!(100_000), &json!(0)));
}

/// The answer of a GET can be put back, and nothing has changed by it.
#[tokio::test]
async fn what_is_got_can_be_put() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let organiser = walk.organiser.clone();
    let item = json!({"stock": 7, "item": {"name": "Poster", "content": "A2", "price": 900,
        "type": "TIME_DEAL", "startAt": "2026-11-22T10:00:00Z", "timeZone": "Asia/Seoul"}});
    walk.post(&organiser, "/api/v1/admin/items", item).await;
    let room = json!({"name": "Tour", "performanceIds": [1, 2], "itemNumbers": [1],
        "mode": {"type": "bankWindow", "insideMax": 10}});
    let added = walk.post(&organiser, "/api/v1/admin/rooms", room).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.json);
    let hook = json!({"url": "https://example.com/hook", "showIds": [1]});
    walk.post(&organiser, "/api/v1/admin/webhooks", hook).await;
    for (path, id, method) in [
        ("/api/v1/admin/shows/1", "id", Method::PUT),
        ("/api/v1/admin/shows/2", "id", Method::PUT),
        ("/api/v1/admin/venues/1", "id", Method::PUT),
        ("/api/v1/admin/performances/1", "id", Method::PUT),
        ("/api/v1/admin/performances/2", "id", Method::PUT),
        ("/api/v1/admin/items/1", "itemNumber", Method::PUT),
        ("/api/v1/admin/rooms/1", "id", Method::PATCH),
        ("/api/v1/admin/webhooks/1", "id", Method::PATCH),
    ] {
        let got = walk.get_as(&organiser, path).await.json;
        let put = walk.call(method.clone(), path, Some(&organiser), Some(got.clone())).await;
        assert_eq!(put.status, StatusCode::OK, "{path}: {}", put.json);
        assert_eq!(put.json, got, "{path}");
        assert_eq!(walk.get_as(&organiser, path).await.json, got, "{path}");
        // Another one's is refused, and so is what is not known.
        let mut other = got.clone();
        other[id] = json!(99);
        let refused = walk.call(method.clone(), path, Some(&organiser), Some(other)).await;
        assert_eq!((refused.status, &refused.json["field"]), (StatusCode::BAD_REQUEST, &json!(id)), "{path}");
        let mut unknown = got.clone();
        unknown["colour"] = json!("red");
        let refused = walk.call(method, path, Some(&organiser), Some(unknown)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(refused.json["detail"].as_str().unwrap().contains("colour"), "{}", refused.json);
    }
    let stock = walk.get_as(&organiser, "/api/v1/admin/items/1").await.json["stock"].clone();
    let put = walk.put(&organiser, "/api/v1/admin/items/1/stock", stock.clone()).await;
    assert_eq!((put.status, put.json), (StatusCode::OK, stock));
    let prices = walk.get_as(&organiser, "/api/v1/admin/performances/1").await.json["prices"].clone();
    let put = walk.put(&organiser, "/api/v1/admin/performances/1/prices", prices.clone()).await;
    assert_eq!((put.status, &put.json["prices"]), (StatusCode::OK, &prices));
    // A room that is open, too: what is as it was is no change.
    for phase in ["preQueue", "open", "paused", "closed"] {
        let path = "/api/v1/admin/rooms/1";
        walk.call(Method::PATCH, path, Some(&organiser), Some(json!({"phase": phase}))).await;
        let got = walk.get_as(&organiser, path).await.json;
        let put = walk.call(Method::PATCH, path, Some(&organiser), Some(got.clone())).await;
        assert_eq!((put.status, put.json), (StatusCode::OK, got), "{phase}");
    }
    let admits = walk.call(
        Method::PATCH,
        "/api/v1/admin/rooms/1",
        Some(&organiser),
        Some(json!({"admits": "anybody"})),
    );
    assert_eq!(admits.await.status, StatusCode::BAD_REQUEST);
    // What is added has no id yet.
    let show = json!({"id": 1, "kind": "movie", "title": "Parasite"});
    assert_eq!(walk.post(&organiser, "/api/v1/admin/shows", show).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn text_areas_of_browsers_are_taken() {
    let mut walk = Server::start().await.walk().await;
    let organiser = walk.organiser.clone();
    let text = "one\r\ntwo\rthree\n\tfour\r\n";
    let show = json!({"kind": "concert", "title": "x", "description": text});
    let added = walk.post(&organiser, "/api/v1/admin/shows", show.clone()).await;
    assert_eq!(
        (added.status, &added.json["description"]),
        (StatusCode::CREATED, &json!("one\ntwo\nthree\n\tfour\n"))
    );
    let put = walk.put(&organiser, "/api/v1/admin/shows/1", show).await;
    assert_eq!(put.json["description"], "one\ntwo\nthree\n\tfour\n");
    let item = json!({"name": "x", "content": text, "price": 1, "type": "GENERAL"});
    let added = walk.post(&organiser, "/api/v1/admin/items", json!({"stock": 1, "item": item})).await;
    assert_eq!(added.json["content"], "one\ntwo\nthree\n\tfour\n");
    // As long as it may be, counted as it is kept.
    let long = json!({"kind": "concert", "title": "x", "description": "x\r\n".repeat(5_000)});
    assert_eq!(walk.post(&organiser, "/api/v1/admin/shows", long).await.status, StatusCode::CREATED);
    for (field, text) in
        [("title", "a\tb"), ("description", "a\u{1}b"), ("genre", "a\tb"), ("description", "\t\r\n")]
    {
        let mut show = json!({"kind": "concert", "title": "x"});
        show[field] = json!(text);
        let refused = walk.post(&organiser, "/api/v1/admin/shows", show).await;
        assert_eq!(
            (refused.status, &refused.json["field"]),
            (StatusCode::BAD_REQUEST, &json!(field)),
            "{text:?}"
        );
    }
}
