//! The performances that are sold, and random steps on them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use onsale_domain::{
    decide::{
        Cancel, Charge, Command, Expire, Hold, HoldUnits, IdempotencyKey, LockSeats, Pay, Release, Request,
        SetStock,
    },
    hall::{Row, Seat, SeatMap},
    ids::{HallId, ItemId, OrderId, PaymentId, PerformanceId, SeatId, ShowId, TransferId, UserId},
    item::{ItemKind, ItemRules, ItemTerms, Stock, UNITS_MAX},
    money::Currency,
    offer::Offer,
    sale::{Price, SaleRules, SaleTerms},
    time::Timestamp,
    wallet::CHARGE_MAX,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::database::Database;

/// Some steps decided together.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// How far the clock moves before it.
    pub(crate) advance_ms: i64,
    /// The steps.
    pub(crate) steps: Vec<Step>,
}

impl Batch {
    pub(crate) fn without_units(mut self) -> Self {
        self.steps.retain(|step| !matches!(step.action, Action::HoldUnits { .. } | Action::SetStock { .. }));
        self
    }

    pub(crate) fn without_seats(mut self) -> Self {
        self.steps.retain(|step| !matches!(step.action, Action::Hold { .. } | Action::Lock { .. }));
        self
    }
}

/// A request without ids, which [`World::requests`] fills in.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    user: i64,
    /// Whether somebody meddles with an order that is not theirs.
    stranger: bool,
    key: Option<u128>,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Hold {
        performance: usize,
        seats: Vec<i64>,
    },
    HoldUnits {
        item: i64,
        count: u32,
    },
    SetStock {
        item: i64,
        total: i64,
    },
    Pay(prop::sample::Index),
    Cancel(prop::sample::Index),
    Expire(prop::sample::Index),
    Release(prop::sample::Index),
    Charge(i64),
    Lock {
        performance: usize,
        seats: Vec<i64>,
        lock: bool,
    },
    /// A request that was sent before, again.
    Again(prop::sample::Index),
}

/// Up to 25 batches of up to 8 steps.
pub(crate) fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let advance_ms = prop_oneof![3 => Just(0), 4 => 1..400_i64, 1 => Just(1_000), 1 => Just(2_500)];
    let batch = (advance_ms, prop::collection::vec(step(), 1..8));
    prop::collection::vec(batch.prop_map(|(advance_ms, steps)| Batch { advance_ms, steps }), 1..25)
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop_oneof![2 => Just(None), 1 => (0..12_u128).prop_map(Some)];
    (1..4_i64, prop::bool::weighted(0.1), key, action()).prop_map(|(user, stranger, key, action)| Step {
        user,
        stranger,
        key,
        action,
    })
}

fn action() -> impl Strategy<Value = Action> {
    let performance = || prop_oneof![8 => 0..3_usize, 1 => 3..6_usize];
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (performance(), seats()).prop_map(|(performance, seats)| Action::Hold { performance, seats }),
        5 => (item(), units()).prop_map(|(item, count)| Action::HoldUnits { item, count }),
        1 => (item(), stock()).prop_map(|(item, total)| Action::SetStock { item, total }),
        6 => index().prop_map(Action::Pay),
        3 => index().prop_map(Action::Cancel),
        2 => index().prop_map(Action::Expire),
        1 => index().prop_map(Action::Release),
        3 => charge().prop_map(Action::Charge),
        1 => (performance(), seats(), any::<bool>())
            .prop_map(|(performance, seats, lock)| Action::Lock { performance, seats, lock }),
        2 => index().prop_map(Action::Again),
    ]
}

/// Mostly neighbours of one hall, sometimes anything.
fn seats() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        8 => (0..8_i64, 1..4_i64).prop_map(|(first, count)| (first..first + count).collect()),
        1 => prop::collection::vec(0..20_i64, 0..4),
    ]
}

/// Two items that are on sale, one that never opens, and one that does not exist.
fn item() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1..3_i64, 1 => 3..5_i64]
}

fn units() -> impl Strategy<Value = u32> {
    prop_oneof![12 => 1..4_u32, 1 => prop::sample::select(vec![0, 5, u32::MAX])]
}

fn stock() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..8_i64, 1 => prop::sample::select(vec![i64::MIN, -1, UNITS_MAX + 1, i64::MAX])]
}

fn charge() -> impl Strategy<Value = i64> {
    let odd = vec![i64::MIN, -1, 0, CHARGE_MAX, CHARGE_MAX + 1, i64::MAX];
    prop_oneof![12 => 100..1_000_i64, 1 => prop::sample::select(odd)]
}

