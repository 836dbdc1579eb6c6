//! The results as a table: medians over the rounds, ratios, and what was the limit.

use std::{fmt::Write as _, thread, time::Duration};

use crate::{
    loader::Measured,
    stage_times::StageTimes,
    work::{Bar, Results, Rounds},
};

/// The share of one processor above which a loader thread counts as busy all the time.
const LOADER_BUSY: f64 = 0.95;

/// The text of the table, and whether every bar was reached.
pub(crate) fn render(results: &[Results], loader_threads: usize) -> (String, bool) {
    let mut text = format!(
        "{:<13} {:<8} {:>9} {:>17} {:>8} {:>8} {:>10} {:>7} {:>7}\n",
        "work", "", "a second", "(min - max)", "p50 ms", "p99 ms", "server us", "server", "loader"
    );
    let mut all_reached = true;
    for result in results {
        for rounds in &result.contenders {
            let _ = writeln!(text, "{}", line(result.work.name(), rounds));
        }
        for bar in &result.bars {
            let (line, reached) = verdict(result, bar);
            text.push_str(&line);
            all_reached &= reached;
        }
        for rounds in &result.contenders {
            text.push_str(&remarks(rounds, loader_threads));
        }
        text.push('\n');
    }
    (text, all_reached)
}

fn line(work: &str, rounds: &Rounds) -> String {
    let rates: Vec<f64> = rounds.rounds.iter().map(Measured::rate).collect();
    let (least, most) =
        (rates.iter().copied().fold(f64::MAX, f64::min), rates.iter().copied().fold(0.0, f64::max));
    format!(
        "{work:<13} {:<8} {:>9.0} {:>17} {:>8.2} {:>8.2} {:>10.1} {:>6.0}% {:>6.0}%",
        rounds.contender,
        median(&rates),
        format!("({least:.0} - {most:.0})"),
        rounds.of(|round| round.percentile_ms(50)),
        rounds.of(|round| round.percentile_ms(99)),
        rounds.of(|round| round.server_cpu.as_secs_f64() * 1e6 / (round.answers.max(1) as f64)),
        rounds.of(|round| 100.0 * round.server_cpu.as_secs_f64() / round.elapsed.as_secs_f64()),
        rounds.of(|round| 100.0 * round.loader_cpu.as_secs_f64() / round.elapsed.as_secs_f64()),
    )
}

fn verdict(result: &Results, bar: &Bar) -> (String, bool) {
    let rounds = |name| result.contenders.iter().find(|rounds| rounds.contender == name);
    let (Some(of), Some(over)) = (rounds(bar.of), rounds(bar.over)) else {
        return (String::new(), true);
    };
    let ratio = of.of(Measured::rate) / over.of(Measured::rate);
    let reached = ratio >= bar.least;
    let word = if reached { "PASS" } else { "MISSED" };
    (format!("  {word}: {} is {ratio:.2} x {}, the bar is {:.2}\n", bar.of, bar.over, bar.least), reached)
}

/// Where the time of a batch goes. What is not in a stage is HTTP and waiting.
fn where_time_goes(rounds: &Rounds, stages: StageTimes) -> String {
    let mut text = format!("    where the time of a batch of {:.0} goes:", stages.commands / stages.batches);
    for (name, seconds) in StageTimes::NAMES.iter().zip(stages.seconds) {
        let (batch_ms, hold_us) = (seconds * 1e3 / stages.batches, seconds * 1e6 / stages.commands);
        let _ = write!(text, " {name} {batch_ms:.2} ms ({hold_us:.1} us per hold),");
    }
    let busy = stages.seconds.iter().sum::<f64>() / stages.commands * rounds.of(Measured::rate);
    let _ = writeln!(text, " the pipeline was busy {:.0}% of the time", 100.0 * busy);
    if let Some(trips) = rounds.trips_per_batch {
        let per_hold = trips * stages.batches / stages.commands;
        let _ =
            writeln!(text, "    round trips to the database: {trips:.1} per batch, {per_hold:.3} per hold");
    }
    if rounds.rounds.iter().all(|round| round.database_cpu.is_some()) {
        let cpu = |round: &Measured| round.database_cpu.unwrap_or_default().as_secs_f64();
        let _ = writeln!(
            text,
            "    the database's server used {:.0}% of one processor, {:.1} us per hold",
            100.0 * rounds.of(|round| cpu(round) / round.elapsed.as_secs_f64()),
            rounds.of(|round| cpu(round) * 1e6 / round.answers.max(1) as f64),
        );
    }
    text
}

fn remarks(rounds: &Rounds, loader_threads: usize) -> String {
    let mut text = String::new();
    let share = |part: fn(&Measured) -> Duration| {
        rounds.of(|round| part(round).as_secs_f64() / round.elapsed.as_secs_f64())
    };
    let processors = thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
    let used = share(|round| round.loader_cpu + round.server_cpu + round.database_cpu.unwrap_or_default());
    // What is neither idle nor ours is used by others.
    let idle = share(|round| round.idle.unwrap_or_default());
    let limit = if share(|round| round.loader_cpu) >= LOADER_BUSY * loader_threads as f64 {
        "THE LOADER; give it more threads with --loader-threads".to_owned()
    } else if idle < 0.1 * processors {
        format!(
            "the processors; other programs used {:.0}% of them",
            100.0 * (1.0 - (used + idle) / processors)
        )
    } else {
        format!(
            "waiting, for the disk or for one thread; {:.0}% of the processors were idle",
            100.0 * idle / processors
        )
    };
    let _ = writeln!(text, "  {}: the limit was {limit}", rounds.contender);
    if let Some(stages) = rounds.stages {
        text.push_str(&where_time_goes(rounds, stages));
    }
    for round in &rounds.rounds {
        for (status, (count, body)) in &round.unexpected {
            let _ = writeln!(text, "  {}: {count} answers with {status}, such as {body}", rounds.contender);
        }
    }
    text
}

impl Rounds {
    /// The median of something over the rounds.
    fn of(&self, value: impl Fn(&Measured) -> f64) -> f64 {
        median(&self.rounds.iter().map(value).collect::<Vec<_>>())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
