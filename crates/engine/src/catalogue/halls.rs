//! The texts of a hall's plan.

use std::collections::HashSet;

use onsale_domain::{
    hall::{Plan, Row, SeatMap},
    text::{accept_line, composed},
};

use super::{CatalogueError, invalid};

/// The longest name of a section, row, seat or category, in characters.
const NAME_CHARS_MAX: usize = 200;

/// A plan whose texts are as they are kept.
///
/// # Errors
/// If a name is not acceptable, or composing makes two categories the same.
pub(super) fn accepted(plan: &Plan) -> Result<Plan, CatalogueError> {
    let mut plan = plan.clone();
    for Row { section, label } in &mut plan.rows {
        accept(section)?;
        accept(label)?;
    }
    plan.categories.iter_mut().try_for_each(accept)?;
    for seat in &mut plan.seats {
        accept(&mut seat.number)?;
        seat.guid.iter_mut().try_for_each(accept)?;
    }
    let mut categories = HashSet::new();
    if let Some(twice) = plan.categories.iter().find(|name| !categories.insert(*name)) {
        return Err(invalid("category", format!("`{twice}` is there twice")));
    }
    Ok(plan)
}

fn accept(name: &mut String) -> Result<(), CatalogueError> {
    // Nearly all are short and plain, and there may be a million.
    if name.len() <= NAME_CHARS_MAX && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    accept_line(name, NAME_CHARS_MAX).map_err(|error| invalid("name", error.to_string()))
}

/// Whether a hall is as a plan has it, but for the categories of its seats, which organisers change.
pub(super) fn is_as_planned(hall: &SeatMap, plan: &Plan) -> bool {
    let same = |a: &str, b: &str| composed(a) == composed(b);
    let same_guid = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let (rows, seats) = (hall.rows(), hall.seats());
    rows.len() == plan.rows.len()
        && seats.len() == plan.seats.len()
        && rows.iter().zip(&plan.rows).all(|(a, b)| same(&a.section, &b.section) && same(&a.label, &b.label))
        && seats.iter().zip(&plan.seats).all(|(a, b)| {
            (a.row, a.place, a.x, a.y) == (b.row, b.place, b.x, b.y)
                && same(&a.number, &b.number)
                && same_guid(&a.guid, &b.guid)
        })
}