/// Hands out ids and remembers what was asked.
pub(crate) struct World {
    next_id: u128,
    /// The orders that holds were to make, accepted or not: whose and what for.
    orders: Vec<(OrderId, Offer, UserId)>,
    sent: Vec<Request>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            next_id: 1,
            orders: vec![(OrderId(Uuid::nil()), PerformanceId(0).into(), UserId(1))],
            sent: Vec::new(),
        }
    }

    /// Three performances that can be sold, the first two in one hall; one that has been cancelled
    /// and one that never opens.
    pub(crate) fn terms(&self) -> Vec<SaleTerms> {
        let (one, other) = (hall(1, 0), hall(2, 10));
        let rules = |hold_ms, seats_per_buyer_max, side_by_side| SaleRules {
            hold_ms,
            seats_per_buyer_max,
            side_by_side,
        };
        let open = |id, seats: &Arc<SeatMap>, rules| SaleTerms {
            performance: PerformanceId(id),
            show: ShowId(id),
            revision: 1,
            seats: seats.clone(),
            prices: [Some(100), Some(0), None]
                .map(|amount| amount.map(|amount| Price { grade: "S".into(), amount }))
                .to_vec(),
            currency: Currency::KRW,
            on_sale_at: Timestamp(0),
            starts_at: Timestamp(i64::MAX),
            rules,
            cancelled: false,
        };
        vec![
            open(0, &one, rules(1_000, 4, true)),
            SaleTerms { starts_at: Timestamp(1_500), ..open(1, &one, rules(1_500, 2, false)) },
            SaleTerms { on_sale_at: Timestamp(200), ..open(2, &other, rules(2_000, 100, false)) },
            SaleTerms { cancelled: true, ..open(3, &one, rules(1_000, 4, false)) },
            SaleTerms { on_sale_at: Timestamp(i64::MAX), ..open(4, &other, rules(1_000, 4, false)) },
        ]
    }

    /// Two items with few units, the second a time deal that opens soon; a third that never does.
    pub(crate) fn items(&self) -> Vec<(ItemTerms, Stock)> {
        let item = |id, price, kind, hold_ms, units_per_buyer_max, total| {
            let rules = ItemRules { hold_ms, units_per_buyer_max };
            let item = ItemId(id);
            let terms = ItemTerms { item, revision: 1, price, currency: Currency::KRW, kind, rules };
            (terms, Stock { total, left: total })
        };
        let deal = |start_at| ItemKind::TimeDeal { start_at: Timestamp(start_at) };
        vec![
            item(1, 70, ItemKind::General, 1_000, 4, 5),
            item(2, 0, deal(300), 1_500, 3, 4),
            item(3, 70, deal(i64::MAX), 1_000, 4, 5),
        ]
    }

    /// The requests of a batch, with fresh ids.
    pub(crate) fn requests(&mut self, steps: &[Step]) -> Vec<Request> {
        steps.iter().map(|step| self.request(step)).collect()
    }

    fn request(&mut self, step: &Step) -> Request {
        let request = match &step.action {
            Action::Again(index) if !self.sent.is_empty() => self.sent_again(*index),
            action => {
                let (owner, command) = self.command(UserId(step.user), action);
                let caller = if step.stranger { UserId(step.user) } else { owner };
                let keyed = matches!(
                    command,
                    Command::Hold(_) | Command::HoldUnits(_) | Command::Pay(_) | Command::Charge(_)
                );
                let key = step.key.filter(|_| keyed);
                let key = key.map(|id| IdempotencyKey { id, fingerprint: fingerprint(&command) });
                Request { caller, key, command }
            }
        };
        self.sent.push(request.clone());
        request
    }

    fn sent_again(&mut self, index: prop::sample::Index) -> Request {
        let mut request = index.get(&self.sent).clone();
        // What the caller sent is the same; what we number is new.
        request.command = match request.command {
            Command::Hold(hold) => self.hold(request.caller, hold.performance, hold.seats),
            Command::HoldUnits(hold) => self.hold_units(request.caller, hold.item, hold.count),
            Command::Pay(pay) => self.pay(pay.order, pay.offer),
            Command::Charge(charge) => self.charge(charge.amount),
            Command::Cancel(cancel) => Command::Cancel(Cancel { transfer: TransferId(self.id()), ..cancel }),
            other => other,
        };
        request
    }

    /// Mostly forgets the orders that were not made, so that later steps find real ones.
    pub(crate) fn learn(&mut self, database: &Database) {
        self.orders.retain(|(order, ..)| order.0.as_u128() % 8 == 0 || database.orders.contains_key(order));
    }

    /// What is asked, and who would ask it.
    fn command(&mut self, user: UserId, action: &Action) -> (UserId, Command) {
        match action {
            Action::Hold { performance, seats } => {
                let (performance, seats) = named(*performance, seats);
                (user, self.hold(user, performance, seats))
            }
            Action::HoldUnits { item, count } => (user, self.hold_units(user, ItemId(*item), *count)),
            Action::SetStock { item, total } => {
                (user, Command::SetStock(SetStock { item: ItemId(*item), total: *total }))
            }
            Action::Pay(index) => {
                let (order, offer, owner) = self.order(*index);
                (owner, self.pay(order, offer))
            }
            Action::Cancel(index) => {
                let (order, offer, owner) = self.order(*index);
                let transfer = TransferId(self.id());
                (owner, Command::Cancel(Cancel { order, offer, transfer }))
            }
            Action::Expire(index) => {
                let (order, offer, owner) = self.order(*index);
                (owner, Command::Expire(Expire { order, offer, made_ahead: false }))
            }
            Action::Release(index) => {
                let (order, offer, owner) = self.order(*index);
                (owner, Command::Release(Release { order, offer }))
            }
            Action::Charge(amount) => (user, self.charge(*amount)),
            Action::Lock { performance, seats, lock } => {
                let (performance, seats) = named(*performance, seats);
                (user, Command::LockSeats(LockSeats { performance, seats, lock: *lock }))
            }
            Action::Again(_) => (user, self.charge(1)),
        }
    }

    /// One of the latest orders.
    fn order(&self, index: prop::sample::Index) -> (OrderId, Offer, UserId) {
        let latest = self.orders.len().saturating_sub(20);
        *index.get(&self.orders[latest..])
    }

    fn hold(&mut self, user: UserId, performance: PerformanceId, seats: Vec<SeatId>) -> Command {
        let order = OrderId(self.id());
        self.orders.push((order, performance.into(), user));
        Command::Hold(Hold { order, performance, seats })
    }

    fn hold_units(&mut self, user: UserId, item: ItemId, count: u32) -> Command {
        let order = OrderId(self.id());
        self.orders.push((order, item.into(), user));
        Command::HoldUnits(HoldUnits { order, item, count })
    }

    fn pay(&mut self, order: OrderId, offer: Offer) -> Command {
        let (payment, transfer) = (PaymentId(self.id()), TransferId(self.id()));
        Command::Pay(Pay { order, offer, payment, transfer })
    }

    fn charge(&mut self, amount: i64) -> Command {
        Command::Charge(Charge { amount, transfer: TransferId(self.id()) })
    }

    fn id(&mut self) -> Uuid {
        self.next_id += 1;
        Uuid::from_u128(self.next_id)
    }
}

