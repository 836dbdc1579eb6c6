//! What a run measured, against what is promised.

use std::time::{Duration, Instant};

use onsale_coordination::Accounts;
use onsale_domain::{
    ids::UserId,
    line::{Draw, Mode, Ticket},
};
use onsale_sim::line::{Report, Second, bias, error, told_within, within_range};

/// A guest room of ten million takes less.
const ROOM_BYTES_MAX: f64 = 16e6;

/// The most that an account takes on top of that.
const ACCOUNT_BYTES_MAX: f64 = 20.0;

/// The most that entries may be off the setting.
const ENTRIES_OFF_MAX: f64 = 0.02;

/// The most that the median wait may be off the predicted one.
const WAIT_ERROR_MAX: f64 = 0.10;

/// How much dearer ordering a place may be in a cohort of ten million than in one of ten thousand.
const ORDERING_MAX: f64 = 1.25;

/// Prints a run's figures. True if every promise was kept.
pub(crate) fn print(report: &Report) -> bool {
    println!("{}", name(report.mode));
    let minutes = report.open_ms as f64 / 60_000.0;
    let gone = 100.0 - 100.0 * f64::from(report.entered) / f64::from(report.visitors);
    println!("  {} entered in {minutes:.1} open minutes, {gone:.0} % did not", report.entered);
    println!("  {} came back late and were called first", report.returned_called);
    let mut kept =
        check("promises broken about order, turns and limits", report.broken as f64, report.broken == 0);
    for told in &report.told {
        println!("    {told}");
    }
    if let Mode::ThemePark { .. } = report.mode {
        println!("  {} intervals in which people waited throughout", report.intervals);
        kept &= check("intervals not exactly at the setting", report.inexact.into(), report.inexact == 0);
        kept &= check("most calls above the setting", report.over_setting.into(), report.over_setting == 0);
        let off = (report.entries_share - 1.0).abs();
        kept &= check("entries off the setting, %", 100.0 * off, off <= ENTRIES_OFF_MAX);
    }
    if let Mode::BankWindow { inside_max } = report.mode {
        kept &= check("most inside at once", report.inside_max.into(), report.inside_max <= inside_max);
    }
    if let Mode::Adaptive { .. } = report.mode {
        kept &= adaptive(&report.seconds);
    }
    // In proportion for smaller crowds, with at least a megabyte.
    let room_max = (f64::from(report.visitors) / 1e7 * ROOM_BYTES_MAX).max(1e6);
    let room = report.bytes_max as f64;
    kept &= check("memory of the room, MB", room / 1e6, room <= room_max);
    let median = error(&report.any, 0.5);
    // The adaptive mode's rate depends on what the sale will do, which nobody can foretell.
    let foretold = !matches!(report.mode, Mode::Adaptive { .. });
    kept &= check("waiting-time error, median, %", 100.0 * median, !foretold || median <= WAIT_ERROR_MAX);
    let first = error(&report.first, 0.5);
    kept &=
        check("error of what is told first, median, %", 100.0 * first, !foretold || first <= WAIT_ERROR_MAX);
    println!(
        "         nine of ten within {:.0} %, {:.0} % within the range told; measured by the room: median {} %",
        100.0 * error(&report.any, 0.9),
        100.0 * within_range(&report.any),
        report.own_error_percent.unwrap_or_default()
    );
    for (from_min, to_min) in [(0, 2), (2, 5), (5, 10), (10, 20)] {
        let told = told_within(&report.any, from_min * 60_000..to_min * 60_000);
        println!(
            "         told in minutes {from_min} to {to_min}: median error {:.1} %, told {:+.1} % off ({} waits)",
            100.0 * error(&told, 0.5),
            100.0 * bias(&told),
            told.len()
        );
    }
    println!();
    kept
}

