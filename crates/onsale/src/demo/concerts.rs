//! The demo's concerts: most are on sale, one opens in a few minutes.

use jiff::{ToSpan, Zoned, civil::Time};
use onsale_domain::{
    catalogue::{Hall, PerformanceDetails, ShowDetails, ShowKind},
    ids::{ShowId, UserId},
    line::{Mode, RoomChange, RoomSettings, Schedule},
    offer::Offer,
    sale::SaleRules,
};
use onsale_engine::{
    Engine,
    line::{RoomDetails, RoomEdit},
    ports::Admits,
};

use super::{
    failed,
    halls::{self, ARENA, DemoHall, STADIUM},
    now, timestamp,
};
use crate::failure::Failure;

/// A concert is three hours long.
const LENGTH_MS: i64 = 3 * 3_600_000;

/// How the waiting room lets visitors in: the first ones go straight through.
const ROOM_MODE: Mode = Mode::ThemePark { admissions: 10, interval_ms: 10_000 };

/// A concert of the demo.
struct DemoConcert {
    title: &'static str,
    genre: &'static str,
    artist: &'static str,
    hall: &'static DemoHall,
    /// Its dates, in days from now.
    days: &'static [i64],
    /// When sales open, in minutes from now.
    opens_min: i64,
    /// Whether a waiting room is in front of it.
    waiting_room: bool,
}

const CONCERTS: [DemoConcert; 4] = [
    DemoConcert {
        title: "Blue Comet: Homecoming",
        genre: "Rock",
        artist: "Blue Comet",
        hall: &STADIUM,
        days: &[20, 21],
        opens_min: -60,
        waiting_room: false,
    },
    DemoConcert {
        title: "Velvet Harbour: The Final Tour",
        genre: "Pop",
        artist: "Velvet Harbour",
        hall: &STADIUM,
        days: &[34],
        opens_min: 5,
        waiting_room: false,
    },
    DemoConcert {
        title: "Sona Quartet plays the Seasons",
        genre: "Classical",
        artist: "Sona Quartet",
        hall: &ARENA,
        days: &[9],
        opens_min: -60,
        waiting_room: true,
    },
    DemoConcert {
        title: "Midnight Arcade Live",
        genre: "Electronic",
        artist: "Midnight Arcade",
        hall: &ARENA,
        days: &[13, 14, 15],
        opens_min: -60,
        waiting_room: false,
    },
];

/// Adds the concerts, and dates to those that have none to come.
pub(super) async fn add(engine: &Engine, owner: Option<UserId>) -> Result<(), Failure> {
    let now = now(engine);
    let shows: Vec<ShowDetails> = CONCERTS.iter().map(show).collect();
    let outcomes = engine.catalogue.import_shows(&shows, owner).await.map_err(failed())?;
    for (concert, outcome) in CONCERTS.iter().zip(outcomes) {
        let id = outcome.id;
        let listing = engine.catalogue.listing(ShowKind::Concert, id).await.map_err(failed())?;
        if !listing.performances.is_empty() {
            continue;
        }
        let hall = halls::find_or_add(engine, concert.hall, owner).await?;
        let mut dates = Vec::new();
        for day in concert.days {
            let details = date(id, concert, &hall, *day, &now)?;
            dates.push(engine.catalogue.add_performance(&details).await.map_err(failed())?.id);
        }
        if concert.waiting_room {
            let offers = dates.into_iter().map(Offer::from).collect();
            open_room(engine, concert.title, offers, owner).await?;
        }
    }
    Ok(())
}

/// A waiting room that is open.
async fn open_room(
    engine: &Engine,
    name: &str,
    offers: Vec<Offer>,
    owner: Option<UserId>,
) -> Result<(), Failure> {
    let details = RoomDetails {
        name: name.to_owned(),
        owner,
        admits: Admits::Accounts,
        offers,
        settings: RoomSettings::new(ROOM_MODE),
        schedule: Schedule::default(),
    };
    let room = engine.rooms.add(details).await.map_err(failed())?;
    let open = RoomEdit { changes: vec![RoomChange::Open], ..RoomEdit::default() };
    engine.rooms.edit(room.id, open).await.map_err(failed())?;
    Ok(())
}

fn show(concert: &DemoConcert) -> ShowDetails {
    ShowDetails {
        genre: Some(concert.genre.to_owned()),
        creator: Some(concert.artist.to_owned()),
        source_key: Some(format!("demo:{}", concert.title)),
        ..ShowDetails::new(ShowKind::Concert, concert.title)
    }
}

fn date(
    show: ShowId,
    concert: &DemoConcert,
    hall: &Hall,
    day: i64,
    now: &Zoned,
) -> Result<PerformanceDetails, Failure> {
    let date = now.date().checked_add(day.days()).map_err(failed())?;
    let starts_at =
        date.to_datetime(Time::constant(19, 0, 0, 0)).to_zoned(now.time_zone().clone()).map_err(failed())?;
    let starts_at = timestamp(&starts_at);
    Ok(PerformanceDetails {
        show,
        hall: hall.id,
        starts_at,
        ends_at: starts_at.plus_ms(LENGTH_MS),
        on_sale_at: timestamp(now).plus_ms(concert.opens_min * 60_000),
        rules: SaleRules::default(),
        prices: halls::prices(hall),
    })
}
