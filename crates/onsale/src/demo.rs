//! The demo: fills an empty database with a lively example, and tells how to use it.
//!
//! Filling can be repeated: what is there stays, what is missing is added, and the days that have
//! passed since the last start are followed by new ones.

mod banner;
mod concerts;
mod films;
mod halls;
mod people;

use std::net::SocketAddr;

use jiff::{Zoned, tz::TimeZone};
use onsale_domain::time::Timestamp;
use onsale_engine::{Engine, ports::Store};

use crate::failure::Failure;

/// The time zone of everything in the demo.
const TIME_ZONE: &str = "Asia/Seoul";

/// Fills the database if it is empty or the demo's own, and returns the text to greet with.
pub(crate) async fn prepare(
    engine: &Engine,
    store: &dyn Store,
    address: SocketAddr,
) -> Result<String, Failure> {
    if !people::are_here(store).await? && !engine.catalogue.is_empty().await.map_err(failed())? {
        return Ok("The database is not empty and not the demo's: it is left as it is.\n".to_owned());
    }
    // The accounts come first: they mark the database as the demo's.
    people::add(engine, store).await?;
    films::add(engine).await?;
    concerts::add(engine).await?;
    banner::text(engine, address).await
}

fn failed<E: std::fmt::Display>() -> impl FnOnce(E) -> Failure {
    Failure::of("cannot fill the database with the demo")
}

/// Now, in the demo's time zone.
fn now(engine: &Engine) -> Zoned {
    zoned(engine.clock().now())
}

fn zoned(at: Timestamp) -> Zoned {
    let zone = TimeZone::get(TIME_ZONE).expect("the time zones are in the binary");
    jiff::Timestamp::from_millisecond(at.0).expect("the clock is within the calendar").to_zoned(zone)
}

fn timestamp(at: &Zoned) -> Timestamp {
    Timestamp(at.timestamp().as_millisecond())
}
