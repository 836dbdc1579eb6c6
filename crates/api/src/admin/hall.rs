//! A hall, as it is asked for and answered.

use std::collections::{HashMap, HashSet};

use onsale_domain::{
    catalogue::Hall,
    hall::{Plan, PlannedSeat, Row, SEATS_PER_HALL_MAX, SectionSpec},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// The most sections or rows one request may name.
const PARTS_MAX: usize = 10_000;

/// The longest name of a section, row, seat or category, in characters.
const NAME_CHARS_MAX: usize = 100;

/// A hall to add: either `sections` of equal rows, or `rows` with their seats.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HallInput {
    /// Its name.
    #[schema(min_length = 1, max_length = 200, example = "Main")]
    pub(super) name: String,
    /// Sections of equal rows, one behind the other. Rows are labelled A to Z, then AA; seats are
    /// numbered from 1.
    #[schema(max_items = 10_000)]
    sections: Option<Vec<SectionInput>>,
    /// Rows with their seats.
    #[schema(max_items = 10_000)]
    rows: Option<Vec<RowInput>>,
}

/// A section of equal rows.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SectionInput {
    /// Its name.
    #[schema(min_length = 1, max_length = 100, example = "Stalls")]
    name: String,
    /// How many rows it has.
    #[schema(minimum = 1, maximum = 1_000_000, example = 20)]
    rows: u32,
    /// How many seats each row has.
    #[schema(minimum = 1, maximum = 1_000_000, example = 30)]
    seats_per_row: u32,
    /// The category of its seats; `Standard` if left out.
    #[schema(min_length = 1, max_length = 100, example = "Standard")]
    category: Option<String>,
}

/// A row with its seats.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RowInput {
    /// The section it stands in.
    #[schema(min_length = 1, max_length = 100, example = "Balcony")]
    section: String,
    /// What is written at its end.
    #[schema(min_length = 1, max_length = 100, example = "A")]
    label: String,
    /// The category of seats that name none; `Standard` if left out.
    category: Option<String>,
    /// The seats.
    seats: Vec<SeatInput>,
}

/// A seat of a row.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SeatInput {
    /// What is written on it.
    #[schema(min_length = 1, max_length = 100, example = "12a")]
    number: String,
    /// Its place along the row; neighbours differ by one, an aisle leaves one out. One more than
    /// that of the seat before, if left out.
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    place: Option<i32>,
    /// Its category.
    category: Option<String>,
    /// Horizontal position on the plan; its place, if left out.
    x: Option<f32>,
    /// Vertical position on the plan, growing downwards; the row's index, if left out.
    y: Option<f32>,
}

impl HallInput {
    /// The seats that are asked for.
    pub(super) fn plan(self) -> Result<Plan, Problem> {
        match (self.sections, self.rows) {
            (Some(sections), None) => generated(sections),
            (None, Some(rows)) => listed(rows),
            _ => Err(Problem::field("sections", "give either `sections` or `rows`")),
        }
    }
}

fn generated(sections: Vec<SectionInput>) -> Result<Plan, Problem> {
    let field = "sections";
    at_most_parts(field, sections.len())?;
    let specs: Vec<SectionSpec> = sections
        .into_iter()
        .map(|section| {
            check_name(field, &section.name)?;
            let category = category(field, section.category)?;
            let bounds = 1..=SEATS_PER_HALL_MAX;
            if ![section.rows, section.seats_per_row].iter().all(|count| bounds.contains(&(*count as usize)))
            {
                return Err(Problem::field(field, "a section has 1 to 1,000,000 rows and seats per row"));
            }
            let SectionInput { name, rows, seats_per_row, .. } = section;
            Ok(SectionSpec { name, rows, seats_per_row, category })
        })
        .collect::<Result<_, _>>()?;
    Plan::generate(&specs).map_err(|error| Problem::field(field, &error.to_string()))
}

fn listed(rows: Vec<RowInput>) -> Result<Plan, Problem> {
    at_most_parts("rows", rows.len())?;
    let mut plan = Plan::default();
    let mut categories = HashMap::new();
    let mut labels = HashSet::new();
    for row in rows {
        check_name("rows", &row.section)?;
        check_name("rows", &row.label)?;
        let index = u32::try_from(plan.rows.len()).expect("rows are bounded");
        let named = Row { section: row.section, label: row.label };
        if !labels.insert(named.clone()) {
            let twice = format!("row `{}` of section `{}` is given twice", named.label, named.section);
            return Err(Problem::field("rows", &twice));
        }
        plan.rows.push(named);
        let category = category("rows", row.category)?;
        add_seats(&mut plan, &mut categories, index, &category, row.seats)?;
    }
    if plan.seats.is_empty() {
        return Err(Problem::field("rows", "the hall has no seats"));
    }
    Ok(plan)
}

