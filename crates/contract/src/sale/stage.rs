//! A performance to sell and an engine to sell it with.

use std::sync::Arc;

use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    decide::{ClaimCheck, IdempotencyKey},
    hall::{Plan, SectionSpec},
    ids::{PerformanceId, SeatId, UserId},
    sale::SaleRules,
    time::Timestamp,
    wallet::PointsFrom,
};
use onsale_engine::{
    Engine, Settings,
    accounts::AccountSettings,
    clock::{Clock, ManualClock},
    ids::RandomIds,
    ports::Store,
    sales::SaleSettings,
};

/// The price of every seat.
pub const PRICE: i64 = 50_000;

/// When the tests with a clock of their own begin.
pub const OPENING: Timestamp = Timestamp(1_800_000_000_000);

/// A store with one performance on sale, and an engine over it.
pub struct Stage {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The store under it.
    pub store: Arc<dyn Store>,
    /// The performance.
    pub performance: PerformanceId,
    /// Its seats.
    pub seats: Vec<SeatId>,
}

/// How to build a [`Stage`].
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Rows of seats.
    pub rows: u32,
    /// Seats a row.
    pub seats_per_row: u32,
    /// The rules of the sale.
    pub rules: SaleRules,
    /// The pipeline.
    pub sales: SaleSettings,
    /// Off for negative controls.
    pub claim_check: ClaimCheck,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            rows: 1,
            seats_per_row: 1,
            rules: SaleRules::default(),
            sales: SaleSettings::default(),
            claim_check: ClaimCheck::On,
        }
    }
}

/// The engine's settings in tests.
#[must_use]
pub fn settings(setup: Setup) -> Settings {
    let accounts = AccountSettings {
        signing_key: vec![7; 32],
        access_s: 3_600,
        refresh_s: 7 * 86_400,
        refresh_grace_s: 10,
        argon2_memory_kib: 1_024,
        argon2_passes: 1,
        hashing_threads: 1,
        hashing_queue_max: 64,
    };
    Settings {
        sales: setup.sales,
        claim_check: setup.claim_check,
        points_from: PointsFrom::Anyone,
        ..Settings::new(accounts)
    }
}

/// Starts an engine on a store that may already hold something.
pub async fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, setup: Setup) -> Arc<Engine> {
    let ids = Arc::new(RandomIds::default());
    Arc::new(Engine::start(store, clock, ids, settings(setup)).await.expect("the engine starts"))
}

impl Stage {
    /// Builds a stage on an empty store. Sales are open and stay open for a day.
    pub async fn build(store: Arc<dyn Store>, clock: Arc<dyn Clock>, setup: Setup) -> Self {
        let now = clock.now();
        let engine = start(store.clone(), clock, setup).await;
        let (performance, seats) = add_performance(&engine, setup, now).await;
        Self { engine, store, performance, seats }
    }

    /// As [`Stage::build`], on a clock that stands still at [`OPENING`].
    pub async fn frozen(store: Arc<dyn Store>, setup: Setup) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(OPENING));
        (Self::build(store, clock.clone(), setup).await, clock)
    }

    /// Gives a buyer points.
    pub async fn fund(&self, buyer: UserId, amount: i64) {
        self.engine.sales.charge(buyer, None, amount).await.expect("points are charged");
    }
}

/// Adds a performance in a hall of its own, on sale from `now` on for a day, and returns its seats, too.
pub async fn add_performance(engine: &Engine, setup: Setup, now: Timestamp) -> (PerformanceId, Vec<SeatId>) {
    let catalogue = &engine.catalogue;
    let venue = catalogue.add_venue("Arena", "Asia/Seoul", None).await.expect("a venue is added");
    let plan = Plan::generate(&[SectionSpec {
        name: "Stalls".into(),
        rows: setup.rows,
        seats_per_row: setup.seats_per_row,
        category: "Standard".into(),
    }])
    .expect("the plan is possible");
    let hall = catalogue.add_hall(venue.id, "Main", &plan).await.expect("a hall is added");
    let show = catalogue
        .add_show(
            ShowDetails {
                running_time_min: Some(120),
                ..ShowDetails::new(ShowKind::Concert, "Opening night")
            },
            None,
        )
        .await
        .expect("a show is added");
    let performance = catalogue
        .add_performance(&PerformanceDetails {
            show: show.id,
            hall,
            starts_at: now.plus_ms(86_400_000),
            ends_at: now.plus_ms(90_000_000),
            on_sale_at: now,
            rules: setup.rules,
            prices: vec![PriceLevel { category: 0, grade: "S".into(), price: PRICE }],
        })
        .await
        .expect("a performance is added");
    let seats = catalogue.seat_map(hall).await.expect("the hall has seats");
    (performance.id, seats.seats().iter().map(|seat| seat.id).collect())
}

/// An idempotency key for tests: its number is its text and its request.
#[must_use]
pub fn key(number: u64) -> Option<IdempotencyKey> {
    Some(IdempotencyKey { id: u128::from(number), fingerprint: number })
}
