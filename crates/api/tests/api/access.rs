//! Who may do what: every operation of the OpenAPI document, as nobody, as somebody else, as the
//! organiser of another show, as an administrator, and as the organiser whose it is. An operation that
//! is not in the table fails.

use onsale_domain::user::Role;
use onsale_engine::owners::OwnerCheck;
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
    /// Organisers, whosever it is.
    Organisers,
    /// The organiser whose it is, and administrators.
    OwnOrganiser,
    /// As before; to other organisers it does not exist.
    HiddenOrganiser,
    /// Administrators.
    Admins,
}

use Access::{Admins, Anybody, HiddenOrganiser, LoggedIn, Organisers, OwnOrganiser, Owner};

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
    ("put", "/api/v1/admin/venues/{id}", OwnOrganiser),
    ("get", "/api/v1/admin/venues/{id}/halls", Organisers),
    ("post", "/api/v1/admin/venues/{id}/halls", OwnOrganiser),
    ("get", "/api/v1/admin/halls/{id}", Organisers),
    ("get", "/api/v1/admin/halls/{id}/layout", Organisers),
    ("patch", "/api/v1/admin/halls/{id}/seats", OwnOrganiser),
    ("post", "/api/v1/admin/shows", Organisers),
    ("get", "/api/v1/admin/shows/{id}", OwnOrganiser),
    ("put", "/api/v1/admin/shows/{id}", OwnOrganiser),
    ("put", "/api/v1/admin/shows/{id}/image", OwnOrganiser),
    ("delete", "/api/v1/admin/shows/{id}/image", OwnOrganiser),
    ("post", "/api/v1/admin/items", Organisers),
    ("get", "/api/v1/admin/items/{id}", OwnOrganiser),
    ("put", "/api/v1/admin/items/{id}", OwnOrganiser),
    ("put", "/api/v1/admin/items/{id}/stock", OwnOrganiser),
    ("put", "/api/v1/admin/items/{id}/image", OwnOrganiser),
    ("delete", "/api/v1/admin/items/{id}/image", OwnOrganiser),
    ("post", "/api/v1/admin/performances", OwnOrganiser),
    ("get", "/api/v1/admin/performances/{id}", OwnOrganiser),
    ("put", "/api/v1/admin/performances/{id}", OwnOrganiser),
    ("put", "/api/v1/admin/performances/{id}/prices", OwnOrganiser),
    ("post", "/api/v1/admin/performances/{id}/seats/lock", OwnOrganiser),
    ("post", "/api/v1/admin/performances/{id}/seats/unlock", OwnOrganiser),
    ("get", "/api/v1/admin/performances/{id}/unpaid", OwnOrganiser),
    ("delete", "/api/v1/admin/performances/{id}/unpaid", OwnOrganiser),
    ("get", "/api/v1/admin/items/{id}/unpaid", OwnOrganiser),
    ("delete", "/api/v1/admin/items/{id}/unpaid", OwnOrganiser),
    ("get", "/api/v1/admin/rooms", Organisers),
    ("post", "/api/v1/admin/rooms", OwnOrganiser),
    ("get", "/api/v1/admin/rooms/{id}", OwnOrganiser),
    ("patch", "/api/v1/admin/rooms/{id}", OwnOrganiser),
    ("get", "/api/v1/admin/webhooks", Organisers),
    ("post", "/api/v1/admin/webhooks", OwnOrganiser),
    ("get", "/api/v1/admin/webhooks/{id}", HiddenOrganiser),
    ("patch", "/api/v1/admin/webhooks/{id}", HiddenOrganiser),
    ("post", "/api/v1/admin/webhooks/{id}/secret", HiddenOrganiser),
    ("post", "/api/v1/admin/webhooks/{id}/ping", HiddenOrganiser),
    ("get", "/api/v1/admin/webhooks/{id}/deliveries", HiddenOrganiser),
    ("post", "/api/v1/admin/webhooks/{id}/retry", HiddenOrganiser),
    ("delete", "/api/v1/admin/webhooks/{id}", HiddenOrganiser),
    ("put", "/api/v1/admin/venues/{id}/owner", Admins),
    ("put", "/api/v1/admin/shows/{id}/owner", Admins),
    ("put", "/api/v1/admin/items/{id}/owner", Admins),
    ("post", "/api/v1/admin/users/{id}/points", Organisers),
    ("get", "/api/v1/admin/accounts", Admins),
    ("get", "/api/v1/admin/accounts/{id}", Admins),
    ("patch", "/api/v1/admin/accounts/{id}", Admins),
    ("delete", "/api/v1/admin/accounts/{id}/sessions", Admins),
    ("get", "/api/v1/admin/blocks", Admins),
    ("delete", "/api/v1/admin/blocks/{rule}/{subject}", Admins),
    ("get", "/livez", Anybody),
    ("get", "/readyz", Anybody),
    ("get", "/metrics", Anybody),
    ("get", "/problems/{name}", Anybody),
];

