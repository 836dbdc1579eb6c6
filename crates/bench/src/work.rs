//! The kinds of work that are measured, each with its contenders and its bars.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use onsale_domain::ids::UserId;
use onsale_engine::sales::SaleSettings;

use crate::{
    Options,
    database::{Database, TripCounter},
    http::{self, Captured},
    loader::{self, Measured, Plan, Requests, Until},
    progress::Progress,
    requests::{self, ORDERS, RESERVATIONS},
    server::{self, Server},
    stage::{BUYERS, Failure, SEATS_PER_BUYER, Stage},
    stage_times::StageTimes,
};

/// How long each contender is loaded before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// Seats of the halls that holds are made in: a large arena.
const HOLD_SEATS: u32 = 20_000;

/// Screenings of the films that are searched, as in the cinema that stages of a search were first measured for.
const SCREENINGS: usize = 1_500;

/// More holds a second than are to be expected, to have seats enough.
const HOLDS_A_SECOND_MAX: f64 = 60_000.0;

/// More orders a second than are to be expected, to have items enough.
const ORDERS_A_SECOND_MAX: f64 = 60_000.0;

/// The holds of one round of the growth measurement, a multiple of 1,000.
const GROWTH_HOLDS: u64 = 10_000;

/// What can be asked for with `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// A cached catalogue read
    Catalogue,
    /// A catalogue search over 1,500 screenings, plain, indexed and cached
    CatalogueStages,
    /// Availability of a 100,000-seat hall
    Availability,
    /// A durable hold
    Hold,
    /// A hold of a sold seat
    Refused,
    /// The cost of a hold at 1,000 and at 1,000,000 seats and orders
    Growth,
    /// A durable order for a hot item
    Order,
    /// The cost of an order at 1,000 and at 1,000,000 past orders of the item
    OrderGrowth,
    /// Joining a waiting room of 1,000 and of 10,000,000
    Join,
    /// Asking how one stands in a waiting room of 1,000 and of 10,000,000
    Ask,
    /// The public document of a waiting room of 1,000 and of 10,000,000
    Room,
}

impl Work {
    /// All, in the order in which they are measured.
    pub(crate) const ALL: [Self; 11] = [
        Self::Catalogue,
        Self::CatalogueStages,
        Self::Availability,
        Self::Hold,
        Self::Refused,
        Self::Growth,
        Self::Order,
        Self::OrderGrowth,
        Self::Join,
        Self::Ask,
        Self::Room,
    ];

    /// The name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::CatalogueStages => "search stages",
            Self::Availability => "availability",
            Self::Hold => "hold",
            Self::Refused => "refused",
            Self::Growth => "growth",
            Self::Order => "order",
            Self::OrderGrowth => "order growth",
            Self::Join => "join",
            Self::Ask => "ask",
            Self::Room => "room",
        }
    }
}

/// The classic design: one transaction for each hold, on a connection out of the pool, and nothing in memory
/// to spare the database work.
fn classic() -> SaleSettings {
    SaleSettings { batch_max: 1, gate: false, keep_connection: false, ..SaleSettings::default() }
}

/// What the rounds of one contender measured.
pub(crate) struct Rounds {
    pub(crate) contender: &'static str,
    pub(crate) rounds: Vec<Measured>,
    /// Where the pipeline's time went, in all rounds together; only of Onsale's own.
    pub(crate) stages: Option<StageTimes>,
    /// Round trips to the database's server for each batch, counted in a round by itself.
    pub(crate) trips_per_batch: Option<f64>,
}

impl Rounds {
    const fn new(contender: &'static str) -> Self {
        Self { contender, rounds: Vec::new(), stages: None, trips_per_batch: None }
    }
}

/// A ratio that is to be reached.
pub(crate) struct Bar {
    /// This contender's rate ...
    pub(crate) of: &'static str,
    /// ... over that one's ...
    pub(crate) over: &'static str,
    /// ... is to be at least this.
    pub(crate) least: f64,
}

/// The results of one kind of work.
pub(crate) struct Results {
    pub(crate) work: Work,
    pub(crate) contenders: Vec<Rounds>,
    pub(crate) bars: Vec<Bar>,
}

