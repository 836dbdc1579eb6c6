//! The rule "side by side": seats bought together form one unbroken run in one row.

use crate::hall::Seat;

/// Whether these seats stand in one row without a gap or an aisle between them.
/// One seat alone does; no seats do not.
#[must_use]
pub fn are_side_by_side(seats: &[&Seat]) -> bool {
    let Some(first) = seats.first() else {
        return false;
    };
    if seats.iter().any(|seat| seat.row != first.row) {
        return false;
    }
    let mut places: Vec<i32> = seats.iter().map(|seat| seat.place).collect();
    places.sort_unstable();
    places.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SeatId;

    fn together(seats: &[(u32, i32)]) -> bool {
        let seats: Vec<Seat> = seats
            .iter()
            .map(|&(row, place)| Seat {
                id: SeatId(i64::from(place)),
                row,
                place,
                number: String::new(),
                category: 0,
                x: 0.0,
                y: 0.0,
                guid: None,
            })
            .collect();
        are_side_by_side(&seats.iter().collect::<Vec<_>>())
    }

    #[test]
    fn an_unbroken_run_in_one_row_in_any_order() {
        assert!(together(&[(1, 7)]));
        assert!(together(&[(1, 3), (1, 1), (1, 2)]));
        assert!(!together(&[]), "no seats are not side by side");
        assert!(!together(&[(1, 1), (1, 3)]), "a gap");
        assert!(!together(&[(1, 1), (2, 2)]), "two rows");
        assert!(!together(&[(1, 1), (1, 1)]), "one seat twice");
        assert!(!together(&[(1, i32::MAX), (1, i32::MIN)]), "no wrapping around");
    }
}
