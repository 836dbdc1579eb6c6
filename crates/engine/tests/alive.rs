//! A node that lives through a lane's death, and through a clock that is set, on a real database.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use onsale_coordination::LocalCoordination;
use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    hall::{Plan, SectionSpec},
    ids::{PerformanceId, SeatId, UserId},
    line::{Mode, RoomChange, RoomSettings, Schedule},
    money::Currency,
    order::OrderStatus,
    sale::SaleRules,
    user::Role,
};
use onsale_engine::{
    Engine, NotReady, Settings,
    accounts::AccountSettings,
    clock::{AnchoredClock, Clock, ClockSources},
    ids::RandomIds,
    line::{InLineStatus, RoomDetails, RoomEdit},
    ports::{Admits, Store},
    sales::SaleError,
    vitals::Vitals,
};
use onsale_store::{SqlStore, StoreOptions};
use tokio::time::{Instant, sleep};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HOLD_MS: i64 = 3_000;
const ACCESS_MS: i64 = 60_000;
const TWO_HOURS_MS: i64 = 7_200_000;

/// A node whose wall clock the test sets.
struct World {
    node: Engine,
    clock: Arc<AnchoredClock>,
    set_by_ms: Arc<AtomicI64>,
    slept_ms: Arc<AtomicI64>,
    performance: PerformanceId,
    seats: Vec<SeatId>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(vitals: Vitals) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let (set_by_ms, slept_ms) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let (begun, sleeping) = (Instant::now(), slept_ms.clone());
        let steady_us = move || {
            i64::try_from(begun.elapsed().as_micros()).unwrap() + sleeping.load(Ordering::SeqCst) * 1_000
        };
        let (setting, steady) = (set_by_ms.clone(), steady_us.clone());
        let wall_us = move || 1_800_000_000_000_000 + steady() + setting.load(Ordering::SeqCst) * 1_000;
        let sources = ClockSources { wall_us: Box::new(wall_us), steady_us: Box::new(steady_us) };
        let clock = Arc::new(AnchoredClock::over(sources));
        let section =
            SectionSpec { name: "A".into(), rows: 1, seats_per_row: 20, category: "Standard".into() };
        let venue = store.add_venue("Arena", "UTC", None).await.unwrap();
        let hall = store.add_hall(venue, "Main", &Plan::generate(&[section]).unwrap()).await.unwrap();
        let show = ShowDetails::new(ShowKind::Concert, "Opening night");
        let now = clock.now();
        let details = PerformanceDetails {
            show: store.add_show(show, None).await.unwrap(),
            hall,
            starts_at: now.plus_ms(10 * 86_400_000),
            ends_at: now.plus_ms(10 * 90_000_000),
            on_sale_at: now.plus_ms(-10 * 86_400_000),
            rules: SaleRules { hold_ms: HOLD_MS, ..SaleRules::default() },
            prices: vec![PriceLevel { category: 0, grade: "S".into(), price: 1_000 }],
        };
        let performance = store.add_performance(&details).await.unwrap();
        let seats = store.seat_map(hall).await.unwrap().unwrap().seats().iter().map(|seat| seat.id).collect();
        let settings = Settings {
            vitals,
            ..Settings::new(AccountSettings {
                signing_key: vec![7; 32],
                access_s: ACCESS_MS / 1_000,
                refresh_s: 86_400,
                refresh_grace_s: 0,
                argon2_memory_kib: 64,
                argon2_passes: 1,
                hashing_threads: 1,
                hashing_queue_max: 64,
            })
        };
        let (ids, rooms_clock) = (Arc::new(RandomIds::default()), clock.clone());
        let node = Engine::start_with_rooms(store, clock.clone(), ids, settings, |journal| {
            Arc::new(LocalCoordination::new(journal, rooms_clock))
        });
        Self { node: node.await.unwrap(), clock, set_by_ms, slept_ms, performance, seats, _folder: folder }
    }

    async fn hold(&self, seat: usize) -> Result<onsale_domain::order::Order, SaleError> {
        let buyer = UserId(100 + i64::try_from(seat).unwrap());
        let held = self.node.sales.hold(buyer, None, self.performance, vec![self.seats[seat]]).await;
        held.map(|held| held.order)
    }

    /// Sets the wall clock, for good, and waits until it is followed.
    async fn set_clock(&self, by_ms: i64) {
        let before = self.clock.reading().set_by_ms;
        self.set_by_ms.store(by_ms, Ordering::SeqCst);
        let followed = self.clock.is_set_from(before);
        tokio::time::timeout(Duration::from_secs(20), followed).await.expect("it is followed");
    }

    /// How long it takes until a seat can be held again, in milliseconds from `since`.
    async fn free_after(&self, seat: usize, since: Instant) -> u128 {
        while let Err(error) = self.hold(seat).await {
            assert!(matches!(error, SaleError::Refused(_)), "{error}");
            assert!(since.elapsed() < Duration::from_secs(30), "it is never free again");
            sleep(Duration::from_millis(20)).await;
        }
        since.elapsed().as_millis()
    }
}

