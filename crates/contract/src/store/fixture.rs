//! A small world to sell in, and a pipeline of one batch at a time.

use std::{collections::HashMap, sync::Arc};

use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    decide::{
        Cancel, Changes, Charge, ClaimCheck, Command, Decider, Expire, FactKeys, Facts, Hold, HoldUnits,
        IdempotencyKey, LockSeats, Outcome, Pay, Refusal, Request, SetStock,
    },
    hall::{Plan, SectionSpec},
    ids::{HallId, ItemId, OrderId, PaymentId, PerformanceId, SeatId, ShowId, TransferId, UserId, VenueId},
    item::{ItemDetails, ItemKind, ItemRules},
    order::Order,
    sale::SaleRules,
    time::Timestamp,
};
use onsale_engine::{
    ids::{CountingIds, Ids},
    ports::{Guard, LoadedFacts, SaleTransaction, Store},
};
use uuid::Uuid;

/// When the world's sales open.
pub const OPENS: Timestamp = Timestamp(1_000_000);
/// When its performance starts.
pub const STARTS: Timestamp = Timestamp(100_000_000);
/// What a seat costs.
pub const PRICE: i64 = 15_000;
/// How long a hold lasts.
pub const HOLD_MS: i64 = 300_000;

/// A venue, a hall of ten rows of ten seats, a film and a performance of it.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The venue.
    pub venue: VenueId,
    /// The hall.
    pub hall: HallId,
    /// The film.
    pub show: ShowId,
    /// The performance.
    pub performance: PerformanceId,
    /// The seats, by ordinal.
    pub seats: Vec<SeatId>,
    ids: Arc<CountingIds>,
}

impl Fixture {
    /// Builds the small world in an empty store.
    pub async fn new(store: Arc<dyn Store>) -> Self {
        Self::with_plan(store, &hall_plan("Stalls", 10, 10)).await
    }

    /// Builds it with another hall.
    pub async fn with_plan(store: Arc<dyn Store>, plan: &Plan) -> Self {
        Self::build(store, plan, Arc::new(CountingIds::default())).await
    }

    /// A second such world in the same store.
    pub async fn another_hall(&self) -> Self {
        Self::build(self.store.clone(), &hall_plan("Stalls", 10, 10), self.ids.clone()).await
    }

    async fn build(store: Arc<dyn Store>, plan: &Plan, ids: Arc<CountingIds>) -> Self {
        let venue = store.add_venue("Grand", "Asia/Seoul", None).await.expect("a venue is added");
        let hall = store.add_hall(venue, "Hall 1", plan).await.expect("a hall is added");
        let show = store.add_show(show(ShowKind::Movie, "Parasite"), None).await.expect("a show is added");
        let details = performance(show, hall);
        let performance = store.add_performance(&details).await.expect("a performance is added");
        let map = store.seat_map(hall).await.expect("the seats are read").expect("the hall is there");
        let seats = map.seats().iter().map(|seat| seat.id).collect();
        Self { store, venue, hall, show, performance, seats, ids }
    }

    /// Another performance of the same film in the same hall.
    pub async fn another_performance(&self) -> PerformanceId {
        let details = performance(self.show, self.hall);
        self.store.add_performance(&details).await.expect("a performance is added")
    }

    /// A new id.
    pub fn id(&self, now: Timestamp) -> Uuid {
        self.ids.next(now)
    }

    /// A request for seats of the performance, by ordinal.
    pub fn hold(&self, caller: i64, key: Option<u128>, ordinals: &[usize], now: Timestamp) -> Request {
        let seats = ordinals.iter().map(|ordinal| self.seats[*ordinal]).collect();
        let hold = Hold { order: OrderId(self.id(now)), performance: self.performance, seats };
        request(caller, key, Command::Hold(hold))
    }

    /// A request to pay an order.
    pub fn pay(&self, order: &Order, key: Option<u128>, now: Timestamp) -> Request {
        let pay = Pay {
            order: order.id,
            offer: order.offer(),
            payment: PaymentId(self.id(now)),
            transfer: TransferId(self.id(now)),
        };
        request(order.user.0, key, Command::Pay(pay))
    }

    /// A request to give an order back.
    pub fn cancel(&self, order: &Order, now: Timestamp) -> Request {
        let transfer = TransferId(self.id(now));
        let cancel = Cancel { order: order.id, offer: order.offer(), transfer };
        request(order.user.0, None, Command::Cancel(cancel))
    }

    /// A request to release an order.
    pub fn expire(&self, order: &Order) -> Request {
        let expire = Expire { order: order.id, offer: order.offer(), made_ahead: false };
        request(order.user.0, None, Command::Expire(expire))
    }

    /// A request to add points.
    pub fn charge(&self, caller: i64, key: Option<u128>, amount: i64, now: Timestamp) -> Request {
        let transfer = TransferId(self.id(now));
        request(caller, key, Command::Charge(Charge { amount, transfer }))
    }

    /// A request for units of an item.
    pub fn hold_units(
        &self,
        caller: i64,
        key: Option<u128>,
        item: ItemId,
        count: u32,
        now: Timestamp,
    ) -> Request {
        let hold = HoldUnits { order: OrderId(self.id(now)), item, count };
        request(caller, key, Command::HoldUnits(hold))
    }

    /// A request to change an item's stock.
    pub fn set_stock(&self, item: ItemId, total: i64) -> Request {
        request(1, None, Command::SetStock(SetStock { item, total }))
    }

    /// Holds units of an item.
    pub async fn held_units(&self, caller: i64, item: ItemId, count: u32, now: Timestamp) -> Order {
        match self.accept(self.hold_units(caller, None, item, count, now), now).await {
            Outcome::Held { order, .. } => order,
            other => panic!("a hold was answered {other:?}"),
        }
    }

