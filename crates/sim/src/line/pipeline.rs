//! The sale behind the room: it serves so many entries a second, and is slow when more come.

use onsale_domain::line::SaleHealth;

/// The latency of a calm sale, in milliseconds.
const CALM_MS: f64 = 5.0;

/// How many entries the sale's queue holds.
const QUEUE_MAX: f64 = 8_192.0;

/// A queue and its server.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    waiting: f64,
}

impl Pipeline {
    /// One second in which so many entered and the sale could serve `capacity`.
    pub(super) fn second(&mut self, entered: u32, capacity: f64) -> SaleHealth {
        let load = self.waiting + f64::from(entered);
        self.waiting = (load - capacity).clamp(0.0, QUEUE_MAX);
        // Queueing grows before the server is full: M/M/1 up to 95 %.
        let utilisation = (f64::from(entered) / capacity).min(0.95);
        let latency_ms = CALM_MS / (1.0 - utilisation) + self.waiting / capacity * 1_000.0;
        SaleHealth { latency_ms: Some(latency_ms), queue_share: self.waiting / QUEUE_MAX }
    }
}
