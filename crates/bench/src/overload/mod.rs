//! Overload: holds and payments at their peak, then ten times as many connections that browse,
//! then peace again. Once with the door shedding, once without it, as a control.
//!
//! The servers and the loader have processors of their own, so that the crowd costs the server only
//! what the server spends on it.

mod plot;

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use onsale_api::door::{DoorSettings, Load};
use onsale_domain::ids::OrderId;
use onsale_engine::sales::SaleSettings;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::{
    cpu,
    loader::{self, Measured, Plan, Requests, Until},
    progress::Progress,
    requests,
    stage::{Failure, Stage},
};

/// Connections that hold, and as many that pay.
const CONNECTIONS: usize = 32;

/// How many times as many connections browse.
const CROWD: usize = 10;

/// What `server.late_ms_max` and `server.requests_max` are by default.
const LATE_MS_MAX: u32 = 50;
const REQUESTS_MAX: usize = 20_000;

/// How often the rate is looked at for the plot.
const SAMPLED_EVERY: Duration = Duration::from_millis(250);

/// Between two phases, for connections to be made and what is under way to be answered.
const PAUSE: Duration = Duration::from_millis(100);

/// How long holds and payments go on before the first phase: the first of all are quicker, because
/// nothing is to be moved into the database's file yet.
const WARM_UP: Duration = Duration::from_secs(1);

/// More than are to be expected of each in a second.
const A_SECOND_MAX: f64 = 20_000.0;

const HALL_SEATS: u32 = 20_000;

/// Buyers whose reservations are paid. Each has at most as many seats as the rules allow.
const PAYERS: i64 = 2_000;

const PHASES: [&str; 3] = ["calm", "crowd", "after"];

/// What one phase measured.
struct Phase {
    holds: Measured,
    payments: Measured,
    browsing: Option<Measured>,
}

/// A run through all phases.
struct Run {
    name: &'static str,
    phases: Vec<Phase>,
    /// Holds and payments a second, by time.
    samples: Vec<(f64, f64)>,
    /// How long after the crowd had left the rate was back, in seconds.
    recovered_s: Option<f64>,
}

/// Measures, prints a table and draws a plot. Whether every bar was reached.
pub(crate) fn measure(
    url: &str,
    seconds: f64,
    metrics: &PrometheusHandle,
    progress: &Progress,
    plot: &Path,
) -> Result<bool, Failure> {
    let loader_cpu = keep_one_processor_free()?;
    let shedding = run("shedding", url, seconds, metrics, progress, loader_cpu.as_ref())?;
    let control = run("control", url, seconds, metrics, progress, loader_cpu.as_ref())?;
    progress.finish();
    println!(
        "{CONNECTIONS} connections hold, {CONNECTIONS} pay; in the middle {} browse. {}\n",
        2 * CONNECTIONS * CROWD,
        if loader_cpu.is_some() { "The loader has a processor to itself." } else { "" }
    );
    print_table(&[&shedding, &control]);
    let crowd_s = (phase_at(1, seconds).as_secs_f64(), phase_at(2, seconds).as_secs_f64());
    std::fs::write(plot, plot::draw(&[&shedding, &control], crowd_s))?;
    println!("\nThe plot is {}.", plot.display());
    Ok(bars(&shedding))
}

/// From now on this thread, and all it starts, leaves the last processor to the loader.
fn keep_one_processor_free() -> io::Result<Option<CpuSet>> {
    let all = sched_getaffinity(None)?;
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
    let Some((last, others @ [_, ..])) = processors.split_last() else { return Ok(None) };
    let set = |cpus: &[usize]| {
        let mut set = CpuSet::new();
        cpus.iter().for_each(|cpu| set.set(*cpu));
        set
    };
    sched_setaffinity(None, &set(others))?;
    Ok(Some(set(&[*last])))
}