    /// A request to lock or unlock seats, by ordinal.
    pub fn lock(&self, ordinals: &[usize], lock: bool) -> Request {
        let seats = ordinals.iter().map(|ordinal| self.seats[*ordinal]).collect();
        request(1, None, Command::LockSeats(LockSeats { performance: self.performance, seats, lock }))
    }

    /// Carries out a batch and commits it.
    pub async fn run(&self, requests: &[Request], now: Timestamp) -> Vec<Result<Outcome, Refusal>> {
        let mut transaction = self.begin().await;
        let (answers, changes) = self.decide(&mut *transaction, requests, now).await;
        transaction.write(&changes).await.expect("the batch is written");
        transaction.commit().await.expect("the batch is committed");
        answers
    }

    /// Carries out one request that must be accepted.
    pub async fn accept(&self, request: Request, now: Timestamp) -> Outcome {
        let answer = self.run(&[request], now).await.pop().expect("one request has one answer");
        answer.expect("the request is accepted")
    }

    /// Holds seats, by ordinal.
    pub async fn held(&self, caller: i64, key: Option<u128>, ordinals: &[usize], now: Timestamp) -> Order {
        match self.accept(self.hold(caller, key, ordinals, now), now).await {
            Outcome::Held { order, .. } => order,
            other => panic!("a hold was answered {other:?}"),
        }
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Box<dyn SaleTransaction> {
        self.store.begin(Guard::default()).await.expect("a transaction begins")
    }

    /// Loads and decides a batch, without writing it.
    pub async fn decide(
        &self,
        transaction: &mut dyn SaleTransaction,
        requests: &[Request],
        now: Timestamp,
    ) -> (Vec<Result<Outcome, Refusal>>, Changes) {
        decide(&*self.store, transaction, requests, now, ClaimCheck::On).await
    }

    /// Loads the facts behind keys in a transaction of their own.
    pub async fn load(&self, keys: &FactKeys) -> LoadedFacts {
        self.begin().await.load(keys).await.expect("the facts are loaded")
    }
}

/// Loads the facts that requests need and decides them.
pub async fn decide(
    store: &dyn Store,
    transaction: &mut dyn SaleTransaction,
    requests: &[Request],
    now: Timestamp,
    claim_check: ClaimCheck,
) -> (Vec<Result<Outcome, Refusal>>, Changes) {
    let facts = load_facts(store, transaction, requests, now).await;
    let mut decider = Decider::new(facts, now, claim_check);
    let answers = requests.iter().map(|request| decider.decide(request)).collect();
    (answers, decider.into_changes())
}

/// Loads the facts that requests need, terms included.
pub async fn load_facts(
    store: &dyn Store,
    transaction: &mut dyn SaleTransaction,
    requests: &[Request],
    now: Timestamp,
) -> Facts {
    let loaded =
        transaction.load(&FactKeys::of(requests).with_lapsed_by(now)).await.expect("the facts are loaded");
    let (mut sale_terms, mut item_terms) = (HashMap::new(), HashMap::new());
    for (performance, (revision, _)) in &loaded.performances {
        let terms = store.sale_terms(*performance).await.expect("the terms are read").expect("they exist");
        assert_eq!(terms.revision, *revision, "the terms are of the revision that a transaction loads");
        sale_terms.insert(*performance, Arc::new(terms));
    }
    for (item, loaded) in &loaded.items {
        let all = OrderId::first_at(Timestamp(0));
        let sale = store.item_sale(*item, all).await.expect("the terms are read").expect("they exist");
        assert_eq!(
            sale.terms.revision, loaded.revision,
            "the terms are of the revision that a transaction loads"
        );
        item_terms.insert(*item, Arc::new(sale.terms));
    }
    loaded.with_terms(|id| sale_terms.get(&id).cloned(), |id| item_terms.get(&id).cloned())
}

/// A request with a key whose fingerprint is 7.
pub fn request(caller: i64, key: Option<u128>, command: Command) -> Request {
    let key = key.map(|id| IdempotencyKey { id, fingerprint: 7 });
    Request { caller: UserId(caller), key, command }
}

/// A section of equal rows.
pub fn hall_plan(section: &str, rows: u32, seats_per_row: u32) -> Plan {
    let section =
        SectionSpec { name: section.to_owned(), rows, seats_per_row, category: "Standard".to_owned() };
    Plan::generate(&[section]).expect("the plan is sound")
}

/// A show of which only kind and title are known.
pub fn show(kind: ShowKind, title: &str) -> ShowDetails {
    ShowDetails::new(kind, title)
}

/// An item that is always on sale.
pub fn item(name: &str) -> ItemDetails {
    ItemDetails {
        name: name.to_owned(),
        content: format!("{name}, fresh"),
        price: 1_000,
        kind: ItemKind::General,
        time_zone: "Asia/Seoul".to_owned(),
        image_url: None,
        rules: ItemRules { hold_ms: HOLD_MS, units_per_buyer_max: 5 },
    }
}

/// A performance as the fixture has it.
pub fn performance(show: ShowId, hall: HallId) -> PerformanceDetails {
    PerformanceDetails {
        show,
        hall,
        starts_at: STARTS,
        ends_at: STARTS.plus_ms(7_200_000),
        on_sale_at: OPENS,
        rules: SaleRules { hold_ms: HOLD_MS, ..SaleRules::default() },
        prices: vec![PriceLevel { category: 0, grade: "S".to_owned(), price: PRICE }],
    }
}
