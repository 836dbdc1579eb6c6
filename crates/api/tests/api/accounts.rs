//! People, log-ins and points.

use onsale_domain::{ids::UserId, user::Role};
use onsale_engine::Settings;
use reqwest::Method;
use serde_json::json;

use crate::server::{Server, Walk};

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
async fn addresses_and_passwords_that_will_not_do_are_refused_with_the_reason() {
    let mut walk = Server::start().await.walk().await;
    for (email, password) in [
        ("kim@example,com", "correct horse"),
        ("a..b@example.com", "correct horse"),
        ("kim@example", "correct horse"),
        ("kim@example.com", "password"),
        ("kim@example.com", "12345678"),
        ("kimberly@example.com", "Kimberly1"),
        ("kim@bücher.example", "correct horse"),
        ("kim@xn--bcher-kva.example", "correct horse"),
    ] {
        let person = json!({"email": email, "password": password, "name": "Kim"});
        walk.call(Method::POST, "/api/v1/users", None, Some(person)).await;
    }
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn an_administrator_looks_after_accounts() {
    let mut walk = Server::start().await.walk().await;
    let admin = walk.server.log_in("admin", Role::Admin).await;
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let accounts = "/api/v1/admin/accounts";
    let page = walk.get_as(&admin, &format!("{accounts}?size=2")).await.json;
    walk.get_as(&admin, &format!("{accounts}?size=2&after={}", page["next"])).await;
    walk.get_as(&admin, &format!("{accounts}?email=BUYER%40&role=user")).await;
    walk.get_as(&admin, &format!("{accounts}?email=%00")).await;
    walk.get_as(&admin, &format!("{accounts}?role=root")).await;
    walk.get_as(&admin, &format!("{accounts}/99")).await;

    walk.note("an organiser is one no more, at once");
    let patch = async |walk: &mut crate::server::Walk, id: i64, change| {
        walk.call(Method::PATCH, &format!("{accounts}/{id}"), Some(&admin), Some(change)).await
    };
    patch(&mut walk, 1, json!({"role": "user"})).await;
    walk.get_as(&organiser, "/api/v1/users/me").await;
    walk.note("a buyer is disabled, and enabled again");
    patch(&mut walk, 2, json!({"disabled": true})).await;
    walk.get_as(&buyer, "/api/v1/users/me").await;
    let log_in = json!({"email": "buyer@example.com", "password": "correct horse"});
    walk.call(Method::POST, "/api/v1/auth/login", None, Some(log_in.clone())).await;
    patch(&mut walk, 2, json!({"disabled": false})).await;
    let tokens = walk.call(Method::POST, "/api/v1/auth/login", None, Some(log_in)).await.json;
    walk.note("somebody's sessions are ended");
    walk.call(Method::DELETE, &format!("{accounts}/2/sessions"), Some(&admin), None).await;
    walk.get_as(tokens["accessToken"].as_str().unwrap(), "/api/v1/users/me").await;
    walk.note("the last administrator stays");
    patch(&mut walk, 3, json!({"role": "organiser"})).await;
    patch(&mut walk, 3, json!({"disabled": true})).await;
    walk.call(Method::DELETE, "/api/v1/users/me", Some(&admin), None).await;
    patch(&mut walk, 3, json!({})).await;
    patch(&mut walk, 3, json!({"role": "root"})).await;
    patch(&mut walk, 99, json!({"role": "user"})).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn a_refresh_token_whose_answer_was_lost_gets_it_again() {
    let mut walk = Server::start().await.walk().await;
    let log_in = json!({"email": "buyer@example.com", "password": "correct horse"});
    let tokens = walk.call(Method::POST, "/api/v1/auth/login", None, Some(log_in)).await.json;
    let refresh = Some(json!({"refreshToken": tokens["refreshToken"]}));
    let next = walk.call(Method::POST, "/api/v1/auth/refresh", None, refresh.clone()).await.json;
    let again = walk.call(Method::POST, "/api/v1/auth/refresh", None, refresh.clone()).await.json;
    assert_eq!(next["refreshToken"], again["refreshToken"]);
    for token in [&next, &again] {
        let me = walk.get_as(token["accessToken"].as_str().unwrap(), "/api/v1/users/me").await;
        assert_eq!(me.json["email"], "buyer@example.com");
    }
    walk.server.clock.advance_ms(10_001);
    let stolen = walk.call(Method::POST, "/api/v1/auth/refresh", None, refresh).await;
    assert_eq!(stolen.json["type"], "/problems/invalid-token");
    let ended = walk.get_as(next["accessToken"].as_str().unwrap(), "/api/v1/users/me").await;
    assert_eq!(ended.json["type"], "/problems/invalid-token");
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

/// The setting decides who may put points into wallets.
#[tokio::test]
async fn points_come_from_whom_the_settings_say() {
    use onsale_domain::wallet::PointsFrom::{Anyone, Nobody, Organisers, Provider};
    for (points_from, buyer, organiser, admin) in [
        (Nobody, 403, 403, 403),
        (Provider, 403, 403, 200),
        (Organisers, 403, 200, 200),
        (Anyone, 200, 200, 200),
    ] {
        let server = Server::start_with_all(
            |settings| Settings { points_from, ..settings },
            |settings, _| settings,
            |engine| engine,
        );
        let mut walk = Box::pin(server).await.walk().await;
        let admin_login = walk.server.log_in("admin", Role::Admin).await;
        let (buyer_login, organiser_login) = (walk.buyer.clone(), walk.organiser.clone());
        let own = "/api/v1/users/me/points/charge";
        let credit = "/api/v1/admin/users/2/points";
        for (login, path, status) in [
            (&buyer_login, own, buyer),
            (&organiser_login, own, buyer),
            (&admin_login, own, buyer),
            (&buyer_login, credit, 403),
            (&organiser_login, credit, organiser),
            (&admin_login, credit, admin),
        ] {
            let answer = walk.post(login, path, json!({"amount": 10})).await;
            assert_eq!(answer.status.as_u16(), status, "{points_from:?} {path}: {}", answer.json);
        }
        let credits = [organiser, admin, buyer].into_iter().filter(|status| *status == 200).count();
        let points = walk.get_as(&buyer_login, "/api/v1/users/me/points").await.json;
        assert_eq!(points["balance"], 10 * credits, "{points_from:?}");
        if points_from == Provider {
            walk.forget();
            walk.post(&buyer_login, own, json!({"amount": 10})).await;
            walk.post(&organiser_login, credit, json!({"amount": 10})).await;
            walk.post(&admin_login, credit, json!({"amount": 10})).await;
            insta::assert_snapshot!(walk.text());
        }
    }
}

#[tokio::test]
async fn an_account_is_credited_once_for_a_key() {
    let mut walk = Server::start().await.walk().await;
    let admin = walk.server.log_in("admin", Role::Admin).await;
    let (buyer, path) = (walk.buyer.clone(), "/api/v1/admin/users/2/points");
    let key = [("Idempotency-Key", "payment-1")];
    let credit = async |walk: &mut Walk, amount: i64| {
        let answer =
            walk.call_with(Method::POST, path, Some(&admin), Some(json!({"amount": amount})), &key).await;
        (answer.status.as_u16(), answer.json["balance"].clone())
    };
    assert_eq!(credit(&mut walk, 500).await, (200, json!(500)));
    assert_eq!(credit(&mut walk, 500).await, (200, json!(500)), "sent again");
    assert_eq!(credit(&mut walk, 600).await.0, 422);
    // The buyer's own keys are others.
    let own = walk.call_with(
        Method::POST,
        "/api/v1/users/me/points/charge",
        Some(&buyer),
        Some(json!({"amount": 7})),
        &key,
    );
    assert_eq!(own.await.json["balance"], 507);
    for (path, amount, status) in
        [(path, 0, 400), ("/api/v1/admin/users/999/points", 5, 404), ("/api/v1/admin/users/x/points", 5, 400)]
    {
        assert_eq!(
            walk.post(&admin, path, json!({"amount": amount})).await.status.as_u16(),
            status,
            "{path}"
        );
    }
}
