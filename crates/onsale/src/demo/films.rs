//! The demo's films and their screenings over the next seven days.

use std::collections::HashSet;

use jiff::{ToSpan, Zoned, civil::Time};
use onsale_domain::{
    catalogue::{Hall, PerformanceDetails, ShowDetails, ShowKind},
    ids::{HallId, ShowId, UserId},
    sale::SaleRules,
    time::Timestamp,
};
use onsale_engine::Engine;

use super::{failed, halls, now, timestamp};
use crate::failure::Failure;

const DAYS: i64 = 7;

/// Title, genre, grade, minutes, director, days since its release.
const FILMS: [(&str, &str, &str, u32, &str, i64); 12] = [
    // First, so that it runs at 21:00 and ends at 00:01.
    ("The Night Train to Gyeongju", "Thriller", "15+", 181, "Han Seo-yun", 3),
    ("Salt and Starlight", "Drama", "12+", 118, "Ines Duarte", 10),
    ("The Clockmaker's Apprentice", "Fantasy", "All", 104, "Tom Adeyemi", 17),
    ("Seven Bridges", "Action", "15+", 126, "Kang Min-jae", 5),
    ("Grandmother's Recipe", "Comedy", "All", 97, "Oh Ha-eun", 24),
    ("The Last Lighthouse", "Horror", "19+", 92, "Erik Lindqvist", 12),
    ("Paper Moons", "Animation", "All", 88, "Mori Aki", 2),
    ("A Map of Quiet Places", "Documentary", "All", 79, "Zofia Baran", 31),
    ("Orbit of Two", "Science Fiction", "12+", 139, "Priya Raman", 8),
    ("The Understudy", "Musical", "12+", 112, "Claire Fontaine", 20),
    ("Rain on the Han", "Romance", "15+", 107, "Yoo Ji-woo", 15),
    ("Dust and Honour", "Western", "15+", 121, "Luis Ortega", 28),
];

/// Screenings of a day in one hall.
const SLOTS: [(i8, i8); 4] = [(10, 30), (13, 40), (17, 0), (21, 0)];

/// Adds the films, and the screenings of the coming days that are missing.
pub(super) async fn add(engine: &Engine, owner: Option<UserId>) -> Result<(), Failure> {
    let now = now(engine);
    let shows: Vec<ShowDetails> = FILMS.iter().map(|film| show(film, &now)).collect();
    let outcomes = engine.catalogue.import_shows(&shows, owner).await.map_err(failed())?;
    let shows: Vec<ShowId> = outcomes.into_iter().map(|imported| imported.id).collect();
    let taken = taken_slots(engine).await?;
    for (hall_number, wanted) in halls::CINEMAS.iter().enumerate() {
        let hall = halls::find_or_add(engine, wanted, owner).await?;
        // The last day first: the first screening in the database is one that stays on sale.
        for day in (0..DAYS).rev() {
            for (slot, (hour, minute)) in SLOTS.into_iter().enumerate() {
                let film = film_of(&now, day, hall_number, slot);
                let starts_at = start(&now, day, Time::constant(hour, minute, 0, 0))?;
                if starts_at > now && !taken.contains(&(hall.id, timestamp(&starts_at))) {
                    let details = screening(shows[film], FILMS[film].3, &hall, &starts_at, &now);
                    engine.catalogue.add_performance(&details).await.map_err(failed())?;
                }
            }
        }
    }
    Ok(())
}

fn show(film: &(&str, &str, &str, u32, &str, i64), now: &Zoned) -> ShowDetails {
    let &(title, genre, grade, minutes, director, days) = film;
    ShowDetails {
        grade: Some(grade.to_owned()),
        genre: Some(genre.to_owned()),
        release_date: now.date().checked_sub(days.days()).ok(),
        running_time_min: Some(minutes),
        creator: Some(director.to_owned()),
        source_key: Some(format!("demo:{title}")),
        ..ShowDetails::new(ShowKind::Movie, title)
    }
}

/// When each hall is taken already.
async fn taken_slots(engine: &Engine) -> Result<HashSet<(HallId, Timestamp)>, Failure> {
    let listings = engine.catalogue.movies(None, None, true, 0, 100).await.map_err(failed())?;
    Ok(listings
        .iter()
        .flat_map(|listing| &listing.performances)
        .map(|screening| (screening.hall, screening.starts_at))
        .collect())
}

/// Which film runs: the long one late in the first hall, the others in turn.
fn film_of(now: &Zoned, day: i64, hall: usize, slot: usize) -> usize {
    if (hall, slot) == (0, SLOTS.len() - 1) {
        return 0;
    }
    let date = now.date().checked_add(day.days()).unwrap_or(now.date());
    1 + (usize::from(date.day_of_year().unsigned_abs()) * 5 + hall * 4 + slot) % (FILMS.len() - 1)
}

fn start(now: &Zoned, day: i64, time: Time) -> Result<Zoned, Failure> {
    let date = now.date().checked_add(day.days()).map_err(failed())?;
    date.to_datetime(time).to_zoned(now.time_zone().clone()).map_err(failed())
}

fn screening(show: ShowId, minutes: u32, hall: &Hall, starts_at: &Zoned, now: &Zoned) -> PerformanceDetails {
    let starts_at = timestamp(starts_at);
    PerformanceDetails {
        show,
        hall: hall.id,
        starts_at,
        ends_at: starts_at.plus_ms(i64::from(minutes) * 60_000),
        on_sale_at: timestamp(now).plus_ms(-3_600_000),
        rules: SaleRules { side_by_side: true, ..SaleRules::default() },
        prices: halls::prices(hall),
    }
}