fn run(
    name: &'static str,
    url: &str,
    seconds: f64,
    metrics: &PrometheusHandle,
    progress: &Progress,
    loader_cpu: Option<&CpuSet>,
) -> Result<Run, Failure> {
    progress.work(name);
    let load = (name == "shedding").then(|| Load::new(REQUESTS_MAX, Some(LATE_MS_MAX)));
    let door = DoorSettings { load: load.clone(), ..DoorSettings::default() };
    let stage = Stage::open_with(url, SaleSettings::default(), metrics.clone(), door, &[])?;
    let keeper = load.map(|load| stage.server.runtime.spawn(load.keep()));
    let (holds, payments) = prepare(&stage, seconds * PHASES.len() as f64)?;
    let address = stage.server.address;
    let run = thread::scope(|scope| {
        scope.spawn(|| phases(name, address, seconds, &holds, &payments, loader_cpu)).join()
    });
    if let Some(keeper) = keeper {
        keeper.abort();
    }
    Ok(run.unwrap_or_else(|_| Err(io::Error::other("the measurement panicked")))?)
}

/// Holds to make and payments of holds that have been made.
fn prepare(stage: &Stage, seconds: f64) -> Result<(Requests, Requests), Failure> {
    let count = (seconds * A_SECOND_MAX) as usize;
    let halls = 1 + count / HALL_SEATS as usize;
    stage.block_on(async {
        stage.add_films(&stage.add_hall(1_000).await?, 100).await?;
        let hall = stage.add_hall(HALL_SEATS).await?;
        let mut performances = Vec::new();
        for _ in 0..halls {
            performances.push(stage.add_performance(&hall).await?);
        }
        stage.charge_all(PAYERS).await?;
        let mut orders: Vec<(OrderId, i64)> = Vec::new();
        for _ in 0..halls {
            let performance = stage.add_performance(&hall).await?;
            orders.extend(stage.hold_all(performance, &hall.seats, PAYERS).await?);
        }
        let tokens = requests::tokens();
        let holds = requests::holds(performances, hall.seats, tokens.clone());
        Ok((holds, requests::payments(orders, tokens)))
    })
}

fn phases(
    name: &'static str,
    address: SocketAddr,
    seconds: f64,
    holds: &Requests,
    payments: &Requests,
    loader_cpu: Option<&CpuSet>,
) -> io::Result<Run> {
    if let Some(cpu) = loader_cpu {
        sched_setaffinity(None, cpu)?;
    }
    let browsing = requests::get("/api/v1/movies");
    let (held, paid, browsed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let begin = cpu::now() + PAUSE + WARM_UP;
    let plan = |connections, status, phase, warm_up| Plan {
        connections,
        threads: 1,
        begins_at: Some(begin + phase_at(phase, seconds) - warm_up),
        warm_up,
        until: Until::Elapsed(Duration::from_secs_f64(seconds)),
        status,
        database_pid: None,
    };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut samples = Vec::new();
            let done = || held.load(Ordering::Relaxed) + paid.load(Ordering::Relaxed);
            thread::sleep(begin.saturating_duration_since(cpu::now()));
            let (mut before, mut at) = (done(), 0.0);
            while !over.load(Ordering::Relaxed) {
                thread::sleep(SAMPLED_EVERY);
                let done = done();
                let now = begin.elapsed().as_secs_f64();
                samples.push((now, (done - before) as f64 / (now - at)));
                (before, at) = (done, now);
            }
            samples
        });
        // Connected from the beginning, so that the crowd is there as a whole when its phase begins.
        let crowd = scope.spawn(|| {
            let plan = plan(2 * CONNECTIONS * CROWD, 200, 1, Duration::ZERO);
            loader::run(address, plan, &browsing, &browsed)
        });
        let mut phases = Vec::new();
        for index in 0..3 {
            let plan = plan(CONNECTIONS, 201, index, if index == 0 { WARM_UP } else { Duration::ZERO });
            let (holds, payments) = thread::scope(|scope| {
                let hold = scope.spawn(|| loader::run(address, plan, holds, &held));
                let pay = scope.spawn(|| loader::run(address, plan, payments, &paid));
                (joined(hold), joined(pay))
            });
            phases.push(Phase { holds: holds?, payments: payments?, browsing: None });
        }
        phases[1].browsing = Some(joined(crowd)?);
        over.store(true, Ordering::Relaxed);
        let samples = sampler.join().map_err(|_| io::Error::other("the sampler panicked"))?;
        let crowd_left_s = phase_at(2, seconds).as_secs_f64();
        let calm = phases[0].rate();
        let back = samples.iter().find(|(at, rate)| *at > crowd_left_s && *rate >= 0.9 * calm);
        let recovered_s = back.map(|(at, _)| at - crowd_left_s);
        Ok(Run { name, phases, samples, recovered_s })
    })
}

