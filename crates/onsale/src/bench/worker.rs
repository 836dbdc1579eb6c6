//! One of the processes that sell: reads its task, says that it is ready, sells when it is told
//! to, and says how it went.

use std::{
    io::{Write as _, stdin, stdout},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use onsale_domain::{
    decide::IdempotencyKey,
    ids::{PerformanceId, SeatId, UserId},
};
use onsale_engine::{
    Engine,
    clock::{Clock as _, SystemClock},
    ports::Guard,
    sales::{SaleError, SaleSettings},
};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::Instant};

use super::{BUYERS, Contention, GuardName, PROCESSES};
use crate::{compose, config::Config, failure::Failure, telemetry};

/// How long a worker sells before it counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// How often there is another seat that a buyer of every process wants at the same moment.
const COVETED_EVERY_MS: i64 = 20;

/// The seats of each performance that are wanted so; the others are wanted once.
pub(super) const COVETED: usize = 1_000;

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) url: String,
    pub(super) guard: GuardName,
    /// Where the distributed guard takes its locks, and how their names begin.
    pub(super) locks: Option<(String, String)>,
    pub(super) batch_max: usize,
    pub(super) contention: Contention,
    /// The performances to sell from.
    pub(super) performances: Vec<i64>,
    /// The seats of their hall; more than [`COVETED`].
    pub(super) seats: Vec<i64>,
    /// Which of the processes this is.
    pub(super) process: usize,
    pub(super) seconds: f64,
}

/// What a worker did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Holds refused by the rules: the seat was taken.
    pub(super) refused: u64,
    /// Holds that came to nothing for another reason.
    pub(super) failed: u64,
    /// The first such reason.
    pub(super) reason: Option<String>,
    /// How long each granted hold took, in microseconds.
    pub(super) latencies_us: Vec<u32>,
    /// Batches, without those of the express lane, and the commands in them.
    pub(super) batches: f64,
    pub(super) commands: f64,
    /// Batches decided again.
    pub(super) retries: f64,
}

/// Carries out the task on standard input.
pub(crate) async fn run_worker(config: Config) -> Result<(), Failure> {
    let mut lines = stdin().lines();
    let mut line = || lines.next().unwrap_or_else(|| Ok(String::new())).map_err(Failure::of("cannot read"));
    let task: Task = serde_json::from_str(&line()?).map_err(Failure::of("the task is not understood"))?;
    let metrics = telemetry::install_metrics()?;
    tokio::spawn(telemetry::keep_metrics(metrics.clone()));
    let store = compose::open_scratch(&config, &task.url).await?;
    let sales = SaleSettings {
        batch_max: task.batch_max,
        // What one process knows of the seats would keep it from asking for what the other sold.
        gate: false,
        guard: task.guard.guard(),
        ..SaleSettings::default()
    };
    let locks =
        task.locks.as_ref().map(|(redis, prefix)| compose::scratch_locks(redis, prefix)).transpose()?;
    let engine = compose::scratch_engine(&config, store.clone(), sales, locks.clone()).await?;
    // Where nobody waits in front: so those who want the same seat at the same moment at different
    // processes are carried out at the same moment, too, however long the queues are.
    let express = compose::scratch_engine(&config, store, sales, locks).await?;
    for performance in &task.performances {
        for engine in [&engine, &express] {
            let view = engine.sales.view(PerformanceId(*performance)).await;
            view.map_err(Failure::of("a performance cannot be opened"))?;
        }
    }
    say("ready")?;
    if line()? != "go" {
        return Err(Failure::Failed("the worker was not told to begin".to_owned()));
    }
    let outcome = sell(&engine, &express, task, &metrics).await;
    engine.stop().await;
    express.stop().await;
    say(&serde_json::to_string(&outcome).map_err(Failure::of("cannot tell the outcome"))?)
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::of("cannot write"))
}

impl GuardName {
    const fn guard(self) -> Guard {
        match self {
            Self::Pessimistic => Guard::Pessimistic,
            Self::Optimistic => Guard::Optimistic,
            Self::Distributed => Guard::Distributed,
            Self::None => Guard::None,
        }
    }
}

/// What the buyers of a process share.
struct Rush {
    engine: Arc<Engine>,
    express: Arc<Engine>,
    task: Task,
    /// Which seat is next.
    next: AtomicU64,
    /// How many holds the express lane was asked for; each is a batch of its own.
    express_asked: AtomicU64,
    counting_from: Instant,
    until: Instant,
}

