//! Onsale with something to sell, served over HTTP.

use std::{collections::VecDeque, error::Error, path::Path, sync::Arc};

use jsonwebtoken::{EncodingKey, Header};
use metrics_exporter_prometheus::PrometheusHandle;
use onsale_api::ApiSettings;
use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    decide::{ClaimCheck, IdempotencyKey},
    hall::{Plan, SectionSpec},
    ids::{HallId, PerformanceId, SeatId, ShowId, UserId},
    money::Currency,
    sale::SaleRules,
    time::Timestamp,
};
use onsale_engine::{
    Engine, Settings,
    accounts::AccountSettings,
    clock::{Clock as _, SystemClock},
    ids::RandomIds,
    sales::SaleSettings,
};
use onsale_store::{SqlStore, StoreOptions};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::server::Server;

/// Any failure of the set-up.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

const SIGNING_KEY: [u8; 32] = [7; 32];
const DAY_MS: i64 = 86_400_000;

/// The most seats of one buyer at a performance: as many as the rules can allow, so that the
/// buyers of one run are enough for all its seats.
pub(crate) const SEATS_PER_BUYER: u32 = 100;

/// How many buyers there are. Each hold comes from another one: nobody takes two seats of the same
/// performance before everybody has one.
pub(crate) const BUYERS: i64 = 100_000;

/// Holds under way at once while a database is being filled.
const FILLING_AT_ONCE: usize = 4_096;

/// An engine on a database of its own, and its server.
pub(crate) struct Stage {
    pub(crate) engine: Arc<Engine>,
    pub(crate) server: Server,
}

/// A hall in which performances can be put on.
pub(crate) struct Hall {
    show: ShowId,
    hall: HallId,
    /// Its seats, in random order.
    pub(crate) seats: Vec<SeatId>,
}

impl Stage {
    /// Makes a database in a folder and serves it.
    pub(crate) fn open(
        folder: &Path,
        sales: SaleSettings,
        metrics: PrometheusHandle,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)?;
        let runtime = Server::runtime("onsale")?;
        let url = SqlStore::file_url(&folder.join("onsale.db"))?;
        let engine = runtime.block_on(async {
            let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await?;
            let ids = Arc::new(RandomIds::default());
            Engine::start(Arc::new(store), Arc::new(SystemClock), ids, settings(sales)).await
        })?;
        let engine = Arc::new(engine);
        let api = ApiSettings::new(Currency::KRW);
        let router = onsale_api::router(engine.clone(), api, move || metrics.render());
        let server = Server::start(runtime, router)?;
        Ok(Self { engine, server })
    }

    /// Runs something on the server's runtime.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.server.runtime.block_on(future)
    }

    /// Adds a hall of rows with up to 100 seats.
    pub(crate) async fn add_hall(&self, seats: u32) -> Result<Hall, Failure> {
        let catalogue = &self.engine.catalogue;
        let venue = catalogue.add_venue("The Bench", "Asia/Seoul").await?;
        let seats_per_row = seats.min(100);
        let section = SectionSpec {
            name: "Stalls".into(),
            rows: seats / seats_per_row,
            seats_per_row,
            category: "Standard".into(),
        };
        let hall = catalogue.add_hall(venue.id, "Hall", &Plan::generate(&[section])?).await?;
        let show = catalogue.add_show(show(0)).await?.id;
        let map = catalogue.seat_map(hall).await?;
        let mut seats: Vec<SeatId> = map.seats().iter().map(|seat| seat.id).collect();
        seats.shuffle(&mut StdRng::seed_from_u64(1));
        Ok(Hall { show, hall, seats })
    }

    /// Puts a performance on sale.
    pub(crate) async fn add_performance(&self, hall: &Hall) -> Result<PerformanceId, Failure> {
        let details = performance(hall.show, hall.hall, SystemClock.now());
        Ok(self.engine.catalogue.add_performance(&details).await?.id)
    }

    /// Adds films with three screenings each.
    pub(crate) async fn add_films(&self, hall: &Hall, films: usize) -> Result<(), Failure> {
        for film in 0..films {
            let show = self.engine.catalogue.add_show(show(film)).await?.id;
            for screening in 1..=3 {
                let starts_at = SystemClock.now().plus_ms(screening * DAY_MS / 8);
                let details = performance(show, hall.hall, starts_at.plus_ms(-DAY_MS));
                self.engine.catalogue.add_performance(&details).await?;
            }
        }
        Ok(())
    }

    /// Holds seats of a performance, one an order, for one buyer after the other. `done` is told
    /// how many more are held.
    pub(crate) async fn fill(
        &self,
        performance: PerformanceId,
        seats: &[SeatId],
        done: impl Fn(u64),
    ) -> Result<(), Failure> {
        let mut waiting: VecDeque<(i64, SeatId)> = (0..).zip(seats.iter().copied()).collect();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < FILLING_AT_ONCE
                && let Some((index, seat)) = waiting.pop_front()
            {
                let sales = self.engine.sales.clone();
                let id = u128::from(performance.0.unsigned_abs()) << 64 | u128::from(index.unsigned_abs());
                // Spread as the digests of real keys are.
                let id = id.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
                let key = IdempotencyKey { id, fingerprint: 1 };
                let buyer = UserId(1 + index % BUYERS);
                tasks.spawn(async move { sales.hold(buyer, Some(key), performance, vec![seat]).await });
            }
            match tasks.join_next().await {
                None => return Ok(()),
                Some(held) => drop(held??),
            }
            done(1);
        }
    }

    /// Buys seats: they are then sold, not only held.
    pub(crate) async fn buy(
        &self,
        buyer: UserId,
        performance: PerformanceId,
        seats: &[SeatId],
    ) -> Result<(), Failure> {
        let sales = &self.engine.sales;
        sales.charge(buyer, None, 1_000_000_000).await?;
        let order = sales.hold(buyer, None, performance, seats.to_vec()).await?.order;
        sales.pay(buyer, None, order.id).await?;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let engine = self.engine.clone();
        self.server.runtime.block_on(async move { engine.stop().await });
    }
}

