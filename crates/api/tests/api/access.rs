//! Who may do what: every operation of the OpenAPI document, as nobody, as somebody else, as
//! another organiser, and as an administrator. An operation that is not in the table fails.

use onsale_domain::user::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    document,
    server::{Server, Walk},
};

/// Whom an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everybody.
    Anybody,
    /// Whoever has logged in, about themselves.
    LoggedIn,
    /// Whoever it belongs to; to everybody else it does not exist.
    Owner,
    /// Organisers. All of them run all shows: they are the house's staff.
    Organisers,
    /// Administrators.
    Admins,
}

use Access::{Admins, Anybody, LoggedIn, Organisers, Owner};

const TABLE: &[(&str, &str, Access)] = &[
    ("get", "/api/v1/movies", Anybody),
    ("get", "/api/v1/movies/{id}", Anybody),
    ("get", "/api/v1/movies/popular", Anybody),
    ("get", "/api/v1/concerts/popular", Anybody),
    ("get", "/api/v1/items/popular", Anybody),
    ("get", "/api/v1/concerts", Anybody),
    ("get", "/api/v1/concerts/{id}", Anybody),
    ("get", "/api/v1/concerts/{id}/dates", Anybody),
    ("get", "/api/v1/performances/{id}", Anybody),
    ("get", "/api/v1/performances/{id}/layout", Anybody),
    ("get", "/api/v1/performances/{id}/seats", Anybody),
    ("get", "/api/v1/performances/{id}/availability", Anybody),
    ("get", "/api/v1/performances/{id}/events", Anybody),
    ("get", "/media/{name}", Anybody),
    ("get", "/api/item", Anybody),
    ("get", "/api/item/{itemNumber}", Anybody),
    ("get", "/api/stock/{itemNumber}", Anybody),
    ("post", "/api/order", LoggedIn),
    ("get", "/api/order", LoggedIn),
    ("get", "/api/order/{orderId}", Owner),
    ("post", "/api/order/{orderId}", Owner),
    ("delete", "/api/order/{orderId}", Owner),
    ("get", "/api/v1/queue/rooms/{id}", Anybody),
    ("get", "/api/v1/queue/rooms/{id}/events", Anybody),
    ("post", "/api/v1/queue/tokens", Anybody),
    ("get", "/api/v1/queue/tokens/me", Anybody),
    ("delete", "/api/v1/queue/tokens/me", Anybody),
    ("post", "/api/v1/auth/login", Anybody),
    ("post", "/api/v1/auth/refresh", Anybody),
    ("post", "/api/v1/auth/logout", LoggedIn),
    ("post", "/api/v1/users", Anybody),
    ("get", "/api/v1/users/me", LoggedIn),
    ("patch", "/api/v1/users/me", LoggedIn),
    ("delete", "/api/v1/users/me", LoggedIn),
    ("get", "/api/v1/users/me/points", LoggedIn),
    ("post", "/api/v1/users/me/points/charge", LoggedIn),
    ("post", "/api/v1/reservations", LoggedIn),
    ("get", "/api/v1/reservations", LoggedIn),
    ("get", "/api/v1/reservations/{id}", Owner),
    ("delete", "/api/v1/reservations/{id}", Owner),
    ("post", "/api/v1/payments", Owner),
    ("get", "/api/v1/admin/venues", Organisers),
    ("post", "/api/v1/admin/venues", Organisers),
    ("get", "/api/v1/admin/venues/{id}", Organisers),
    ("put", "/api/v1/admin/venues/{id}", Organisers),
    ("get", "/api/v1/admin/venues/{id}/halls", Organisers),
    ("post", "/api/v1/admin/venues/{id}/halls", Organisers),
    ("get", "/api/v1/admin/halls/{id}", Organisers),
    ("get", "/api/v1/admin/halls/{id}/layout", Organisers),
    ("patch", "/api/v1/admin/halls/{id}/seats", Organisers),
    ("post", "/api/v1/admin/shows", Organisers),
    ("get", "/api/v1/admin/shows/{id}", Organisers),
    ("put", "/api/v1/admin/shows/{id}", Organisers),
    ("put", "/api/v1/admin/shows/{id}/image", Organisers),
    ("delete", "/api/v1/admin/shows/{id}/image", Organisers),
    ("post", "/api/v1/admin/items", Organisers),
    ("get", "/api/v1/admin/items/{id}", Organisers),
    ("put", "/api/v1/admin/items/{id}", Organisers),
    ("put", "/api/v1/admin/items/{id}/stock", Organisers),
    ("put", "/api/v1/admin/items/{id}/image", Organisers),
    ("delete", "/api/v1/admin/items/{id}/image", Organisers),
    ("post", "/api/v1/admin/performances", Organisers),
    ("get", "/api/v1/admin/performances/{id}", Organisers),
    ("put", "/api/v1/admin/performances/{id}", Organisers),
    ("put", "/api/v1/admin/performances/{id}/prices", Organisers),
    ("post", "/api/v1/admin/performances/{id}/seats/lock", Organisers),
    ("post", "/api/v1/admin/performances/{id}/seats/unlock", Organisers),
    ("get", "/api/v1/admin/rooms", Organisers),
    ("post", "/api/v1/admin/rooms", Organisers),
    ("get", "/api/v1/admin/rooms/{id}", Organisers),
    ("patch", "/api/v1/admin/rooms/{id}", Organisers),
    ("get", "/api/v1/admin/webhooks", Organisers),
    ("post", "/api/v1/admin/webhooks", Organisers),
    ("get", "/api/v1/admin/webhooks/{id}", Organisers),
    ("patch", "/api/v1/admin/webhooks/{id}", Organisers),
    ("delete", "/api/v1/admin/webhooks/{id}", Organisers),
    ("post", "/api/v1/admin/webhooks/{id}/secret", Organisers),
    ("post", "/api/v1/admin/webhooks/{id}/ping", Organisers),
    ("get", "/api/v1/admin/webhooks/{id}/deliveries", Organisers),
    ("post", "/api/v1/admin/webhooks/{id}/retry", Organisers),
    ("get", "/api/v1/admin/blocks", Admins),
    ("delete", "/api/v1/admin/blocks/{rule}/{subject}", Admins),
    ("get", "/livez", Anybody),
    ("get", "/readyz", Anybody),
    ("get", "/metrics", Anybody),
    ("get", "/problems/{name}", Anybody),
];

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Neither 401 nor 403: what else is wrong with the request is for other tests.
    LetIn,
    NotLoggedIn,
    Forbidden,
    DoesNotExist,
}

