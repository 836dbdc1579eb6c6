//! How the pipeline fares: what the adaptive waiting room goes by.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use onsale_domain::line::SaleHealth;

use super::Shared;

/// Steps of latency for each doubling.
const STEPS_PER_DOUBLING: f64 = 4.0;

/// Enough steps for a minute, counted from a microsecond.
const STEPS: usize = 104;

/// Fewer commands than this tell too little; they are counted with those of the next second.
const COMMANDS_MIN: u32 = 10;

/// How long commands took to be answered since this was last told: a count for each step, each
/// a fifth larger than the one before.
pub(super) struct Latencies {
    counts: [AtomicU32; STEPS],
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: [const { AtomicU32::new(0) }; STEPS] }
    }
}

impl Latencies {
    pub(super) fn note(&self, latency: Duration) {
        let step = (latency.as_secs_f64() * 1e6).max(1.0).log2() * STEPS_PER_DOUBLING;
        self.counts[(step as usize).min(STEPS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// The median in milliseconds, and begins anew. `None` if there are too few to tell.
    fn take_ms(&self) -> Option<f64> {
        let total: u32 = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        if total < COMMANDS_MIN {
            return None;
        }
        let counts = self.counts.each_ref().map(|count| count.swap(0, Ordering::Relaxed));
        let wanted = counts.iter().sum::<u32>().div_ceil(2);
        let mut below = 0;
        let step = counts.iter().position(|count| {
            below += count;
            below >= wanted
        })?;
        // The middle of the step.
        Some(2_f64.powf((step as f64 + 0.5) / STEPS_PER_DOUBLING) / 1e3)
    }
}

impl Shared {
    /// How the sale fared since this was called last.
    pub(super) fn health(&self) -> SaleHealth {
        let shares = self.lanes.iter().map(|lane| 1.0 - lane.capacity() as f64 / lane.max_capacity() as f64);
        SaleHealth { latency_ms: self.latencies.take_ms(), queue_share: shares.fold(0.0, f64::max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_tells_the_latency() {
        let latencies = Latencies::default();
        assert_eq!(latencies.take_ms(), None);
        let note = |count, ms| (0..count).for_each(|_| latencies.note(Duration::from_millis(ms)));
        note(490, 3_600_000);
        note(510, 3);
        let ms = latencies.take_ms().unwrap();
        assert!((2.5..3.5).contains(&ms), "{ms}");
        note(510, 80);
        note(490, 3);
        let ms = latencies.take_ms().unwrap();
        assert!((70.0..90.0).contains(&ms), "{ms}");
        assert_eq!(latencies.take_ms(), None, "what was told is forgotten");
    }

    #[test]
    fn a_few_are_counted_with_those_that_follow() {
        let latencies = Latencies::default();
        (0..6).for_each(|_| latencies.note(Duration::MAX));
        assert_eq!(latencies.take_ms(), None);
        (0..4).for_each(|_| latencies.note(Duration::ZERO));
        assert!(latencies.take_ms().unwrap() > 30_000.0);
        assert_eq!(latencies.take_ms(), None);
    }
}
