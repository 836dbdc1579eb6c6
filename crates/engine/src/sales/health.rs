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

/// The percentile that is looked at.
const PERCENTILE: f64 = 0.99;

/// How long commands took to be answered since this was last looked at: a count for each step, each
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

    /// The percentile in milliseconds, and begins anew. `None` if there was nothing.
    fn take_ms(&self) -> Option<f64> {
        let counts = self.counts.each_ref().map(|count| count.swap(0, Ordering::Relaxed));
        let total: u32 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let wanted = (f64::from(total) * PERCENTILE).ceil() as u32;
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
    fn the_slowest_hundredth_tells_the_latency() {
        let latencies = Latencies::default();
        assert_eq!(latencies.take_ms(), None);
        for (count, ms) in [(985, 3), (15, 80)] {
            (0..count).for_each(|_| latencies.note(Duration::from_millis(ms)));
        }
        let ms = latencies.take_ms().unwrap();
        assert!((70.0..90.0).contains(&ms), "{ms}");
        assert_eq!(latencies.take_ms(), None, "what was told is forgotten");
        (0..995).for_each(|_| latencies.note(Duration::from_millis(3)));
        (0..5).for_each(|_| latencies.note(Duration::from_secs(3_600)));
        let ms = latencies.take_ms().unwrap();
        assert!((2.5..3.5).contains(&ms), "{ms}");
        latencies.note(Duration::ZERO);
        latencies.note(Duration::MAX);
        assert!(latencies.take_ms().unwrap() > 30_000.0);
    }
}
