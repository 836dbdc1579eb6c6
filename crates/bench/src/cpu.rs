//! Clocks: wall, this thread's processor time, the whole process's, the machine's idle time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The wall clock, for measuring.
#[expect(clippy::disallowed_methods, reason = "measuring is what this program does")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Processor time that this thread has used.
pub(crate) fn thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Processor time that all threads of this process have used.
pub(crate) fn process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// Time that the machine's processors have been idle, where the system tells.
pub(crate) fn idle() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let mut fields = stat.lines().next()?.split_whitespace().skip(4);
    let (idle, waiting): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    // Linux counts in hundredths of a second here, whatever its own clock does.
    Some(Duration::from_millis((idle + waiting) * 10))
}

fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}