/// What organisers may do whosever it is: make something of their own, read where they may play, and
/// list what is theirs. Nothing else under `/api/v1/admin/` is for all of them.
const FOR_ALL_ORGANISERS: &[(&str, &str)] = &[
    ("post", "/api/v1/admin/shows"),
    ("post", "/api/v1/admin/items"),
    ("post", "/api/v1/admin/venues"),
    ("get", "/api/v1/admin/venues"),
    ("get", "/api/v1/admin/venues/{id}"),
    ("get", "/api/v1/admin/venues/{id}/halls"),
    ("get", "/api/v1/admin/halls/{id}"),
    ("get", "/api/v1/admin/halls/{id}/layout"),
    ("get", "/api/v1/admin/rooms"),
    ("get", "/api/v1/admin/webhooks"),
    // Whether any may is a setting.
    ("post", "/api/v1/admin/users/{id}/points"),
];

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// None of 401, 403 for the role or the owner, and 5xx: what else is wrong with the request is for
    /// other tests.
    LetIn,
    NotLoggedIn,
    Forbidden,
    NotTheOwner,
    DoesNotExist,
}

impl Expected {
    fn is(self, status: u16, kind: &str) -> bool {
        let refusals = ["/problems/not-authenticated", "/problems/forbidden", "/problems/not-the-owner"];
        match self {
            Self::LetIn => !refusals.contains(&kind) && status < 500,
            Self::NotLoggedIn => status == 401,
            Self::Forbidden => status == 403 && kind == "/problems/forbidden",
            Self::NotTheOwner => status == 403 && kind == "/problems/not-the-owner",
            Self::DoesNotExist => status == 404,
        }
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Nobody,
    SomebodyElse,
    OrganiserOfAnotherShow,
    Admin,
}

const CALLERS: [By; 4] = [By::Nobody, By::SomebodyElse, By::OrganiserOfAnotherShow, By::Admin];

/// What each of [`CALLERS`] is answered.
fn expected(access: Access) -> [Expected; 4] {
    use Expected::{DoesNotExist, Forbidden, LetIn, NotLoggedIn, NotTheOwner};
    match access {
        Anybody => [LetIn; 4],
        LoggedIn => [NotLoggedIn, LetIn, LetIn, LetIn],
        Owner => [NotLoggedIn, DoesNotExist, DoesNotExist, DoesNotExist],
        Organisers => [NotLoggedIn, Forbidden, LetIn, LetIn],
        OwnOrganiser => [NotLoggedIn, Forbidden, NotTheOwner, LetIn],
        HiddenOrganiser => [NotLoggedIn, Forbidden, DoesNotExist, LetIn],
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

#[test]
fn what_organisers_do_is_for_the_owner_alone_unless_it_is_said_here() {
    for (method, path, access) in TABLE.iter().filter(|(_, path, _)| path.starts_with("/api/v1/admin/")) {
        let for_all = FOR_ALL_ORGANISERS.contains(&(method, path));
        assert_eq!(*access == Organisers, for_all, "{method} {path} must ask whose it is");
        assert!(matches!(access, Organisers | OwnOrganiser | HiddenOrganiser | Admins), "{method} {path}");
    }
}

#[tokio::test]
async fn everybody_is_let_in_where_they_should_be_and_nowhere_else() {
    let mut matrix = Matrix::set_up(OwnerCheck::On).await;
    let wrong = matrix.wrong().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    matrix.the_buyer_still_has_the_reservation().await;
}

/// The negative control: without the guard it is exactly the organiser of another show who gets in.
#[tokio::test]
async fn without_owners_every_organiser_is_let_in() {
    let mut matrix = Matrix::set_up(OwnerCheck::Off).await;
    let wrong = matrix.wrong().await;
    let guarded = TABLE.iter().filter(|(.., access)| *access == OwnOrganiser).count();
    assert_eq!(wrong.len(), guarded, "{wrong:#?}");
    for (by, expected, (method, path), answer) in wrong {
        assert_eq!((by, expected), (By::OrganiserOfAnotherShow, Expected::NotTheOwner), "{method} {path}");
        assert!(Expected::LetIn.is(answer.0, &answer.1), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn whose_it_is_is_let_in() {
    let matrix = Matrix::set_up(OwnerCheck::On).await;
    for (method, path, access) in TABLE {
        if matches!(access, Organisers | OwnOrganiser | HiddenOrganiser) {
            let (status, kind) = matrix.ask(method, path, Some(&matrix.walk.organiser)).await;
            assert!(Expected::LetIn.is(status, &kind), "{method} {path}: {status} {kind}");
        }
    }
}

/// A server with one of everything: show, performances, item, room and webhook 1 are the organiser's.
struct Matrix {
    walk: Walk,
    reservation: String,
}

/// Who was answered otherwise than expected, and what.
type Wrong = (By, Expected, (&'static str, &'static str), (u16, String));

impl Matrix {
    async fn set_up(owner_check: OwnerCheck) -> Self {
        let mut walk =
            Box::pin(Server::start_with_engine(owner_check, |settings, _| settings, |engine| engine))
                .await
                .walk()
                .await;
        walk.set_up().await;
        let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
        let item = json!({
            "item": {"name": "Poster", "content": "A2", "price": 900, "type": "GENERAL"}, "stock": 5,
        });
        for (path, body) in [("items", item), ("rooms", room(&[2])), ("webhooks", webhook(&[1]))] {
            let made = walk.post(&organiser, &format!("/api/v1/admin/{path}"), body).await;
            assert_eq!(made.status, StatusCode::CREATED, "{path}: {}", made.json);
        }
        let held =
            walk.post(&buyer, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [1]})).await;
        assert_eq!(held.status, StatusCode::CREATED);
        Self { walk, reservation: held.json["reservationId"].as_str().unwrap().to_owned() }
    }

    /// Asks everything as everybody.
    async fn wrong(&mut self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for (number, (method, path, access)) in TABLE.iter().enumerate() {
            for (by, expected) in CALLERS.into_iter().zip(expected(*access)) {
                let token = self.caller(by, number).await;
                let (status, kind) = self.ask(method, path, token.as_deref()).await;
                if !expected.is(status, &kind) {
                    wrong.push((by, expected, (*method, *path), (status, kind)));
                }
            }
        }
        wrong
    }

    /// An account for one operation, for some operations close it.
    async fn caller(&mut self, by: By, number: usize) -> Option<String> {
        let role = match by {
            By::Nobody => return None,
            By::SomebodyElse => Role::User,
            By::OrganiserOfAnotherShow => Role::Organiser,
            By::Admin => Role::Admin,
        };
        let token = self.walk.server.log_in(&format!("{}{number}", role.as_str()), role).await;
        if by == By::OrganiserOfAnotherShow {
            let show = json!({"kind": "movie", "title": "Another show"});
            assert_eq!(self.walk.post(&token, "/api/v1/admin/shows", show).await.status, StatusCode::CREATED);
        }
        Some(token)
    }

    /// The status and the problem's type.
    async fn ask(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let body = match (method, path) {
            ("post", "/api/v1/payments") => json!({"reservationId": self.reservation}),
            // What is named in the body belongs to the organiser.
            ("post", "/api/v1/admin/performances") => performance(1),
            ("post", "/api/v1/admin/rooms") => room(&[2]),
            ("post", "/api/v1/admin/webhooks") => webhook(&[1]),
            _ => json!({}),
        };
        let id = if path.starts_with("/api/v1/reservations") { &self.reservation } else { "1" };
        let path = path
            .replace("{id}", id)
            .replace("{orderId}", &self.reservation)
            .replace("{itemNumber}", "1")
            .replace("{name}", "not-found")
            .replace("{rule}", "lists-by-ip")
            .replace("{subject}", "ip-192.0.2.7");
        let method: Method = method.to_uppercase().parse().unwrap();
        let mut request = self.walk.server.request(method.clone(), &path);
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

    /// Nobody has touched what belongs to the buyer.
    async fn the_buyer_still_has_the_reservation(&mut self) {
        let (buyer, reservation) = (self.walk.buyer.clone(), &self.reservation);
        let still = self.walk.get_as(&buyer, &format!("/api/v1/reservations/{reservation}")).await;
        assert_eq!(still.json["status"], "held");
    }
}

fn performance(show: i64) -> Value {
    json!({
        "showId": show, "hallId": 1, "onSaleAt": "2026-11-01T00:00:00Z",
        "startsAt": "2026-12-22T12:00:00Z", "endsAt": "2026-12-22T14:00:00Z", "prices": [],
    })
}

fn room(performances: &[i64]) -> Value {
    let mode = json!({"type": "bankWindow", "insideMax": 10});
    json!({"name": "Spring tour", "performanceIds": performances, "mode": mode})
}

fn webhook(shows: &[i64]) -> Value {
    json!({"url": "https://example.com/hook", "showIds": shows})
}
