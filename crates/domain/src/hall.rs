//! Halls and their seats.

use std::collections::{HashMap, HashSet};

use crate::ids::{HallId, SeatId};

/// The most seats one hall may have.
pub const SEATS_PER_HALL_MAX: usize = 1_000_000;

/// One seat as a hall lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    /// Its id, unique over all halls.
    pub id: SeatId,
    /// Index into [`SeatMap::rows`].
    pub row: u32,
    /// Position along the row. Two seats of a row are neighbours exactly when their
    /// places differ by one; an aisle leaves a place out.
    pub place: i32,
    /// What is written on the seat: `12`, `12a`.
    pub number: String,
    /// Index into [`SeatMap::categories`]; what a seat costs is said per category.
    pub category: u16,
    /// Horizontal position on the plan, in the plan's own units.
    pub x: f32,
    /// Vertical position on the plan, growing downwards.
    pub y: f32,
    /// The seat's identity in the plan it was imported from, if it was.
    pub guid: Option<String>,
}

/// A row of seats in a section.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The section or zone it stands in: `Stalls`, `Balcony left`.
    pub section: String,
    /// What is written at its end: `A`, `AA`, `12`.
    pub label: String,
}

/// A hall's seats, in a fixed order. A seat's index in that order is its *ordinal*;
/// bitmaps over seats are over ordinals. The order never changes and seats are never
/// taken out, so an ordinal means the same seat for ever.
#[derive(Clone, Debug)]
pub struct SeatMap {
    hall: HallId,
    rows: Vec<Row>,
    categories: Vec<String>,
    seats: Vec<Seat>,
    /// The first seat's id, if the ids have no gaps: then a seat's ordinal follows from its id alone, and
    /// the seat need not be fetched into the processor's cache.
    without_gaps: Option<SeatId>,
}

impl SeatMap {
    /// Builds the map of a hall from its rows, categories and seats in ordinal order.
    ///
    /// # Panics
    /// If seat ids do not ascend: the store reads them in order.
    #[must_use]
    pub fn new(hall: HallId, rows: Vec<Row>, categories: Vec<String>, seats: Vec<Seat>) -> Self {
        assert!(
            seats.windows(2).all(|pair| pair[0].id < pair[1].id),
            "the seats of hall {hall} are not in order"
        );
        let without_gaps = match seats.as_slice() {
            [first, .., last] if last.id.0 - first.id.0 == seats.len() as i64 - 1 => Some(first.id),
            _ => None,
        };
        Self { hall, rows, categories, seats, without_gaps }
    }

    /// The same seats in other categories: their names, and each seat's by ordinal. None if these are not as
    /// many as there are seats.
    #[must_use]
    pub fn with_categories(&self, names: Vec<String>, of_seats: &[u16]) -> Option<Self> {
        if of_seats.len() != self.seats.len() {
            return None;
        }
        let mut map = Self { categories: names, ..self.clone() };
        for (seat, category) in map.seats.iter_mut().zip(of_seats) {
            seat.category = *category;
        }
        Some(map)
    }

    /// The hall.
    #[must_use]
    pub const fn hall(&self) -> HallId {
        self.hall
    }

    /// All seats, by ordinal.
    #[must_use]
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// The rows that [`Seat::row`] points into.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The names of the categories that [`Seat::category`] points into.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// The ordinal of a seat, if it is one of this hall's.
    #[must_use]
    pub fn ordinal(&self, seat: SeatId) -> Option<u32> {
        let index = match self.without_gaps {
            Some(first) => usize::try_from(seat.0.checked_sub(first.0)?).ok()?,
            None => self.seats.binary_search_by_key(&seat, |other| other.id).ok()?,
        };
        u32::try_from(index).ok().filter(|_| index < self.seats.len())
    }

    /// The seat with an ordinal.
    #[must_use]
    pub fn seat(&self, ordinal: u32) -> Option<&Seat> {
        self.seats.get(ordinal as usize)
    }
}

/// A seat of a hall that is still to be created; see [`Plan`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedSeat {
    /// Index into [`Plan::rows`].
    pub row: u32,
    /// As [`Seat::place`].
    pub place: i32,
    /// As [`Seat::number`].
    pub number: String,
    /// Index into [`Plan::categories`].
    pub category: u16,
    /// As [`Seat::x`].
    pub x: f32,
    /// As [`Seat::y`].
    pub y: f32,
    /// As [`Seat::guid`].
    pub guid: Option<String>,
}

/// A hall that is still to be created: its rows, categories and seats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The rows.
    pub rows: Vec<Row>,
    /// Names of the seat categories.
    pub categories: Vec<String>,
    /// The seats in the order of their ordinals.
    pub seats: Vec<PlannedSeat>,
}

/// A block of equal rows to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionSpec {
    /// The section's name.
    pub name: String,
    /// Number of rows, labelled A..Z, AA...
    pub rows: u32,
    /// Seats in each row, numbered from 1.
    pub seats_per_row: u32,
    /// Name of the seats' category.
    pub category: String,
}

/// Why a hall cannot be built as asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No seat at all.
    #[error("the hall has no seats")]
    Empty,
    /// Over [`SEATS_PER_HALL_MAX`].
    #[error("the hall has {0} seats; at most {SEATS_PER_HALL_MAX} are allowed")]
    TooManySeats(u64),
    /// A section twice: its seats could not be told apart.
    #[error("section `{0}` is given twice")]
    SectionTwice(String),
    /// Over 65,535 categories.
    #[error("the hall has more than 65,535 categories")]
    TooManyCategories,
}