fn add_seats(
    plan: &mut Plan,
    categories: &mut HashMap<String, u16>,
    row: u32,
    row_category: &str,
    seats: Vec<SeatInput>,
) -> Result<(), Problem> {
    let (mut numbers, mut places) = (HashSet::new(), HashSet::new());
    let mut next_place = 0;
    for seat in seats {
        check_name("rows", &seat.number)?;
        let place = seat.place.unwrap_or(next_place);
        if !(-1_000_000..=1_000_000).contains(&place) {
            return Err(Problem::field("rows", "a place is between -1,000,000 and 1,000,000"));
        }
        next_place = place + 1;
        if !places.insert(place) || !numbers.insert(seat.number.clone()) {
            let label = &plan.rows[row as usize].label;
            let twice = format!("in row `{label}`, number `{}` or its place is given twice", seat.number);
            return Err(Problem::field("rows", &twice));
        }
        let category = match seat.category {
            None => row_category.to_owned(),
            given => category("rows", given)?,
        };
        let category = index_of(&category, plan, categories)?;
        let (x, y) = (seat.x.unwrap_or(place as f32), seat.y.unwrap_or(row as f32));
        plan.seats.push(PlannedSeat { row, place, number: seat.number, category, x, y, guid: None });
    }
    Ok(())
}

fn index_of(name: &str, plan: &mut Plan, known: &mut HashMap<String, u16>) -> Result<u16, Problem> {
    if let Some(index) = known.get(name) {
        return Ok(*index);
    }
    let index = u16::try_from(plan.categories.len())
        .map_err(|_| Problem::field("rows", "the hall has more than 65,535 categories"))?;
    plan.categories.push(name.to_owned());
    known.insert(name.to_owned(), index);
    Ok(index)
}

fn category(field: &'static str, given: Option<String>) -> Result<String, Problem> {
    let name = given.unwrap_or_else(|| "Standard".to_owned());
    check_name(field, &name)?;
    Ok(name)
}

fn at_most_parts(field: &'static str, parts: usize) -> Result<(), Problem> {
    if parts > PARTS_MAX {
        return Err(Problem::field(field, &format!("at most {PARTS_MAX}")));
    }
    Ok(())
}

fn check_name(field: &'static str, name: &str) -> Result<(), Problem> {
    let chars = name.chars().count();
    if name.trim().is_empty() || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let bounds = format!("names are 1 to {NAME_CHARS_MAX} characters, without control characters");
        return Err(Problem::field(field, &bounds));
    }
    Ok(())
}

/// A hall without its seats.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Hall)]
pub(super) struct HallBody {
    /// The hall's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// The venue it is in.
    #[schema(minimum = 1, example = 1)]
    venue_id: i64,
    /// Its name.
    #[schema(example = "Main")]
    name: String,
    /// How many seats it has.
    #[schema(example = 600)]
    seat_total: u32,
    /// The names of its seat categories.
    #[schema(example = json!(["Standard"]))]
    categories: Vec<String>,
}

impl From<Hall> for HallBody {
    fn from(hall: Hall) -> Self {
        Self {
            id: hall.id.0,
            venue_id: hall.venue.0,
            name: hall.name,
            seat_total: hall.seats,
            categories: hall.categories,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plan(hall: Value) -> Result<Plan, String> {
        let input: HallInput = serde_json::from_value(hall).unwrap();
        input.plan().map_err(|problem| serde_json::to_value(problem).unwrap()["detail"].to_string())
    }

    #[test]
    fn rows_may_have_aisles_and_categories() {
        let plan = plan(json!({"name": "h", "rows": [
            {"section": "s", "label": "A", "seats": [{"number": "1"}, {"number": "2"}, {"number": "3", "place": 4}, {"number": "4", "category": "Box"}]},
            {"section": "s", "label": "B", "category": "Box", "seats": [{"number": "1", "x": 0.5, "y": 9.0}]},
        ]}))
        .unwrap();
        let places: Vec<_> = plan.seats.iter().map(|seat| (seat.row, seat.place, seat.category)).collect();
        assert_eq!(places, [(0, 0, 0), (0, 1, 0), (0, 4, 0), (0, 5, 1), (1, 0, 1)]);
        assert_eq!(plan.categories, ["Standard", "Box"]);
        assert_eq!((plan.seats[4].x, plan.seats[4].y), (0.5, 9.0));
    }

    #[test]
    fn a_hall_that_cannot_be_is_refused_with_a_reason() {
        let section = json!({"name": "s", "rows": 1, "seatsPerRow": 1});
        let row = |seats: Value| json!({"section": "s", "label": "A", "seats": seats});
        for (hall, reason) in [
            (json!({"name": "h"}), "either"),
            (json!({"name": "h", "sections": [section], "rows": []}), "either"),
            (json!({"name": "h", "sections": []}), "no seats"),
            (json!({"name": "h", "sections": [section, section]}), "twice"),
            (
                json!({"name": "h", "sections": [{"name": "s", "rows": 4_294_967_295_u32, "seatsPerRow": 1}]}),
                "1,000,000",
            ),
            (json!({"name": "h", "sections": [{"name": " ", "rows": 1, "seatsPerRow": 1}]}), "characters"),
            (json!({"name": "h", "rows": []}), "no seats"),
            (json!({"name": "h", "rows": [row(json!([])), row(json!([]))]}), "twice"),
            (json!({"name": "h", "rows": [row(json!([{"number": "1"}, {"number": "1"}]))]}), "twice"),
            (
                json!({"name": "h", "rows": [row(json!([{"number": "1", "place": 1}, {"number": "2", "place": 1}]))]}),
                "twice",
            ),
            (json!({"name": "h", "rows": [row(json!([{"number": "1", "place": 2_000_000}]))]}), "between"),
        ] {
            let refused = plan(hall.clone()).unwrap_err();
            assert!(refused.contains(reason), "{hall}: {refused}");
        }
    }
}
