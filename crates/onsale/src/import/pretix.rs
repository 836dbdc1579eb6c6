//! Reads a pretix seating plan into a hall. Facts of the format: zones hold rows, rows hold seats;
//! positions add up; a seat names its category; its guid is unique in the whole plan.

use std::collections::{HashMap, HashSet};

use onsale_domain::{
    hall::{Plan, PlannedSeat, Row, SEATS_PER_HALL_MAX},
    text::{composed, is_blank},
};
use serde::Deserialize;

use super::row::{self, Point, SEATS_PER_ROW_MAX};

const TEXT_CHARS_MAX: usize = 200;
/// The category of seats that name none, as in halls that are made otherwise.
const NO_CATEGORY: &str = "Standard";
const COORDINATE_MAX: f64 = 1_000_000.0;

/// A hall as a plan describes it.
#[derive(Debug)]
pub(super) struct ImportedHall {
    /// The plan's name.
    pub(super) name: String,
    pub(super) plan: Plan,
    /// Pictures and standing areas, which have no seats and are not taken over.
    pub(super) areas: usize,
}

// Fields that say nothing about seats (colours, sizes, labels' places) are passed over.

#[derive(Debug, Deserialize)]
struct SeatingPlan {
    name: String,
    categories: Vec<Category>,
    zones: Vec<Zone>,
}

#[derive(Debug, Deserialize)]
struct Category {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Zone {
    #[serde(default)]
    name: String,
    position: Position,
    rows: Vec<SeatRow>,
    #[serde(default)]
    areas: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct SeatRow {
    row_number: String,
    #[serde(default)]
    position: Position,
    seats: Vec<Seat>,
}

#[derive(Debug, Deserialize)]
struct Seat {
    seat_guid: String,
    seat_number: String,
    position: Position,
    /// Empty, null or left out where a seat has none.
    #[serde(default)]
    category: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Position {
    x: f64,
    y: f64,
}

/// Reads a plan.
///
/// # Errors
/// If it is not one, or contradicts itself; the message names the place, as in
/// `zones[0].rows[2].seats[5]`.
pub(super) fn read(text: &str) -> Result<ImportedHall, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let plan: SeatingPlan = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        format!("{path}: {}", error.into_inner())
    })?;
    json.end().map_err(|error| error.to_string())?;
    Builder::new(&plan.categories)?.hall(&plan)
}

struct Builder<'a> {
    plan: Plan,
    categories: HashMap<String, u16>,
    guids: HashSet<&'a str>,
}

impl<'a> Builder<'a> {
    fn new(categories: &'a [Category]) -> Result<Self, String> {
        let mut found = HashMap::new();
        let mut plan = Plan::default();
        for (index, category) in categories.iter().enumerate() {
            let path = format!("categories[{index}].name");
            let name = category_name(Some(&category.name));
            check_text(&path, &name, 100)?;
            let number = u16::try_from(index).map_err(|_| "categories: more than 65,535".to_owned())?;
            if found.insert(name.clone(), number).is_some() {
                return Err(format!("{path}: `{name}` is there twice"));
            }
            plan.categories.push(name);
        }
        Ok(Self { plan, categories: found, guids: HashSet::new() })
    }

    fn hall(mut self, plan: &'a SeatingPlan) -> Result<ImportedHall, String> {
        for (index, zone) in plan.zones.iter().enumerate() {
            self.zone(&format!("zones[{index}]"), zone, index)?;
        }
        if self.plan.seats.is_empty() {
            return Err("zones: the plan has no seats".to_owned());
        }
        let areas = plan.zones.iter().map(|zone| zone.areas.len()).sum();
        Ok(ImportedHall { name: plan.name.trim().to_owned(), plan: self.plan, areas })
    }

