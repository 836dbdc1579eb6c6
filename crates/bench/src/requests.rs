//! The requests of each kind of work.

use std::{fmt::Arguments, io::Write as _, sync::Arc};

use onsale_domain::ids::{ItemId, OrderId, PerformanceId, RoomId, SeatId};

use crate::{
    loader::Requests,
    stage::{BUYERS, access_token},
};

/// The address of holds.
pub(crate) const RESERVATIONS: &str = "/api/v1/reservations";

/// The address of payments.
const PAYMENTS: &str = "/api/v1/payments";

/// The address of orders for units.
pub(crate) const ORDERS: &str = "/api/order";

/// The same GET again and again, as a browser sends it.
pub(crate) fn get(path: &str) -> Requests {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\naccept-encoding: gzip\r\n\r\n"
    );
    Arc::new(move |_, out| out.extend_from_slice(request.as_bytes()))
}

/// The comedies that are showing, a quarter of all films.
pub(crate) const SEARCH: &str = "/api/v1/movies?showing=true&genre=%EC%BD%94%EB%AF%B8%EB%94%94";

/// The same search, every time at another address, so that no cache has it: blanks after a text do not count,
/// and there are two ways to write one.
pub(crate) fn searches() -> Requests {
    Arc::new(move |number, out| {
        let blanks: String = (0..20).map(|bit| if number >> bit & 1 == 0 { "+" } else { "%09" }).collect();
        write!(
            out,
            "GET {SEARCH}{blanks} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\naccept-encoding: gzip\r\n\r\n"
        )
        .expect("a vector takes everything");
    })
}

/// The address where one joins a waiting room.
pub(crate) const QUEUE_TOKENS: &str = "/api/v1/queue/tokens";

/// Joins of a waiting room: of a new guest each, or of the accounts with these access tokens in turn.
pub(crate) fn joins(room: RoomId, accounts: Option<Arc<Vec<String>>>) -> Requests {
    let body = format!("{{\"roomId\":{room}}}");
    Arc::new(move |number, out| {
        write!(out, "POST {QUEUE_TOKENS} HTTP/1.1\r\nhost: localhost\r\n")
            .expect("a vector takes everything");
        if let Some(accounts) = &accounts {
            let token = &accounts[usize::try_from(number).expect("64 bits") % accounts.len()];
            write!(out, "authorization: Bearer {token}\r\n").expect("a vector takes everything");
        }
        write!(out, "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .expect("a vector takes everything");
    })
}

/// Questions of the holders of these tokens in turn how they stand.
pub(crate) fn asks(tokens: Vec<String>) -> Requests {
    Arc::new(move |number, out| {
        let token = &tokens[usize::try_from(number).expect("64 bits") % tokens.len()];
        write!(
            out,
            "GET {QUEUE_TOKENS}/me HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\
             queue-token: {token}\r\n\r\n"
        )
        .expect("a vector takes everything");
    })
}

/// Access tokens of all buyers.
pub(crate) fn tokens() -> Arc<Vec<String>> {
    Arc::new((1..=BUYERS).map(access_token).collect())
}

/// Holds of one seat each, every time another seat, buyer and key: the seats of one performance in
/// the order given, then those of the next.
pub(crate) fn holds(
    performances: Vec<PerformanceId>,
    seats: Vec<SeatId>,
    tokens: Arc<Vec<String>>,
) -> Requests {
    Arc::new(move |number, out| {
        let index = usize::try_from(number).expect("64 bits");
        let performance = performances[index / seats.len() % performances.len()];
        let seat = seats[index % seats.len()];
        hold(out, number, performance, seat, &tokens[index % tokens.len()]);
    })
}

/// Payments of orders that are held, each once.
pub(crate) fn payments(orders: Vec<(OrderId, i64)>, tokens: Arc<Vec<String>>) -> Requests {
    Arc::new(move |number, out| {
        let index = usize::try_from(number).expect("64 bits");
        let (order, buyer) = orders[index % orders.len()];
        let token = &tokens[usize::try_from(buyer - 1).expect("buyers count from 1")];
        // Not the key that the same buyer has used for a hold.
        post(out, PAYMENTS, u64::MAX - number, token, format_args!("{{\"reservationId\":\"{order}\"}}"));
    })
}

/// Orders of one unit each, every time by another buyer and with another key: everybody orders the first
/// item, then everybody the next.
pub(crate) fn orders(items: Vec<ItemId>, tokens: Arc<Vec<String>>) -> Requests {
    Arc::new(move |number, out| {
        let index = usize::try_from(number).expect("64 bits");
        let item = items[index / tokens.len() % items.len()];
        let token = &tokens[index % tokens.len()];
        post(out, ORDERS, number, token, format_args!("{{\"itemNumber\":{item},\"count\":1}}"));
    })
}

fn hold(out: &mut Vec<u8>, number: u64, performance: PerformanceId, seat: SeatId, token: &str) {
    let body = format_args!("{{\"performanceId\":{performance},\"seatIds\":[{seat}]}}");
    post(out, RESERVATIONS, number, token, body);
}

fn post(out: &mut Vec<u8>, path: &str, number: u64, token: &str, json: Arguments<'_>) {
    let mut body = [0; 96];
    let mut rest = &mut body[..];
    rest.write_fmt(json).expect("the numbers fit");
    let length = 96 - rest.len();
    // Spread as random keys are.
    let key = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    write!(
        out,
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: {key:016x}-{number:016x}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
    .expect("a vector takes everything");
    out.extend_from_slice(&body[..length]);
}
