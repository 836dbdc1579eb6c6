//! Clocks: wall, this thread's processor time, the whole process's, other processes', the machine's
//! idle time.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

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
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let mut fields = stat.lines().next()?.split_whitespace().skip(4);
    let (idle, waiting): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    // Linux counts in hundredths of a second here, whatever its own clock does.
    Some(Duration::from_millis((idle + waiting) * 10))
}

/// Processor time that a process, its children and theirs have used, where the system tells. What
/// has ended is counted with its parent.
pub(crate) fn family(pid: u32) -> Option<Duration> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let stats: BTreeMap<u32, (u32, u64)> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    stats.get(&pid)?;
    let belongs = |mut one: u32| loop {
        if one == pid {
            return true;
        }
        match stats.get(&one) {
            Some((parent, _)) => one = *parent,
            None => return false,
        }
    };
    let ticks: u64 = stats.iter().filter(|(one, _)| belongs(**one)).map(|(_, (_, ticks))| ticks).sum();
    Some(Duration::from_millis(ticks * 10))
}

/// A process's parent, and the hundredths of a second that it and its ended children have used.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before the bracket may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let times = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().unwrap_or(0));
    Some((fields.get(1)?.parse().ok()?, times.sum()))
}

fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_counted_with_their_parent() {
        let before = family(std::process::id()).unwrap();
        let counting = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; read x";
        let mut child = std::process::Command::new("sh")
            .args(["-c", counting])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // While it lives, and when it has ended.
        let counted = || family(std::process::id()).unwrap() > before + Duration::from_millis(20);
        while !counted() {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(counted());
        assert_eq!(family(u32::MAX), None);
    }
}
