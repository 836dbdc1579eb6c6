//! Logs and metrics.

use std::{
    any::Any,
    io::{IsTerminal, stderr},
    panic::{PanicHookInfo, set_hook},
    sync::OnceLock,
    thread,
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{Log, LogFormat},
    failure::Failure,
    log_writer::LogWriter,
};

/// How often metrics that nobody asks for are folded together.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Bounds of histograms of times: from what memory takes to what a client waits for.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// Bounds of histograms of counts, such as the commands of a batch.
const COUNTS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0];

/// Where the log goes, once it is installed.
static LOG: OnceLock<LogWriter> = OnceLock::new();

/// Sends logs to standard error, panics among them.
pub(crate) fn install_log(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| Failure::Usage(format!("log.filter: `{}`: {error}", log.filter)))?;
    let writer = LogWriter::start(stderr()).map_err(Failure::of("cannot install the log"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LOG.get_or_init(|| writer).clone())
        // It would tell of errors by a macro that panics.
        .log_internal_errors(false)
        .with_ansi(stderr().is_terminal());
    let installed = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    installed.map_err(Failure::of("cannot install the log"))?;
    set_hook(Box::new(log_panic));
    Ok(())
}

/// Waits until what has been logged is written, but not for long.
pub(crate) fn flush_log() {
    if let Some(log) = LOG.get() {
        log.flush();
    }
}

/// Panics are told in the log, like everything else: what prints them by itself would wait for whoever
/// reads standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let why = panic_text(panic.payload());
    tracing::error!(thread = thread.name().unwrap_or("unnamed"), place, why, "a defect: a panic");
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of no known kind")
}

/// Begins to collect metrics; the handle renders them.
pub(crate) fn install_metrics() -> Result<PrometheusHandle, Failure> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets(&COUNTS))
        .map_err(Failure::of("cannot set the bounds of histograms"))?
        .install_recorder()
        .map_err(Failure::of("cannot install the metrics recorder"))
}

/// Folds metrics together that nobody asks for, for ever.
pub(crate) async fn keep_metrics(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        metrics.run_upkeep();
    }
}
