//! Large changes that organisers make, beside a sale: how long each takes, and how long the slowest hold of a
//! seat at another performance waits meanwhile.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    hall::{Plan, SectionSpec},
    ids::{HallId, PerformanceId, SeatId, ShowId, UserId, VenueId},
    sale::SaleRules,
};
use onsale_engine::{Engine, ports::SeatSelector};

use crate::{cpu, stage::Failure};

/// The bars: how long a change of [`SEATS`] seats may take, and how long it may hold anybody up.
const TOOK_MAX: Duration = Duration::from_secs(1);
const HELD_UP_MAX: Duration = Duration::from_millis(50);

/// Seats of the hall that is changed, and of a very large one.
const SEATS: u32 = 100_000;
const VERY_MANY_SEATS: u32 = 1_000_000;

const FILMS: usize = 5_000;

/// How long holds go on by themselves, for comparison.
const CALM: Duration = Duration::from_secs(3);

/// Between two holds, so that there is a hold at every moment but no rush.
const BETWEEN_HOLDS: Duration = Duration::from_millis(1);

const DAY_MS: i64 = 86_400_000;

/// The measurements of one change.
struct Line {
    what: &'static str,
    took: Duration,
    /// How long each hold took, the quickest first.
    holds: Vec<Duration>,
    /// Whether the bar on its duration is its own.
    is_bounded: bool,
}

/// Measures all changes, the very large hall too unless `quick`. The table, and whether every bar was reached.
pub(crate) async fn measure(engine: Arc<Engine>, quick: bool) -> Result<(String, bool), Failure> {
    let bulk = Bulk::new(engine).await?;
    let calm = async {
        tokio::time::sleep(CALM).await;
        Ok(())
    };
    let mut lines = vec![bulk.beside("(calm)", false, calm).await?.1];
    let catalogue = &bulk.engine.catalogue;
    let plan = plan(SEATS)?;
    let add = async { Ok(catalogue.add_hall(bulk.venue, "Field", &plan).await?) };
    let (hall, line) = bulk.beside("add a hall of 100,000", true, add).await?;
    lines.push(line);
    let performance = bulk.add_performance(hall).await?;
    let (view, line) = bulk.beside("its first view", true, bulk.first_view(performance)).await?;
    lines.push(line);
    let seats: Vec<SeatId> = view.terms().seats.seats().iter().map(|seat| seat.id).collect();
    drop(view);
    for (what, lock) in [("lock all", true), ("lock all again", true), ("unlock all", false)] {
        let sales = &bulk.engine.sales;
        let work = async { Ok(sales.lock_seats(UserId(1), performance, seats.clone(), lock).await?) };
        lines.push(bulk.beside(what, true, work).await?.1);
    }
    let every_other = SeatSelector::Seats(seats.iter().copied().step_by(2).collect());
    for (what, selector) in [("category of all", &SeatSelector::All), ("of every other seat", &every_other)] {
        let work = async { Ok(catalogue.set_category(hall, selector, what).await?) };
        lines.push(bulk.beside(what, true, work).await?.1);
    }
    let prices = vec![PriceLevel { category: 1, grade: "R".into(), price: 9_000 }];
    let work = async { Ok(catalogue.set_prices(performance, &prices).await?) };
    lines.push(bulk.beside("prices", true, work).await?.1);
    let films = films();
    let work = async { Ok(catalogue.import_shows(&films, None).await?) };
    lines.push(bulk.beside("import 5,000 films", false, work).await?.1);
    if !quick {
        let plan = self::plan(VERY_MANY_SEATS)?;
        let add = async { Ok(catalogue.add_hall(bulk.venue, "Plain", &plan).await?) };
        let (hall, line) = bulk.beside("add a hall of 1,000,000", false, add).await?;
        lines.push(line);
        let performance = bulk.add_performance(hall).await?;
        lines.push(bulk.beside("its first view", false, bulk.first_view(performance)).await?.1);
    }
    Ok(render(&lines))
}

/// A sale, and a show for large halls beside it.
struct Bulk {
    engine: Arc<Engine>,
    venue: VenueId,
    show: ShowId,
    /// Where holds are made, and of which seats.
    performance: PerformanceId,
    seats: Arc<Vec<SeatId>>,
    next: Arc<AtomicI64>,
}