/// What all measurements share.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) database: Database,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) progress: &'a Progress,
}

/// One of those that are compared.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    address: SocketAddr,
    pub(crate) requests: Requests,
    /// How many requests it has been sent, over all rounds.
    count: AtomicU64,
}

impl Contender {
    pub(crate) fn new(name: &'static str, server: &Server, requests: &Requests) -> Self {
        Self { name, address: server.address, requests: requests.clone(), count: AtomicU64::new(0) }
    }

    /// Sends the next request alone.
    pub(crate) fn capture(&self, status: u16) -> Result<Captured, Failure> {
        let mut request = Vec::new();
        (self.requests)(self.count.fetch_add(1, Ordering::Relaxed), &mut request);
        let captured = http::capture(self.address, &request)?;
        if captured.status != status {
            let body = String::from_utf8_lossy(&captured.body).into_owned();
            return Err(format!("{} answered {}: {body}", self.name, captured.status).into());
        }
        Ok(captured)
    }
}

impl Bench<'_> {
    /// Measures one kind of work.
    pub(crate) fn measure(&self, work: Work) -> Result<Results, Failure> {
        self.progress.work(work.name());
        match work {
            Work::Catalogue => self.catalogue(),
            Work::CatalogueStages => self.catalogue_stages(),
            Work::Availability => self.availability(),
            Work::Hold => self.hold(),
            Work::Refused => self.refused(),
            Work::Growth => self.growth(),
            Work::Order => self.order(),
            Work::OrderGrowth => self.order_growth(),
            Work::Join => self.join(),
            Work::Ask => self.ask(),
            Work::Room => self.room(),
        }
    }

    fn catalogue(&self) -> Result<Results, Failure> {
        let stage = self.stage(SaleSettings::default())?;
        stage.block_on(async { stage.add_films(&stage.add_hall(1_000).await?, 100).await })?;
        let path = "/api/v1/movies";
        self.compare_get(Work::Catalogue, &stage, path)
    }

    /// The same search with nothing to help it, with the database's indexes, and with the cache before them.
    fn catalogue_stages(&self) -> Result<Results, Failure> {
        let films = SCREENINGS / 3;
        let fill = |stage: &Stage| {
            stage.block_on(async { stage.add_films(&stage.add_hall(1_000).await?, films).await })
        };
        let plain_stage = Stage::open_without_indexes(&self.database.url, self.metrics.clone())?;
        fill(&plain_stage)?;
        let stage = self.stage(SaleSettings::default())?;
        fill(&stage)?;
        let plain = Contender::new("plain", &plain_stage.server, &requests::searches());
        let indexed = Contender::new("indexed", &stage.server, &requests::searches());
        let cached = Contender::new("cached", &stage.server, &requests::get(requests::SEARCH));
        let contenders = self.rounds(&[&plain, &indexed, &cached], 200)?;
        let bars = vec![
            Bar { of: "indexed", over: "plain", least: 1.0 },
            Bar { of: "cached", over: "indexed", least: 5.0 },
        ];
        Ok(Results { work: Work::CatalogueStages, contenders, bars })
    }

    fn availability(&self) -> Result<Results, Failure> {
        let stage = self.stage(SaleSettings::default())?;
        let performance = stage.block_on(async {
            let hall = stage.add_hall(100_000).await?;
            let performance = stage.add_performance(&hall).await?;
            // Half of the seats at random: a bitmap that does not compress to nothing.
            stage.fill(performance, &hall.seats[..hall.seats.len() / 2], |_| {}).await?;
            Ok::<_, Failure>(performance)
        })?;
        self.compare_get(
            Work::Availability,
            &stage,
            &format!("/api/v1/performances/{performance}/availability"),
        )
    }

    fn compare_get(&self, work: Work, stage: &Stage, path: &str) -> Result<Results, Failure> {
        let requests = requests::get(path);
        let ours = Contender::new("onsale", &stage.server, &requests);
        let captured = ours.capture(200)?;
        let bare_server = Server::start(Server::runtime("bare")?, server::bare_get(path, &captured))?;
        let bare = Contender::new("bare", &bare_server, &requests);
        let contenders = self.rounds(&[&bare, &ours], 200)?;
        Ok(Results { work, contenders, bars: vec![Bar { of: "onsale", over: "bare", least: 0.9 }] })
    }

    fn hold(&self) -> Result<Results, Failure> {
        let classic_settings = classic();
        let url = &self.database.url;
        let (_stage, ours) = self.holds("onsale", url, SaleSettings::default(), HOLDS_A_SECOND_MAX)?;
        let (_classic_stage, classic) =
            self.holds("classic", url, classic_settings, HOLDS_A_SECOND_MAX / 10.0)?;
        classic.capture(201)?;
        let captured = ours.capture(201)?;
        let bare_server =
            Server::start(Server::runtime("bare")?, server::bare_hold(RESERVATIONS, &captured))?;
        let bare = Contender::new("bare", &bare_server, &ours.requests);
        let mut contenders = self.rounds(&[&bare, &ours, &classic], 201)?;
        for rounds in &mut contenders {
            rounds.trips_per_batch = match rounds.contender {
                "onsale" => self.trips_per_batch(SaleSettings::default())?,
                "classic" => self.trips_per_batch(classic_settings)?,
                _ => None,
            };
        }
        let (bare_share, classic_times) = if self.database.is_server { (0.35, 30.0) } else { (0.5, 20.0) };
        let bars = vec![
            Bar { of: "onsale", over: "bare", least: bare_share },
            Bar { of: "onsale", over: "classic", least: classic_times },
        ];
        Ok(Results { work: Work::Hold, contenders, bars })
    }

    /// How often the database's server is asked for each batch of holds. By itself, because
    /// counting takes time.
    fn trips_per_batch(&self, sales: SaleSettings) -> Result<Option<f64>, Failure> {
        let Some(counter) = TripCounter::start(&self.database.url)? else { return Ok(None) };
        self.progress.work("round trips");
        let (_stage, contender) = self.holds("counted", &counter.url, sales, HOLDS_A_SECOND_MAX)?;
        let mut rounds = Rounds::new("counted");
        let before = counter.trips();
        let plan = Plan { until: Until::Elapsed(Duration::from_secs(1)), ..self.plan(201) };
        self.load(&contender, plan, &mut rounds)?;
        let trips = counter.trips() - before;
        Ok(rounds.stages.map(|stages| trips as f64 / stages.batches))
    }

    /// A stage with enough free seats for all rounds, and holds of them.
    fn holds(
        &self,
        name: &'static str,
        url: &str,
        sales: SaleSettings,
        a_second_max: f64,
    ) -> Result<(Stage, Contender), Failure> {
        let stage = Stage::open(url, sales, self.metrics.clone())?;
        let seconds = (self.options.seconds + WARM_UP.as_secs_f64()) * f64::from(self.options.rounds);
        let halls = 1 + (seconds * a_second_max / f64::from(HOLD_SEATS)) as usize;
        let (hall, performances) = stage.block_on(async {
            let hall = stage.add_hall(HOLD_SEATS).await?;
            let mut performances = Vec::new();
            for _ in 0..halls {
                let performance = stage.add_performance(&hall).await?;
                stage.engine.sales.view(performance).await?;
                performances.push(performance);
            }
            Ok::<_, Failure>((hall, performances))
        })?;
        let requests = requests::holds(performances, hall.seats, requests::tokens());
        let contender = Contender::new(name, &stage.server, &requests);
        Ok((stage, contender))
    }

    fn refused(&self) -> Result<Results, Failure> {
        let stage = self.stage(SaleSettings::default())?;
        let (performance, sold) = stage.block_on(async {
            let hall = stage.add_hall(100_000).await?;
            let performance = stage.add_performance(&hall).await?;
            let sold = hall.seats[..SEATS_PER_BUYER as usize].to_vec();
            stage.buy(UserId(BUYERS + 1), performance, &sold).await?;
            Ok::<_, Failure>((performance, sold))
        })?;
        let requests = requests::holds(vec![performance], sold, requests::tokens());
        let ours = Contender::new("onsale", &stage.server, &requests);
        let captured = ours.capture(409)?;
        let bare_server =
            Server::start(Server::runtime("bare")?, server::bare_hold(RESERVATIONS, &captured))?;
        let bare = Contender::new("bare", &bare_server, &requests);
        let contenders = self.rounds(&[&bare, &ours], 409)?;
        let bars = vec![Bar { of: "onsale", over: "bare", least: 0.7 }];
        Ok(Results { work: Work::Refused, contenders, bars })
    }

    /// The same load, holds in halls of 1,000 seats, in a database with 1,000 seats and orders
    /// besides, made anew each round, and in one with a million.
    fn growth(&self) -> Result<Results, Failure> {
        let many_halls = if self.options.quick { 5 } else { 50 };
        let many_stage = self.stage(SaleSettings::default())?;
        // These rounds are short; twice as many make up for it.
        let rounds = self.options.rounds * 2;
        let many = self.grown(&many_stage, "many", (many_halls, 20_000), rounds)?;
        let plan = Plan { until: Until::Requests(GROWTH_HOLDS), ..self.plan(201) };
        let (mut few_rounds, mut many_rounds) = (Rounds::new("few"), Rounds::new("many"));
        for round in 0..rounds {
            self.progress.round("many", round, rounds);
            self.load(&many, plan, &mut many_rounds)?;
            self.progress.round("few", round, rounds);
            let stage = self.stage(SaleSettings::default())?;
            let few = self.grown(&stage, "few", (1, 1_000), 1)?;
            self.load(&few, plan, &mut few_rounds)?;
        }
        let contenders = vec![few_rounds, many_rounds];
        // The cost may be 1.2 times that of few, so the rate is at least 1 / 1.2 of theirs.
        let bars = vec![Bar { of: "many", over: "few", least: 1.0 / 1.2 }];
        Ok(Results { work: Work::Growth, contenders, bars })
    }

    /// A stage with `halls` halls of `seats` seats, all taken with an order each, and free seats
    /// in a hall of 1,000 for so many rounds.
    fn grown(
        &self,
        stage: &Stage,
        name: &'static str,
        (halls, seats): (u32, u32),
        rounds: u32,
    ) -> Result<Contender, Failure> {
        let progress = self.progress.fill(halls * seats);
        let (hall, performances) = stage.block_on(async {
            for _ in 0..halls {
                let hall = stage.add_hall(seats).await?;
                let taken = stage.add_performance(&hall).await?;
                stage.fill(taken, &hall.seats, |held| progress.inc(held)).await?;
            }
            let hall = stage.add_hall(1_000).await?;
            let mut performances = Vec::new();
            for _ in 0..u64::from(rounds) * GROWTH_HOLDS / 1_000 {
                let performance = stage.add_performance(&hall).await?;
                stage.engine.sales.view(performance).await?;
                performances.push(performance);
            }
            Ok::<_, Failure>((hall, performances))
        })?;
        progress.finish_and_clear();
        Ok(Contender::new(
            name,
            &stage.server,
            &requests::holds(performances, hall.seats, requests::tokens()),
        ))
    }

    /// Everybody orders one unit of the same item, and when all have one, of the next.
    fn order(&self) -> Result<Results, Failure> {
        let classic_settings = classic();
        let (_stage, ours) = self.orders("onsale", SaleSettings::default())?;
        let (_classic_stage, classic) = self.orders("classic", classic_settings)?;
        classic.capture(200)?;
        let captured = ours.capture(200)?;
        let bare_server = Server::start(Server::runtime("bare")?, server::bare_order(ORDERS, &captured))?;
        let bare = Contender::new("bare", &bare_server, &ours.requests);
        let contenders = self.rounds(&[&bare, &ours, &classic], 200)?;
        let bars = vec![
            Bar { of: "onsale", over: "bare", least: 0.5 },
            Bar { of: "onsale", over: "classic", least: 20.0 },
        ];
        Ok(Results { work: Work::Order, contenders, bars })
    }

    fn orders(&self, name: &'static str, sales: SaleSettings) -> Result<(Stage, Contender), Failure> {
        let stage = self.stage(sales)?;
        let (rounds, seconds) =
            (f64::from(self.options.rounds), self.options.seconds + WARM_UP.as_secs_f64());
        let items = 1 + (rounds * seconds * ORDERS_A_SECOND_MAX / BUYERS as f64) as usize;
        let items = stage.block_on(async {
            let mut added = Vec::new();
            for _ in 0..items {
                added.push(stage.add_item().await?);
            }
            Ok::<_, Failure>(added)
        })?;
        let contender = Contender::new(name, &stage.server, &requests::orders(items, requests::tokens()));
        Ok((stage, contender))
    }

    /// The same load, orders of one item, with 1,000 past orders of it, made anew each round, and with
    /// a million.
    fn order_growth(&self) -> Result<Results, Failure> {
        let past = if self.options.quick { 100_000 } else { 1_000_000 };
        let many_stage = self.stage(SaleSettings::default())?;
        let many = self.ordered(&many_stage, "many", past)?;
        let plan = Plan { until: Until::Requests(GROWTH_HOLDS), ..self.plan(200) };
        let (mut few_rounds, mut many_rounds) = (Rounds::new("few"), Rounds::new("many"));
        let rounds = self.options.rounds * 2;
        for round in 0..rounds {
            self.progress.round("many", round, rounds);
            self.load(&many, plan, &mut many_rounds)?;
            self.progress.round("few", round, rounds);
            let stage = self.stage(SaleSettings::default())?;
            let few = self.ordered(&stage, "few", 1_000)?;
            self.load(&few, plan, &mut few_rounds)?;
        }
        let contenders = vec![few_rounds, many_rounds];
        let bars = vec![Bar { of: "many", over: "few", least: 1.0 / 1.2 }];
        Ok(Results { work: Work::OrderGrowth, contenders, bars })
    }

    /// Orders of an item that has been ordered so often already.
    fn ordered(&self, stage: &Stage, name: &'static str, past: u32) -> Result<Contender, Failure> {
        let progress = self.progress.fill(past);
        let item = stage.block_on(async {
            let item = stage.add_item().await?;
            stage.fill_orders(item, past, |ordered| progress.inc(ordered)).await?;
            Ok::<_, Failure>(item)
        })?;
        progress.finish_and_clear();
        Ok(Contender::new(name, &stage.server, &requests::orders(vec![item], requests::tokens())))
    }

    fn stage(&self, sales: SaleSettings) -> Result<Stage, Failure> {
        Stage::open(&self.database.url, sales, self.metrics.clone())
    }

    fn plan(&self, status: u16) -> Plan {
        Plan {
            connections: self.options.connections,
            threads: self.options.loader_threads(),
            begins_at: None,
            warm_up: WARM_UP,
            until: Until::Elapsed(Duration::from_secs_f64(self.options.seconds)),
            status,
            database_pid: self.database.pid,
        }
    }

    /// Loads one contender after the other, again and again, so that what the machine does
    /// meanwhile touches them all alike.
    pub(crate) fn rounds(&self, contenders: &[&Contender], status: u16) -> Result<Vec<Rounds>, Failure> {
        let only = self.options.contender.as_deref();
        let contenders: Vec<&Contender> =
            contenders.iter().copied().filter(|one| only.is_none_or(|only| one.name == only)).collect();
        let mut results: Vec<Rounds> =
            contenders.iter().map(|contender| Rounds::new(contender.name)).collect();
        for round in 0..self.options.rounds {
            for (contender, result) in contenders.iter().zip(&mut results) {
                self.progress.round(contender.name, round, self.options.rounds);
                self.load(contender, self.plan(status), result)?;
            }
        }
        Ok(results)
    }

    /// Loads a contender for one round.
    fn load(&self, contender: &Contender, plan: Plan, rounds: &mut Rounds) -> Result<(), Failure> {
        let before = StageTimes::read(&self.metrics);
        let measured = loader::run(contender.address, plan, &contender.requests, &contender.count)?;
        let stages = StageTimes::read(&self.metrics).since(before);
        if stages.commands > 0.0 {
            rounds.stages = Some(rounds.stages.unwrap_or_default().and(stages));
        }
        rounds.rounds.push(measured);
        Ok(())
    }
}
