//! Limits, addresses, log-ins, gateways, headers.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use onsale_api::{
    ApiSettings,
    door::{By, DoorSettings, Gateway, Group, GroupRule, LimitSettings, Load},
};
use onsale_coordination::LocalLimiter;
use onsale_domain::{
    limits::{AllowanceRule, CountRule},
    user::Role,
};
use onsale_engine::{
    accounts::{LogInRules, TryRules},
    clock::ManualClock,
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::server::{Server, Walk};

/// The mission's limits.
fn limits(clock: Arc<ManualClock>) -> LimitSettings {
    let count = |name: &str, requests, block_ms, block_ms_max| CountRule {
        name: name.into(),
        requests,
        window_ms: 60_000,
        burst: requests,
        block_ms,
        block_ms_max,
    };
    let lists = count("lists-by-ip", 50, 3_600_000, 0);
    LimitSettings {
        limiter: Arc::new(LocalLimiter::new(clock)),
        rules: vec![GroupRule { group: Group::Lists, by: By::Ip, rule: lists }],
        guest_numbers: Some(count("guest-numbers-by-ip", 20, 0, 0)),
    }
}

/// Strict ones for log-ins.
fn log_in_rules() -> LogInRules {
    let allowance = |name: &str, requests| AllowanceRule {
        name: name.into(),
        requests,
        window_ms: 60_000,
        unsettled_ms: 30_000,
    };
    let account = CountRule {
        name: "log-ins-by-account-and-ip".into(),
        requests: 3,
        window_ms: 60_000,
        burst: 3,
        block_ms: 1_000,
        block_ms_max: 60_000,
    };
    LogInRules {
        tries: Some(TryRules { account, address: allowance("failed-log-ins-by-ip", 10) }),
        sign_ups: Some(allowance("sign-ups-by-ip", 2)),
    }
}

async fn limited(trusted_proxies: &[&str]) -> Server {
    let trusted_proxies = trusted_proxies.iter().map(|network| network.parse().unwrap()).collect();
    let mut limiter = None;
    let server = Server::start_with_clock(|settings, clock| {
        let limits = limits(clock);
        limiter = Some(limits.limiter.clone());
        ApiSettings {
            door: DoorSettings { limits: Some(limits), trusted_proxies, ..DoorSettings::default() },
            ..settings
        }
    })
    .await;
    server.engine.limit_log_ins(limiter.expect("it was made"), log_in_rules());
    limit_bookings(server)
}

/// One booking of an account at a performance in five minutes.
fn limit_bookings(server: Server) -> Server {
    let rule =
        AllowanceRule { name: "bookings".into(), requests: 1, window_ms: 300_000, unsettled_ms: 30_000 };
    server.engine.limit_bookings(Arc::new(LocalLimiter::new(server.clock.clone())), rule);
    server
}

/// How many of so many requests are answered 200, each with what it says of where it comes from.
async fn let_in(server: &Server, count: usize, from: impl Fn(usize) -> String) -> usize {
    let answers = stream::iter(0..count).map(|number| {
        let request = server.request(Method::GET, "/api/v1/movies").header("X-Forwarded-For", from(number));
        async move { request.send().await.unwrap().status() }
    });
    let statuses: Vec<StatusCode> = answers.buffer_unordered(100).collect().await;
    assert!(statuses.iter().all(|status| [200, 429].contains(&status.as_u16())));
    statuses.iter().filter(|status| status.is_success()).count()
}

#[tokio::test]
async fn the_fifty_first_list_in_a_minute_blocks_until_an_administrator_lifts_it() {
    let mut walk = limited(&[]).await.walk().await;
    for left in (0..50).rev() {
        let answer = walk.get(if left % 2 == 0 { "/api/v1/movies" } else { "/api/v1/concerts" }).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["ratelimit-policy"], "\"lists-by-ip\";q=50;w=60");
        assert_eq!(answer.headers["ratelimit"], format!("\"lists-by-ip\";r={left};t=60"));
    }
    walk.server.clock.advance_ms(1);
    let refused = walk.get("/api/v1/movies?title=x").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json["type"], "/problems/blocked");
    assert_eq!(refused.headers["retry-after"], "3600");
    assert_eq!(refused.headers["ratelimit"], "\"lists-by-ip\";r=0;t=3600");
    assert_eq!(walk.get("/api/v1/movies/1").await.status, StatusCode::NOT_FOUND);

    let admin = walk.server.log_in("admin", Role::Admin).await;
    let blocks = walk.get_as(&admin, "/api/v1/admin/blocks").await.json;
    assert_eq!(blocks.as_array().unwrap().len(), 1, "{blocks}");
    assert_eq!((&blocks[0]["rule"], &blocks[0]["subject"]), (&json!("lists-by-ip"), &json!("ip-127.0.0.1")));
    for (path, status) in [
        ("/api/v1/admin/blocks/lists-by-ip/ip-127.0.0.2", 404),
        ("/api/v1/admin/blocks/nothing/ip-127.0.0.1", 404),
        ("/api/v1/admin/blocks/lists-by-ip/127.0.0.1", 400),
        ("/api/v1/admin/blocks/lists-by-ip/ip-127.0.0.1", 204),
        ("/api/v1/admin/blocks/lists-by-ip/ip-127.0.0.1", 404),
    ] {
        assert_eq!(
            walk.call(Method::DELETE, path, Some(&admin), None).await.status.as_u16(),
            status,
            "{path}"
        );
    }
    assert_eq!(walk.get("/api/v1/movies").await.status, StatusCode::OK);
}

