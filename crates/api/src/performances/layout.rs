//! A hall's seats with their positions, as they are answered.

use onsale_domain::hall::SeatMap;
use serde::Serialize;
use utoipa::ToSchema;

/// The seats of a hall, by ordinal. Ordinals never change, so that a seat map is drawn once and
/// coloured from `availability` and `events`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Layout {
    /// The hall's id.
    #[schema(minimum = 1, example = 1)]
    hall_id: i64,
    /// The hall's categories; what one costs is said by the performance.
    categories: Vec<String>,
    /// The rows.
    rows: Vec<LayoutRow>,
    /// The seats in the order of their ordinals, from 0.
    seats: Vec<LayoutSeat>,
}

/// A row of seats.
#[derive(Serialize, ToSchema)]
struct LayoutRow {
    /// The section it stands in.
    #[schema(example = "Stalls")]
    section: String,
    /// What is written at its end.
    #[schema(example = "A")]
    row: String,
}

/// A seat. Member names are short because there may be very many.
#[derive(Serialize, ToSchema)]
struct LayoutSeat {
    /// The seat's id.
    #[schema(minimum = 1, example = 1)]
    id: i64,
    /// Index into `rows`.
    r: u32,
    /// What is written on the seat.
    #[schema(example = "12")]
    n: String,
    /// Index into `categories`.
    c: u16,
    /// Place along the row; neighbours differ by one.
    p: i32,
    /// Horizontal position, in the plan's own units.
    x: f32,
    /// Vertical position, growing downwards.
    y: f32,
}

impl From<&SeatMap> for Layout {
    fn from(map: &SeatMap) -> Self {
        let rows = map.rows().iter();
        let seats = map.seats().iter();
        Self {
            hall_id: map.hall().0,
            categories: map.categories().to_vec(),
            rows: rows
                .map(|row| LayoutRow { section: row.section.clone(), row: row.label.clone() })
                .collect(),
            seats: seats
                .map(|seat| LayoutSeat {
                    id: seat.id.0,
                    r: seat.row,
                    n: seat.number.clone(),
                    c: seat.category,
                    p: seat.place,
                    x: seat.x,
                    y: seat.y,
                })
                .collect(),
        }
    }
}
