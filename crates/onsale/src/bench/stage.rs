//! A scratch database with a hall in it, and the processes that sell from it.

use std::{process::Stdio, time::Duration};

use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    hall::{Plan, SectionSpec},
    ids::{HallId, ShowId},
    sale::SaleRules,
};
use onsale_engine::{
    audit::{AuditReport, audit},
    clock::{Clock as _, SystemClock},
    ports::{CatalogueStore as _, StoreError},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{
    Batching, Contender, Contention, GuardName, PROCESSES, Round,
    worker::{COVETED, Outcome, Task},
};
use crate::{compose::Scratch, failure::Failure};

/// Seats of the hall.
const SEATS: u32 = 10_000;

/// How many performances there are where the demand is spread.
const PERFORMANCES: usize = 64;

/// More holds a second than are to be expected of both processes, to have seats enough.
const HOLDS_A_SECOND_MAX: f64 = 60_000.0;

/// How long a worker may take beside selling.
const PATIENCE: Duration = Duration::from_secs(60);

const DAY_MS: i64 = 86_400_000;

/// Where one contender sells.
pub(super) struct Stage {
    pub(super) contender: Contender,
    pub(super) scratch: Scratch,
    show: ShowId,
    hall: HallId,
    seats: Vec<i64>,
}

impl Stage {
    pub(super) async fn set_up(contender: Contender, scratch: Scratch) -> Result<Self, (Scratch, Failure)> {
        match fill(&scratch, contender.guard).await {
            Ok((show, hall, seats)) => Ok(Self { contender, scratch, show, hall, seats }),
            Err(error) => Err((scratch, Failure::of("cannot fill a database for the measurement")(error))),
        }
    }

    /// Has all processes sell for one round.
    pub(super) async fn round(&self, seconds: f64, redis: Option<&str>) -> Result<Round, Failure> {
        let performances = self.add_performances(seconds).await;
        let performances = performances.map_err(Failure::of("cannot add performances"))?;
        // The database's name is nobody else's.
        let name = self.scratch.name();
        let locks = redis.filter(|_| self.contender.guard == GuardName::Distributed);
        let locks = locks.map(|redis| (redis.to_owned(), name.to_owned()));
        let mut workers = Vec::with_capacity(PROCESSES);
        for process in 0..PROCESSES {
            let task = Task {
                url: self.scratch.url().to_owned(),
                guard: self.contender.guard,
                locks: locks.clone(),
                batch_max: match self.contender.batching {
                    Batching::One => 1,
                    Batching::Many => onsale_engine::sales::SaleSettings::default().batch_max,
                },
                contention: self.contender.contention,
                performances: performances.clone(),
                seats: self.seats.clone(),
                process,
                seconds,
            };
            workers.push(Worker::start(&task).await?);
        }
        for worker in &mut workers {
            worker.expect_ready().await?;
        }
        for worker in &mut workers {
            worker.say("go").await?;
        }
        let mut round = Round::default();
        for worker in workers {
            add(&mut round, worker.outcome(seconds).await?, seconds);
        }
        round.latencies_us.sort_unstable();
        Ok(round)
    }

    async fn add_performances(&self, seconds: f64) -> Result<Vec<i64>, StoreError> {
        let count = match self.contender.contention {
            Contention::Low => PERFORMANCES,
            Contention::High => 2 + ((seconds + 1.0) * HOLDS_A_SECOND_MAX / f64::from(SEATS)) as usize,
        };
        let now = SystemClock.now();
        let details = PerformanceDetails {
            show: self.show,
            hall: self.hall,
            starts_at: now.plus_ms(DAY_MS),
            ends_at: now.plus_ms(DAY_MS + 3 * 3_600_000),
            on_sale_at: now.plus_ms(-DAY_MS),
            rules: SaleRules { hold_ms: DAY_MS, ..SaleRules::default() },
            prices: vec![PriceLevel { category: 0, grade: "S".into(), price: 15_000 }],
        };
        let mut performances = Vec::with_capacity(count);
        for _ in 0..count {
            performances.push(self.scratch.store.add_performance(&details).await?.0);
        }
        Ok(performances)
    }

    /// What the audit says at the end.
    pub(super) async fn audit(&self) -> Result<AuditReport, Failure> {
        let report = audit(&*self.scratch.store, |_, _| {}).await;
        Ok(report.map_err(Failure::of("cannot audit the database"))?.without_accounts())
    }
}

async fn fill(scratch: &Scratch, guard: GuardName) -> Result<(ShowId, HallId, Vec<i64>), StoreError> {
    if guard == GuardName::None {
        scratch.drop_claims_key().await?;
    }
    let store = &scratch.store;
    let venue = store.add_venue("The Bench", "Asia/Seoul", None).await?;
    let section = SectionSpec {
        name: "Stalls".into(),
        rows: SEATS / 100,
        seats_per_row: 100,
        category: "Standard".into(),
    };
    let plan = Plan::generate(&[section]).expect("the hall is well-formed");
    let hall = store.add_hall(venue, "Hall", &plan).await?;
    let map = store.seat_map(hall).await?.ok_or(StoreError::Missing("hall"))?;
    let mut seats: Vec<i64> = map.seats().iter().map(|seat| seat.id.0).collect();
    // As buyers choose them: here and there.
    rand::seq::SliceRandom::shuffle(&mut seats[..], &mut rand::rng());
    let show = ShowDetails::new(ShowKind::Concert, "The Rush");
    debug_assert!(seats.len() > COVETED);
    Ok((store.add_show(show, None).await?, hall, seats))
}

fn add(round: &mut Round, outcome: Outcome, seconds: f64) {
    round.held_a_second += outcome.latencies_us.len() as f64 / seconds;
    round.failed += outcome.failed;
    round.reason = round.reason.take().or(outcome.reason);
    round.batches += outcome.batches;
    round.commands += outcome.commands;
    round.retries += outcome.retries;
    round.latencies_us.extend(outcome.latencies_us);
}

/// Another process of this program. It ends when this is dropped.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    async fn start(task: &Task) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::of("this program is nowhere"))?;
        let mut child = Command::new(program)
            .args(["bench", "guards-worker"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Failure::of("cannot start another process"))?;
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut worker = Self { child, input, output };
        // Not on the command line, which others can read: the URL may hold a password.
        worker.say(&serde_json::to_string(task).map_err(Failure::of("cannot write the task"))?).await?;
        Ok(worker)
    }

    async fn say(&mut self, line: &str) -> Result<(), Failure> {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).await.map_err(Failure::of("a worker has ended"))
    }

    async fn hear(&mut self, patience: Duration) -> Result<String, Failure> {
        match timeout(patience, self.output.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            // It has said why on standard error.
            Ok(Ok(None)) => Err(Failure::Failed("a worker has ended before its time".to_owned())),
            Ok(Err(error)) => Err(Failure::of("cannot hear a worker")(error)),
            Err(_) => Err(Failure::Failed("a worker does not answer".to_owned())),
        }
    }

    async fn expect_ready(&mut self) -> Result<(), Failure> {
        match self.hear(PATIENCE).await?.as_str() {
            "ready" => Ok(()),
            other => Err(Failure::Failed(format!("a worker says `{other}`"))),
        }
    }

    async fn outcome(mut self, seconds: f64) -> Result<Outcome, Failure> {
        let line = self.hear(PATIENCE + Duration::from_secs_f64(seconds)).await?;
        let outcome = serde_json::from_str(&line).map_err(Failure::of("a worker is not understood"))?;
        self.child.wait().await.map_err(Failure::of("a worker does not end"))?;
        Ok(outcome)
    }
}