#[tokio::test]
async fn ten_thousand_forged_addresses_share_one_bucket() {
    let forged = |number: usize| format!("10.{}.{}.1, 192.0.2.1", number / 250, number % 250);
    assert_eq!(let_in(&limited(&[]).await, 10_000, forged).await, 50);
    // A proxy of ours adds who asked it, to the right of what they made up.
    let behind = limited(&["127.0.0.0/8", "::1/128"]).await;
    assert_eq!(let_in(&behind, 1_000, forged).await, 50);
    // IPv6 by its first 64 bits.
    assert_eq!(let_in(&behind, 200, |number| format!("2001:db8:0:1::{number:x}")).await, 50);
}

#[tokio::test]
async fn refusals_say_why_and_when_to_come_back() {
    let server = Server::start_with_clock(|settings, clock| ApiSettings {
        door: DoorSettings {
            limits: Some(limits(clock)),
            body_time_max: Duration::from_millis(50),
            ..DoorSettings::default()
        },
        ..settings
    });
    let mut walk = on_sale(limit_bookings(server.await)).await;
    for _ in 0..50 {
        walk.get("/api/v1/movies").await;
    }
    let (buyer, admin) = (walk.buyer.clone(), walk.server.log_in("admin", Role::Admin).await);
    let (path, seats) = ("/api/v1/reservations", |seat: i64| json!({"performanceId": 2, "seatIds": [seat]}));
    walk.post(&buyer, path, seats(1)).await;
    walk.forget();

    walk.get("/api/v1/movies").await;
    walk.get_as(&buyer, "/api/v1/admin/blocks").await;
    walk.get_as(&admin, "/api/v1/admin/blocks").await;
    let block = "/api/v1/admin/blocks/lists-by-ip/ip-127.0.0.1";
    walk.call(Method::DELETE, block, Some(&admin), None).await;
    walk.call(Method::DELETE, block, Some(&admin), None).await;
    walk.post(&buyer, path, seats(2)).await;
    walk.note("a body that does not end");
    let endless = stream::iter([Ok::<_, std::io::Error>(b"{".to_vec())]).chain(stream::pending());
    let request = walk.server.request(Method::POST, path).bearer_auth(&buyer);
    let request = request.header("content-type", "application/json");
    walk.send(&Method::POST, path, request.body(reqwest::Body::wrap_stream(endless))).await;
    insta::assert_snapshot!(walk.text());
}

/// The negative control: addresses that are believed, and a door without limits.
#[tokio::test]
async fn addresses_that_our_proxy_reports_have_buckets_of_their_own() {
    let behind = limited(&["127.0.0.0/8"]).await;
    assert_eq!(let_in(&behind, 200, |number| format!("192.0.2.{number}")).await, 200);
    assert_eq!(let_in(&Server::start().await, 200, |_| "192.0.2.1".to_owned()).await, 200);
}

/// Both performances are on sale.
async fn on_sale(server: Server) -> Walk {
    server.clock.advance_ms(3_600_000);
    let mut walk = server.walk().await;
    walk.set_up().await;
    walk
}

