//! Subscriptions to events.

use onsale_domain::user::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::Server;

const BASE: &str = "/api/v1/admin/webhooks";

#[tokio::test]
async fn an_organiser_subscribes_and_ends_it() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    walk.forget();
    let organiser = walk.organiser.clone();
    let hook =
        json!({"url": "https://example.com/hook", "eventTypes": ["onsale.order.paid.v1"], "showIds": [1]});
    walk.post(&organiser, BASE, hook).await;
    walk.get_as(&organiser, BASE).await;
    let one = format!("{BASE}/1");
    let change = json!({"url": "https://example.com/other", "eventTypes": [], "active": false});
    walk.call(Method::PATCH, &one, Some(&organiser), Some(change)).await;
    walk.call(Method::POST, &format!("{one}/secret"), Some(&organiser), None).await;
    walk.call(Method::POST, &format!("{one}/ping"), Some(&organiser), None).await;
    walk.get_as(&organiser, &format!("{one}/deliveries?state=waiting&size=1")).await;
    walk.post(&organiser, &format!("{one}/retry"), json!({})).await;
    walk.post(&organiser, &format!("{one}/retry"), json!({"deliveryId": 1})).await;
    walk.post(&organiser, &format!("{one}/retry"), json!({"deliveryId": 7})).await;
    // No body will do as well.
    let retried = walk.call(Method::POST, &format!("{one}/retry"), Some(&organiser), None).await;
    assert_eq!(retried.status, StatusCode::OK);
    walk.call(Method::DELETE, &one, Some(&organiser), None).await;
    walk.get_as(&organiser, &one).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn what_cannot_be_subscribed_is_refused() {
    let mut walk = Server::start().await.walk().await;
    let organiser = walk.organiser.clone();
    let bodies = [
        json!({"url": "http://example.com/"}),
        json!({"url": "https://169.254.169.254/latest/meta-data"}),
        json!({"url": "https://0x7f.1/"}),
        json!({"url": "https://[::ffff:10.0.0.1]/"}),
        json!({"url": "https://example.com:22/"}),
        json!({"url": "https://example.com/", "eventTypes": ["order.paid"]}),
        json!({"url": "https://example.com/", "showIds": [9]}),
        json!({"url": "https://example.com/", "secret": "x"}),
        json!({}),
    ];
    for body in bodies {
        walk.post(&organiser, BASE, body).await;
    }
    walk.get_as(&organiser, &format!("{BASE}/1/deliveries?state=lost")).await;
    walk.get_as(&organiser, &format!("{BASE}/1/deliveries?before=0")).await;
    insta::assert_snapshot!(walk.text());
}

#[tokio::test]
async fn an_organiser_sees_their_own_and_an_administrator_all() {
    let mut walk = Server::start().await.walk().await;
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let other = walk.server.log_in("other", Role::Organiser).await;
    let admin = walk.server.log_in("admin", Role::Admin).await;
    let hook = json!({"url": "https://example.com/hook"});
    assert_eq!(walk.post(&organiser, BASE, hook.clone()).await.status, StatusCode::CREATED);
    assert_eq!(walk.post(&buyer, BASE, hook).await.status, StatusCode::FORBIDDEN);
    let one = format!("{BASE}/1");
    let calls = [
        (Method::GET, one.clone(), None),
        (Method::PATCH, one.clone(), Some(json!({"active": false}))),
        (Method::POST, format!("{one}/secret"), None),
        (Method::POST, format!("{one}/ping"), None),
        (Method::GET, format!("{one}/deliveries"), None),
        (Method::POST, format!("{one}/retry"), Some(json!({}))),
        (Method::DELETE, one.clone(), None),
    ];
    for (method, path, body) in &calls {
        let answer = walk.call(method.clone(), path, Some(&other), body.clone()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let ids = |list: &Value| list["webhooks"].as_array().unwrap().len();
    assert_eq!(ids(&walk.get_as(&other, BASE).await.json), 0);
    assert_eq!(ids(&walk.get_as(&admin, BASE).await.json), 1);
    for (method, path, body) in &calls {
        let answer = walk.call(method.clone(), path, Some(&admin), body.clone()).await;
        assert!(answer.status.is_success(), "{method} {path}");
    }
}
