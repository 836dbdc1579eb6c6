//! Waiting rooms in front of sales, on a real database, with a clock that the tests move.

use std::sync::Arc;

use onsale_coordination::{LocalCoordination, RedisCoordination, RedisOptions};
use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    decide::{IdempotencyKey, Refusal},
    hall::{Plan, SectionSpec},
    ids::{ItemId, OrderId, PerformanceId, RoomId, SeatId, UserId},
    item::{ItemDetails, ItemKind, ItemRules},
    line::{Mode, RoomChange, RoomSettings, Schedule},
    money::Currency,
    offer::Offer,
    sale::SaleRules,
    time::Timestamp,
    wallet::PointsFrom,
};
use onsale_engine::{
    Engine, Settings,
    accounts::AccountSettings,
    clock::ManualClock,
    ids::RandomIds,
    line::{EntryRefusal, InLineStatus, LineError, RoomDetails, RoomEdit, Shopper, TokenError, WaitingRooms},
    ports::{Admits, Store, StoreError},
    sales::SaleError,
};
use onsale_store::{SqlStore, StoreOptions};
use tempfile::TempDir;

const START: Timestamp = Timestamp(1_800_000_000_000);
const BUYER: UserId = UserId(1);
const OTHER: UserId = UserId(2);

/// A database, and nodes on it.
struct World {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    performance: PerformanceId,
    seats: Vec<SeatId>,
    _folder: TempDir,
}

fn settings() -> Settings {
    settings_with_key(7)
}

