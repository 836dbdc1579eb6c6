//! Holding without paying: how much of a sale can be withheld from others, and what organisers do about it.

use std::{sync::Arc, time::Duration};

use onsale_api::{ApiSettings, door::DoorSettings};
use onsale_coordination::LocalLimiter;
use onsale_domain::{ids::PerformanceId, limits::AllowanceRule, unpaid::UnpaidRules, user::Role};
use onsale_engine::{Settings, sales::UnpaidSettings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Server, Walk};

/// The performance in the hall of 400.
const PERFORMANCE: i64 = 3;

/// A sale of 400 seats behind a proxy that says who asks.
async fn sale(rules: Option<UnpaidRules>) -> Walk {
    let unpaid = UnpaidSettings { rules, free_networks: vec!["203.0.113.0/24".parse().unwrap()] };
    let server = Box::pin(Server::start_with_all(
        |settings| Settings { unpaid, ..settings },
        |settings, _| {
            let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            ApiSettings { door: DoorSettings { trusted_proxies, ..DoorSettings::default() }, ..settings }
        },
        |engine| engine,
    ));
    let mut walk = server.await.walk().await;
    walk.set_up().await;
    let organiser = walk.organiser.clone();
    let hall = json!({"name": "Arena", "sections": [{"name": "A", "rows": 20, "seatsPerRow": 20}]});
    let hall = walk.post(&organiser, "/api/v1/admin/venues/1/halls", hall).await.json["id"].clone();
    let date = json!({
        "showId": 2, "hallId": hall, "onSaleAt": "2026-11-01T00:00:00Z",
        "startsAt": "2026-12-24T19:00:00+09:00", "endsAt": "2026-12-24T21:00:00+09:00",
        "rules": {"holdSeconds": 300, "seatsPerBuyerMax": 5, "sideBySide": false},
        "prices": [{"category": "Standard", "grade": "R", "price": 99_000}],
    });
    walk.post(&organiser, "/api/v1/admin/performances", date).await;
    // In memory, as in any sale that somebody has looked at.
    walk.get(&format!("/api/v1/performances/{PERFORMANCE}/availability")).await;
    walk.forget();
    walk
}

/// The ids of the hall's free seats.
async fn free(walk: &Walk) -> Vec<i64> {
    let view = walk.server.engine.sales.view_of_house(PerformanceId(PERFORMANCE)).await.unwrap();
    let seats = view.terms().seats.clone();
    let statuses = view.statuses();
    let free = seats.seats().iter().zip(statuses);
    free.filter(|(_, status)| status.as_str() == "available").map(|(seat, _)| seat.id.0).collect()
}

