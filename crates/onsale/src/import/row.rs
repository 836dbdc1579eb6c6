//! Places along a row, from positions: who sits beside whom, and where the aisles are.

/// The most seats of one row; finding neighbours takes the square of it.
pub(super) const SEATS_PER_ROW_MAX: usize = 2_000;

/// A gap this much wider than usual is an aisle.
const AISLE_FACTOR: f64 = 1.5;

/// From this many gaps on, a row's own spacing says what is usual in it.
const OWN_GAPS_MIN: usize = 3;

/// A position on the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

impl Point {
    fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// The seats of a row, from one end to the other, also when the row is curved.
#[derive(Debug)]
pub(super) struct Chain {
    points: Vec<Point>,
    /// Indices into `points`, along the row.
    order: Vec<usize>,
    /// Distances between neighbours, along the row.
    gaps: Vec<f64>,
}

impl Chain {
    /// Lines the seats up: from one end, always on to the nearest that is left.
    pub(super) fn of(points: Vec<Point>) -> Self {
        let mut left: Vec<usize> = (0..points.len()).collect();
        let mut order = Vec::with_capacity(points.len());
        let mut gaps = Vec::with_capacity(points.len());
        let mut next = end_of_row(&points);
        while let Some(at) = next {
            let here = left.swap_remove(at);
            order.push(here);
            let distance = |other: usize| points[here].distance(points[other]);
            next = (0..left.len()).min_by(|a, b| distance(left[*a]).total_cmp(&distance(left[*b])));
            gaps.extend(next.map(|next| distance(left[next])));
        }
        // The way the file counts.
        if order.first() > order.last() {
            order.reverse();
            gaps.reverse();
        }
        Self { points, order, gaps }
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    pub(super) fn gaps(&self) -> &[f64] {
        &self.gaps
    }

    /// The place of each seat, by its index. Neighbours' places differ by one, an aisle leaves one
    /// out. `usual` is the zone's usual gap, for rows with few seats.
    ///
    /// # Errors
    /// Two seats that are in the same place, by their indices.
    pub(super) fn places(&self, usual: Option<f64>) -> Result<Vec<i32>, (usize, usize)> {
        let own = if self.gaps.len() >= OWN_GAPS_MIN { usual_gap(self.gaps.iter().copied()) } else { None };
        let usual = own.or(usual).unwrap_or(f64::INFINITY);
        let mut places = vec![0; self.points.len()];
        let mut place = 0;
        for (pair, gap) in self.order.windows(2).zip(&self.gaps) {
            if *gap <= 0.0 {
                return Err((pair[0].min(pair[1]), pair[0].max(pair[1])));
            }
            place += if *gap > usual * AISLE_FACTOR { 2 } else { 1 };
            places[pair[1]] = place;
        }
        Ok(places)
    }
}

/// The usual gap: the lower median, so that a row of pairs with aisles between them goes by its
/// pairs.
pub(super) fn usual_gap(gaps: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut gaps: Vec<f64> = gaps.into_iter().collect();
    gaps.sort_unstable_by(f64::total_cmp);
    gaps.get(gaps.len().checked_sub(1)? / 2).copied()
}

/// The seat furthest from the row's middle is at one of its ends.
fn end_of_row(points: &[Point]) -> Option<usize> {
    let count = points.len() as f64;
    let middle = Point {
        x: points.iter().map(|point| point.x).sum::<f64>() / count,
        y: points.iter().map(|point| point.y).sum::<f64>() / count,
    };
    (0..points.len()).max_by(|a, b| points[*a].distance(middle).total_cmp(&points[*b].distance(middle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(xs: &[f64], usual: Option<f64>) -> Result<Vec<i32>, (usize, usize)> {
        Chain::of(xs.iter().map(|&x| Point { x, y: 3.0 }).collect()).places(usual)
    }

    #[test]
    fn places_follow_positions() {
        assert_eq!(places(&[], None), Ok(vec![]));
        assert_eq!(places(&[5.0], None), Ok(vec![0]));
        assert_eq!(places(&[0.0, 1.0, 2.0, 3.0], None), Ok(vec![0, 1, 2, 3]));
        assert_eq!(places(&[3.0, 2.0, 1.0, 0.0], None), Ok(vec![0, 1, 2, 3]), "counted as the file counts");
        assert_eq!(places(&[0.0, 1.1, 2.0, 3.3], None), Ok(vec![0, 1, 2, 3]), "a little uneven is no aisle");
    }

    #[test]
    fn pairs_with_aisles_between_them() {
        assert_eq!(places(&[0.0, 1.0, 4.0, 5.0, 8.0, 9.0], None), Ok(vec![0, 1, 3, 4, 6, 7]));
    }

    #[test]
    fn two_seats_go_by_the_usual_gap() {
        assert_eq!(places(&[0.0, 3.0], Some(1.0)), Ok(vec![0, 2]));
        assert_eq!(places(&[0.0, 3.0], Some(3.0)), Ok(vec![0, 1]));
        assert_eq!(places(&[0.0, 3.0], None), Ok(vec![0, 1]));
    }

    #[test]
    fn two_seats_in_one_place_are_refused() {
        assert_eq!(places(&[0.0, 1.0, 1.0, 2.0], None), Err((1, 2)));
    }
}
