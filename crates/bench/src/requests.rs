//! The requests of each kind of work.

use std::{io::Write as _, sync::Arc};

use onsale_domain::ids::{PerformanceId, SeatId};

use crate::{
    loader::Requests,
    stage::{BUYERS, access_token},
};

/// The address of holds.
pub(crate) const RESERVATIONS: &str = "/api/v1/reservations";

/// The same GET again and again, as a browser sends it.
pub(crate) fn get(path: &str) -> Requests {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\naccept-encoding: gzip\r\n\r\n"
    );
    Arc::new(move |_, out| out.extend_from_slice(request.as_bytes()))
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

fn hold(out: &mut Vec<u8>, number: u64, performance: PerformanceId, seat: SeatId, token: &str) {
    let mut body = [0; 96];
    let mut rest = &mut body[..];
    write!(rest, "{{\"performanceId\":{performance},\"seatIds\":[{seat}]}}").expect("the numbers fit");
    let length = 96 - rest.len();
    // Spread as random keys are.
    let key = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    write!(
        out,
        "POST {RESERVATIONS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: {key:016x}-{number:016x}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
    .expect("a vector takes everything");
    out.extend_from_slice(&body[..length]);
}