async fn hold(walk: &Walk, login: &str, from: &str, seats: &[i64]) -> (StatusCode, Value) {
    let request = walk.server.request(Method::POST, "/api/v1/reservations").bearer_auth(login);
    let request = request.header("X-Forwarded-For", from);
    let request = request.json(&json!({"performanceId": PERFORMANCE, "seatIds": seats}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status() == 429, response.headers().contains_key("retry-after"));
    (response.status(), response.json().await.unwrap())
}

/// So many fresh accounts from one address take five seats each, as long as there are any; how many seats.
async fn hoard(walk: &Walk, accounts: std::ops::Range<usize>, from: &str) -> usize {
    let mut held = 0;
    for account in accounts {
        let login = walk.server.log_in(&format!("throwaway-{account}"), Role::User).await;
        let Some(seats) = free(walk).await.get(..5).map(<[i64]>::to_vec) else { return held };
        let (status, answer) = hold(walk, &login, from, &seats).await;
        match status {
            StatusCode::CREATED => held += 5,
            StatusCode::TOO_MANY_REQUESTS => assert_eq!(answer["rule"], "unpaid-by-ip", "{answer}"),
            other => panic!("{other} {answer}"),
        }
    }
    held
}

/// Lets all holds end.
async fn let_lapse(walk: &Walk) {
    walk.server.clock.advance_ms(300_000);
    for _ in 0..400 {
        if free(walk).await.len() == 400 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the holds have not ended");
}

/// The attack: eighty accounts made in seconds, from one address, five seats each, again as holds end.
#[tokio::test]
async fn eighty_accounts_at_one_address_hold_a_tenth_of_a_hall_and_only_once() {
    let walk = sale(Some(UnpaidRules::default())).await;
    assert_eq!(hoard(&walk, 0..80, "192.0.2.1").await, 40);
    // IPv6 by networks.
    assert_eq!(hoard(&walk, 80..90, "2001:db8:1:1::7").await, 40);
    let_lapse(&walk).await;
    assert_eq!(hoard(&walk, 100..180, "192.0.2.1").await, 5, "what lapsed counts on");
    let_lapse(&walk).await;
    assert_eq!(hoard(&walk, 200..280, "192.0.2.1").await, 5);
    // Everybody else buys.
    let login = walk.server.log_in("visitor", Role::User).await;
    let seats = free(&walk).await;
    assert_eq!(hold(&walk, &login, "192.0.2.2", &seats[..5]).await.0, StatusCode::CREATED);
    // The box office holds what it likes.
    assert_eq!(hoard(&walk, 300..320, "203.0.113.5").await, 100);
}

/// The negative control.
#[tokio::test]
async fn without_the_rules_a_whole_hall_is_withheld_again_and_again() {
    let walk = sale(None).await;
    for round in 0..2 {
        assert_eq!(hoard(&walk, 80 * round..80 * (round + 1), "192.0.2.1").await, 400);
        let_lapse(&walk).await;
    }
}

/// A campus behind one address: two hundred buy all seats, since they pay.
#[tokio::test]
async fn those_who_pay_are_not_in_each_others_way() {
    let walk = sale(Some(UnpaidRules::default())).await;
    for student in 0..80 {
        let login = walk.server.log_in(&format!("student-{student}"), Role::User).await;
        let seats = free(&walk).await;
        let (status, answer) = hold(&walk, &login, "192.0.2.1", &seats[..5]).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let pay = async |path: &str, body: Value| {
            let request = walk.server.request(Method::POST, path).bearer_auth(&login).json(&body);
            assert!(request.send().await.unwrap().status().is_success());
        };
        pay("/api/v1/users/me/points/charge", json!({"amount": 495_000})).await;
        pay("/api/v1/payments", json!({"reservationId": answer["reservationId"]})).await;
    }
    assert!(free(&walk).await.is_empty());
}

#[tokio::test]
async fn organisers_see_who_holds_unpaid_and_end_it() {
    let mut walk = sale(Some(UnpaidRules::default())).await;
    hoard(&walk, 0..4, "192.0.2.1").await;
    hoard(&walk, 4..5, "192.0.2.9").await;
    let one_login = walk.server.log_in("one", Role::User).await;
    let seats = free(&walk).await;
    let one = hold(&walk, &one_login, "2001:db8::1", &seats[..2]).await.1["reservationId"].clone();
    let (organiser, path) =
        (walk.organiser.clone(), format!("/api/v1/admin/performances/{PERFORMANCE}/unpaid"));
    let end = |of: &str| format!("{path}?{of}");
    walk.get_as(&organiser, &path).await;
    walk.note("one reservation, all of an address, all of an account, those who hold nothing");
    let order = format!("orderId={}", one.as_str().unwrap());
    for of in
        [&*order, &order, "holder=192.0.2.1", "holder=account-7", "holder=account-1", "holder=2001:db8::/64"]
    {
        let ended = walk.call(Method::DELETE, &end(of), Some(&organiser), None).await;
        assert_eq!(ended.status, StatusCode::OK, "{of}");
    }
    walk.note("nobody, two, no holder");
    for of in ["", &format!("{order}&holder=account-7"), "holder=everybody"] {
        let refused = walk.call(Method::DELETE, &end(of), Some(&organiser), None).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{of}");
    }
    walk.get_as(&organiser, &path).await;
    insta::assert_snapshot!(walk.text().replace(one.as_str().unwrap(), "[order]"));
    assert_eq!(free(&walk).await.len(), 400);
    // To them it was as if they had let them lapse.
    assert_eq!(hoard(&walk, 10..20, "192.0.2.1").await, 20);
    let ended = walk.call(Method::DELETE, &end("holder=192.0.2.1"), Some(&organiser), None).await;
    assert_eq!(ended.json["ended"], 4);
    assert_eq!(hoard(&walk, 20..30, "192.0.2.1").await, 5);
}

#[tokio::test]
async fn what_is_paid_is_not_ended() {
    let mut walk = sale(Some(UnpaidRules::default())).await;
    let (buyer, organiser) = (walk.buyer.clone(), walk.organiser.clone());
    let seats = free(&walk).await;
    let order = hold(&walk, &buyer, "192.0.2.1", &seats[..2]).await.1["reservationId"].clone();
    walk.post(&buyer, "/api/v1/users/me/points/charge", json!({"amount": 198_000})).await;
    walk.post(&buyer, "/api/v1/payments", json!({"reservationId": order})).await;
    for of in
        [format!("orderId={}", order.as_str().unwrap()), "holder=account-2".into(), "holder=192.0.2.1".into()]
    {
        let path = format!("/api/v1/admin/performances/{PERFORMANCE}/unpaid?{of}");
        let ended = walk.call(Method::DELETE, &path, Some(&organiser), None).await;
        assert_eq!((ended.status, &ended.json["ended"]), (StatusCode::OK, &json!(0)), "{of}");
    }
    let order = format!("/api/v1/reservations/{}", order.as_str().unwrap());
    assert_eq!(walk.get_as(&buyer, &order).await.json["status"], "paid");
}

/// With one booking of an account at a performance in five minutes.
async fn limited(rules: Option<UnpaidRules>) -> Walk {
    let walk = sale(rules).await;
    let limiter = Arc::new(LocalLimiter::new(walk.server.clock.clone()));
    let rule =
        AllowanceRule { name: "bookings".into(), requests: 1, window_ms: 300_000, unsettled_ms: 30_000 };
    walk.server.engine.limit_bookings(limiter, rule);
    walk
}

#[tokio::test]
async fn a_seat_given_back_or_lapsed_gives_the_booking_back() {
    let mut walk = limited(Some(UnpaidRules::default())).await;
    let (buyer, seats) = (walk.buyer.clone(), free(&walk).await);
    let reservation = async |walk: &Walk, seat: usize| {
        let (status, answer) = hold(walk, &buyer, "192.0.2.1", &seats[seat..=seat]).await;
        (
            status.as_u16(),
            format!("/api/v1/reservations/{}", answer["reservationId"].as_str().unwrap_or_default()),
        )
    };
    let (status, first) = reservation(&walk, 0).await;
    assert_eq!(status, 201);
    assert_eq!(reservation(&walk, 3).await.0, 429, "one booking");
    for _ in 0..2 {
        let cancelled = walk.call(Method::DELETE, &first, Some(&buyer), None).await;
        assert_eq!(cancelled.json["status"], "cancelled");
    }
    let (status, second) = reservation(&walk, 3).await;
    assert_eq!(status, 201, "it was given back");
    // Giving the first one back once more gives nothing back.
    walk.call(Method::DELETE, &first, Some(&buyer), None).await;
    assert_eq!(reservation(&walk, 4).await.0, 429);
    // Paid, it can still be given back.
    walk.post(&buyer, "/api/v1/users/me/points/charge", json!({"amount": 99_000})).await;
    let id = second.rsplit('/').next().unwrap();
    let paid = walk.post(&buyer, "/api/v1/payments", json!({"reservationId": id})).await;
    assert_eq!(paid.status, StatusCode::CREATED, "{}", paid.json);
    assert_eq!(reservation(&walk, 4).await.0, 429);
    walk.call(Method::DELETE, &second, Some(&buyer), None).await;
    assert_eq!(reservation(&walk, 4).await.0, 201);
}

/// Whoever holds and gives back in turn is asked to wait in the end.
#[tokio::test]
async fn giving_back_is_no_way_to_hold_for_ever() {
    let mut walk = limited(Some(UnpaidRules::default())).await;
    let (buyer, seats) = (walk.buyer.clone(), free(&walk).await);
    let mut refused = None;
    let mut held_s = 0;
    for round in 0..100 {
        let (status, answer) = hold(&walk, &buyer, "192.0.2.1", &seats[..5]).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some((round, answer));
            break;
        }
        walk.server.clock.advance_ms(270_000);
        held_s += 270;
        let order = format!("/api/v1/reservations/{}", answer["reservationId"].as_str().unwrap());
        walk.call(Method::DELETE, &order, Some(&buyer), None).await;
    }
    let (round, answer) = refused.expect("a hold is refused");
    assert_eq!(answer["rule"], "unpaid-by-account", "{answer}");
    assert!((3..=4).contains(&round) && held_s < 1_200, "{round} {held_s}");
}

/// A sale that nobody has looked at yet: the smallest share is all there is until it is known.
#[tokio::test]
async fn the_first_moment_of_a_sale_is_no_way_around() {
    let walk = sale(Some(UnpaidRules::default())).await;
    // The performances of the walk have not been looked at.
    let mut held = 0;
    for account in 0..30 {
        let login = walk.server.log_in(&format!("early-{account}"), Role::User).await;
        let request = walk.server.request(Method::POST, "/api/v1/reservations").bearer_auth(&login);
        let request = request.header("X-Forwarded-For", "192.0.2.1");
        let request = request.json(&json!({"performanceId": 1, "seatIds": [account + 1]}));
        held += usize::from(request.send().await.unwrap().status() == StatusCode::CREATED);
    }
    assert_eq!(held, 20, "of 24");
}
