//! People, log-ins and points.

use onsale_domain::{ids::UserId, user::Role};
use reqwest::Method;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn a_person_signs_up_logs_in_changes_and_leaves() {
    let mut walk = Server::start().await.walk().await;
    let person = json!({"email": "Mina@Example.com", "password": "correct horse", "name": "Mina"});
    walk.call(Method::POST, "/api/v1/users", None, Some(person.clone())).await;
    walk.call(Method::POST, "/api/v1/users", None, Some(person)).await;
    let weak = json!({"email": "x@example.com", "password": "short", "name": "X"});
    walk.call(Method::POST, "/api/v1/users", None, Some(weak)).await;
    let wrong = json!({"email": "mina@example.com", "password": "wrong horse"});
    walk.call(Method::POST, "/api/v1/auth/login", None, Some(wrong)).await;
    let right = json!({"email": "mina@example.com", "password": "correct horse"});
    let tokens = walk.call(Method::POST, "/api/v1/auth/login", None, Some(right)).await.json;
    let token = tokens["accessToken"].as_str().unwrap().to_owned();
    walk.get_as(&token, "/api/v1/users/me").await;
    let change = json!({"name": "Mina Kim"});
    walk.call(Method::PATCH, "/api/v1/users/me", Some(&token), Some(change)).await;
    let taken = json!({"email": "buyer@example.com", "currentPassword": "correct horse"});
    walk.call(Method::PATCH, "/api/v1/users/me", Some(&token), Some(taken)).await;
    let unproven = json!({"email": "kim@example.com", "currentPassword": "wrong horse"});
    walk.call(Method::PATCH, "/api/v1/users/me", Some(&token), Some(unproven)).await;
    let refresh = json!({"refreshToken": tokens["refreshToken"]});
    let next = walk.call(Method::POST, "/api/v1/auth/refresh", None, Some(refresh.clone())).await.json;
    walk.call(Method::POST, "/api/v1/auth/logout", next["accessToken"].as_str(), None).await;
    walk.get_as(&token, "/api/v1/users/me").await;
    walk.call(Method::POST, "/api/v1/auth/refresh", None, Some(refresh)).await;
    walk.get("/api/v1/users/me").await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_closed_account_is_gone() {
    let mut walk = Server::start().await.walk().await;
    let buyer = walk.buyer.clone();
    walk.call(Method::DELETE, "/api/v1/users/me", Some(&buyer), None).await;
    walk.get_as(&buyer, "/api/v1/users/me").await;
    let log_in = json!({"email": "buyer@example.com", "password": "correct horse"});
    walk.call(Method::POST, "/api/v1/auth/login", None, Some(log_in)).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn points_are_charged_once_for_a_key() {
    let mut walk = Server::start().await.walk().await;
    let buyer = walk.buyer.clone();
    let charge = "/api/v1/users/me/points/charge";
    walk.get_as(&buyer, "/api/v1/users/me/points").await;
    for amount in [50_000, 50_000, 60_000] {
        let body = Some(json!({"amount": amount}));
        walk.call_with(Method::POST, charge, Some(&buyer), body, &[("Idempotency-Key", "k1")]).await;
    }
    walk.post(&buyer, charge, json!({"amount": 0})).await;
    walk.post(&buyer, charge, json!({"amount": 1_000_000_001})).await;
    walk.get_as(&buyer, "/api/v1/users/me/points").await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_session_whose_account_has_been_erased_finds_no_account() {
    let mut walk = Server::start().await.walk().await;
    // As a token of another node would be, which has not heard yet that the account is closed.
    let ghost = UserId(999);
    let tokens = walk.server.engine.accounts.begin_session(ghost, Role::User).await.unwrap();
    walk.get_as(&tokens.access, "/api/v1/users/me").await;
    insta::assert_snapshot!(walk.text());
}
