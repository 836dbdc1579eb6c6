//! Onsale with something to sell, served over HTTP.

use std::{collections::VecDeque, error::Error, sync::Arc};

use jsonwebtoken::{EncodingKey, Header};
use metrics_exporter_prometheus::PrometheusHandle;
use onsale_api::{ApiSettings, door::DoorSettings};
use onsale_coordination::LocalCoordination;
use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    decide::IdempotencyKey,
    hall::{Plan, SectionSpec},
    ids::{HallId, ItemId, OrderId, PerformanceId, SeatId, ShowId, UserId},
    item::{ItemDetails, ItemKind, ItemRules, UNITS_MAX, UNITS_PER_BUYER_MAX},
    money::Currency,
    sale::SaleRules,
    time::Timestamp,
    wallet::PointsFrom,
};
use onsale_engine::{
    Engine, Settings,
    accounts::AccountSettings,
    clock::{Clock as _, SystemClock},
    ids::{Ids as _, RandomIds},
    ports::{NewRoom, RoomStore as _},
    sales::SaleSettings,
};
use onsale_store::{ScratchDatabase, SqlStore, StoreOptions, negative_control};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::server::Server;

/// Any failure of the set-up.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

const SIGNING_KEY: [u8; 32] = [7; 32];
pub(crate) const DAY_MS: i64 = 86_400_000;

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
    database: ScratchDatabase,
}

/// A hall in which performances can be put on.
pub(crate) struct Hall {
    show: ShowId,
    hall: HallId,
    /// Its seats, in random order.
    pub(crate) seats: Vec<SeatId>,
}

impl Stage {
    /// Makes a database beside the one at `url` and serves it.
    pub(crate) fn open(url: &str, sales: SaleSettings, metrics: PrometheusHandle) -> Result<Self, Failure> {
        Self::open_with(url, sales, metrics, DoorSettings::default(), &[])
    }

    /// As [`Stage::open`], on a database whose catalogue has no indexes.
    pub(crate) fn open_without_indexes(url: &str, metrics: PrometheusHandle) -> Result<Self, Failure> {
        Self::open_prepared(url, false, SaleSettings::default(), metrics, DoorSettings::default(), &[])
    }

    /// As [`Stage::open`], with a door that may turn requests away, and with waiting rooms as a
    /// restart would find them.
    pub(crate) fn open_with(
        url: &str,
        sales: SaleSettings,
        metrics: PrometheusHandle,
        door: DoorSettings,
        rooms: &[NewRoom],
    ) -> Result<Self, Failure> {
        Self::open_prepared(url, true, sales, metrics, door, rooms)
    }

    fn open_prepared(
        url: &str,
        indexes: bool,
        sales: SaleSettings,
        metrics: PrometheusHandle,
        door: DoorSettings,
        rooms: &[NewRoom],
    ) -> Result<Self, Failure> {
        let runtime = Server::runtime("onsale")?;
        let (database, engine) = runtime.block_on(async {
            let (database, store) = open_scratch(url).await?;
            if !indexes {
                negative_control::drop_catalogue_indexes(&store).await?;
            }
            for room in rooms {
                store.add_room(room).await?;
            }
            let ids = Arc::new(RandomIds::default());
            let engine = Engine::start_with_rooms(
                Arc::new(store),
                Arc::new(SystemClock),
                ids,
                settings(sales),
                |journal| Arc::new(LocalCoordination::new(journal, Arc::new(SystemClock))),
            );
            Ok::<_, Failure>((database, Arc::new(engine.await?)))
        })?;
        let api = ApiSettings { door, ..ApiSettings::new(Currency::KRW) };
        let router = onsale_api::router(engine.clone(), api, move || metrics.render());
        let server = Server::start(runtime, router)?;
        Ok(Self { engine, server, database })
    }