fn settings_with_key(key: u8) -> Settings {
    let accounts = AccountSettings {
        signing_key: vec![key; 32],
        access_s: 3_600,
        refresh_s: 86_400,
        refresh_grace_s: 10,
        argon2_memory_kib: 8,
        argon2_passes: 1,
        hashing_threads: 1,
        hashing_queue_max: 64,
    };
    Settings { points_from: PointsFrom::Anyone, ..Settings::new(accounts) }
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let section =
            SectionSpec { name: "A".into(), rows: 1, seats_per_row: 10, category: "Standard".into() };
        let venue = store.add_venue("Arena", "UTC", None).await.unwrap();
        let hall = store.add_hall(venue, "Main", &Plan::generate(&[section]).unwrap()).await.unwrap();
        let show = ShowDetails::new(ShowKind::Concert, "Opening night");
        let details = PerformanceDetails {
            show: store.add_show(show, None).await.unwrap(),
            hall,
            starts_at: START.plus_ms(86_400_000),
            ends_at: START.plus_ms(90_000_000),
            on_sale_at: START,
            rules: SaleRules::default(),
            prices: vec![PriceLevel { category: 0, grade: "S".into(), price: 1_000 }],
        };
        let performance = store.add_performance(&details).await.unwrap();
        let seats = store.seat_map(hall).await.unwrap().unwrap().seats().iter().map(|seat| seat.id).collect();
        let clock = Arc::new(ManualClock::new(START));
        Self { store, clock, performance, seats, _folder: folder }
    }

    /// A node that runs rooms.
    async fn node(&self) -> Engine {
        self.node_with(settings()).await
    }

    async fn node_with(&self, settings: Settings) -> Engine {
        let (clock, ids) = (self.clock.clone(), Arc::new(RandomIds::default()));
        Engine::start_with_rooms(self.store.clone(), self.clock.clone(), ids, settings, |journal| {
            Arc::new(LocalCoordination::new(journal, clock))
        })
        .await
        .unwrap()
    }

    /// A node that runs none.
    async fn node_without_rooms(&self) -> Engine {
        let ids = Arc::new(RandomIds::default());
        Engine::start(self.store.clone(), self.clock.clone(), ids, settings()).await.unwrap()
    }

    /// A tool beside the nodes.
    fn beside(&self) -> WaitingRooms {
        WaitingRooms::beside(self.store.clone(), self.clock.clone(), Arc::new(RandomIds::default()))
    }

    /// An open room in front of the performance.
    async fn room(&self, node: &Engine, mode: Mode) -> RoomId {
        self.room_for(node, self.performance.into(), mode).await
    }

    async fn room_for(&self, node: &Engine, offer: Offer, mode: Mode) -> RoomId {
        self.room_that_admits(node, offer, mode, Admits::Accounts).await
    }

    async fn room_that_admits(&self, node: &Engine, offer: Offer, mode: Mode, admits: Admits) -> RoomId {
        let details = RoomDetails {
            owner: None,
            name: "Room".into(),
            admits,
            offers: vec![offer],
            settings: RoomSettings::new(mode),
            schedule: Schedule::default(),
        };
        let room = node.rooms.add(details).await.unwrap().id;
        node.rooms.edit(room, change(RoomChange::Open)).await.unwrap();
        room
    }

    async fn hold(&self, node: &Engine, user: UserId, pass: Option<&str>) -> Result<(), EntryRefusal> {
        let shopper = Shopper { user, pass, from: None };
        match node.sales.hold(shopper, None, self.performance, vec![self.seats[0]]).await {
            Ok(held) => {
                node.sales.cancel(user, held.order.id).await.unwrap();
                Ok(())
            }
            Err(SaleError::NoEntry(refused)) => Err(refused.reason),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Orders a unit of an item.
async fn order(node: &Engine, item: ItemId, pass: Option<&str>) -> Result<OrderId, EntryRefusal> {
    order_as(node, BUYER, item, pass).await
}

async fn order_as(
    node: &Engine,
    user: UserId,
    item: ItemId,
    pass: Option<&str>,
) -> Result<OrderId, EntryRefusal> {
    match node.sales.hold_units(Shopper { user, pass, from: None }, None, item, 1).await {
        Ok(held) => Ok(held.order.id),
        Err(SaleError::NoEntry(refused)) => Err(refused.reason),
        Err(other) => panic!("{other}"),
    }
}

async fn pay(node: &Engine, order: OrderId, pass: Option<&str>) -> Result<(), EntryRefusal> {
    match node.sales.pay(Shopper { user: BUYER, pass, from: None }, None, order).await {
        Ok(_) => Ok(()),
        Err(SaleError::NoEntry(refused)) => Err(refused.reason),
        Err(other) => panic!("{other}"),
    }
}

fn soup(rules: ItemRules) -> ItemDetails {
    ItemDetails {
        name: "Soup".into(),
        content: "Hot.".into(),
        price: 1_000,
        kind: ItemKind::General,
        time_zone: "UTC".into(),
        image_url: None,
        rules,
    }
}

/// An item behind a room is ordered at one node and paid for at another, both with a pass alone, which
/// paying uses up.
async fn an_item_is_sold_to_those_inside(world: &World, one: &Engine, other: &Engine) {
    let soup = soup(ItemRules::default());
    let item = one.catalogue.add_item(soup.clone(), 10, None).await.unwrap().id;
    let beside = one.catalogue.add_item(soup, 10, None).await.unwrap().id;
    assert_eq!(item.0, world.performance.0, "the same number as the performance's, which stays open");
    one.sales.charge(BUYER, None, 100_000).await.unwrap();
    let early = order(one, item, None).await.expect("a sale without a room is open to all");
    let room = world.room_for(one, item.into(), Mode::BankWindow { inside_max: 1 }).await;
    other.rooms.look().await.unwrap();
    for node in [one, other] {
        assert!(matches!(order(node, item, None).await, Err(EntryRefusal::NoToken)));
        assert!(matches!(pay(node, early, None).await, Err(EntryRefusal::NoToken)));
        assert_eq!(node.rooms.room_of(item), Some(room));
        world.hold(node, BUYER, None).await.expect("the performance has no room");
        order(node, beside, None).await.expect("nor has another item");
    }
    let pass = other.rooms.join(room, Some(BUYER), None).await.unwrap().token;
    let waiting = one.rooms.join(room, Some(OTHER), None).await.unwrap();
    assert!(matches!(waiting.status, InLineStatus::Waiting { ahead: 0, .. }), "{waiting:?}");
    let held = order(one, item, Some(&pass)).await.unwrap();
    pay(other, held, Some(&pass)).await.unwrap();
    for node in [one, other] {
        assert!(matches!(order(node, item, Some(&pass)).await, Err(EntryRefusal::Over)));
        assert!(matches!(pay(node, early, Some(&pass)).await, Err(EntryRefusal::Over)));
    }
    // The control: with nothing behind the room all goes through without a pass.
    one.rooms.edit(room, RoomEdit { offers: Some(Vec::new()), ..RoomEdit::default() }).await.unwrap();
    other.rooms.look().await.unwrap();
    order(other, item, None).await.unwrap();
    pay(one, early, None).await.unwrap();
}

const WINDOW_OF_ONE: Mode = Mode::BankWindow { inside_max: 1 };

/// A guest's pass is used by ten accounts, at any node: it is the first one's, also after the nodes have
/// changed.
async fn a_guests_pass_is_used_by_one_account(
    world: &World,
    one: &Engine,
    other: &Engine,
) -> (ItemId, String) {
    let item = one.catalogue.add_item(soup(ItemRules::default()), 100, None).await.unwrap().id;
    let room = world.room_that_admits(one, item.into(), WINDOW_OF_ONE, Admits::Anybody).await;
    other.rooms.look().await.unwrap();
    let pass = one.rooms.join(room, None, None).await.unwrap().token;
    order_as(other, UserId(20), item, Some(&pass)).await.expect("the first");
    for account in 21..30 {
        for node in [one, other] {
            let refused = order_as(node, UserId(account), item, Some(&pass)).await;
            let others = matches!(refused, Err(EntryRefusal::Token(TokenError::OtherVisitor)));
            assert!(others, "{account}: {refused:?}");
        }
    }
    order_as(one, UserId(20), item, Some(&pass)).await.expect("it is theirs");
    (item, pass)
}

/// A pass that was used up at one node is used up at the other, and after both have crashed.
async fn what_is_used_up_is_used_up(
    world: &World,
    one: &Engine,
    other: &Engine,
) -> (ItemId, RoomId, Vec<String>) {
    let item = one.catalogue.add_item(soup(ItemRules::default()), 100, None).await.unwrap().id;
    one.sales.charge(BUYER, None, 100_000).await.unwrap();
    let room = world.room_for(one, item.into(), WINDOW_OF_ONE).await;
    other.rooms.look().await.unwrap();
    let mut used = Vec::new();
    for turn in 0..3 {
        // Buys, and joins anew.
        let joined = one.rooms.join(room, Some(BUYER), None).await.unwrap();
        assert!(matches!(joined.status, InLineStatus::Active { .. }), "{turn}: {joined:?}");
        let held = order(other, item, Some(&joined.token)).await.unwrap();
        pay(one, held, Some(&joined.token)).await.unwrap();
        used.push(joined.token);
        for node in [one, other] {
            let refused = order(node, item, used.last().map(String::as_str)).await;
            assert!(matches!(refused, Err(EntryRefusal::Over)), "{refused:?}");
        }
    }
    (item, room, used)
}

/// Nobody gets in with what was used up before a crash, and one is inside at most.
async fn the_window_holds_one(node: &Engine, item: ItemId, room: RoomId, used: &[String]) {
    for pass in used {
        let refused = order(node, item, Some(pass)).await;
        assert!(matches!(refused, Err(EntryRefusal::Over)), "{refused:?}");
    }
    let mut inside = 0;
    for visitor in 50..60 {
        let joined = node.rooms.join(room, Some(UserId(visitor)), None).await.unwrap();
        inside += u32::from(matches!(joined.status, InLineStatus::Active { .. }));
    }
    assert_eq!(inside, 1, "the next one, at once, and no more");
}

fn change(change: RoomChange) -> RoomEdit {
    RoomEdit { changes: vec![change], ..RoomEdit::default() }
}

#[tokio::test]
async fn a_sale_is_shut_from_the_moment_it_has_a_room() {
    let world = World::new().await;
    let node = world.node().await;
    world.hold(&node, BUYER, None).await.expect("a sale without a room is open to all");
    let room = world.room(&node, Mode::BankWindow { inside_max: 1 }).await;
    assert!(matches!(world.hold(&node, BUYER, None).await, Err(EntryRefusal::NoToken)));
    let refused = node.sales.view(world.performance).await.err().expect("no seats are shown");
    assert!(matches!(refused, SaleError::NoEntry(refused) if refused.room == room));

    let active = node.rooms.join(room, Some(BUYER), None).await.unwrap();
    assert!(matches!(active.status, InLineStatus::Active { .. }), "{active:?}");
    world.hold(&node, BUYER, Some(&active.token)).await.unwrap();
    let theirs = world.hold(&node, OTHER, Some(&active.token)).await;
    assert!(matches!(theirs, Err(EntryRefusal::Token(TokenError::OtherVisitor))), "{theirs:?}");
    let waiting = node.rooms.join(room, Some(OTHER), None).await.unwrap();
    assert!(matches!(waiting.status, InLineStatus::Waiting { ahead: 0, .. }), "{waiting:?}");
    let early = world.hold(&node, OTHER, Some(&waiting.token)).await;
    assert!(matches!(early, Err(EntryRefusal::NotYourTurn)), "{early:?}");

    // Leaving gives the slot to the next one.
    node.rooms.leave(&active.token, Some(BUYER)).await.unwrap();
    assert!(matches!(world.hold(&node, BUYER, Some(&active.token)).await, Err(EntryRefusal::Over)));
    world.clock.advance_ms(100);
    node.rooms.advance().await;
    let entered = node.rooms.ask(&waiting.token, Some(OTHER)).await.unwrap();
    world.hold(&node, OTHER, Some(&entered.token)).await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn an_item_is_sold_to_those_inside_on_one_node() {
    let world = World::new().await;
    let node = world.node().await;
    an_item_is_sold_to_those_inside(&world, &node, &node).await;
    node.stop().await;
}

#[tokio::test]
async fn a_pass_lasts_as_long_as_a_hold_of_an_item() {
    let world = World::new().await;
    let node = world.node().await;
    let mut item = soup(ItemRules { hold_ms: 300_001, ..ItemRules::default() });
    let slow = node.catalogue.add_item(item.clone(), 10, None).await.unwrap().id;
    item.rules.hold_ms = 300_000;
    let quick = node.catalogue.add_item(item, 10, None).await.unwrap().id;
    let room = |offers: Vec<Offer>| RoomDetails {
        owner: None,
        name: "Room".into(),
        admits: Admits::Accounts,
        offers,
        settings: RoomSettings::new(Mode::BankWindow { inside_max: 1 }),
        schedule: Schedule::default(),
    };
    let refused = node.rooms.add(room(vec![quick.into(), slow.into()])).await;
    assert!(matches!(refused, Err(LineError::Invalid { field: "pass_ms", .. })), "{refused:?}");
    let refused = node.rooms.add(room(vec![quick.into(), quick.into()])).await;
    assert!(matches!(refused, Err(LineError::Invalid { field: "items", .. })), "{refused:?}");
    let refused = node.rooms.add(room(vec![ItemId(99).into()])).await;
    assert!(matches!(refused, Err(LineError::Store(StoreError::Missing("item")))), "{refused:?}");
    assert!(node.rooms.list().await.unwrap().is_empty(), "what is refused leaves nothing");
    node.rooms.add(room(vec![quick.into()])).await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_guests_pass_is_used_by_one_account_on_one_node() {
    let world = World::new().await;
    let node = world.node().await;
    let (item, pass) = a_guests_pass_is_used_by_one_account(&world, &node, &node).await;
    // Not stopped, as after a crash.
    let next = world.node().await;
    let refused = order_as(&next, UserId(21), item, Some(&pass)).await;
    assert!(matches!(refused, Err(EntryRefusal::Token(TokenError::OtherVisitor))), "{refused:?}");
    order_as(&next, UserId(20), item, Some(&pass)).await.expect("it is theirs");
    node.stop().await;
    next.stop().await;
}

#[tokio::test]
async fn what_is_used_up_is_used_up_also_after_a_crash_and_a_restart() {
    let world = World::new().await;
    let node = world.node().await;
    let (item, room, used) = what_is_used_up_is_used_up(&world, &node, &node).await;
    let crashed = world.node().await;
    the_window_holds_one(&crashed, item, room, &used).await;
    crashed.stop().await;
    let restarted = world.node().await;
    for pass in &used {
        assert!(matches!(order(&restarted, item, Some(pass)).await, Err(EntryRefusal::Over)));
    }
    node.stop().await;
    restarted.stop().await;
}

#[tokio::test]
async fn a_pass_lasts_as_long_as_a_hold_that_was_made_longer_since() {
    let world = World::new().await;
    let mut node = world.node().await;
    let mut details = soup(ItemRules { hold_ms: 300_000, ..ItemRules::default() });
    let item = node.catalogue.add_item(details.clone(), 10, None).await.unwrap().id;
    node.sales.charge(BUYER, None, 100_000).await.unwrap();
    let room = world.room_for(&node, item.into(), WINDOW_OF_ONE).await;
    details.rules.hold_ms = 900_000;
    node.catalogue.change_item(item, details).await.unwrap();
    // What is behind the room is no reason not to run it.
    for edit in [RoomChange::Pause, RoomChange::Open] {
        node.rooms.edit(room, change(edit)).await.unwrap();
    }
    for crashes in [false, true] {
        let pass = node.rooms.join(room, Some(BUYER), None).await.unwrap().token;
        world.clock.advance_ms(290_000);
        let held = order(&node, item, Some(&pass)).await.unwrap();
        if crashes {
            node = world.node().await;
        }
        world.clock.advance_ms(899_000);
        node.rooms.advance().await;
        assert!(node.rooms.join(room, Some(OTHER), None).await.is_ok());
        pay(&node, held, Some(&pass)).await.expect("the seat is held, so it can be paid");
        let next = node.rooms.join(room, Some(OTHER), None).await.unwrap();
        assert!(matches!(next.status, InLineStatus::Active { .. }), "{next:?}");
        node.rooms.leave(&next.token, Some(OTHER)).await.unwrap();
    }
    node.stop().await;
}

/// A new key: places, passes and log-ins go on, and what is shown is signed anew.
#[tokio::test]
async fn places_and_passes_outlive_their_key() {
    let world = World::new().await;
    let node = world.node().await;
    let room = world.room(&node, WINDOW_OF_ONE).await;
    let pass = node.rooms.join(room, Some(BUYER), None).await.unwrap().token;
    let place = node.rooms.join(room, Some(OTHER), None).await.unwrap();
    node.stop().await;

    let until = START.plus_ms(600_000);
    let former = onsale_engine::FormerKey { key: vec![7; 32], until: Some(until) };
    let rotated = Settings { former_keys: vec![former], ..settings_with_key(8) };
    let node = world.node_with(rotated.clone()).await;
    world.hold(&node, BUYER, Some(&pass)).await.expect("the pass is read");
    let again = node.rooms.ask(&place.token, Some(OTHER)).await.unwrap();
    assert_eq!((again.number, again.status), (place.number, place.status));
    assert_ne!(again.token, place.token, "signed anew");
    assert_eq!(node.rooms.join(room, Some(OTHER), Some(&place.token)).await.unwrap().number, place.number);
    world.clock.set(until);
    let retired = node.rooms.ask(&place.token, Some(OTHER)).await;
    assert!(matches!(retired, Err(LineError::Token(TokenError::RetiredKey))), "{retired:?}");
    assert!(node.rooms.ask(&again.token, Some(OTHER)).await.is_ok());
    node.stop().await;

    // The control: without the former key the place is lost.
    world.clock.set(START);
    let node = world.node_with(settings_with_key(9)).await;
    let lost = node.rooms.ask(&again.token, Some(OTHER)).await;
    assert!(matches!(lost, Err(LineError::Token(TokenError::RetiredKey | TokenError::NotOurs))), "{lost:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_repeated_hold_is_answered_also_when_its_pass_has_ended() {
    let world = World::new().await;
    let node = world.node().await;
    let room = world.room(&node, Mode::BankWindow { inside_max: 1 }).await;
    let pass = node.rooms.join(room, Some(BUYER), None).await.unwrap().token;
    let hold = async |key: u128, fingerprint: u64| {
        let shopper = Shopper { user: BUYER, pass: Some(&pass), from: None };
        let key = Some(IdempotencyKey { id: key, fingerprint });
        node.sales.hold(shopper, key, world.performance, vec![world.seats[0]]).await
    };
    let first = hold(1, 1).await.unwrap();
    node.rooms.leave(&pass, Some(BUYER)).await.unwrap();
    let again = hold(1, 1).await.unwrap();
    assert_eq!((again.order, again.replayed, again.pass), (first.order, true, None));
    let other = hold(1, 2).await;
    assert!(matches!(other, Err(SaleError::Refused(Refusal::KeyReused))), "{other:?}");
    let other = hold(2, 1).await;
    assert!(matches!(other, Err(SaleError::NoEntry(_))), "another request is a new one: {other:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_runs_no_rooms_shuts_the_sale_all_the_same() {
    let world = World::new().await;
    let (node, other) = (world.node().await, world.node_without_rooms().await);
    let room = world.room(&node, Mode::BankWindow { inside_max: 1 }).await;
    let pass = node.rooms.join(room, Some(BUYER), None).await.unwrap().token;
    // Its control: before it has looked it knows of no room.
    world.hold(&other, BUYER, None).await.unwrap();
    other.rooms.look().await.unwrap();
    assert!(matches!(world.hold(&other, BUYER, None).await, Err(EntryRefusal::NoToken)));
    // It cannot tell whether a pass has been used up.
    assert!(matches!(world.hold(&other, BUYER, Some(&pass)).await, Err(EntryRefusal::Unavailable(_))));
    let refused = other.rooms.join(room, Some(BUYER), None).await;
    assert!(matches!(refused, Err(LineError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    other.stop().await;
    node.stop().await;
}

#[tokio::test]
async fn the_next_node_takes_rooms_over_and_passes_hold() {
    let world = World::new().await;
    let first = world.node().await;
    let room = world.room(&first, Mode::BankWindow { inside_max: 2 }).await;
    let pass = first.rooms.join(room, Some(BUYER), None).await.unwrap().token;
    // Not stopped: it is only thought to be dead.
    let second = world.node().await;
    assert!(second.rooms.run_here().contains(&room));
    world.hold(&second, BUYER, Some(&pass)).await.expect("the pass holds on the next node");

    // What the first one would record is refused, and it learns within a second.
    let refused = first.rooms.edit(room, change(RoomChange::Pause)).await;
    assert!(matches!(refused, Err(LineError::Store(StoreError::Rejected(_)))), "{refused:?}");
    assert_eq!(second.rooms.stored(room).await.unwrap().record.revision, 1, "nothing was paused");
    world.hold(&first, BUYER, Some(&pass)).await.expect("control: it does not know yet");
    first.rooms.look().await.unwrap();
    assert!(first.rooms.run_here().is_empty());
    assert!(matches!(world.hold(&first, BUYER, Some(&pass)).await, Err(EntryRefusal::Unavailable(_))));
    first.rooms.look().await.unwrap();
    assert!(second.rooms.run_here().contains(&room), "it does not take the room back");
    second.rooms.edit(room, change(RoomChange::Pause)).await.unwrap();
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_room_that_is_found_while_it_is_added_is_taken_once() {
    let world = World::new().await;
    let node = world.node().await;
    for _ in 0..20 {
        let details = RoomDetails {
            owner: None,
            name: "Room".into(),
            admits: Admits::Anybody,
            offers: Vec::new(),
            settings: RoomSettings::new(Mode::BankWindow { inside_max: 1 }),
            schedule: Schedule::default(),
        };
        let (added, first, second) =
            tokio::join!(node.rooms.add(details), node.rooms.look(), node.rooms.look());
        first.and(second).unwrap();
        let room = added.unwrap().id;
        node.rooms.edit(room, change(RoomChange::Open)).await.unwrap();
        assert!(matches!(
            node.rooms.join(room, None, None).await.unwrap().status,
            InLineStatus::Active { .. }
        ));
    }
    node.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_beside_the_node_is_done_and_answered() {
    let world = World::new().await;
    let node = world.node().await;
    let room = world.room(&node, Mode::BankWindow { inside_max: 2 }).await;
    let beside = world.beside();
    let asked = beside.ask_for(room, change(RoomChange::Pause)).await.unwrap()[0];
    let again = beside.ask_for(room, change(RoomChange::Pause)).await.unwrap()[0];
    assert_eq!(beside.answer(asked).await.unwrap(), None);
    node.rooms.look().await.unwrap();
    assert_eq!(beside.answer(asked).await.unwrap(), Some(Ok(())));
    assert!(matches!(beside.answer(again).await.unwrap(), Some(Err(_))), "it is paused already");
    let short = RoomSettings { pass_ms: 299_999, ..RoomSettings::new(Mode::BankWindow { inside_max: 2 }) };
    let refused = beside.ask_for(room, change(RoomChange::Settings(short))).await;
    assert!(matches!(refused, Err(LineError::Invalid { field: "pass_ms", .. })), "{refused:?}");
    node.stop().await;
}

/// Nodes that share their rooms.
mod redis {
    use std::time::Duration;

    use super::*;

    impl World {
        async fn sharing_node(&self) -> Engine {
            let url = tokio::task::spawn_blocking(onsale_testbed::redis).await.expect("Redis starts");
            let folder = self._folder.path().display().to_string();
            let options = RedisOptions { prefix: folder, ..RedisOptions::default() };
            let (clock, ids) = (self.clock.clone(), Arc::new(RandomIds::default()));
            let node =
                Engine::start_with_rooms(self.store.clone(), clock.clone(), ids, settings(), |journal| {
                    Arc::new(RedisCoordination::start(url, options, journal, clock).unwrap())
                });
            node.await.unwrap()
        }
    }

    async fn until_one_runs(nodes: &[&Engine], room: RoomId) -> usize {
        for _ in 0..1_200 {
            let running = nodes.iter().position(|node| node.rooms.run_here().contains(&room));
            if let Some(running) = running {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody runs the room after a minute");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_item_is_sold_to_those_inside_at_any_node() {
        let world = World::new().await;
        let (one, other) = (world.sharing_node().await, world.sharing_node().await);
        an_item_is_sold_to_those_inside(&world, &one, &other).await;
        one.stop().await;
        other.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_guests_pass_is_used_by_one_account_at_all_nodes() {
        let world = World::new().await;
        let (one, other) = (world.sharing_node().await, world.sharing_node().await);
        let (item, pass) = a_guests_pass_is_used_by_one_account(&world, &one, &other).await;
        let room = one.rooms.room_of(item).unwrap();
        let nodes = [one, other];
        let running = until_one_runs(&[&nodes[0], &nodes[1]], room).await;
        nodes[running].stop().await;
        let left = &nodes[1 - running];
        until_one_runs(&[left], room).await;
        let refused = order_as(left, UserId(21), item, Some(&pass)).await;
        assert!(matches!(refused, Err(EntryRefusal::Token(TokenError::OtherVisitor))), "{refused:?}");
        order_as(left, UserId(20), item, Some(&pass)).await.expect("it is theirs");
        left.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_used_up_is_used_up_at_all_nodes_and_without_redis() {
        let world = World::new().await;
        let (one, other) = (world.sharing_node().await, world.sharing_node().await);
        let (item, room, used) = what_is_used_up_is_used_up(&world, &one, &other).await;
        // Both nodes and their Redis are gone: what is left is in the database.
        let alone = world.node().await;
        the_window_holds_one(&alone, item, room, &used).await;
        for node in [one, other, alone] {
            node.stop().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_node_serves_every_room_and_others_go_on_when_one_stops() {
        let world = World::new().await;
        let (first, second, third) =
            (world.sharing_node().await, world.sharing_node().await, world.sharing_node().await);
        let room = world.room(&second, Mode::BankWindow { inside_max: 1 }).await;
        for node in [&first, &third] {
            node.rooms.look().await.unwrap();
        }
        let nodes = [&first, &second, &third];
        assert_eq!(nodes.iter().filter(|node| node.rooms.run_here().contains(&room)).count(), 1);

        let pass = first.rooms.join(room, Some(BUYER), None).await.unwrap();
        assert!(matches!(pass.status, InLineStatus::Active { .. }));
        let waiting = third.rooms.join(room, Some(OTHER), None).await.unwrap();
        assert!(matches!(waiting.status, InLineStatus::Waiting { ahead: 0, .. }), "{waiting:?}");
        for node in nodes {
            world.hold(node, BUYER, Some(&pass.token)).await.expect("the pass is good at every node");
            assert!(matches!(
                world.hold(node, OTHER, Some(&waiting.token)).await,
                Err(EntryRefusal::NotYourTurn)
            ));
        }

        let beside = world.beside();
        let asked = beside.ask_for(room, change(RoomChange::Pause)).await.unwrap()[0];
        for node in nodes {
            node.rooms.look().await.unwrap();
        }
        assert_eq!(beside.answer(asked).await.unwrap(), Some(Ok(())), "by the one that runs it, once");
        first.rooms.edit(room, change(RoomChange::Open)).await.unwrap();

        let running = until_one_runs(&nodes, room).await;
        nodes[running].stop().await;
        let others: Vec<&Engine> = nodes
            .into_iter()
            .enumerate()
            .filter(|(index, _)| *index != running)
            .map(|(_, node)| node)
            .collect();
        until_one_runs(&others, room).await;
        for node in &others {
            world.hold(node, BUYER, Some(&pass.token)).await.expect("the pass holds");
        }
        others[0].rooms.leave(&pass.token, Some(BUYER)).await.unwrap();
        // Whoever was about to be called when the room changed nodes is called when they ask again.
        others[0].rooms.ask(&waiting.token, Some(OTHER)).await.unwrap();
        others[1].rooms.advance().await;
        others[0].rooms.advance().await;
        let called = others[1].rooms.ask(&waiting.token, Some(OTHER)).await.unwrap();
        assert!(matches!(called.status, InLineStatus::Active { .. }), "{called:?}");
        for node in others {
            node.stop().await;
        }
    }
}
