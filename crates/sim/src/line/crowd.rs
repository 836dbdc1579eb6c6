//! Who comes when, who stays, who leaves, who comes back.

use rand::{Rng, rngs::StdRng};

/// Never, in ticks.
pub(super) const NEVER: u32 = u32::MAX;

/// Ticks in a minute.
const MINUTE: u32 = 600;

/// How long the pre-queue lasts, in ticks.
pub(super) const PRE_QUEUE: u32 = 10 * MINUTE;

/// (from, to, percent of the visitors): who comes when, in ticks since the pre-queue began. The
/// pre-queue takes 70 %, with a burst at its beginning and one just before the opening; another
/// comes with the opening itself, and one in the middle of the sale.
const ARRIVALS: [(u32, u32, u32); 8] = [
    (0, 100, 15),
    (100, PRE_QUEUE - 100, 35),
    (PRE_QUEUE - 100, PRE_QUEUE, 20),
    (PRE_QUEUE, PRE_QUEUE + 50, 10),
    (PRE_QUEUE + 50, PRE_QUEUE + 7 * MINUTE, 8),
    (PRE_QUEUE + 7 * MINUTE, PRE_QUEUE + 7 * MINUTE + 20, 5),
    (PRE_QUEUE + 7 * MINUTE + 20, PRE_QUEUE + 15 * MINUTE, 6),
    (PRE_QUEUE + 15 * MINUTE, PRE_QUEUE + 20 * MINUTE, 1),
];

/// How many of so many visitors have come before a tick.
pub(super) fn arrived_before(tick: u32, visitors: u32) -> u32 {
    let hundredths: f64 = ARRIVALS
        .iter()
        .map(|(from, to, percent)| {
            let passed = tick.clamp(*from, *to) - from;
            f64::from(*percent) * f64::from(passed) / f64::from(to - from)
        })
        .sum();
    (hundredths * f64::from(visitors) / 100.0).round() as u32
}

/// What a visitor will do.
pub(super) struct Plan {
    /// When they leave.
    pub(super) leaves_at: u32,
    /// When they come back after that.
    pub(super) back_at: u32,
}

impl Plan {
    /// 49 % leave within two minutes, 14 % after a while, 4 % go away for 3 to 12 minutes and come
    /// back, the others stay.
    pub(super) fn new(joined: u32, random: &mut StdRng) -> Self {
        match random.random_range(0..100) {
            0..49 => Self { leaves_at: joined + random.random_range(0..2 * MINUTE), back_at: NEVER },
            49..63 => {
                let after = -f64::from(12 * MINUTE) * random.random::<f64>().max(1e-9).ln();
                Self { leaves_at: joined + after as u32, back_at: NEVER }
            }
            63..67 => {
                let leaves_at = joined + random.random_range(0..20 * MINUTE);
                Self { leaves_at, back_at: leaves_at + random.random_range(3 * MINUTE..12 * MINUTE) }
            }
            _ => Self { leaves_at: NEVER, back_at: NEVER },
        }
    }
}

/// What somebody who is inside does, and in how many ticks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// Pays.
    Pays(u32),
    /// Finds nothing and says so.
    Leaves(u32),
    /// Closes the tab without a word, so that the pass runs out.
    Vanishes,
}

impl Stay {
    pub(super) fn new(random: &mut StdRng) -> Self {
        let ticks = (-300.0 * random.random::<f64>().max(1e-9).ln()).clamp(20.0, 2_800.0) as u32;
        match random.random_range(0..10) {
            0..8 => Self::Pays(ticks),
            8 => Self::Leaves(ticks),
            _ => Self::Vanishes,
        }
    }
}
