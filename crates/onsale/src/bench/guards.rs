//! `onsale bench guards`: the guards side by side, two processes on one database.

use std::time::Duration;

use onsale_engine::{
    audit::Violation,
    ports::{LockError, SaleStore as _},
};

use super::{Contender, GuardName, Measured, chart, stage::Stage, table};
use crate::{
    cli::BenchGuards, compose, config::Config, data_folder::DataFolder, failure::Failure, progress::Progress,
};

/// How long Redis may take to give a lock.
const PATIENCE: Duration = Duration::from_secs(1);

/// Measures every guard, prints a table and draws a chart. Everything happens in databases of
/// its own, which are removed at the end, also when it is interrupted.
pub(crate) async fn compare_guards(
    arguments: &BenchGuards,
    mut config: Config,
    folder: &DataFolder,
) -> Result<(), Failure> {
    if let Some(url) = &arguments.database {
        config.database.url = url.as_str().into();
    }
    if let Some(url) = &arguments.redis {
        config.coordination.url = url.as_str().into();
    }
    expect_redis(config.coordination.url.expose()).await?;
    let mut stages = Vec::new();
    let measured = tokio::select! {
        measured = Box::pin(measure(arguments, &config, folder, &mut stages)) => measured,
        _ = tokio::signal::ctrl_c() => Err(Failure::Failed("interrupted".to_owned())),
    };
    let mut removed = Ok(());
    for stage in stages {
        removed = removed.and(Box::pin(stage.scratch.close_and_remove()).await);
    }
    let (conditions, measured) = measured?;
    print!("{}", table::render(&conditions, &measured));
    if let Some(file) = &arguments.svg {
        let drawn = std::fs::write(file, chart::draw(&conditions, &measured));
        drawn.map_err(Failure::of(format!("cannot write {}", file.display())))?;
        println!("\nThe chart is in {}.", file.display());
    }
    removed
}

/// Under which conditions was measured, for table and chart.
pub(super) struct Conditions {
    pub(super) database: String,
    /// Whether one transaction at a time writes, so that there is nothing to guard against.
    pub(super) single_writer: bool,
    pub(super) guards: Vec<GuardName>,
    pub(super) rounds: u32,
    pub(super) seconds: f64,
}

/// Without it the distributed guard would do without locks and be measured as if it were optimistic.
async fn expect_redis(url: &str) -> Result<(), Failure> {
    if url.is_empty() {
        return Ok(());
    }
    let locks = compose::scratch_locks(url, "onsale-bench")?;
    match locks.acquire("anything", PATIENCE).await {
        Ok(_) | Err(LockError::Held) => Ok(()),
        Err(error) => Err(Failure::Usage(format!("--redis: {error}"))),
    }
}

async fn measure(
    arguments: &BenchGuards,
    config: &Config,
    folder: &DataFolder,
    stages: &mut Vec<Stage>,
) -> Result<(Conditions, Vec<Measured>), Failure> {
    let redis = Some(config.coordination.url.expose()).filter(|url| !url.is_empty());
    let guards = GuardName::measurable(redis.is_some());
    let contenders = Contender::all(&guards);
    let steps = contenders.len() as u64 * (u64::from(arguments.rounds) + 2);
    let (mut done, progress) = (0, Progress::new("guards"));
    let mut step = || {
        done += 1;
        progress.set(done, steps);
    };
    progress.set(0, steps);
    for contender in contenders {
        let scratch = Box::pin(compose::create_scratch(config, folder)).await?;
        match Box::pin(Stage::set_up(contender, scratch)).await {
            Ok(stage) => stages.push(stage),
            Err((scratch, failure)) => {
                Box::pin(scratch.close_and_remove()).await?;
                return Err(failure);
            }
        }
        step();
    }
    let mut rounds = vec![Vec::new(); stages.len()];
    // One after the other, again and again, so that what the machine does meanwhile touches them
    // all alike.
    for _ in 0..arguments.rounds {
        for (stage, rounds) in stages.iter().zip(&mut rounds) {
            rounds.push(Box::pin(stage.round(arguments.seconds, redis)).await?);
            step();
        }
    }
    let mut measured = Vec::with_capacity(stages.len());
    for (stage, rounds) in stages.iter().zip(rounds) {
        let report = stage.audit().await?;
        let sold_twice = report.violations.get(&Violation::SeatClaimedTwice).map_or(0, |found| found.total);
        let other_violations = report.violations_total() - sold_twice;
        measured.push(Measured { contender: stage.contender, rounds, sold_twice, other_violations });
        step();
    }
    let Some(stage) = stages.first() else { return Err(Failure::Failed("nothing was measured".to_owned())) };
    let store = &stage.scratch.store;
    let conditions = Conditions {
        database: store.name().await.map_err(Failure::of("cannot ask the database"))?,
        single_writer: store.lanes() == 1 && config.database.lanes > 1,
        guards,
        rounds: arguments.rounds,
        seconds: arguments.seconds,
    };
    Ok((conditions, measured))
}