async fn reserve(walk: &Walk, key: Option<&str>, performance: i64, seat: i64) -> (StatusCode, Value) {
    let request = walk.server.request(Method::POST, "/api/v1/reservations").bearer_auth(&walk.buyer);
    let request = request.json(&json!({"performanceId": performance, "seatIds": [seat]}));
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_booking_is_spent_by_success_alone() {
    let walk = on_sale(limited(&[]).await).await;
    // A seat of no hall, a hundred times.
    for _ in 0..100 {
        assert_eq!(reserve(&walk, None, 1, 9_999).await.0, StatusCode::NOT_FOUND);
    }
    let (status, first) = reserve(&walk, Some("a"), 1, 1).await;
    assert_eq!(status, StatusCode::CREATED);
    walk.server.clock.advance_ms(60_000);
    let (status, problem) = reserve(&walk, Some("b"), 1, 3).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    assert_eq!(
        (&problem["type"], &problem["rule"]),
        (&json!("/problems/too-many-requests"), &json!("bookings"))
    );
    let (status, again) = reserve(&walk, Some("a"), 1, 1).await;
    assert_eq!(
        (status, &again["reservationId"]),
        (StatusCode::CREATED, &first["reservationId"]),
        "a lost answer is asked for again"
    );
    assert_eq!(reserve(&walk, Some("a"), 1, 2).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reserve(&walk, Some("c"), 2, 1).await.0, StatusCode::CREATED, "another performance");
    walk.server.clock.advance_ms(239_999);
    assert_eq!(reserve(&walk, Some("d"), 1, 4).await.0, StatusCode::TOO_MANY_REQUESTS);
    walk.server.clock.advance_ms(1);
    assert_eq!(reserve(&walk, Some("d"), 1, 4).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn of_many_bookings_at_once_one_passes() {
    for (server, passed) in [(limited(&[]).await, 1), (Server::start().await, 10)] {
        let walk = &on_sale(server).await;
        let all = stream::iter(1..=10).map(|seat| async move { reserve(walk, None, 2, seat).await.0 });
        let statuses: Vec<StatusCode> = all.buffer_unordered(10).collect().await;
        let created = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
        assert_eq!(created, passed, "{statuses:?}");
    }
}

/// Who sends the request and hangs up has booked all the same.
#[tokio::test]
async fn hanging_up_does_not_save_the_allowance() {
    let mut walk = on_sale(limited(&[]).await).await;
    let buyer = walk.buyer.clone();
    let body = r#"{"performanceId":2,"seatIds":[1]}"#;
    let request = format!(
        "POST /api/v1/reservations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {buyer}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let address = walk.server.url.trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    drop(connection);
    // It may have been given up before it began; then there is nothing to wait for.
    let mut mine = 0;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let answer = walk.get_as(&buyer, "/api/v1/reservations").await;
        mine = answer.json["reservations"].as_array().unwrap().len();
        if mine > 0 {
            break;
        }
    }
    // Longer than a use counts that is never settled.
    walk.server.clock.advance_ms(31_000);
    let others = [reserve(&walk, None, 2, 3).await.0, reserve(&walk, None, 2, 4).await.0];
    let created = others.iter().filter(|status| **status == StatusCode::CREATED).count();
    assert_eq!(mine + created, 1, "{mine} {others:?}");
}

async fn log_in(server: &Server, from: &str, name: &str, password: &str) -> (u16, Option<String>) {
    let request = server.request(Method::POST, "/api/v1/auth/login").header("X-Forwarded-For", from);
    let email = format!("{name}@example.com");
    let response = request.json(&json!({"email": email, "password": password})).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry_after)
}

#[tokio::test]
async fn guessing_passwords_gets_slower_and_locks_nobody_else_out() {
    let server = limited(&["127.0.0.0/8"]).await;
    for name in ["mina", "jun"] {
        server.log_in(name, Role::User).await;
    }
    let (here, there, right) = ("192.0.2.1", "192.0.2.2", "correct horse");
    for _ in 0..3 {
        assert_eq!(log_in(&server, here, "mina", "wrong horse").await.0, 401);
    }
    for seconds in [1, 2, 4, 8] {
        let refused = log_in(&server, here, "Mina", right).await;
        assert_eq!(refused, (429, Some(seconds.to_string())), "not even with the right password");
        server.clock.advance_ms(seconds * 1_000);
        assert_eq!(log_in(&server, here, "mina", "wrong horse").await.0, 401);
    }
    // Another account from here, and this one from elsewhere.
    assert_eq!(log_in(&server, here, "jun", right).await.0, 200);
    assert_eq!(log_in(&server, there, "mina", right).await.0, 200);
    // Success begins anew.
    for _ in 0..5 {
        assert_eq!(log_in(&server, there, "mina", "wrong horse").await.0, 401);
        assert_eq!(log_in(&server, there, "mina", right).await.0, 200);
    }
    // Trying many accounts does not help: five and five failures are enough for one address.
    for number in 0..5 {
        assert_eq!(log_in(&server, there, &format!("nobody{number}"), "wrong horse").await.0, 401);
    }
    assert_eq!(log_in(&server, there, "nobody6", "wrong horse").await.0, 429);
    assert_eq!(log_in(&server, there, "jun", right).await.0, 429);
}

#[tokio::test]
async fn whoever_guesses_elsewhere_is_blocked_as_at_the_log_in_until_an_administrator_lifts_it() {
    let server = limited(&["127.0.0.0/8"]).await;
    let (token, admin) = (server.log_in("mina", Role::User).await, server.log_in("admin", Role::Admin).await);
    let guess = async |password: &str| {
        let body = json!({"password": "another horse", "currentPassword": password});
        let request = server.request(Method::PATCH, "/api/v1/users/me").bearer_auth(&token);
        let response = request.header("X-Forwarded-For", "192.0.2.1").json(&body).send().await.unwrap();
        response.status().as_u16()
    };
    for _ in 0..3 {
        assert_eq!(guess("wrong horse").await, 401);
    }
    assert_eq!(guess("correct horse").await, 429);
    assert_eq!(log_in(&server, "192.0.2.1", "mina", "correct horse").await.0, 429);
    let get = async |path: &str| server.request(Method::GET, path).bearer_auth(&admin).send().await.unwrap();
    let blocks: Value = get("/api/v1/admin/blocks").await.json().await.unwrap();
    let rule = "log-ins-by-account-and-ip";
    assert_eq!(blocks[0]["rule"], rule, "{blocks}");
    let block = format!("/api/v1/admin/blocks/{rule}/{}", blocks[0]["subject"].as_str().unwrap());
    let lifted = server.request(Method::DELETE, &block).bearer_auth(&admin).send().await.unwrap();
    assert_eq!(lifted.status(), StatusCode::NO_CONTENT);
    assert_eq!(guess("correct horse").await, 200);
}

#[tokio::test]
async fn accounts_are_made_from_one_address_in_numbers() {
    let server = limited(&["127.0.0.0/8"]).await;
    let sign_up = async |from: &str, name: &str| {
        let person =
            json!({"email": format!("{name}@example.com"), "password": "correct horse", "name": name});
        let request = server.request(Method::POST, "/api/v1/users").header("X-Forwarded-For", from);
        request.json(&person).send().await.unwrap().status().as_u16()
    };
    assert_eq!(sign_up("192.0.2.1", "first").await, 201);
    assert_eq!(sign_up("192.0.2.1", "first").await, 409);
    assert_eq!(sign_up("192.0.2.1", "second").await, 429);
    assert_eq!(sign_up("192.0.2.2", "second").await, 201);
    server.clock.advance_ms(60_000);
    assert_eq!(sign_up("192.0.2.1", "third").await, 201);
}

/// The negative control of guessing: without limits nobody stops it.
#[tokio::test]
async fn without_limits_passwords_are_guessed_at_will() {
    let server = Server::start().await;
    server.log_in("mina", Role::User).await;
    for _ in 0..20 {
        assert_eq!(log_in(&server, "192.0.2.1", "mina", "wrong horse").await.0, 401);
    }
}

#[tokio::test]
async fn a_gateway_says_who_is_calling_and_nobody_else_does() {
    for (from, believed) in [("127.0.0.0/8", true), ("192.0.2.0/24", false)] {
        let gateway = Gateway { header: "x-user-id".parse().unwrap(), from: vec![from.parse().unwrap()] };
        let server = Server::start_with(|settings| ApiSettings {
            door: DoorSettings { gateway: Some(gateway), ..DoorSettings::default() },
            ..settings
        })
        .await;
        let token = server.log_in("mina", Role::User).await;
        let me = async |headers: &[(&str, &str)]| {
            let request = server.request(Method::GET, "/api/v1/users/me");
            let request =
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            request.send().await.unwrap().status().as_u16()
        };
        let forged = [("X-User-Id", "1"), ("X-Forwarded-For", "127.0.0.1")];
        assert_eq!(me(&forged).await, if believed { 200 } else { 401 });
        for value in ["", "0", "-1", "2", "1, 1", "admin"] {
            assert_eq!(me(&[("X-User-Id", value)]).await, 401, "{value}");
        }
        assert_eq!(me(&[("X-User-Id", "1"), ("X-User-Id", "1")]).await, 401);
        assert_eq!(me(&[]).await, 401);
        // One's own token says who one is, whatever the header says.
        assert_eq!(me(&[("Authorization", &format!("Bearer {token}")), ("X-User-Id", "7")]).await, 200);
    }
    // Off, the header is nothing.
    let server = Server::start().await;
    server.log_in("mina", Role::User).await;
    let response =
        server.request(Method::GET, "/api/v1/users/me").header("X-User-Id", "1").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

/// As services behind a gateway have it that puts the caller's number into `Authorization`.
#[tokio::test]
async fn a_gateway_may_speak_in_authorization() {
    for (from, believed) in [("127.0.0.1/32", true), ("192.0.2.0/24", false)] {
        let gateway = Gateway { header: "Authorization".parse().unwrap(), from: vec![from.parse().unwrap()] };
        let server = Server::start_with(|settings| ApiSettings {
            door: DoorSettings { gateway: Some(gateway), ..DoorSettings::default() },
            ..settings
        })
        .await;
        let token = server.log_in("mina", Role::User).await;
        let status = async |path: &str, values: &[&str]| {
            let request = server.request(Method::GET, path);
            let request =
                values.iter().fold(request, |request, value| request.header("Authorization", *value));
            request.send().await.unwrap().status().as_u16()
        };
        let me = "/api/v1/users/me";
        assert_eq!(status(me, &["1"]).await, if believed { 200 } else { 401 });
        for values in
            [&["2"][..], &["0"], &["-1"], &["Basic MTp4"], &["1", "1"], &["1", "2"], &["Bearer 1"], &[]]
        {
            assert_eq!(status(me, values).await, 401, "{values:?}");
        }
        assert_eq!(status(me, &[&format!("Bearer {token}")]).await, 200, "a token is one all the same");
        assert_eq!(status("/api/v1/movies", &[]).await, 200);
    }
}

#[tokio::test]
async fn browsers_are_told_what_they_may_do() {
    let origin = "https://shop.example.com";
    let server = Server::start_with(|settings| ApiSettings {
        door: DoorSettings { cors_origins: vec![origin.to_owned()], ..DoorSettings::default() },
        ..settings
    })
    .await;
    for path in ["/api/v1/movies", "/nothing", "/api/v1/users/me", "/openapi.json"] {
        let response = server.request(Method::GET, path).header("Origin", origin).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["access-control-allow-origin"], origin);
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
    for (from, allowed) in [(origin, true), ("https://evil.example.com", false), ("null", false)] {
        let preflight = server.request(Method::OPTIONS, "/api/v1/reservations").header("Origin", from);
        let preflight = preflight.header("Access-Control-Request-Method", "POST");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), allowed, "{from}");
    }
    // Whatever the document says that the API reads or answers.
    let preflight = server.request(Method::OPTIONS, "/api/v1/performances/1/events").header("Origin", origin);
    let preflight = preflight.header("Access-Control-Request-Method", "GET");
    let preflight = preflight.header("Access-Control-Request-Headers", "last-event-id").send().await.unwrap();
    let list = |headers: &HeaderMap, name: &str| {
        let value = headers[name].to_str().unwrap().to_lowercase();
        value.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    };
    let sent = list(preflight.headers(), "access-control-allow-headers");
    for name in named_in_the_document("parameters")
        .into_iter()
        .chain(["authorization", "content-type"].map(str::to_owned))
    {
        assert!(sent.contains(&name), "{name} cannot be sent: {sent:?}");
    }
    let answer = server.request(Method::GET, "/api/v1/movies").header("Origin", origin).send().await.unwrap();
    let seen = list(answer.headers(), "access-control-expose-headers");
    for name in named_in_the_document("headers").into_iter().chain(["etag", "retry-after"].map(str::to_owned))
    {
        assert!(seen.contains(&name), "{name} cannot be read: {seen:?}");
    }
    let closed = Server::start().await;
    let answer = closed.request(Method::GET, "/api/v1/movies").header("Origin", origin).send().await.unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}

/// The headers that requests (`parameters`) or answers (`headers`) of any operation have.
fn named_in_the_document(member: &str) -> BTreeSet<String> {
    fn walk(value: &Value, member: &str, names: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                match members.get(member) {
                    Some(Value::Array(parameters)) => names.extend(
                        parameters
                            .iter()
                            .filter(|parameter| parameter["in"] == "header")
                            .filter_map(|parameter| Some(parameter["name"].as_str()?.to_lowercase())),
                    ),
                    Some(Value::Object(headers)) => {
                        names.extend(headers.keys().map(|name| name.to_lowercase()));
                    }
                    _ => {}
                }
                members.values().for_each(|value| walk(value, member, names));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, member, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    walk(&serde_json::to_value(onsale_api::openapi()).unwrap()["paths"], member, &mut names);
    assert!(!names.is_empty());
    names
}

#[tokio::test]
async fn a_full_house_turns_away_with_503_and_recovers() {
    // One request under way is all there is room for, so browsing has none beside it.
    let load = Load::new(1, None);
    let server = Server::start_with(|settings| ApiSettings {
        door: DoorSettings { load: Some(load), ..DoorSettings::default() },
        ..settings
    })
    .await;
    let statuses: Vec<u16> = stream::iter(0..50)
        .map(|number| {
            let request =
                server.request(Method::GET, if number % 2 == 0 { "/readyz" } else { "/api/v1/movies" });
            async move {
                let response = request.send().await.unwrap();
                let (status, retry) =
                    (response.status().as_u16(), response.headers().contains_key("retry-after"));
                assert_eq!(status == 503, retry);
                status
            }
        })
        .buffer_unordered(50)
        .collect()
        .await;
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    assert_eq!(server.request(Method::GET, "/api/v1/movies").send().await.unwrap().status(), 200);
}

/// Guests at one address: so many numbers in a minute, and no more; whoever has one, or an account, is let
/// through.
#[tokio::test]
async fn guests_at_one_address_cannot_take_numbers_without_end() {
    let mut walk = limited(&["127.0.0.0/8"]).await.walk().await;
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    let room = json!({"name": "Guests", "admits": "anybody", "mode": {"type": "bankWindow", "insideMax": 1}});
    walk.post(&organiser, "/api/v1/admin/rooms", room).await;
    let open = Some(json!({"phase": "open"}));
    walk.call(Method::PATCH, "/api/v1/admin/rooms/1", Some(&organiser), open).await;
    let join = async |from: &str, login: Option<&str>, token: Option<&str>| {
        let request = walk.server.request(Method::POST, "/api/v1/queue/tokens").json(&json!({"roomId": 1}));
        let mut request = request.header("X-Forwarded-For", from);
        if let Some(login) = login {
            request = request.bearer_auth(login);
        }
        if let Some(token) = token {
            request = request.header("Queue-Token", token);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (_, first) = join("192.0.2.1", None, None).await;
    for _ in 1..20 {
        assert_eq!(join("192.0.2.1", None, None).await.0, 201);
    }
    let (status, refused) = join("192.0.2.1", None, None).await;
    assert_eq!((status, &refused["rule"]), (429, &json!("guest-numbers-by-ip")), "{refused}");
    assert_eq!(join("192.0.2.1", None, first["token"].as_str()).await.0, 201, "that is no new number");
    assert_eq!(join("192.0.2.1", Some(&buyer), None).await.0, 201);
    assert_eq!(join("192.0.2.2", None, None).await.0, 201);
    walk.server.clock.advance_ms(60_000);
    assert_eq!(join("192.0.2.1", None, None).await.0, 201);
}
