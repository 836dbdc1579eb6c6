//! A count that decays: a sale counts 1 when it happens, a half after one half-life, and so on.
//!
//! With exponential decay all counts shrink by the same factor in the same time, so their order
//! changes only when something is counted, never by waiting. So an order that was worked out when
//! something was counted last stays right, and an index over it answers "the top 20 now" without
//! reading anything else. See G. Cormode, V. Shkapenyuk, D. Srivastava, B. Xu: Forward Decay: A
//! Practical Time Decay Model for Streaming Systems, ICDE 2009, section III; exponential decay is
//! the one function for which the forward and the backward view agree.

use crate::time::Timestamp;

/// After this long a sale counts half.
pub const HALF_LIFE_MS: i64 = 3_600_000;

/// A count below this is as good as none.
const LEAST: f64 = 0.001;

/// A decaying count as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecayingCount {
    /// How much it was.
    pub count: f64,
    /// When.
    pub as_of: Timestamp,
}

impl DecayingCount {
    /// Nothing yet.
    #[must_use]
    pub const fn new(as_of: Timestamp) -> Self {
        Self { count: 0.0, as_of }
    }

    /// How much it is at a time.
    #[must_use]
    pub fn at(self, now: Timestamp) -> f64 {
        self.count * weight(now.since_ms(self.as_of))
    }

    /// Counts units sold at a time, or takes units off that were sold then, if negative. Things may
    /// be counted in any order.
    #[must_use]
    pub fn plus(self, units: i64, at: Timestamp) -> Self {
        let as_of = self.as_of.max(at);
        let count = self.at(as_of) + units as f64 * weight(as_of.since_ms(at));
        // What was counted and taken off may leave a rounding error.
        Self { count: if count < LEAST { 0.0 } else { count }, as_of }
    }

    /// Orders counts as they are at any one time: the higher, the more. `None` if there is nothing.
    #[must_use]
    pub fn heat(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.count.log2() + heat_of_one(self.as_of))
    }
}

/// The heat of a count of one at a time.
fn heat_of_one(at: Timestamp) -> f64 {
    at.0 as f64 / HALF_LIFE_MS as f64
}

/// The heat below which a count is less than the least that is kept.
#[must_use]
pub fn heat_least(now: Timestamp) -> f64 {
    LEAST.log2() + heat_of_one(now)
}

/// What one unit counts after a time.
fn weight(age_ms: i64) -> f64 {
    (-(age_ms as f64) / HALF_LIFE_MS as f64).exp2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Timestamp = Timestamp(1_795_255_200_000);

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-6 * (1.0 + right.abs())
    }

    #[test]
    fn a_sale_counts_half_after_a_half_life() {
        let count = DecayingCount::new(NOON).plus(4, NOON);
        assert!(close(count.at(NOON), 4.0));
        assert!(close(count.at(NOON.plus_ms(HALF_LIFE_MS)), 2.0));
        let more = count.plus(1, NOON.plus_ms(2 * HALF_LIFE_MS));
        assert!(close(more.count, 2.0), "{more:?}");
        assert_eq!(DecayingCount::new(NOON).heat(), None);
        let forgotten = count.plus(-4, NOON);
        assert_eq!((forgotten.count, forgotten.heat()), (0.0, None));
    }

    #[test]
    fn little_is_below_the_least_heat() {
        let count = DecayingCount::new(NOON).plus(1, NOON);
        let later = NOON.plus_ms(10 * HALF_LIFE_MS);
        assert!(count.at(later) < LEAST && count.heat().unwrap() < heat_least(later));
        let before = NOON.plus_ms(9 * HALF_LIFE_MS);
        assert!(count.at(before) > LEAST && count.heat().unwrap() > heat_least(before));
    }

    proptest! {
        /// Against the definition: every sale's weight added up at the moment of asking.
        #[test]
        fn order_of_counting_does_not_matter(
            sales in prop::collection::vec((1_i64..100, 0_i64..48 * 3_600_000), 1..40),
            given_back in 0_usize..40,
            wait in 0_i64..24 * 3_600_000,
        ) {
            let now = NOON.plus_ms(48 * 3_600_000 + wait);
            let mut count = DecayingCount::new(NOON);
            let mut sum = 0.0;
            // Each time it is counted, what is as good as nothing may be left out.
            let near = |left: f64, right: f64| (left - right).abs() <= (1.0 + sales.len() as f64) * LEAST;
            for (units, after) in &sales {
                count = count.plus(*units, NOON.plus_ms(*after));
                sum += *units as f64 * (-((now.0 - NOON.0 - after) as f64) / HALF_LIFE_MS as f64).exp2();
            }
            prop_assert!(near(count.at(now), sum), "{count:?} at {now:?}, not {sum}");
            if let Some((units, after)) = sales.get(given_back) {
                count = count.plus(-units, NOON.plus_ms(*after));
                sum -= *units as f64 * (-((now.0 - NOON.0 - after) as f64) / HALF_LIFE_MS as f64).exp2();
                prop_assert!(near(count.at(now), sum.max(0.0)), "{count:?} at {now:?}, not {sum}");
            }
        }

        #[test]
        fn heat_orders_counts_as_they_are_now(
            left in (1_i64..1_000, 0_i64..100 * 3_600_000),
            right in (1_i64..1_000, 0_i64..100 * 3_600_000),
        ) {
            let now = NOON.plus_ms(200 * 3_600_000);
            let counts = [left, right].map(|(units, after)| {
                let at = NOON.plus_ms(after);
                DecayingCount::new(at).plus(units, at)
            });
            let by_heat = counts[0].heat().partial_cmp(&counts[1].heat()).unwrap();
            let by_count = counts[0].at(now).partial_cmp(&counts[1].at(now)).unwrap();
            if !close(counts[0].heat().unwrap(), counts[1].heat().unwrap()) {
                prop_assert_eq!(by_heat, by_count);
            }
        }
    }
}