impl Plan {
    /// Generates a hall from sections of equal rows. Sections stand one behind the
    /// other, each row centred.
    ///
    /// # Errors
    /// If there are no seats, too many, or a section's name is given twice.
    pub fn generate(sections: &[SectionSpec]) -> Result<Self, PlanError> {
        let total: u64 =
            sections.iter().map(|section| u64::from(section.rows) * u64::from(section.seats_per_row)).sum();
        if total == 0 {
            return Err(PlanError::Empty);
        }
        if total > SEATS_PER_HALL_MAX as u64 {
            return Err(PlanError::TooManySeats(total));
        }
        let mut plan = Self::default();
        let mut categories = HashMap::new();
        let mut names = HashSet::with_capacity(sections.len());
        let mut y = 0.0_f32;
        for section in sections {
            if !names.insert(&section.name) {
                return Err(PlanError::SectionTwice(section.name.clone()));
            }
            let category = plan.category(&section.category, &mut categories)?;
            plan.add_section(section, category, &mut y);
            y += 2.0;
        }
        Ok(plan)
    }

    fn category(&mut self, name: &str, known: &mut HashMap<String, u16>) -> Result<u16, PlanError> {
        if let Some(category) = known.get(name) {
            return Ok(*category);
        }
        let category = u16::try_from(self.categories.len()).map_err(|_| PlanError::TooManyCategories)?;
        self.categories.push(name.to_owned());
        known.insert(name.to_owned(), category);
        Ok(category)
    }

    fn add_section(&mut self, section: &SectionSpec, category: u16, y: &mut f32) {
        for row in 0..section.rows {
            let row_index = u32::try_from(self.rows.len()).expect("rows are bounded by seats");
            self.rows.push(Row { section: section.name.clone(), label: row_label(row) });
            for seat in 0..section.seats_per_row {
                self.seats.push(PlannedSeat {
                    row: row_index,
                    place: i32::try_from(seat).expect("seats are bounded"),
                    number: (seat + 1).to_string(),
                    category,
                    x: seat as f32 - (section.seats_per_row - 1) as f32 / 2.0,
                    y: *y,
                    guid: None,
                });
            }
            *y += 1.0;
        }
    }
}

/// The label of the row with this index: A..Z, then AA, AB, as in a spreadsheet.
#[must_use]
pub fn row_label(index: u32) -> String {
    let mut label = Vec::new();
    let mut rest = u64::from(index) + 1;
    while rest > 0 {
        rest -= 1;
        label.push(char::from(b'A' + u8::try_from(rest % 26).expect("below 26")));
        rest /= 26;
    }
    label.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_labelled_like_a_spreadsheet() {
        let labels: Vec<_> = [0, 25, 26, 51, 52, 701, 702].map(row_label).into();
        assert_eq!(labels, ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }

    #[test]
    fn a_generated_hall_has_every_seat_once_and_says_what_is_wrong() {
        let section = |name: &str, rows, seats_per_row| SectionSpec {
            name: name.into(),
            rows,
            seats_per_row,
            category: "Standard".into(),
        };
        let plan = Plan::generate(&[section("Stalls", 3, 10), section("Balcony", 2, 5)]).unwrap();
        assert_eq!((plan.seats.len(), plan.rows.len(), plan.categories.len()), (40, 5, 1));
        assert_eq!(Plan::generate(&[]), Err(PlanError::Empty));
        assert_eq!(Plan::generate(&[section("A", 1001, 1000)]), Err(PlanError::TooManySeats(1_001_000)));
        assert_eq!(
            Plan::generate(&[section("A", 1, 1), section("A", 1, 1)]),
            Err(PlanError::SectionTwice("A".into()))
        );
    }

    fn seat(id: i64) -> Seat {
        Seat { id: SeatId(id), row: 0, place: 0, number: "1".into(), category: 0, x: 0.0, y: 0.0, guid: None }
    }

    #[test]
    fn ordinals_are_found_also_when_ids_have_gaps() {
        let map = SeatMap::new(HallId(1), vec![], vec![], vec![seat(5), seat(6), seat(9)]);
        let found = [4, 5, 6, 7, 9, 10].map(|id| map.ordinal(SeatId(id)));
        assert_eq!(found, [None, Some(0), Some(1), None, Some(2), None]);
        assert_eq!(map.ordinal(SeatId(i64::MIN)), None);
    }

    #[test]
    fn seats_change_their_categories_and_nothing_else() {
        let map = SeatMap::new(HallId(1), vec![], vec!["A".into()], (5..8).map(seat).collect());
        let changed = map.with_categories(vec!["A".into(), "B".into()], &[0, 1, 0]).unwrap();
        assert_eq!(changed.categories(), ["A", "B"]);
        assert_eq!(changed.seats()[1], Seat { category: 1, ..seat(6) });
        assert_eq!((changed.seats()[0].clone(), changed.ordinal(SeatId(7))), (seat(5), Some(2)));
        assert!(map.with_categories(vec![], &[0, 0]).is_none());
    }

    #[test]
    fn ordinals_follow_from_ids_without_gaps() {
        let map = SeatMap::new(HallId(1), vec![], vec![], (5..8).map(seat).collect());
        let found = [i64::MIN, 4, 5, 6, 7, 8, i64::MAX].map(|id| map.ordinal(SeatId(id)));
        assert_eq!(found, [None, None, Some(0), Some(1), Some(2), None, None]);
        assert_eq!(SeatMap::new(HallId(1), vec![], vec![], vec![]).ordinal(SeatId(5)), None);
    }
}