fn settings(sales: SaleSettings) -> Settings {
    let accounts = AccountSettings {
        signing_key: SIGNING_KEY.to_vec(),
        access_s: 86_400,
        refresh_s: 86_400,
        argon2_memory_kib: 64,
        argon2_passes: 1,
        hashing_threads: 1,
        hashing_queue_max: 1,
    };
    Settings { currency: Currency::KRW, sales, accounts, claim_check: ClaimCheck::On }
}

fn show(number: usize) -> ShowDetails {
    ShowDetails {
        kind: ShowKind::Movie,
        title: format!("The Long Night of Film {number}"),
        grade: Some("15세 이상 관람가".into()),
        genre: Some(["드라마", "코미디", "액션", "공포"][number % 4].into()),
        release_date: None,
        thumbnail_image: Some(format!("https://example.com/posters/{number}.jpg")),
        running_time_min: Some(121),
        description: None,
        creator: None,
        source_key: None,
    }
}

fn performance(show: ShowId, hall: HallId, now: Timestamp) -> PerformanceDetails {
    PerformanceDetails {
        show,
        hall,
        starts_at: now.plus_ms(DAY_MS),
        ends_at: now.plus_ms(DAY_MS + 3 * 3_600_000),
        on_sale_at: now.plus_ms(-2 * DAY_MS),
        rules: SaleRules { hold_ms: DAY_MS, seats_per_buyer_max: SEATS_PER_BUYER, side_by_side: false },
        prices: vec![PriceLevel { category: 0, grade: "S".into(), price: 15_000 }],
    }
}

/// An access token of a buyer, signed as Onsale signs it. Logging so many buyers in would take
/// longer than all measurements.
pub(crate) fn access_token(buyer: i64) -> String {
    #[derive(Serialize)]
    struct Claims {
        sub: String,
        sid: uuid::Uuid,
        role: &'static str,
        iat: i64,
        exp: i64,
    }
    let iat = SystemClock.now().0 / 1_000;
    let sid = uuid::Uuid::from_u128(u128::from(buyer.unsigned_abs()));
    let claims = Claims { sub: buyer.to_string(), sid, role: "user", iat, exp: iat + 86_400 };
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&SIGNING_KEY))
        .expect("an engine has been started, and with it the provider of HS256")
}