impl Bulk {
    async fn new(engine: Arc<Engine>) -> Result<Self, Failure> {
        let catalogue = &engine.catalogue;
        let venue = catalogue.add_venue("The Bench", "Asia/Seoul", None).await?.id;
        let show = catalogue.add_show(ShowDetails::new(ShowKind::Concert, "The Sale"), None).await?.id;
        let hall = catalogue.add_hall(venue, "Hall", &plan(50_000)?).await?;
        let seats = catalogue.seat_map(hall).await?.seats().iter().map(|seat| seat.id).collect();
        let (seats, next) = (Arc::new(seats), Arc::new(AtomicI64::new(0)));
        let mut bulk = Self { engine, venue, show, performance: PerformanceId(0), seats, next };
        bulk.performance = bulk.add_performance(hall).await?;
        drop(bulk.first_view(bulk.performance).await?);
        Ok(bulk)
    }

    async fn add_performance(&self, hall: HallId) -> Result<PerformanceId, Failure> {
        let now = self.engine.clock().now();
        let details = PerformanceDetails {
            show: self.show,
            hall,
            starts_at: now.plus_ms(DAY_MS),
            ends_at: now.plus_ms(DAY_MS + 3 * 3_600_000),
            on_sale_at: now.plus_ms(-DAY_MS),
            rules: SaleRules { hold_ms: DAY_MS, ..SaleRules::default() },
            prices: vec![PriceLevel { category: 0, grade: "S".into(), price: 15_000 }],
        };
        Ok(self.engine.catalogue.add_performance(&details).await?.id)
    }

    async fn first_view(
        &self,
        performance: PerformanceId,
    ) -> Result<Arc<onsale_engine::sales::PerformanceView>, Failure> {
        Ok(self.engine.sales.view_of_house(performance).await?)
    }

    /// Does something while seats are held one after the other.
    async fn beside<T>(
        &self,
        what: &'static str,
        is_bounded: bool,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<(T, Line), Failure> {
        let done = Arc::new(AtomicBool::new(false));
        let holding = tokio::spawn(hold_until(
            self.engine.clone(),
            self.performance,
            self.seats.clone(),
            self.next.clone(),
            done.clone(),
        ));
        let begun = cpu::now();
        let answer = work.await;
        let took = begun.elapsed();
        done.store(true, Ordering::Relaxed);
        let mut holds = holding.await??;
        holds.sort_unstable();
        Ok((answer?, Line { what, took, holds, is_bounded }))
    }
}

/// Holds one seat after the other, each for another buyer; how long each took.
async fn hold_until(
    engine: Arc<Engine>,
    performance: PerformanceId,
    seats: Arc<Vec<SeatId>>,
    next: Arc<AtomicI64>,
    done: Arc<AtomicBool>,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let seat =
            *seats.get(usize::try_from(index)?).ok_or("all seats are held; the machine is too fast")?;
        let begun = cpu::now();
        engine.sales.hold(UserId(100 + index), None, performance, vec![seat]).await?;
        times.push(begun.elapsed());
        tokio::time::sleep(BETWEEN_HOLDS).await;
    }
    Ok(times)
}

fn plan(seats: u32) -> Result<Plan, Failure> {
    let section = SectionSpec {
        name: "Stalls".into(),
        rows: seats / 100,
        seats_per_row: 100,
        category: "Standard".into(),
    };
    Ok(Plan::generate(&[section])?)
}

fn films() -> Vec<ShowDetails> {
    let film = |number: usize| ShowDetails {
        source_key: Some(format!("bench/{number}")),
        ..ShowDetails::new(ShowKind::Movie, format!("The Long Night of Film {number}"))
    };
    (0..FILMS).map(film).collect()
}

fn render(lines: &[Line]) -> (String, bool) {
    let mut text = format!(
        "{:<24} {:>9} {:>7} {:>9} {:>9} {:>9}\n",
        "beside a sale", "took ms", "holds", "p50 ms", "p99 ms", "most ms"
    );
    let mut all_reached = true;
    for line in lines {
        let percentile = |percent: usize| {
            let index = (line.holds.len() * percent / 100).min(line.holds.len().saturating_sub(1));
            line.holds.get(index).copied().unwrap_or_default()
        };
        let most = percentile(100);
        let mut missed = Vec::new();
        if line.is_bounded && line.took > TOOK_MAX {
            missed.push("takes too long");
        }
        if most > HELD_UP_MAX {
            missed.push("holds somebody up");
        }
        all_reached &= missed.is_empty();
        let _ = writeln!(
            text,
            "{:<24} {:>9.0} {:>7} {:>9.2} {:>9.2} {:>9.2} {}",
            line.what,
            ms(line.took),
            line.holds.len(),
            ms(percentile(50)),
            ms(percentile(99)),
            ms(most),
            missed.join(", ")
        );
    }
    (text, all_reached)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
