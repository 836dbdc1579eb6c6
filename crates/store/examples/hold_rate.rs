//! How many holds a second the store alone writes, each batch durable before the next begins.
//!
//! `cargo run --release -p onsale-store --example hold_rate -- [orders before] [batch] [batches]`
//!
//! First fills a database with orders at several performances, then measures batches of holds at
//! one more: one order, one or two claims, one idempotency key and one outbox row each.

use std::time::{Duration, Instant};

use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    decide::{Changes, ClaimChange, Event, EventKind, FactKeys, KeyRecord, KeyTarget, NewKey, VersionChange},
    hall::{Plan, SectionSpec},
    ids::{HallId, OrderId, PerformanceId, SeatId, ShowId, UserId},
    money::Currency,
    order::{Claim, Goods, Line, Order, OrderStatus},
    sale::SaleRules,
    time::Timestamp,
};
use onsale_engine::{
    ids::{Ids, RandomIds},
    ports::{CatalogueStore, Guard, SaleStore},
};
use onsale_store::{SqlStore, StoreOptions};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const BUYERS: u64 = 1_000_000;
const SEATS: u64 = 100_000;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let (databases, numbers): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.contains(':'));
    let database = databases.into_iter().next();
    let mut arguments = numbers.into_iter().map(|argument| argument.parse::<usize>());
    let mut next = |otherwise| arguments.next().unwrap_or(Ok(otherwise));
    let (before, batch, batches) = (next(0)?, next(256)?, next(200)?);

    let folder = tempfile::tempdir_in(".")?;
    let embedded = || format!("sqlite:{}", folder.path().join("onsale.db").display());
    let url = database.unwrap_or_else(embedded);
    let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await?;
    let mut world = World::new(&store).await?;

    let mut left = before;
    while left > 0 {
        world.next_performance().await?;
        for _ in 0..(left.min(60_000)).div_ceil(1_000) {
            let holds = world.holds(1_000.min(left));
            world.write(&holds).await?;
            left -= holds.orders_new.len();
        }
    }
    world.next_performance().await?;
    let (mut load, mut write, mut commit) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (cpu, bytes) = (cpu_time()?, bytes_written());
    let started = now();
    for _ in 0..batches {
        if world.seats_taken + batch as u64 * 2 > SEATS {
            world.next_performance().await?;
        }
        let holds = world.holds(batch);
        let spent = world.write(&holds).await?;
        load += spent[0];
        write += spent[1];
        commit += spent[2];
    }
    let took = started.elapsed();
    let holds = (batches * batch) as f64;
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / holds;
    println!(
        "{before} orders before, batches of {batch}: {:.0} holds/s; us per hold: all {:.1}, load {:.1}, \
         write {:.1}, commit {:.1}; processor {:.1}; bytes written {:.0}",
        holds / took.as_secs_f64(),
        each(took),
        each(load),
        each(write),
        each(commit),
        each(cpu_time()? - cpu),
        (bytes_written() - bytes) as f64 / holds,
    );
    Ok(())
}

struct World<'a> {
    store: &'a SqlStore,
    show: ShowId,
    hall: HallId,
    first_seat: i64,
    performance: PerformanceId,
    version: i64,
    seats_taken: u64,
    ids: RandomIds,
    random: u64,
    time: i64,
}

