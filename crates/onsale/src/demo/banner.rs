//! What the demo greets with: addresses, log-ins, and commands to copy.

use std::{fmt::Write, net::SocketAddr, path::Path};

use onsale_domain::{
    ids::{ItemId, PerformanceId, SeatId},
    order::SeatStatus,
};
use onsale_engine::{Engine, ports::ShowListing, sales::PerformanceView};

use super::{
    failed, now,
    people::{ADMIN, BUYERS, ORGANISER, POINTS},
    timestamp, zoned,
};
use crate::failure::Failure;

/// The greeting.
pub(super) async fn text(engine: &Engine, data: &Path, address: SocketAddr) -> Result<String, Failure> {
    let films = engine.catalogue.movies(None, None, true, 0, 100).await.map_err(failed())?;
    let concerts = engine.catalogue.concerts(0, 100).await.map_err(failed())?.concerts;
    let mut text = format!(
        "
  Onsale demo: {} films, {} concerts. Everything here is invented, the log-ins are public.

  Look around
    http://{address}/docs
    http://{address}/api/v1/movies
    http://{address}/api/v1/concerts
    http://{address}/api/item
",
        films.len(),
        concerts.len()
    );
    if let Some(largest) = on_sale(engine, &concerts).max_by_key(|performance| performance.seats) {
        let id = largest.id;
        let seats = largest.seats;
        _ = write!(
            text,
            "    http://{address}/api/v1/performances/{id}/seats         {seats} seats, one by one
    http://{address}/api/v1/performances/{id}/availability  the same, compact
"
        );
    }
    if let Some((title, at)) = opens_next(engine, &concerts) {
        _ = writeln!(text, "\n  `{title}` goes on sale at {at}.");
    }
    if let Some((title, performance)) = behind_a_room(engine, &concerts) {
        _ = writeln!(
            text,
            "\n  `{title}` has a waiting room: log in, join with
    curl -d '{{\"performanceId\":{performance}}}' -H 'Content-Type: application/json' -H \"Authorization: Bearer $TOKEN\" http://{address}/api/v1/queue/tokens"
        );
    }
    if let Some((item, name)) = super::items::behind_a_room(engine).await? {
        _ = writeln!(
            text,
            "\n  `{name}` is a time deal with a waiting room: whoever joins before it opens is drawn by lot
    curl -d '{{\"itemNumber\":{item}}}' -H 'Content-Type: application/json' -H \"Authorization: Bearer $TOKEN\" http://{address}/api/v1/queue/tokens"
        );
    }
    text += "\n  Log in\n";
    for account in [&ADMIN, &ORGANISER].into_iter().chain(&BUYERS) {
        _ = writeln!(text, "    {:<24}{}", account.email, account.password);
    }
    _ = writeln!(text, "    Buyers start with {POINTS} points.");
    if let Some((performance, seats)) = two_seats(engine, &films).await? {
        text += &commands(address, performance, seats);
    }
    if let Some((item, name)) = super::items::on_sale(engine).await? {
        text += &order_commands(address, item, &name);
    }
    _ = writeln!(
        text,
        "\n  Check that everything adds up, at any time\n    onsale audit --data {}\n",
        data.display()
    );
    Ok(text)
}

fn on_sale<'a>(
    engine: &Engine,
    shows: &'a [ShowListing],
) -> impl Iterator<Item = &'a onsale_engine::ports::PerformanceSummary> {
    let now = timestamp(&now(engine));
    shows
        .iter()
        .flat_map(|show| &show.performances)
        .filter(move |performance| performance.on_sale_at <= now && performance.starts_at > now)
}

/// The title that goes on sale next, and when.
fn opens_next(engine: &Engine, shows: &[ShowListing]) -> Option<(String, String)> {
    let now = timestamp(&now(engine));
    let (show, at) = shows
        .iter()
        .flat_map(|show| show.performances.iter().map(move |date| (show, date.on_sale_at)))
        .filter(|(_, at)| *at > now)
        .min_by_key(|(_, at)| *at)?;
    Some((show.show.details.title.clone(), zoned(at).strftime("%H:%M:%S (%Z)").to_string()))
}

/// A title with a waiting room, and the performance behind it.
fn behind_a_room<'a>(engine: &Engine, shows: &'a [ShowListing]) -> Option<(&'a str, PerformanceId)> {
    let dates = shows.iter().flat_map(|show| show.performances.iter().map(move |date| (&show.show, date.id)));
    dates
        .filter(|(_, date)| engine.rooms.room_of(*date).is_some())
        .map(|(show, date)| (show.details.title.as_str(), date))
        .next()
}

/// Two free seats side by side at the screening that leaves most time to buy them.
async fn two_seats(
    engine: &Engine,
    films: &[ShowListing],
) -> Result<Option<(PerformanceId, [SeatId; 2])>, Failure> {
    let Some(screening) = on_sale(engine, films).max_by_key(|screening| screening.starts_at) else {
        return Ok(None);
    };
    let view = engine.sales.view(screening.id).await.map_err(failed())?;
    Ok(free_pair(&view).map(|seats| (screening.id, seats)))
}

/// The first pair after the middle of the hall.
fn free_pair(view: &PerformanceView) -> Option<[SeatId; 2]> {
    let terms = view.terms();
    let seats = terms.seats.seats();
    let free = |index: usize| {
        u32::try_from(index).is_ok_and(|ordinal| view.status(ordinal) == SeatStatus::Available)
    };
    let (first, second) =
        (seats.len() / 2..seats.len()).zip(seats.len() / 2 + 1..seats.len()).find(|&(a, b)| {
            seats[a].row == seats[b].row && seats[a].place + 1 == seats[b].place && free(a) && free(b)
        })?;
    Some([seats[first].id, seats[second].id])
}

/// Three commands that log in, hold two seats and pay for them.
fn commands(address: SocketAddr, performance: PerformanceId, [first, second]: [SeatId; 2]) -> String {
    let (email, password) = (BUYERS[0].email, BUYERS[0].password);
    format!(
        r#"
  Buy two seats of screening {performance}: copy, paste, in this order
    TOKEN=$(curl -s http://{address}/api/v1/auth/login -H 'Content-Type: application/json' -d '{{"email":"{email}","password":"{password}"}}' | sed 's/.*"accessToken": *"\([^"]*\)".*/\1/')
    HELD=$(curl -s http://{address}/api/v1/reservations -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H "Idempotency-Key: hold-$RANDOM" -d '{{"performanceId":{performance},"seatIds":[{first},{second}]}}' | tee /dev/stderr | sed 's/.*"reservationId": *"\([^"]*\)".*/\1/')
    curl -s http://{address}/api/v1/payments -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H "Idempotency-Key: pay-$HELD" -d "{{\"reservationId\":\"$HELD\"}}"
"#
    )
}

/// Two commands that order two units and pay for them.
fn order_commands(address: SocketAddr, item: ItemId, name: &str) -> String {
    format!(
        r#"
  Order two of item {item}, `{name}`, with the same log-in
    ORDER=$(curl -s -d '{{"itemNumber":{item},"count":2}}' -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" http://{address}/api/order | tee /dev/stderr | sed 's/.*"data": *"\([^"]*\)".*/\1/')
    curl -s -X POST -H "Authorization: Bearer $TOKEN" http://{address}/api/order/$ORDER
"#
    )
}