async fn sell(
    engine: &Arc<Engine>,
    express: &Arc<Engine>,
    task: Task,
    metrics: &PrometheusHandle,
) -> Outcome {
    let counting_from = Instant::now() + WARM_UP;
    let until = counting_from + Duration::from_secs_f64(task.seconds);
    let (engine, express) = (engine.clone(), express.clone());
    let rush = Rush {
        engine,
        express,
        task,
        next: AtomicU64::new(0),
        express_asked: AtomicU64::new(0),
        counting_from,
        until,
    };
    let rush = Arc::new(rush);
    let mut buyers = JoinSet::new();
    buyers.spawn(rush.clone().buy_coveted());
    for _ in 1..BUYERS {
        buyers.spawn(rush.clone().buy());
    }
    let mut outcome = Outcome::default();
    for buyer in buyers.join_all().await {
        outcome.refused += buyer.refused;
        outcome.failed += buyer.failed;
        outcome.reason = outcome.reason.or(buyer.reason);
        outcome.latencies_us.extend(buyer.latencies_us);
    }
    let text = metrics.render();
    let express = rush.express_asked.load(Ordering::Relaxed) as f64;
    outcome.batches = counter(&text, "onsale_sale_batch_commands_count") - express;
    outcome.commands = counter(&text, "onsale_sale_batch_commands_sum") - express;
    outcome.retries = counter(&text, "onsale_sale_retries_total");
    outcome
}

/// A metric without labels; 0 if nothing has been counted yet.
fn counter(text: &str, name: &str) -> f64 {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value).unwrap_or(0.0)
}

impl Rush {
    /// Buys seats that no other process asks for, one after the other.
    async fn buy(self: Arc<Self>) -> Outcome {
        let mut outcome = Outcome::default();
        while Instant::now() < self.until {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            match self.own_seat(usize::try_from(number).expect("64 bits")) {
                Some((performance, seat)) => self.hold(&self.engine, performance, seat, &mut outcome).await,
                None => {
                    outcome.failed += 1;
                    outcome.reason = Some("all seats are sold".to_owned());
                    break;
                }
            }
        }
        outcome
    }

    /// Buys the seats that somebody at every process wants at the same moment.
    async fn buy_coveted(self: Arc<Self>) -> Outcome {
        let clock = SystemClock;
        let mut outcome = Outcome::default();
        while Instant::now() < self.until {
            let moment = clock.now().0 / COVETED_EVERY_MS + 1;
            clock.sleep_until(onsale_domain::time::Timestamp(moment * COVETED_EVERY_MS)).await;
            let (performance, seat) = self.coveted_seat(moment.unsigned_abs() as usize);
            self.express_asked.fetch_add(1, Ordering::Relaxed);
            self.hold(&self.express, performance, seat, &mut outcome).await;
        }
        outcome
    }

    fn own_seat(&self, number: usize) -> Option<(i64, i64)> {
        let index = number * PROCESSES + self.task.process;
        let (performances, seats) = (&self.task.performances, &self.task.seats[COVETED..]);
        let (performance, seat) = match self.task.contention {
            Contention::Low => (index % performances.len(), index / performances.len()),
            Contention::High => (index / seats.len(), index % seats.len()),
        };
        Some((*performances.get(performance)?, *seats.get(seat)?))
    }

    fn coveted_seat(&self, moment: usize) -> (i64, i64) {
        let performances = &self.task.performances;
        let performance = match self.task.contention {
            Contention::Low => moment % performances.len(),
            // The one that is being sold just now.
            Contention::High => {
                let index = self.next.load(Ordering::Relaxed) as usize * PROCESSES;
                (index / (self.task.seats.len() - COVETED)).min(performances.len() - 1)
            }
        };
        (performances[performance], self.task.seats[moment % COVETED])
    }

    async fn hold(&self, engine: &Engine, performance: i64, seat: i64, outcome: &mut Outcome) {
        // Every hold is another buyer's, so that nobody reaches the most that one may have. The
        // buyers of different processes are different people.
        let number = (performance as u64) << 32 | seat.unsigned_abs();
        let buyer = UserId((number << 1) as i64 + self.task.process as i64);
        // Spread as the digests of real keys are.
        let id = u128::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let key = IdempotencyKey { id, fingerprint: 1 };
        let begin = Instant::now();
        let (performance, seats) = (PerformanceId(performance), vec![SeatId(seat)]);
        let answer = engine.sales.hold(buyer, Some(key), performance, seats).await;
        let end = Instant::now();
        if end < self.counting_from || end > self.until {
            return;
        }
        match answer {
            Ok(_) => {
                let latency = end.duration_since(begin).as_micros();
                outcome.latencies_us.push(u32::try_from(latency).unwrap_or(u32::MAX));
            }
            Err(SaleError::Refused(_)) => outcome.refused += 1,
            Err(error) => {
                outcome.failed += 1;
                outcome.reason.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::counter;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# TYPE a counter\na_total 3\na_total_b 4\n\na{x=\"y\"} 5\n";
        assert_eq!(counter(text, "a_total"), 3.0);
        assert_eq!(counter(text, "a_total_b"), 4.0);
        assert_eq!(counter(text, "a"), 0.0);
    }
}
