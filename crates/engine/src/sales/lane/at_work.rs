//! Whether a lane gets on with its batch.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// A batch that takes longer than this is stuck: its steps have limits of their own, which are shorter
/// than what a probe should wait for.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Since when a lane has been at its batch.
pub(in crate::sales) struct AtWork {
    base: Instant,
    /// Milliseconds after the base, and one; 0 while there is no batch.
    since: AtomicU64,
}

impl Default for AtWork {
    fn default() -> Self {
        Self { base: Instant::now(), since: AtomicU64::new(0) }
    }
}

impl AtWork {
    /// A batch begins.
    pub(super) fn begins(&self, now: Instant) {
        let since = now.duration_since(self.base).as_millis() as u64 + 1;
        self.since.store(since, Ordering::Relaxed);
    }

    /// There is no batch.
    pub(super) fn rests(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// How long it has been at its batch, if that is too long.
    pub(in crate::sales) fn stuck_for(&self, now: Instant) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        let at_it = now.duration_since(self.base).saturating_sub(Duration::from_millis(since));
        (at_it >= STUCK_AFTER).then_some(at_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_stuck_when_one_batch_takes_too_long() {
        let at_work = AtWork::default();
        let at = |seconds| at_work.base + Duration::from_secs(seconds);
        assert_eq!(at_work.stuck_for(at(60)), None, "it has nothing to do");
        at_work.begins(at(60));
        assert_eq!(at_work.stuck_for(at(69)), None);
        at_work.begins(at(69));
        assert_eq!(at_work.stuck_for(at(78)), None, "that is another batch");
        assert_eq!(at_work.stuck_for(at(82)), Some(Duration::from_secs(13)));
        at_work.rests();
        assert_eq!(at_work.stuck_for(at(82)), None);
    }
}