/// How long after the first phase another one begins.
fn phase_at(index: u32, seconds: f64) -> Duration {
    index * (Duration::from_secs_f64(seconds) + PAUSE)
}

fn joined(handle: thread::ScopedJoinHandle<'_, io::Result<Measured>>) -> io::Result<Measured> {
    handle.join().unwrap_or_else(|_| Err(io::Error::other("a loader panicked")))
}

impl Phase {
    /// Holds and payments a second.
    fn rate(&self) -> f64 {
        self.holds.rate() + self.payments.rate()
    }

    /// How long one of a hundred of them took at least, in milliseconds.
    fn p99_ms(&self) -> f64 {
        self.holds.percentile_ms(99).max(self.payments.percentile_ms(99))
    }
}

fn print_table(runs: &[&Run]) {
    println!(
        "{:<10}{:<8}{:>9}{:>11}{:>11}{:>12}{:>11}{:>11}{:>12}{:>12}",
        "", "", "holds/s", "p50 ms", "p99 ms", "payments/s", "p50 ms", "p99 ms", "browsed/s", "shed/s"
    );
    for run in runs {
        for (name, phase) in PHASES.iter().zip(&run.phases) {
            let (holds, payments) = (&phase.holds, &phase.payments);
            let shed = |measured: &Measured| {
                let shed = measured.unexpected.get(&503).map_or(0, |(count, _)| *count);
                shed as f64 / measured.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
            };
            println!(
                "{:<10}{name:<8}{:>9.0}{:>11.2}{:>11.2}{:>12.0}{:>11.2}{:>11.2}{:>12.0}{:>12.0}",
                run.name,
                holds.rate(),
                holds.percentile_ms(50),
                holds.percentile_ms(99),
                payments.rate(),
                payments.percentile_ms(50),
                payments.percentile_ms(99),
                phase.browsing.as_ref().map_or(0.0, Measured::rate),
                phase.browsing.as_ref().map_or(0.0, shed),
            );
            for measured in [holds, payments] {
                for (status, (count, body)) in &measured.unexpected {
                    println!("  {count} holds or payments were answered {status}: {body}");
                }
            }
        }
    }
}

/// Compares with what is to be reached, and says so.
fn bars(run: &Run) -> bool {
    let [calm, crowd, after] = &run.phases[..] else { return false };
    // From before and after: holds become a little slower by themselves as the database grows.
    let kept = crowd.rate() / f64::midpoint(calm.rate(), after.rate());
    let slower = crowd.p99_ms() / calm.p99_ms();
    let recovered = run.recovered_s.unwrap_or(f64::INFINITY);
    let mut all = true;
    println!();
    for (what, value, reached) in [
        ("holds and payments keep, of their rate without the crowd (>= 0.90)", kept, kept >= 0.9),
        ("p99 with the crowd, over calm (<= 2)", slower, slower <= 2.0),
        ("seconds until the rate is back (<= 5)", recovered, recovered <= 5.0),
    ] {
        println!("{} {value:>6.2}  {what}", if reached { "reached" } else { "MISSED " });
        all &= reached;
    }
    all
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::database::Database;

    /// How fast it is, a quiet machine tells.
    #[test]
    fn a_short_run_measures_everything() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::embedded(folder.path()).unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let plot = folder.path().join("plot.svg");
        measure(&database.url, 0.5, &metrics, &Progress::new(), &plot).unwrap();
        assert_eq!(std::fs::read_to_string(plot).unwrap().matches("<polyline").count(), 2);
    }
}
