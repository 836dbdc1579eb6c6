//! Which seats an organiser means.

use std::collections::HashSet;

use onsale_domain::{hall::SeatMap, ids::SeatId};
use onsale_engine::ports::SeatSelector;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::problem::{Kind, Problem};

/// The most seats one request may change, named one by one or not.
pub(super) const SEATS_MAX: usize = 100_000;

/// Some seats of a hall: exactly one of `all`, `seatIds`, or `section`, with or without `rows`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Seats)]
pub(super) struct SeatsInput {
    /// `true`: every seat of the hall.
    all: Option<bool>,
    /// The seats of this section.
    #[schema(example = "Stalls")]
    section: Option<String>,
    /// Of the section, only the rows with these labels.
    #[schema(max_items = 10_000, example = json!(["A", "B"]))]
    rows: Option<Vec<String>>,
    /// These seats.
    #[schema(max_items = 100_000)]
    seat_ids: Option<Vec<i64>>,
}

impl SeatsInput {
    /// What is meant, if it is clear.
    pub(super) fn selector(self) -> Result<SeatSelector, Problem> {
        match (self.all, self.section, self.rows, self.seat_ids) {
            (Some(true), None, None, None) => Ok(SeatSelector::All),
            (None, Some(section), None, None) => Ok(SeatSelector::Section(section)),
            (None, Some(section), Some(rows), None) => Ok(SeatSelector::Rows { section, rows }),
            (None, None, None, Some(seats)) if seats.len() > SEATS_MAX => Err(too_many(seats.len())),
            (None, None, None, Some(seats)) => {
                Ok(SeatSelector::Seats(seats.into_iter().map(SeatId).collect()))
            }
            _ => Err(Problem::field(
                "seats",
                "give exactly one of `all`, `seatIds`, or `section`, with or without `rows`",
            )),
        }
    }
}

/// The seats that a selector means in a hall, each once.
pub(super) fn resolve(selector: SeatSelector, map: &SeatMap) -> Result<Vec<SeatId>, Problem> {
    let in_rows = |wanted: &dyn Fn(usize) -> bool| -> Vec<SeatId> {
        map.seats().iter().filter(|seat| wanted(seat.row as usize)).map(|seat| seat.id).collect()
    };
    let rows = map.rows();
    let seats = match selector {
        SeatSelector::All => in_rows(&|_| true),
        SeatSelector::Section(section) => in_rows(&|row| rows[row].section == section),
        SeatSelector::Rows { section, rows: labels } => {
            let labels: HashSet<String> = labels.into_iter().collect();
            let wanted: Vec<bool> =
                rows.iter().map(|row| row.section == section && labels.contains(&row.label)).collect();
            in_rows(&|row| wanted[row])
        }
        SeatSelector::Seats(mut seats) => {
            seats.sort_unstable();
            seats.dedup();
            seats
        }
    };
    match seats.len() {
        0 => Err(Problem::new(Kind::NoSeats, "no seat of this hall is meant")),
        SEATS_MAX.. if seats.len() > SEATS_MAX => Err(too_many(seats.len())),
        _ => Ok(seats),
    }
}

fn too_many(seats: usize) -> Problem {
    Problem::field("seats", &format!("{seats} seats; at most {SEATS_MAX} at once, go section by section"))
}
