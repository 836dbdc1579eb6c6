//! The demo: fills an empty database with a lively example, and tells how to use it.
//!
//! Filling can be repeated: what is there stays, what is missing is added, and the days that have
//! passed since the last start are followed by new ones.

mod banner;
mod concerts;
mod films;
mod halls;
mod items;
mod people;

use std::{net::SocketAddr, path::Path};

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
    data: &Path,
    address: SocketAddr,
) -> Result<String, Failure> {
    if !people::are_here(store).await? && !engine.catalogue.is_empty().await.map_err(failed())? {
        return Ok("The database is not empty and not the demo's: it is left as it is.\n".to_owned());
    }
    // The accounts come first: they mark the database as the demo's.
    let organiser = people::add(engine, store).await?;
    films::add(engine, organiser).await?;
    concerts::add(engine, organiser).await?;
    items::add(engine, organiser).await?;
    banner::text(engine, data, address).await
}

/// Whether a database has the demo's accounts.
pub(crate) async fn is_here(store: &dyn Store) -> Result<bool, Failure> {
    people::are_here(store).await
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use onsale_coordination::LocalCoordination;
    use onsale_engine::{clock::ManualClock, ids::RandomIds};
    use onsale_store::{SqlStore, StoreOptions};

    use super::*;
    use crate::config::Config;

    const DAY_MS: i64 = 86_400_000;

    /// Screenings and concert dates to come.
    async fn coming(engine: &Engine) -> (usize, usize) {
        let films = engine.catalogue.movies(None, None, true, 0, 100).await.unwrap();
        let concerts = engine.catalogue.concerts(0, 100).await.unwrap().concerts;
        let count = |shows: &[onsale_engine::ports::ShowListing]| {
            shows.iter().map(|show| show.performances.len()).sum::<usize>()
        };
        (count(&films), count(&concerts))
    }

    #[tokio::test]
    async fn filling_again_adds_only_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("demo.db")).unwrap();
        let config = Config::default();
        let store = Arc::new(SqlStore::open(&url, &StoreOptions::new(config.currency())).await.unwrap());
        // Three in the morning in Seoul: nothing runs.
        let clock = Arc::new(ManualClock::new(Timestamp(1_800_036_000_000)));
        let settings = config.in_demo().engine_settings(vec![7; 32]);
        let ids = Arc::new(RandomIds::default());
        let time = clock.clone();
        let engine = Engine::start_with_rooms(store.clone(), clock.clone(), ids, settings, |journal| {
            Arc::new(LocalCoordination::new(journal, time))
        });
        let engine = engine.await.unwrap();
        let address = "127.0.0.1:1".parse().unwrap();

        prepare(&engine, &*store, folder.path(), address).await.unwrap();
        assert_eq!(coming(&engine).await, (3 * 4 * 7, 7));
        assert_eq!(engine.rooms.list().await.unwrap().len(), 2);
        assert_eq!(engine.catalogue.items(None, 100).await.unwrap().len(), 4);
        prepare(&engine, &*store, folder.path(), address).await.unwrap();
        assert_eq!(coming(&engine).await, (3 * 4 * 7, 7), "the second time adds nothing");
        assert_eq!(engine.rooms.list().await.unwrap().len(), 2);
        assert_eq!(engine.catalogue.items(None, 100).await.unwrap().len(), 4);
        clock.advance_ms(3 * DAY_MS);
        assert_eq!(coming(&engine).await, (3 * 4 * 4, 7));
        prepare(&engine, &*store, folder.path(), address).await.unwrap();
        assert_eq!(coming(&engine).await, (3 * 4 * 7, 7), "three new days follow");
        clock.advance_ms(100 * DAY_MS);
        prepare(&engine, &*store, folder.path(), address).await.unwrap();
        assert_eq!(coming(&engine).await, (3 * 4 * 7, 7), "all anew after a long time");
        engine.stop().await;
    }
}