async fn until_well(node: &Engine) {
    let since = Instant::now();
    while let Err(error) = node.ready().await {
        assert!(since.elapsed() < Duration::from_secs(20), "{error}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_whose_thread_panics_is_said_and_sells_on() {
    let world = World::new(Vitals::default()).await;
    world.hold(0).await.unwrap();
    world.node.ready().await.unwrap();
    for round in 1..=3 {
        world.node.sales.break_lane_of(world.performance);
        let since = Instant::now();
        let troubles = loop {
            match world.node.ready().await {
                Err(NotReady::Troubles(troubles)) => break troubles,
                other => assert!(since.elapsed() < Duration::from_secs(10), "{other:?}"),
            }
            sleep(Duration::from_millis(5)).await;
        };
        assert!(troubles[0].starts_with("lane 1 of the sale ha"), "{troubles:?}");
        until_well(&world.node).await;
        world.hold(round).await.unwrap();
    }
    world.node.stop().await;
}

/// Negative control of the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_anybody_to_start_it_again_a_lane_stays_dead() {
    let world = World::new(Vitals::without_restarts()).await;
    world.hold(0).await.unwrap();
    world.node.sales.break_lane_of(world.performance);
    sleep(Duration::from_secs(1)).await;
    for _ in 0..3 {
        assert!(matches!(world.hold(1).await, Err(SaleError::Overloaded)));
        assert!(matches!(world.node.ready().await, Err(NotReady::Troubles(_))), "but it does not look alive");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_last_as_long_as_they_were_to_when_the_clock_is_ahead_for_a_while() {
    let world = World::new(Vitals::default()).await;
    // For half a second it is not followed at all.
    world.set_by_ms.store(TWO_HOURS_MS, Ordering::SeqCst);
    sleep(Duration::from_millis(300)).await;
    let (held, since) = (world.hold(0).await.unwrap(), Instant::now());
    assert!(held.expires_at.since_ms(world.clock.now()) <= HOLD_MS);
    world.set_by_ms.store(0, Ordering::SeqCst);
    let free_after = world.free_after(0, since).await;
    assert!((2_900..4_500).contains(&free_after), "{free_after} ms");
    // For longer it is, until it is right again.
    world.set_clock(TWO_HOURS_MS).await;
    let (held, since) = (world.hold(1).await.unwrap(), Instant::now());
    world.set_clock(0).await;
    assert!(held.expires_at.since_ms(world.clock.now()) > TWO_HOURS_MS / 2, "a deadline far ahead");
    let free_after = world.free_after(1, since).await;
    assert!((2_900..4_500).contains(&free_after), "{free_after} ms");
    let order = world.node.sales.order(UserId(101), held.id).await.unwrap();
    assert!(matches!(order.status, OrderStatus::Held | OrderStatus::Expired));
    let (_, since) = (world.hold(2).await.unwrap(), Instant::now());
    let free_after = world.free_after(2, since).await;
    assert!((2_900..4_500).contains(&free_after), "and those made after it: {free_after} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_clock_is_set_back_holds_end_and_the_line_goes_on() {
    let world = World::new(Vitals::default()).await;
    let (node, clock) = (&world.node, &world.clock);
    let details = RoomDetails {
        owner: None,
        name: "Room".into(),
        admits: Admits::Accounts,
        offers: vec![],
        settings: RoomSettings::new(Mode::ThemePark { admissions: 1, interval_ms: 1_000 }),
        schedule: Schedule::default(),
    };
    let room = node.rooms.add(details).await.unwrap().id;
    let open = RoomEdit { changes: vec![RoomChange::Open], ..RoomEdit::default() };
    node.rooms.edit(room, open).await.unwrap();
    let mut line = Vec::new();
    for user in 1..=6 {
        line.push(node.rooms.join(room, Some(UserId(user)), None).await.unwrap().token);
    }
    let (_, since) = (world.hold(0).await.unwrap(), Instant::now());

    let before = clock.now();
    world.set_clock(-TWO_HOURS_MS).await;
    assert!(clock.now() < before, "the clock is followed");

    let free_after = world.free_after(0, since).await;
    assert!((2_900..4_500).contains(&free_after), "{free_after} ms");
    let since = Instant::now();
    loop {
        let last = node.rooms.ask(line.last().unwrap(), Some(UserId(6))).await.unwrap();
        match last.status {
            InLineStatus::Active { .. } => break,
            other => assert!(since.elapsed() < Duration::from_secs(15), "the line stalls: {other:?}"),
        }
        line.push(last.token);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_logged_out_stays_out_when_the_clock_is_set_back() {
    let world = World::new(Vitals::default()).await;
    let accounts = &world.node.accounts;
    accounts.register("min@example.com", "correct horse", "Min", Role::User).await.unwrap();
    let tokens = accounts.log_in("min@example.com", "correct horse", FROM).await.unwrap();
    let caller = accounts.authenticate(&tokens.access).unwrap();
    accounts.log_out(caller).await.unwrap();
    let other = accounts.log_in("min@example.com", "correct horse", FROM).await.unwrap();
    // The machine sleeps until the token has run out, and it is forgotten that its session has ended.
    world.slept_ms.store(200_000, Ordering::SeqCst);
    assert!(accounts.authenticate(&other.access).is_err(), "it has run out");
    sleep(Duration::from_secs(4)).await;
    world.set_clock(-190_000).await;
    accounts.authenticate(&other.access).expect("it is good again");
    let since = Instant::now();
    while accounts.authenticate(&tokens.access).is_ok() {
        assert!(since.elapsed() < Duration::from_secs(1), "somebody who has logged out is in again");
        sleep(Duration::from_millis(10)).await;
    }
}
