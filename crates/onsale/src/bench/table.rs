//! The comparison as text.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{BUYERS, Batching, GuardName, Measured, PROCESSES, guards::Conditions};

/// The table with what it means.
pub(super) fn render(conditions: &Conditions, measured: &[Measured]) -> String {
    let mut text = format!(
        "{}; {PROCESSES} processes with {BUYERS} buyers each; {} rounds of {} s, medians\n\n\
         {:<13}{:<9}{:<12}{:>9}{:>17}{:>9}{:>9}{:>9}{:>8}{:>12}\n",
        conditions.database,
        conditions.rounds,
        conditions.seconds,
        "guard",
        "batch",
        "contention",
        "holds/s",
        "(min - max)",
        "p50 ms",
        "p99 ms",
        "retried",
        "failed",
        "sold twice",
    );
    for (index, row) in measured.iter().enumerate() {
        if index > 0 && index % conditions.guards.len() == 0 {
            text.push('\n');
        }
        text.push_str(&line(row));
    }
    text.push_str(
        "\nbatch: commands in one transaction, on average. contention: low is 64 performances on sale at \
         once, high is one\nafter the other; every 20 ms one seat is wanted at both processes at the same \
         moment. retried: batches decided\nagain because the other process was first. failed: holds given up \
         after several retries. sold twice: seats that\nthe audit found with two buyers. `none` has no guard \
         and no unique key on its seats; it cannot be configured.\n",
    );
    if !conditions.guards.contains(&GuardName::Distributed) {
        text.push_str("`distributed` is left out: its locks need a Redis, named with --redis URL.\n");
    }
    if conditions.single_writer {
        text.push_str(
            "Here one process at a time writes, and the other waits: there is nothing to guard against, and all \
             guards are alike.\n",
        );
    }
    let reasons = measured.iter().flat_map(|row| &row.rounds).filter_map(|round| round.reason.as_ref());
    for reason in reasons.collect::<BTreeSet<_>>() {
        let _ = writeln!(text, "why holds failed: {reason}");
    }
    for row in measured.iter().filter(|row| row.other_violations > 0) {
        let _ = writeln!(
            text,
            "{}, {} contention: the audit found {} violations more",
            row.contender.guard.as_str(),
            row.contender.contention.as_str(),
            row.other_violations
        );
    }
    text
}

fn line(row: &Measured) -> String {
    let (least, most) = row.range();
    let batches = row.sum(|round| round.batches).max(1.0);
    let batch = match row.contender.batching {
        Batching::One => "1".to_owned(),
        Batching::Many => format!("~{:.0}", row.sum(|round| round.commands) / batches),
    };
    format!(
        "{:<13}{batch:<9}{:<12}{:>9.0}{:>17}{:>9.1}{:>9.1}{:>8.1}%{:>8}{:>12}\n",
        row.contender.guard.as_str(),
        row.contender.contention.as_str(),
        row.median(|round| round.held_a_second),
        format!("({least:.0} - {most:.0})"),
        row.median(|round| round.percentile_ms(0.50)),
        row.median(|round| round.percentile_ms(0.99)),
        100.0 * row.sum(|round| round.retries) / batches,
        row.sum(|round| round.failed as f64),
        row.sold_twice,
    )
}