impl<'a> World<'a> {
    async fn new(store: &'a SqlStore) -> Result<Self, Failure> {
        let section = SectionSpec {
            name: "Field".to_owned(),
            rows: 1_000,
            seats_per_row: (SEATS / 1_000) as u32,
            category: "Standard".to_owned(),
        };
        let venue = store.add_venue("Stadium", "Asia/Seoul", None).await?;
        let plan = Plan::generate(&[section])?;
        let started = now();
        let hall = store.add_hall(venue, "Field", &plan).await?;
        println!("{SEATS} seats added in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        let started = now();
        let map = store.seat_map(hall).await?.ok_or("no seats")?;
        println!("{SEATS} seats read in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        let started = now();
        store.set_category(hall, &onsale_engine::ports::SeatSelector::All, "VIP").await?;
        println!("{SEATS} seats changed in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        let first_seat = map.seats()[0].id.0;
        let show = ShowDetails::new(ShowKind::Concert, "Spring");
        let show = store.add_show(show, None).await?;
        Ok(Self {
            store,
            show,
            hall,
            first_seat,
            performance: PerformanceId(0),
            version: 0,
            seats_taken: 0,
            ids: RandomIds::default(),
            random: 88_172_645_463_325_252,
            time: 1_800_000_000_000,
        })
    }

    async fn next_performance(&mut self) -> Result<(), Failure> {
        let details = PerformanceDetails {
            show: self.show,
            hall: self.hall,
            starts_at: Timestamp(self.time + 100_000_000),
            ends_at: Timestamp(self.time + 200_000_000),
            on_sale_at: Timestamp(0),
            rules: SaleRules::default(),
            prices: vec![PriceLevel { category: 0, grade: "S".to_owned(), price: 1_000 }],
        };
        self.performance = self.store.add_performance(&details).await?;
        self.version = 0;
        self.seats_taken = 0;
        Ok(())
    }

    /// A batch of holds of random buyers on random free seats.
    fn holds(&mut self, count: usize) -> Changes {
        let mut changes = Changes::default();
        self.time += 4;
        self.version += 1;
        let at = Timestamp(self.time);
        for index in 0..count {
            let id = OrderId(self.ids.next(at));
            let user = UserId((self.random() % BUYERS) as i64 + 1);
            let lines: Vec<Line> =
                (0..1 + index % 2).map(|_| Line { seat: self.seat(), price: 1_000 }).collect();
            let order = Order {
                id,
                user,
                status: OrderStatus::Held,
                amount: lines.len() as i64 * 1_000,
                goods: Goods::Seats { performance: self.performance, lines },
                currency: Currency::KRW,
                created_at: at,
                expires_at: at.plus_ms(300_000),
                version: 1,
            };
            changes.claims_new.extend(order.lines().iter().map(|line| ClaimChange {
                performance: self.performance,
                seat: line.seat,
                claim: Claim::Order(id),
            }));
            let key = u128::from(self.random()) << 64 | u128::from(self.random());
            let record = KeyRecord { fingerprint: self.random(), target: KeyTarget::Hold(id) };
            changes.keys_new.push(NewKey { user, key, record, created_at: at });
            changes.events.push(Event { kind: EventKind::OrderHeld, order: order.clone(), at });
            changes.orders_new.push(order);
        }
        changes.claims_new.sort_by_key(|claim| claim.seat);
        changes.versions.push(VersionChange {
            performance: self.performance,
            revision: 1,
            version: self.version,
        });
        changes
    }

    /// Loads what the batch would need, writes it and commits: how long each took.
    async fn write(&mut self, changes: &Changes) -> Result<[Duration; 3], Failure> {
        let keys = FactKeys {
            performances: [self.performance].into(),
            seats: changes.claims_new.iter().map(|claim| (claim.performance, claim.seat)).collect(),
            buyers: changes.orders_new.iter().map(|order| (order.user, order.offer())).collect(),
            keys: changes.keys_new.iter().map(|key| (key.user, key.key)).collect(),
            ..FactKeys::default()
        };
        let started = now();
        let mut transaction = self.store.begin(Guard::default()).await?;
        transaction.load(&keys).await?;
        let loaded = now();
        transaction.write(changes).await?;
        let written = now();
        transaction.commit().await?;
        Ok([loaded - started, written - loaded, written.elapsed()])
    }

    /// A free seat; all of them in an order that jumps about the hall.
    fn seat(&mut self) -> SeatId {
        let seat = self.seats_taken * 61_803 % SEATS;
        self.seats_taken += 1;
        SeatId(self.first_seat + seat as i64)
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures how long something took")]
fn now() -> Instant {
    Instant::now()
}

/// The processor time of this process, where the system tells it.
fn cpu_time() -> Result<Duration, Failure> {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return Ok(Duration::ZERO) };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// How much this process has written, where the system tells it.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}
