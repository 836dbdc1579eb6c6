//! `onsale bench`: measurements on the user's machine and database.

mod chart;
mod guards;
mod stage;
mod table;
mod worker;

use serde::{Deserialize, Serialize};

pub(crate) use guards::compare_guards;
pub(crate) use worker::run_worker;

/// The processes that sell from one database.
const PROCESSES: usize = 2;

/// Buyers at each process; each has one request under way.
const BUYERS: usize = 128;

/// One of those that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Contender {
    guard: GuardName,
    batching: Batching,
    contention: Contention,
}

/// The guards, with the one that may not be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum GuardName {
    Pessimistic,
    Optimistic,
    /// Only where there is a Redis.
    Distributed,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batching {
    /// One hold in each transaction.
    One,
    /// As many as wait.
    Many,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Contention {
    /// Many performances on sale at once.
    Low,
    /// One performance that everybody wants.
    High,
}

impl Contender {
    /// All of these guards, in the order of the table.
    fn all(guards: &[GuardName]) -> Vec<Self> {
        let mut all = Vec::new();
        for batching in [Batching::One, Batching::Many] {
            for contention in [Contention::Low, Contention::High] {
                all.extend(guards.iter().map(|guard| Self { guard: *guard, batching, contention }));
            }
        }
        all
    }
}

impl GuardName {
    const ALL: [Self; 4] = [Self::Pessimistic, Self::Optimistic, Self::Distributed, Self::None];

    /// Those that can be measured, with a Redis or without.
    fn measurable(redis: bool) -> Vec<Self> {
        Self::ALL.into_iter().filter(|guard| redis || *guard != Self::Distributed).collect()
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pessimistic => "pessimistic",
            Self::Optimistic => "optimistic",
            Self::Distributed => "distributed",
            Self::None => "none",
        }
    }
}

impl Contention {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }
}

/// What a contender did in one round, both processes together.
#[derive(Clone, Debug, Default)]
struct Round {
    held_a_second: f64,
    /// Holds that were neither granted nor refused by the rules.
    failed: u64,
    /// The first reason.
    reason: Option<String>,
    /// Batches that were tried, each retry counted.
    batches: f64,
    /// Commands in them.
    commands: f64,
    /// Batches decided again.
    retries: f64,
    /// How long each granted hold took, in microseconds, ascending.
    latencies_us: Vec<u32>,
}

/// What a contender did in all rounds.
#[derive(Clone, Debug)]
struct Measured {
    contender: Contender,
    rounds: Vec<Round>,
    /// Seats that the audit found claimed more than once.
    sold_twice: u64,
    /// Everything else that the audit found wrong.
    other_violations: u64,
}

impl Measured {
    /// The median of something over the rounds.
    fn median(&self, value: impl Fn(&Round) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        match values.len() {
            0 => 0.0,
            length if length % 2 == 1 => values[length / 2],
            length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
        }
    }

    /// The least and the greatest rate of a round.
    fn range(&self) -> (f64, f64) {
        let rates = self.rounds.iter().map(|round| round.held_a_second);
        rates.fold((f64::MAX, 0.0), |(least, most), rate| (rate.min(least), rate.max(most)))
    }

    fn sum(&self, value: impl Fn(&Round) -> f64) -> f64 {
        self.rounds.iter().map(value).sum()
    }
}

impl Round {
    /// A percentile of the latencies, in milliseconds.
    fn percentile_ms(&self, share: f64) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.latencies_us.get(index).map_or(0.0, |us| f64::from(*us) / 1_000.0)
    }
}
