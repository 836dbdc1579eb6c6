//! Whether the server has any time to spare.

use std::{num::NonZero, thread, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

/// How much of its time the server uses.
pub(super) struct Saturation {
    processors: f64,
    /// Processor time of the process.
    used: Duration,
    /// Time in which the threads of the runtime were at work or, in the middle of it, waited for a
    /// processor.
    busy: Duration,
}

/// Shares of a time, from 0 to about 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Of the processors, or of the runtime's threads where other processes need the processors: whichever
    /// is more.
    pub(super) busy: f64,
    /// Of the processors, by this process alone.
    pub(super) own: f64,
}

impl Saturation {
    /// Begins to measure. To be called on the runtime that serves.
    pub(super) fn new() -> Self {
        // Of the machine, or as many as a container may use.
        let processors = thread::available_parallelism().map_or(1, NonZero::get) as f64;
        Self { processors, used: used(), busy: busy() }
    }

    /// The share of this time that was used; it is the time since this was asked last.
    pub(super) fn share(&mut self, time: Duration) -> Share {
        let before = std::mem::replace(self, Self { used: used(), busy: busy(), ..*self });
        let of_processors = (self.used.saturating_sub(before.used)).as_secs_f64() / self.processors;
        let threads = Handle::current().metrics().num_workers() as f64;
        let of_threads = (self.busy.saturating_sub(before.busy)).as_secs_f64() / threads;
        let of_time = 1.0 / time.as_secs_f64();
        Share { busy: of_processors.max(of_threads) * of_time, own: of_processors * of_time }
    }
}

fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

fn busy() -> Duration {
    let runtime = Handle::current().metrics();
    (0..runtime.num_workers()).map(|thread| runtime.worker_total_busy_duration(thread)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_process_uses_is_told_once() {
        let mut saturation = Saturation::new();
        let begun = used();
        let second = Duration::from_secs(1);
        while used() < begun + second.mul_f64(saturation.processors / 10.0) {
            std::hint::spin_loop();
        }
        assert!(saturation.share(second / 10).busy >= 1.0);
        assert!(saturation.share(1_000 * second).busy < 0.5, "since it was asked last");
    }

    #[tokio::test]
    async fn a_thread_that_is_kept_from_going_on_is_busy() {
        let mut saturation = Saturation::new();
        // Blocked as by another process that has the processor.
        tokio::spawn(async { thread::sleep(Duration::from_millis(200)) }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let share = saturation.share(Duration::from_millis(100));
        assert!(share.busy >= 1.0 && share.own < 1.0, "{share:?}: that is not our own work");
    }
}