    /// Runs something on the server's runtime.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.server.runtime.block_on(future)
    }

    /// Adds a hall of rows with up to 100 seats.
    pub(crate) async fn add_hall(&self, seats: u32) -> Result<Hall, Failure> {
        let catalogue = &self.engine.catalogue;
        let venue = catalogue.add_venue("The Bench", "Asia/Seoul", None).await?;
        let seats_per_row = seats.min(100);
        let section = SectionSpec {
            name: "Stalls".into(),
            rows: seats / seats_per_row,
            seats_per_row,
            category: "Standard".into(),
        };
        let hall = catalogue.add_hall(venue.id, "Hall", &Plan::generate(&[section])?).await?;
        let show = catalogue.add_show(show(0), None).await?.id;
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
            let show = self.engine.catalogue.add_show(show(film), None).await?.id;
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

    /// Holds all seats of a performance, one an order, for so many buyers in turn; the orders and
    /// whose they are.
    pub(crate) async fn hold_all(
        &self,
        performance: PerformanceId,
        seats: &[SeatId],
        buyers: i64,
    ) -> Result<Vec<(OrderId, i64)>, Failure> {
        let mut orders = Vec::with_capacity(seats.len());
        for (chunk, at_once) in seats.chunks(FILLING_AT_ONCE).enumerate() {
            let mut tasks = JoinSet::new();
            for (index, seat) in at_once.iter().copied().enumerate() {
                let number = i64::try_from(chunk * FILLING_AT_ONCE + index)?;
                let (sales, buyer) = (self.engine.sales.clone(), 1 + number % buyers);
                tasks.spawn(async move {
                    let held = sales.hold(UserId(buyer), None, performance, vec![seat]).await;
                    held.map(|held| (held.order.id, buyer))
                });
            }
            while let Some(held) = tasks.join_next().await {
                orders.push(held??);
            }
        }
        Ok(orders)
    }

    /// Gives so many buyers points enough for everything.
    pub(crate) async fn charge_all(&self, buyers: i64) -> Result<(), Failure> {
        let mut tasks = JoinSet::new();
        for buyer in 1..=buyers {
            let sales = self.engine.sales.clone();
            tasks.spawn(async move { sales.charge(UserId(buyer), None, 1_000_000_000).await });
        }
        while let Some(charged) = tasks.join_next().await {
            charged??;
        }
        Ok(())
    }

    /// Adds an item with more units than anybody will order.
    pub(crate) async fn add_item(&self) -> Result<ItemId, Failure> {
        let details = ItemDetails {
            name: "라면".into(),
            content: "라면입니다.".into(),
            price: 1_000,
            kind: ItemKind::General,
            time_zone: "Asia/Seoul".into(),
            image_url: None,
            rules: ItemRules { hold_ms: DAY_MS, units_per_buyer_max: UNITS_PER_BUYER_MAX },
        };
        let item = self.engine.catalogue.add_item(details, UNITS_MAX, None).await?.id;
        self.engine.sales.item(item).await?;
        Ok(item)
    }

    /// Orders units of an item, one an order, for people who are not among the buyers, ten each.
    /// `done` is told how many more are ordered.
    pub(crate) async fn fill_orders(
        &self,
        item: ItemId,
        orders: u32,
        done: impl Fn(u64),
    ) -> Result<(), Failure> {
        let mut tasks = JoinSet::new();
        for number in 0..i64::from(orders) {
            if tasks.len() >= FILLING_AT_ONCE
                && let Some(held) = tasks.join_next().await
            {
                drop(held??);
            }
            let sales = self.engine.sales.clone();
            let buyer = UserId(2 * BUYERS + number / 10);
            tasks.spawn(async move { sales.hold_units(buyer, None, item, 1).await });
            done(1);
        }
        while let Some(held) = tasks.join_next().await {
            drop(held??);
        }
        Ok(())
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
        let removed = self.server.runtime.block_on(async {
            engine.stop().await;
            self.database.remove().await
        });
        if let Err(error) = removed {
            eprintln!("onsale-bench: {error}");
        }
    }
}

/// What the database at `url` calls itself.
pub(crate) fn database_name(url: &str) -> Result<String, Failure> {
    Server::runtime("onsale")?.block_on(async {
        let (database, store) = open_scratch(url).await?;
        let name = store.name().await;
        store.close().await?;
        database.remove().await?;
        Ok(name?)
    })
}

async fn open_scratch(url: &str) -> Result<(ScratchDatabase, SqlStore), Failure> {
    let database = ScratchDatabase::create(url, RandomIds::default().next(SystemClock.now())).await?;
    match SqlStore::open(database.url(), &StoreOptions::new(Currency::KRW)).await {
        Ok(store) => Ok((database, store)),
        Err(error) => {
            database.remove().await?;
            Err(error.into())
        }
    }
}

fn settings(sales: SaleSettings) -> Settings {
    let accounts = AccountSettings {
        signing_key: SIGNING_KEY.to_vec(),
        access_s: 86_400,
        refresh_s: 86_400,
        refresh_grace_s: 10,
        argon2_memory_kib: 64,
        argon2_passes: 1,
        hashing_threads: 1,
        hashing_queue_max: 1,
    };
    Settings { sales, points_from: PointsFrom::Anyone, ..Settings::new(accounts) }
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