/// nobody, somebody else, another organiser, an administrator
fn expected(access: Access) -> [Expected; 4] {
    use Expected::{DoesNotExist, Forbidden, LetIn, NotLoggedIn};
    match access {
        Anybody => [LetIn; 4],
        LoggedIn => [NotLoggedIn, LetIn, LetIn, LetIn],
        Owner => [NotLoggedIn, DoesNotExist, DoesNotExist, DoesNotExist],
        Organisers => [NotLoggedIn, Forbidden, LetIn, LetIn],
        Admins => [NotLoggedIn, Forbidden, Forbidden, LetIn],
    }
}

#[test]
fn the_table_has_every_operation_once_and_no_other() {
    for (method, path, _) in document::operations() {
        let rows = TABLE.iter().filter(|(of, at, _)| (*of, *at) == (method, path)).count();
        assert_eq!(rows, 1, "{method} {path} must be once in the table in tests/api/access.rs");
    }
    assert_eq!(TABLE.len(), document::operations().count());
}

#[tokio::test]
async fn everybody_is_let_in_where_they_should_be_and_nowhere_else() {
    let mut walk = Server::start().await.walk().await;
    walk.set_up().await;
    let buyer = walk.buyer.clone();
    let held = walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [1]})).await;
    assert_eq!(held.status, StatusCode::CREATED);
    let reservation = held.json["reservationId"].as_str().unwrap().to_owned();
    let mut wrong = Vec::new();
    for (number, (method, path, access)) in TABLE.iter().enumerate() {
        let callers = [None, Some(Role::User), Some(Role::Organiser), Some(Role::Admin)];
        for (caller, expected) in callers.into_iter().zip(expected(*access)) {
            // Each has an account of their own, for some operations close it.
            let token = match caller {
                None => None,
                Some(role) => Some(walk.server.log_in(&format!("{}{number}", role.as_str()), role).await),
            };
            let (status, kind) = ask(&walk, method, path, &reservation, token.as_deref()).await;
            let right = match expected {
                Expected::LetIn => {
                    kind != "/problems/not-authenticated" && kind != "/problems/forbidden" && status < 500
                }
                Expected::NotLoggedIn => status == 401,
                Expected::Forbidden => status == 403 && kind == "/problems/forbidden",
                Expected::DoesNotExist => status == 404,
            };
            if !right {
                wrong.push(format!("{method} {path} as {caller:?}: {status} {kind}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Nobody has touched what belongs to the buyer.
    let still = walk.get_as(&buyer, &format!("/api/v1/reservations/{reservation}")).await;
    assert_eq!(still.json["status"], held.json["status"]);
}

/// The status and the problem's type.
async fn ask(walk: &Walk, method: &str, path: &str, reservation: &str, token: Option<&str>) -> (u16, String) {
    let body = match path {
        "/api/v1/payments" => json!({"reservationId": reservation}),
        _ => json!({}),
    };
    let id = if path.starts_with("/api/v1/reservations") { reservation } else { "1" };
    let path = path
        .replace("{id}", id)
        .replace("{orderId}", reservation)
        .replace("{itemNumber}", "1")
        .replace("{name}", "not-found")
        .replace("{rule}", "lists-by-ip")
        .replace("{subject}", "ip-192.0.2.7");
    let method: Method = method.to_uppercase().parse().unwrap();
    let mut request = walk.server.request(method.clone(), &path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
        request = request.json(&body);
    }
    let mut response = request.send().await.unwrap();
    let status = response.status().as_u16();
    // Streams do not end.
    let first = if status < 400 { None } else { response.chunk().await.unwrap() };
    let problem: Value = first.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    (status, problem["type"].as_str().unwrap_or_default().to_owned())
}
