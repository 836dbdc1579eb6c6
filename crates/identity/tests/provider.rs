//! Reading keys from a real server that is not always as it should be.

use axum::{Json, Router, http::StatusCode, response::Redirect, routing::get};
use onsale_engine::ports::IdentityKeys;
use onsale_identity::OpenIdProvider;
use serde_json::json;
use tokio::net::TcpListener;

const KEYS: &str = r#"{"keys":[]}"#;

/// A provider with these pages; its address.
async fn serve(pages: impl FnOnce(&str) -> Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let pages = pages(&issuer);
    tokio::spawn(async move { axum::serve(listener, pages).await.unwrap() });
    issuer
}

fn configuration(issuer: &str, keys: &str) -> Router {
    let said = Json(json!({"issuer": issuer, "jwks_uri": keys, "token_endpoint": "https://x"}));
    Router::new().route("/.well-known/openid-configuration", get(async || said))
}

async fn fetch(issuer: &str, keys: Option<&str>) -> Result<String, String> {
    let fetched = OpenIdProvider::new(issuer, keys).unwrap().fetch().await;
    fetched.map(|bytes| String::from_utf8(bytes.into()).unwrap()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn keys_are_found_where_the_provider_says_or_where_we_are_told() {
    let issuer =
        serve(|issuer| configuration(issuer, &format!("{issuer}/keys")).route("/keys", get(async || KEYS)));
    let issuer = issuer.await;
    assert_eq!(fetch(&issuer, None).await.unwrap(), KEYS);
    let elsewhere = serve(|_| Router::new().route("/other", get(async || "{}"))).await;
    assert_eq!(fetch(&issuer, Some(&format!("{elsewhere}/other"))).await.unwrap(), "{}");
}

#[tokio::test]
async fn what_is_not_as_it_should_be_is_said() {
    let failing = async |pages: fn(&str) -> Router| {
        let issuer = serve(pages).await;
        fetch(&issuer, None).await.unwrap_err()
    };
    let error = failing(|_| configuration("https://somebody.example", "https://x")).await;
    assert!(error.contains("it is of `https://somebody.example`"), "{error}");
    let error = failing(|issuer| configuration(issuer, "http://somebody.example/keys")).await;
    assert!(error.contains("must be an `https://` address"), "{error}");
    let error = failing(|_| Router::new()).await;
    assert!(error.contains("404"), "{error}");
    let error = failing(|issuer| {
        let keys = format!("{issuer}/keys");
        let moved = Router::new().route("/elsewhere", get(async || KEYS));
        let moved = moved.route("/keys", get(async || Redirect::temporary("/elsewhere")));
        configuration(issuer, &keys).merge(moved)
    });
    assert!(error.await.contains("307"), "redirects are not followed");
    let error = failing(|issuer| {
        configuration(issuer, &format!("{issuer}/keys")).route("/keys", get(async || "x".repeat(300_000)))
    });
    assert!(error.await.contains("more than"), "an answer has a bound");
    let error = failing(|issuer| {
        let broken = get(async || (StatusCode::INTERNAL_SERVER_ERROR, KEYS));
        configuration(issuer, &format!("{issuer}/keys")).route("/keys", broken)
    });
    assert!(error.await.contains("500"));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = fetch(&format!("http://{nobody}"), None).await.unwrap_err();
    assert!(error.contains("refused"), "{error}");
}
