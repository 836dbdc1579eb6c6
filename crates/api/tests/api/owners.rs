//! Whose shows, venues and rooms are: what another organiser is answered, and how things change hands.

use onsale_domain::user::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Server, Walk};

const ADMIN: &str = "/api/v1/admin";

/// A server with the organiser's shows, another organiser, and an administrator.
async fn set_up() -> (Walk, String, String) {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let other = walk.server.log_in("other", Role::Organiser).await;
    let admin = walk.server.log_in("admin", Role::Admin).await;
    walk.forget();
    (walk, other, admin)
}

fn performance(show: i64, hall: i64) -> Value {
    json!({
        "showId": show, "hallId": hall, "onSaleAt": "2026-11-01T00:00:00Z",
        "startsAt": "2026-12-22T12:00:00Z", "endsAt": "2026-12-22T14:00:00Z", "prices": [],
    })
}

#[tokio::test]
async fn a_show_is_its_organisers_until_it_is_given_to_another() {
    let (mut walk, other, admin) = set_up().await;
    let organiser = walk.organiser.clone();
    let show = json!({"kind": "movie", "title": "범죄도시 4 (재개봉)"});
    let (shows, owner) = (format!("{ADMIN}/shows/1"), format!("{ADMIN}/shows/1/owner"));
    walk.put(&other, &shows, show.clone()).await;
    walk.post(&other, &format!("{ADMIN}/performances"), performance(1, 1)).await;
    walk.put(&other, &format!("{ADMIN}/performances/1/prices"), json!([])).await;
    walk.put(&organiser, &owner, json!({"email": "other@example.com"})).await;
    walk.put(&admin, &owner, json!({"email": "buyer@example.com"})).await;
    walk.put(&admin, &owner, json!({"email": "nobody@example.com"})).await;
    walk.put(&admin, &format!("{ADMIN}/shows/9/owner"), json!({"email": "other@example.com"})).await;
    walk.put(&admin, &owner, json!({"email": "Other@example.com"})).await;
    // It has changed hands, with its performances.
    walk.put(&organiser, &shows, show.clone()).await;
    walk.put(&organiser, &format!("{ADMIN}/performances/1/prices"), json!([])).await;
    let changed = walk.put(&other, &shows, show.clone()).await;
    assert_eq!(changed.status, StatusCode::OK);
    let changed = walk.put(&other, &format!("{ADMIN}/performances/1/prices"), json!([])).await;
    assert_eq!(changed.status, StatusCode::OK);
    // An administrator changes everything.
    assert_eq!(walk.put(&admin, &shows, show).await.status, StatusCode::OK);
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_performance_is_not_moved_into_somebody_elses_show() {
    let (mut walk, other, _) = set_up().await;
    let own = walk.post(&other, &format!("{ADMIN}/shows"), json!({"kind": "movie", "title": "Own"})).await;
    // In a hall of somebody else: everybody may play there.
    let own = own.json["id"].as_i64().unwrap();
    let added = walk.post(&other, &format!("{ADMIN}/performances"), performance(own, 1)).await;
    assert_eq!(added.status, StatusCode::CREATED);
    let moved = format!("{ADMIN}/performances/{}", added.json["id"]);
    let refused = walk.put(&other, &moved, performance(1, 1)).await;
    assert_eq!((refused.status, &refused.json["resource"]), (StatusCode::FORBIDDEN, &json!("show")));
    assert_eq!(walk.get_as(&other, &moved).await.json["showId"], own);
    let theirs = walk.put(&other, &format!("{ADMIN}/performances/1"), performance(own, 1)).await;
    assert_eq!((theirs.status, &theirs.json["resource"]), (StatusCode::FORBIDDEN, &json!("performance")));
}

#[tokio::test]
async fn a_hall_is_played_in_by_all_and_changed_by_its_venues_owner() {
    let (mut walk, other, admin) = set_up().await;
    let category = json!({"seats": {"all": true}, "category": "VIP"});
    let change = async |walk: &mut Walk, by: &str| {
        let path = format!("{ADMIN}/halls/1/seats");
        walk.call(Method::PATCH, &path, Some(by), Some(category.clone())).await.status
    };
    assert_eq!(change(&mut walk, &other).await, StatusCode::FORBIDDEN);
    let hall = json!({"name": "2관", "sections": [{"name": "Stalls", "rows": 1, "seatsPerRow": 2}]});
    let added = walk.post(&other, &format!("{ADMIN}/venues/1/halls"), hall).await;
    assert_eq!((added.status, &added.json["resource"]), (StatusCode::FORBIDDEN, &json!("venue")));
    assert_eq!(walk.get_as(&other, &format!("{ADMIN}/halls/1")).await.status, StatusCode::OK);
    walk.put(&admin, &format!("{ADMIN}/venues/1/owner"), json!({"email": "other@example.com"})).await;
    assert_eq!(change(&mut walk, &other).await, StatusCode::OK);
}

#[tokio::test]
async fn a_room_is_of_whoever_owns_the_shows_behind_it() {
    let (mut walk, other, admin) = set_up().await;
    let organiser = walk.organiser.clone();
    let rooms = format!("{ADMIN}/rooms");
    let room = |performances: &[i64]| {
        let mode = json!({"type": "bankWindow", "insideMax": 10});
        json!({"name": "Spring tour", "performanceIds": performances, "mode": mode})
    };
    assert_eq!(walk.post(&other, &rooms, room(&[1])).await.status, StatusCode::FORBIDDEN);
    assert_eq!(walk.post(&organiser, &rooms, room(&[1])).await.json["id"], 1);
    assert_eq!(walk.post(&other, &rooms, room(&[])).await.json["id"], 2);
    let listed = async |walk: &mut Walk, by: &str| {
        let listed = walk.get_as(by, &format!("{ADMIN}/rooms")).await.json;
        listed.as_array().unwrap().iter().map(|room| room["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&mut walk, &organiser).await, [1]);
    assert_eq!(listed(&mut walk, &other).await, [2]);
    assert_eq!(listed(&mut walk, &admin).await, [1, 2]);
    let patch = async |walk: &mut Walk, by: &str, room: i64, body: Value| {
        walk.call(Method::PATCH, &format!("{ADMIN}/rooms/{room}"), Some(by), Some(body)).await
    };
    // Another's room is not opened, and no room is put in front of another's sale.
    assert_eq!(patch(&mut walk, &other, 1, json!({"phase": "open"})).await.status, StatusCode::FORBIDDEN);
    let refused = patch(&mut walk, &other, 2, json!({"performanceIds": [2]})).await;
    assert_eq!((refused.status, &refused.json["resource"]), (StatusCode::FORBIDDEN, &json!("performance")));
    assert_eq!(walk.get_as(&other, &format!("{rooms}/2")).await.json["performanceIds"], json!([]));
    // The room goes with the show.
    walk.put(&admin, &format!("{ADMIN}/shows/1/owner"), json!({"email": "other@example.com"})).await;
    assert_eq!(listed(&mut walk, &organiser).await, [0; 0]);
    assert_eq!(listed(&mut walk, &other).await, [1, 2]);
    assert_eq!(patch(&mut walk, &other, 1, json!({"phase": "open"})).await.status, StatusCode::OK);
    // In front of shows of two organisers it is the administrators'.
    assert_eq!(patch(&mut walk, &admin, 1, json!({"performanceIds": [1, 2]})).await.status, StatusCode::OK);
    for by in [&organiser, &other] {
        assert_eq!(patch(&mut walk, by, 1, json!({"phase": "paused"})).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_webhook_names_no_show_of_somebody_else() {
    let (mut walk, other, _) = set_up().await;
    let webhooks = format!("{ADMIN}/webhooks");
    let webhook = |shows: Value| json!({"url": "https://example.com/hook", "showIds": shows});
    assert_eq!(walk.post(&other, &webhooks, webhook(json!([1]))).await.status, StatusCode::FORBIDDEN);
    assert_eq!(walk.post(&other, &webhooks, webhook(json!([]))).await.json["id"], 1);
    let edit = Some(json!({"showIds": [2]}));
    let refused = walk.call(Method::PATCH, &format!("{webhooks}/1"), Some(&other), edit).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
