//! `onsale top`: the fleet in a terminal, live or once.
//!
//! It asks each node for its `/readyz` and `/metrics`, and for the public documents of the rooms that the
//! metrics name. Plain escape sequences do: there is nothing to press but Ctrl-C.

mod figures;
mod samples;
mod scrape;
mod screen;

use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Write, stdout},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use crate::{config::Config, failure::Failure};
use figures::Fleet;
use scrape::{Node, Scrape};

/// More nodes than any screen shows.
const NODES_MAX: usize = 1_000;
/// Seconds of history that are drawn.
const HISTORY_MAX: usize = 60;

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The nodes, not the proxy in front of them, such as http://10.0.0.1:8080 [default:
    /// server.listen of the configuration]
    #[arg(value_name = "URL")]
    nodes: Vec<String>,
    /// A file with more nodes, one a line
    #[arg(long, value_name = "FILE")]
    nodes_from: Option<PathBuf>,
    /// Print one table, measured over one period, and end; fails if no node answers
    #[arg(long)]
    once: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = crate::cli::seconds)]
    every: f64,
}

/// Shows the fleet until Ctrl-C, or once.
pub(crate) async fn top(arguments: &Top, config: &Config) -> Result<(), Failure> {
    if !arguments.once && !stdout().is_terminal() {
        return Err(Failure::Usage("this is not a terminal: `onsale top --once` prints a table".to_owned()));
    }
    let mut watch = Watch::new(nodes(arguments, config)?);
    let mut every = tokio::time::interval(Duration::from_secs_f64(arguments.every));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every.tick().await;
    watch.look().await;
    if arguments.once {
        every.tick().await;
        let fleet = watch.look().await;
        print!("{}", screen::table(&fleet));
        return if fleet.answering() > 0 { Ok(()) } else { Err(Failure::Reported) };
    }
    let _screen = screen::Alternate::enter().map_err(cannot_draw())?;
    let mut history = VecDeque::new();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let fleet = watch.look().await;
        history.push_back(fleet.total.holds);
        if history.len() > HISTORY_MAX {
            history.pop_front();
        }
        let picture = screen::table(&fleet) + &screen::history(history.make_contiguous());
        draw(&picture).map_err(cannot_draw())?;
    }
}

fn cannot_draw() -> impl FnOnce(io::Error) -> Failure {
    Failure::of("cannot draw")
}

fn draw(picture: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(screen::in_place(picture).as_bytes())?;
    out.flush()
}

fn nodes(arguments: &Top, config: &Config) -> Result<Vec<Node>, Failure> {
    let mut urls = arguments.nodes.clone();
    if let Some(file) = &arguments.nodes_from {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        urls.extend(lines.map(str::to_owned));
    }
    if urls.is_empty() {
        urls.push(format!("http://{}", config.server.listen));
    }
    if urls.len() > NODES_MAX {
        return Err(Failure::Usage(format!("at most {NODES_MAX} nodes can be shown")));
    }
    urls.iter().map(|url| Node::parse(url)).collect()
}

/// The nodes, and what each said last.
struct Watch {
    client: reqwest::Client,
    nodes: Vec<Node>,
    before: Vec<Option<Scrape>>,
}

impl Watch {
    fn new(nodes: Vec<Node>) -> Self {
        Self { client: scrape::client(), before: nodes.iter().map(|_| None).collect(), nodes }
    }

    /// Asks all nodes at once; the figures are of the time since they were asked before.
    async fn look(&mut self) -> Fleet {
        let mut asking = JoinSet::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let (client, node) = (self.client.clone(), node.clone());
            asking.spawn(async move { (index, node.scrape(&client).await) });
        }
        let mut now: Vec<Option<Scrape>> = self.nodes.iter().map(|_| None).collect();
        for (index, scrape) in asking.join_all().await {
            now[index] = scrape;
        }
        let fleet = Fleet::new(&self.nodes, &self.before, &now);
        self.before = now;
        fleet
    }
}