fn name(mode: Mode) -> String {
    match mode {
        Mode::ThemePark { admissions, interval_ms } => {
            format!("theme park, {admissions} every {} s", interval_ms / 1_000)
        }
        Mode::BankWindow { inside_max } => format!("bank window, {inside_max} inside"),
        Mode::Adaptive { floor, ceiling } => format!("adaptive, {floor} to {ceiling} a second"),
    }
}

fn check(what: &str, value: f64, kept: bool) -> bool {
    println!("  {} {what}: {:.2}", if kept { "ok    " } else { "BROKEN" }, value);
    kept
}

/// How the adaptive mode followed the sale, which was slow for a while.
fn adaptive(seconds: &[Second]) -> bool {
    let Some(slow) = seconds.iter().position(|second| second.capacity < seconds[0].capacity) else {
        return check("seconds with a slow sale", 0.0, false);
    };
    let slow_for = seconds[slow..].iter().position(|second| second.capacity == seconds[0].capacity);
    let Some(slow_for) = slow_for else { return check("the sale recovered", 0.0, false) };
    let (before, during, after) =
        (&seconds[slow / 2..slow], &seconds[slow..slow + slow_for], &seconds[slow + slow_for..]);
    let share = |part: &[Second]| {
        part.iter().map(|second| second.rate / second.capacity).sum::<f64>() / part.len() as f64
    };
    println!(
        "  rate against what the sale bears: {:.2} before, {:.2} while slow",
        share(before),
        share(&during[20..])
    );
    let down = during.iter().position(|second| second.rate <= second.capacity).unwrap_or(usize::MAX);
    let up = after
        .iter()
        .position(|second| second.rate >= 0.8 * share(before) * second.capacity)
        .unwrap_or(usize::MAX);
    let mut latencies: Vec<_> = before.iter().map(|second| second.latency_ms).collect();
    latencies.sort_unstable_by(f64::total_cmp);
    let p99 = latencies[latencies.len() * 99 / 100];
    check("seconds until below a sale that became slow", down as f64, down <= 10)
        & check("seconds until back after it recovered", up as f64, up <= 120)
        & check("latency while calm, 99th percentile, ms", p99, p99 <= 2.0 * 2.0 * 5.0)
}

/// Times the ordering of places in a small and in a large cohort.
pub(crate) fn ordering() -> bool {
    let small = Draw::new(&[7; 32], b"", 10_000);
    let large = Draw::new(&[7; 32], b"", 10_000_000);
    let ns = |draw: &Draw| (0..5).map(|_| ordering_ns(draw)).fold(f64::INFINITY, f64::min);
    let (small, large) = (ns(&small), ns(&large));
    println!("ordering a place: {small:.0} ns in a cohort of 10 thousand, {large:.0} ns of 10 million");
    check("large against small", large / small, large / small <= ORDERING_MAX)
}

#[expect(clippy::disallowed_methods, reason = "measures how long something took")]
fn ordering_ns(draw: &Draw) -> f64 {
    const COUNT: u32 = 1_000_000;
    let began = Instant::now();
    let sum: u64 = (0..COUNT).map(|ticket| u64::from(draw.place(Ticket(ticket % draw.cohort())).0)).sum();
    let took: Duration = began.elapsed();
    assert!(sum > 0, "places are not all 0");
    took.as_nanos() as f64 / f64::from(COUNT)
}

/// The most bytes that a joined account takes, looked at as the room fills.
pub(crate) fn accounts(count: u32) -> bool {
    let mut accounts = Accounts::default();
    let mut most: f64 = 0.0;
    for number in 0..count {
        accounts.set(UserId(i64::from(number) + 1_000_000), Ticket(number));
        // Small rooms have a few hundred bytes that are nobody's.
        if number >= count / 10 && number.is_multiple_of(1_000) {
            most = most.max(accounts.bytes() as f64 / accounts.len() as f64);
        }
    }
    check("most bytes a joined account takes on top", most, most <= ACCOUNT_BYTES_MAX)
}
