//! Side-by-side measurements over HTTP, in one run on one machine: a bare axum server that gives
//! the same bytes, Onsale, and Onsale with one transaction per hold.
//!
//! Everything is in this one process: each server has a Tokio runtime of its own with the same
//! settings, and the loader has threads of its own, so that each one's share of the processors
//! can be told apart.

mod adaptive;
mod adaptive_plot;
mod bulk;
mod cpu;
mod database;
mod http;
mod line;
mod loader;
mod overload;
mod progress;
mod requests;
mod server;
mod stage;
mod stage_times;
mod table;
mod work;

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use onsale_engine::sales::SaleSettings;

use database::Database;
use progress::Progress;
use stage::{Failure, Stage};
use work::{Bench, Work};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Onsale side by side with a bare server and with one transaction per hold.
#[derive(Clone, Debug, Parser)]
#[command(version)]
struct Options {
    /// How often each contender is measured; the medians count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long each round is measured, in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Connections, each with one request under way: a rush is many who ask in the same second
    #[arg(long, default_value_t = 1_024)]
    connections: usize,
    /// Threads of the loader [default: a quarter of the processors, at least one]
    #[arg(long)]
    loader_threads: Option<usize>,
    /// Measure only this; may be given more than once
    #[arg(long)]
    only: Vec<Work>,
    /// Load only this contender, for a profiler: bare, onsale or classic
    #[arg(long)]
    contender: Option<String>,
    /// Measure nothing of that: let a crowd through an adaptive waiting room while the database
    /// server slows down and recovers, and draw rate and latency in this SVG file
    #[arg(long, value_name = "FILE", requires = "database")]
    adaptive: Option<PathBuf>,
    /// Short rounds and a smaller database, to see that it works
    #[arg(long)]
    quick: bool,
    /// Measure overload instead, and draw the plot here
    #[arg(long, value_name = "FILE.svg", conflicts_with = "only")]
    overload: Option<PathBuf>,
    /// Measure large changes of organisers instead, and the slowest hold at another performance beside them
    #[arg(long, conflicts_with_all = ["only", "overload", "adaptive"])]
    bulk: bool,
    /// Where to put the databases, on the disk to be measured [default: beside this program]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The URL of a database server to measure on, in databases made for it and removed again;
    /// the database that it names is not touched [default: the embedded database]
    #[arg(long, conflicts_with = "folder")]
    database: Option<String>,
    /// The server's first process, to count its share of the processors [default: whoever listens
    /// on the URL's port on this machine]
    #[arg(long, requires = "database")]
    database_pid: Option<u32>,
}

impl Options {
    fn loader_threads(&self) -> usize {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        self.loader_threads.unwrap_or(processors / 4).max(1)
    }
}

fn main() -> ExitCode {
    // As `onsale` does.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("onsale-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints. Whether every bar was reached.
fn run() -> Result<bool, Failure> {
    let mut options = Options::parse();
    if options.quick {
        (options.rounds, options.seconds) = (options.rounds.min(2), options.seconds.min(1.0));
    }
    let parent = match &options.folder {
        Some(folder) => folder.clone(),
        None => std::env::current_exe()?.parent().ok_or("this program is nowhere")?.to_owned(),
    };
    let folder = tempfile::Builder::new().prefix("onsale-bench-").tempdir_in(parent)?;
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let upkeep = metrics.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_secs(5));
            upkeep.run_upkeep();
        }
    });

    let database = match &options.database {
        Some(url) => Database::server(url, options.database_pid),
        None => Database::embedded(folder.path())?,
    };
    println!("{}: {}", stage::database_name(&database.url)?, conditions(&options, folder.path())?);
    let progress = Progress::new();
    if let Some(plot) = &options.overload {
        return overload::measure(&database.url, options.seconds, &metrics, &progress, plot);
    }
    if options.bulk {
        let stage = Stage::open(&database.url, SaleSettings::default(), metrics)?;
        let (table, all_reached) = stage.block_on(bulk::measure(stage.engine.clone(), options.quick))?;
        progress.finish();
        println!("{table}");
        return Ok(all_reached);
    }
    let bench = Bench { options: &options, database, metrics, progress: &progress };
    if let Some(plot) = &options.adaptive {
        return bench.adaptive(plot);
    }
    let mut results = Vec::new();
    for work in Work::ALL {
        if options.only.is_empty() || options.only.contains(&work) {
            results.push(bench.measure(work)?);
        }
    }
    progress.finish();
    let (table, all_reached) = table::render(&results, options.loader_threads());
    println!("{table}");
    Ok(all_reached)
}

fn conditions(options: &Options, folder: &Path) -> Result<String, Failure> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    Ok(format!(
        "{processors} processors; {} rounds of {} s; {} connections on {} loader thread(s); one write \
         reaches the disk in {:.2} ms (median)\n\
         server us: processor time of the server per answer; server, loader: share of one processor\n",
        options.rounds,
        options.seconds,
        options.connections,
        options.loader_threads(),
        flush_ms(folder)?,
    ))
}

/// How long writing a page over another and flushing it takes: what every commit has to wait for.
fn flush_ms(folder: &Path) -> Result<f64, Failure> {
    let mut file = File::create(folder.join("flush"))?;
    file.write_all(&[0; 4_096 * 100])?;
    file.sync_all()?;
    file.rewind()?;
    let mut times = Vec::new();
    for _ in 0..100 {
        file.write_all(&[1; 4_096])?;
        let begin = cpu::now();
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(times[50].as_secs_f64() * 1_000.0)
}