    fn zone(&mut self, path: &str, zone: &'a Zone, index: usize) -> Result<(), String> {
        let section = match zone.name.trim() {
            "" => format!("Zone {}", index + 1),
            name => name.to_owned(),
        };
        check_text(&format!("{path}.name"), &section, TEXT_CHARS_MAX)?;
        let mut rows = Vec::with_capacity(zone.rows.len());
        for (index, row) in zone.rows.iter().enumerate() {
            let path = format!("{path}.rows[{index}]");
            if row.seats.len() > SEATS_PER_ROW_MAX {
                return Err(format!("{path}.seats: more than {SEATS_PER_ROW_MAX} in one row"));
            }
            let points = row
                .seats
                .iter()
                .enumerate()
                .map(|(index, seat)| absolute(&path, index, zone, row, seat))
                .collect::<Result<Vec<Point>, String>>()?;
            rows.push((path, row, row::Chain::of(points)));
        }
        // Rows too short to tell an aisle from their own spacing go by their zone's.
        let usual = row::usual_gap(rows.iter().flat_map(|(_, _, chain)| chain.gaps().iter().copied()));
        for (index, (path, row, chain)) in rows.iter().enumerate() {
            self.row(path, &section, index, row, chain, usual)?;
        }
        Ok(())
    }

    fn row(
        &mut self,
        path: &str,
        section: &str,
        index: usize,
        row: &'a SeatRow,
        chain: &row::Chain,
        usual: Option<f64>,
    ) -> Result<(), String> {
        if row.seats.is_empty() {
            return Ok(());
        }
        if self.plan.seats.len() + row.seats.len() > SEATS_PER_HALL_MAX {
            return Err(format!("{path}: the plan has more than {SEATS_PER_HALL_MAX} seats"));
        }
        let label = match row.row_number.trim() {
            "" => (index + 1).to_string(),
            label => label.to_owned(),
        };
        check_text(&format!("{path}.row_number"), &label, TEXT_CHARS_MAX)?;
        let places = chain
            .places(usual)
            .map_err(|(a, b)| format!("{path}: seats[{a}] and seats[{b}] are in the same place"))?;
        let number = u32::try_from(self.plan.rows.len()).expect("rows are bounded by seats");
        self.plan.rows.push(Row { section: section.to_owned(), label });
        for (index, seat) in row.seats.iter().enumerate() {
            let point = chain.points()[index];
            let seat = self.seat(&format!("{path}.seats[{index}]"), seat, number, places[index], point)?;
            self.plan.seats.push(seat);
        }
        Ok(())
    }

    /// The index of a seat's category. One for seats without any is added when the first needs it.
    fn category(&mut self, path: &str, name: Option<&str>) -> Result<u16, String> {
        let name = category_name(name);
        if let Some(index) = self.categories.get(&name) {
            return Ok(*index);
        }
        if name != NO_CATEGORY {
            return Err(format!("{path}.category: `{name}` is not one of the plan's categories"));
        }
        let index = u16::try_from(self.plan.categories.len()).map_err(|_| "categories: more than 65,535")?;
        self.plan.categories.push(name.clone());
        self.categories.insert(name, index);
        Ok(index)
    }

    fn seat(
        &mut self,
        path: &str,
        seat: &'a Seat,
        row: u32,
        place: i32,
        point: Point,
    ) -> Result<PlannedSeat, String> {
        check_text(&format!("{path}.seat_guid"), &seat.seat_guid, TEXT_CHARS_MAX)?;
        check_text(&format!("{path}.seat_number"), &seat.seat_number, TEXT_CHARS_MAX)?;
        if !self.guids.insert(&seat.seat_guid) {
            return Err(format!("{path}.seat_guid: `{}` is there twice", seat.seat_guid));
        }
        let category = self.category(path, seat.category.as_deref())?;
        Ok(PlannedSeat {
            row,
            place,
            number: seat.seat_number.trim().to_owned(),
            category,
            x: point.x as f32,
            y: point.y as f32,
            guid: Some(seat.seat_guid.clone()),
        })
    }
}

/// A category's name as it is kept.
fn category_name(name: Option<&str>) -> String {
    let name = composed(name.unwrap_or_default().trim());
    if name.is_empty() { NO_CATEGORY.to_owned() } else { name.into_owned() }
}

/// Where a seat is in the whole plan: the positions of zone, row and seat add up.
fn absolute(path: &str, index: usize, zone: &Zone, row: &SeatRow, seat: &Seat) -> Result<Point, String> {
    let point = Point {
        x: zone.position.x + row.position.x + seat.position.x,
        y: zone.position.y + row.position.y + seat.position.y,
    };
    if point.x.abs() > COORDINATE_MAX || point.y.abs() > COORDINATE_MAX {
        return Err(format!("{path}.seats[{index}].position: further out than {COORDINATE_MAX}"));
    }
    Ok(point)
}

