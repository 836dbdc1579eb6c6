//! `onsale-sim line`: ten million people in front of a waiting room, in a minute or two.

mod figures;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use onsale_domain::line::{Guards, Mode};
use onsale_sim::{
    line::{Report, Setup, run},
    plot,
};

/// Seeded simulations in virtual time, with the real code.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    simulation: Simulation,
}

#[derive(Subcommand)]
enum Simulation {
    /// A crowd in front of a waiting room, in each mode.
    Line {
        /// How many visitors come.
        #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(10_000..=100_000_000))]
        visitors: u32,
        /// The run's seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where to draw predicted against actual waits of the theme park, as SVG.
        #[arg(long)]
        plot: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Simulation::Line { visitors, seed, plot } = Cli::parse().simulation;
    println!("{visitors} visitors, seed {seed}; 70 % come before the opening, about 60 % leave\n");
    let mut kept = true;
    for mode in modes(visitors) {
        let setup = Setup { mode, visitors, seed, guards: Guards::default(), stop_after_ms: None };
        let report = watched(setup);
        kept &= figures::print(&report);
        if let (Some(path), Mode::ThemePark { .. }) = (&plot, mode) {
            let title = format!("{visitors} visitors, theme park: predicted and actual waits");
            if let Err(error) = plot::waits(path, &title, &report.any) {
                eprintln!("cannot draw {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
            println!("  drawn in {}\n", path.display());
        }
    }
    kept &= figures::ordering() & figures::accounts(visitors);
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A setting of each mode under which a crowd of any size is in within about half an hour.
fn modes(visitors: u32) -> [Mode; 3] {
    let admissions = (visitors / 500).max(10);
    [
        Mode::ThemePark { admissions, interval_ms: 10_000 },
        Mode::BankWindow { inside_max: admissions * 6 },
        Mode::Adaptive { floor: (admissions / 100).max(1), ceiling: admissions / 5 },
    ]
}

fn watched(setup: Setup) -> Report {
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} places {eta}")
        .expect("the template is well-formed");
    let bar = ProgressBar::new(setup.visitors.into()).with_style(style);
    let report = run(setup, &|cursor| bar.set_position(cursor.into()));
    bar.finish_and_clear();
    report
}