/// Seats are numbered within the performance's hall; 10 and more are in the other one, or nowhere.
fn named(performance: usize, seats: &[i64]) -> (PerformanceId, Vec<SeatId>) {
    let first = if matches!(performance, 2 | 4) { 10 } else { 0 };
    let seats = seats.iter().map(|seat| SeatId((first + seat) % 20)).collect();
    (PerformanceId(i64::try_from(performance).expect("small")), seats)
}

/// Two rows of five seats, with an aisle in the second. Most cost something; the last seat of the
/// first row is free of charge, the last of the second is not for sale.
fn hall(id: i64, first_seat: i64) -> Arc<SeatMap> {
    let rows = ["A", "B"].map(|label| Row { section: "Stalls".into(), label: label.into() });
    let seats = (0..10_i32).map(|index| Seat {
        id: SeatId(first_seat + i64::from(index)),
        row: u32::from(index >= 5),
        place: index % 5 + i32::from(index >= 7),
        number: index.to_string(),
        category: match index {
            4 => 1,
            9 => 2,
            _ => 0,
        },
        x: 0.0,
        y: 0.0,
        guid: None,
    });
    Arc::new(SeatMap::new(
        HallId(id),
        rows.to_vec(),
        vec!["paid".into(), "free".into(), "none".into()],
        seats.collect(),
    ))
}

/// A digest of what the caller asked, without the ids that are ours.
fn fingerprint(command: &Command) -> u64 {
    let mut hasher = DefaultHasher::new();
    match command {
        Command::Hold(hold) => (1, hold.performance, &hold.seats).hash(&mut hasher),
        Command::HoldUnits(hold) => (4, hold.item, hold.count).hash(&mut hasher),
        Command::Pay(pay) => (2, pay.order).hash(&mut hasher),
        Command::Charge(charge) => (3, charge.amount).hash(&mut hasher),
        other => unreachable!("{other:?} has no key"),
    }
    hasher.finish()
}