fn check_text(path: &str, text: &str, chars_max: usize) -> Result<(), String> {
    if is_blank(text) {
        return Err(format!("{path}: must not be empty"));
    }
    if text.chars().count() > chars_max {
        return Err(format!("{path}: longer than {chars_max} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{path}: has control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seat(number: usize, x: f64, y: f64) -> Value {
        json!({"seat_guid": format!("{x}/{y}/{number}"), "seat_number": number.to_string(),
               "position": {"x": x, "y": y}, "category": "Stalls", "radius": 8})
    }

    fn row(label: &str, y: f64, seats: &[Value]) -> Value {
        json!({"row_number": label, "row_number_position": "both", "position": {"x": 10, "y": y}, "seats": seats})
    }

    fn plan(rows: &[Value]) -> Value {
        json!({"name": "Little Theatre", "size": {"width": 600, "height": 400},
               "categories": [{"name": "Stalls", "color": "#00f"}, {"name": "Box", "color": "#f00"}],
               "zones": [{"name": "Ground floor", "zone_id": "g", "position": {"x": 100, "y": 1000}, "rows": rows,
                          "areas": [{"shape": "rectangle", "text": {"text": "Stage"}}]}]})
    }

    fn places(plan: &Value) -> Vec<i32> {
        read(&plan.to_string()).unwrap().plan.seats.iter().map(|seat| seat.place).collect()
    }

    fn error(plan: &Value) -> String {
        read(&plan.to_string()).unwrap_err()
    }

    #[test]
    fn zones_rows_and_seats_become_a_hall() {
        let seats = |y| (1..=4).map(|number| seat(number, 20.0 * number as f64, y)).collect::<Vec<_>>();
        let hall =
            read(&plan(&[row("A", 0.0, &seats(0.0)), row("B", 30.0, &seats(1.0))]).to_string()).unwrap();
        assert_eq!((hall.name.as_str(), hall.areas), ("Little Theatre", 1));
        let plan = hall.plan;
        assert_eq!(plan.categories, ["Stalls", "Box"]);
        let rows: Vec<_> = plan.rows.iter().map(|row| (row.section.as_str(), row.label.as_str())).collect();
        assert_eq!(rows, [("Ground floor", "A"), ("Ground floor", "B")]);
        let seat = &plan.seats[5];
        assert_eq!((seat.row, seat.place, seat.number.as_str(), seat.category), (1, 1, "2", 0));
        assert_eq!((seat.x, seat.y), (150.0, 1031.0), "zone, row and seat add up");
        assert_eq!(seat.guid.as_deref(), Some("40/1/2"));
    }

    #[test]
    fn an_aisle_leaves_a_place_out_and_the_files_order_does_not_matter() {
        let xs = [0.0, 20.0, 40.0, 90.0, 110.0, 130.0];
        let mut seats: Vec<Value> =
            xs.iter().enumerate().map(|(index, x)| seat(index + 1, *x, 0.0)).collect();
        assert_eq!(places(&plan(&[row("A", 0.0, &seats)])), [0, 1, 2, 4, 5, 6]);
        seats.swap(1, 4);
        assert_eq!(places(&plan(&[row("A", 0.0, &seats)])), [0, 5, 2, 4, 1, 6]);
    }

    #[test]
    fn a_short_row_goes_by_its_zones_spacing() {
        let long: Vec<Value> = (0..6).map(|index| seat(index, 20.0 * index as f64, 0.0)).collect();
        let split = [seat(1, 0.0, 1.0), seat(2, 60.0, 1.0)];
        assert_eq!(places(&plan(&[row("A", 0.0, &long), row("B", 30.0, &split)]))[6..], [0, 2]);
    }

    #[test]
    fn neighbours_of_a_curved_row_are_found_along_the_curve() {
        // Half a circle, mixed up, with an aisle at the top.
        let order = [3, 0, 15, 7, 1, 8, 2, 14, 4, 10, 5, 12, 6, 9, 11, 13];
        let angle = |index: usize| {
            let aisle = if index >= 8 { 0.25 } else { 0.0 };
            std::f64::consts::PI * (index as f64 / 15.0) * 0.9 + aisle
        };
        let seats =
            order.iter().map(|&index| seat(index, -200.0 * angle(index).cos(), -200.0 * angle(index).sin()));
        let found = places(&plan(&[row("A", 0.0, &seats.collect::<Vec<_>>())]));
        let along = |index: usize| (index + usize::from(index >= 8)) as i32;
        let ascending: Vec<i32> = order.iter().map(|&index| along(index)).collect();
        let descending: Vec<i32> = ascending.iter().map(|place| 16 - place).collect();
        assert!(found == ascending || found == descending, "{found:?}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let good = plan(&[row("A", 0.0, &[seat(1, 0.0, 0.0), seat(2, 20.0, 0.0)])]);
        let broken = |pointer: &str, value: Value| {
            let mut plan = good.clone();
            *plan.pointer_mut(pointer).unwrap() = value;
            error(&plan)
        };
        let second = "/zones/0/rows/0/seats/1";
        assert_eq!(
            broken(&format!("{second}/category"), json!("Royal")),
            "zones[0].rows[0].seats[1].category: `Royal` is not one of the plan's categories"
        );
        assert_eq!(
            broken(&format!("{second}/seat_guid"), json!("0/0/1")),
            "zones[0].rows[0].seats[1].seat_guid: `0/0/1` is there twice"
        );
        assert_eq!(
            broken(&format!("{second}/position"), json!({"x": 0, "y": 0})),
            "zones[0].rows[0]: seats[0] and seats[1] are in the same place"
        );
        assert!(broken(&format!("{second}/position/x"), json!(1e300)).contains("position: further out"));
        assert_eq!(
            broken(&format!("{second}/seat_number"), json!(" ")),
            "zones[0].rows[0].seats[1].seat_number: must not be empty"
        );
        assert_eq!(
            broken("/categories/1/name", json!("Stalls")),
            "categories[1].name: `Stalls` is there twice"
        );
        assert_eq!(broken("/zones/0/rows/0/seats", json!([])), "zones: the plan has no seats");
        let missing =
            broken(second, json!({"seat_number": "2", "position": {"x": 1, "y": 1}, "category": "Box"}));
        assert!(missing.starts_with("zones[0].rows[0].seats[1]: missing field `seat_guid`"), "{missing}");
        let wrong = broken(&format!("{second}/position/x"), json!("far"));
        assert!(wrong.starts_with("zones[0].rows[0].seats[1].position.x: invalid type"), "{wrong}");
        assert!(read("{\"name\": ").unwrap_err().contains("line 1 column"));
        assert!(read(&format!("{good} x")).unwrap_err().contains("trailing"));
    }

    #[test]
    fn seats_without_a_category_are_taken() {
        let mut without = vec![seat(1, 0.0, 0.0), seat(2, 20.0, 0.0), seat(3, 40.0, 0.0), seat(4, 60.0, 0.0)];
        without[1]["category"] = json!("");
        without[2]["category"] = Value::Null;
        without[3].as_object_mut().unwrap().remove("category");
        let mut plan = plan(&[row("A", 0.0, &without)]);
        let categories = |plan: &Value| {
            let read = read(&plan.to_string()).unwrap().plan;
            (read.categories, read.seats.iter().map(|seat| seat.category).collect::<Vec<_>>())
        };
        let names = ["Stalls", "Box", "Standard"].map(str::to_owned).to_vec();
        assert_eq!(categories(&plan), (names, vec![0, 2, 2, 2]));
        plan["categories"][1]["name"] = json!("");
        let names = ["Stalls", "Standard"].map(str::to_owned).to_vec();
        assert_eq!(categories(&plan), (names, vec![0, 1, 1, 1]), "a category may itself have no name");
    }

    #[test]
    fn nameless_zones_and_rows_are_numbered() {
        let mut plan = plan(&[row("", 0.0, &[seat(1, 0.0, 0.0)])]);
        plan["zones"][0].as_object_mut().unwrap().remove("name");
        let hall = read(&plan.to_string()).unwrap();
        assert_eq!((hall.plan.rows[0].section.as_str(), hall.plan.rows[0].label.as_str()), ("Zone 1", "1"));
    }
}
