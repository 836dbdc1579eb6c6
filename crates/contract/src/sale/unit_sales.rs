//! Many buyers, few units.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use onsale_domain::{
    decide::{ClaimCheck, IdempotencyKey, Refusal},
    ids::{ItemId, OrderId, UserId},
    item::{ItemDetails, ItemKind, ItemRules, Stock},
    offer::OfferKind,
    order::OrderStatus,
    time::Timestamp,
};
use onsale_engine::{
    Engine,
    audit::audit,
    clock::{Clock, SystemClock},
    ports::{Guard, Store},
    sales::{Held, SaleError, SaleSettings},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    races::assert_clean,
    stage::{OPENING, Setup, Stage, key, start},
};
use crate::store::fixture::item;

const UNITS: i64 = 1_000;
const PRICE: i64 = 1_000;
const HOLD_MS: i64 = 120_000;

async fn add_item(stage: &Stage, name: &str, units: i64, per_buyer_max: u32) -> ItemId {
    let rules = ItemRules { hold_ms: HOLD_MS, units_per_buyer_max: per_buyer_max };
    let details = ItemDetails { price: PRICE, rules, ..item(name) };
    stage.engine.catalogue.add_item(details, units, None).await.expect("an item is added").id
}

async fn left(stage: &Stage, item: ItemId) -> i64 {
    stage.engine.sales.item(item).await.expect("the item is there").stock().left
}

/// Five thousand buyers, one item of a thousand units, one to three each; every other request comes
/// twice at the same moment. All units are sold, each once.
pub async fn five_thousand_buyers_one_item(store: Arc<dyn Store>) {
    rush(store, 5_000, 1).await;
}

/// The same with three items at once.
pub async fn five_thousand_buyers_three_items(store: Arc<dyn Store>) {
    rush(store, 5_000, 3).await;
}

async fn rush(store: Arc<dyn Store>, buyers: i64, items: usize) {
    // Nobody is to be turned away because so many come in the same moment.
    let sales = SaleSettings { queue_max: 65_536, ..SaleSettings::default() };
    let setup = Setup { sales, ..Setup::default() };
    let stage = Arc::new(Stage::build(store, Arc::new(SystemClock), setup).await);
    let mut ids = Vec::new();
    for number in 0..items {
        ids.push(add_item(&stage, &format!("Item {number}"), UNITS, 3).await);
    }
    let mut waiting = Vec::new();
    for buyer in 1..=buyers {
        for step in 0..ids.len() {
            let index = (step + usize::try_from(buyer).expect("positive")) % ids.len();
            waiting.push(tokio::spawn(buy(stage.clone(), buyer, index, ids[index])));
        }
    }
    let mut units = vec![0; items];
    for bought in waiting {
        let (index, count) = bought.await.expect("no buyer panics");
        units[index] += i64::from(count);
    }
    for (item, units) in ids.into_iter().zip(units) {
        // Whoever wanted one unit would have had it.
        assert_eq!((units, left(&stage, item).await), (UNITS, 0));
    }
    assert_eq!(units_paid_for(&stage, buyers).await, items as i64 * UNITS);
    assert_clean(&stage).await;
}

/// A buyer orders, every other one twice at once with the same key, and pays. How many units they
/// were told they have.
async fn buy(stage: Arc<Stage>, buyer: i64, index: usize, item: ItemId) -> (usize, u32) {
    let user = UserId(buyer);
    let count = u32::try_from(1 + buyer % 3).expect("small");
    let number = u64::try_from(buyer).expect("positive") * 10 + index as u64;
    let order = || stage.engine.sales.hold_units(user, key(number), item, count);
    let answers = if buyer % 2 == 0 {
        vec![order().await]
    } else {
        let (one, other) = tokio::join!(order(), order());
        vec![one, other]
    };
    let held: Vec<Held> = answers
        .into_iter()
        .filter_map(|answer| match answer {
            Ok(held) => Some(held),
            Err(SaleError::Refused(Refusal::SoldOut { left, asked })) => {
                assert!(left < i64::from(asked));
                None
            }
            Err(other) => panic!("buyer {buyer} was told: {other}"),
        })
        .collect();
    let Some(first) = held.first() else { return (index, 0) };
    assert!(held.iter().all(|held| held.order == first.order), "one key, one order: {held:?}");
    assert!(held.iter().filter(|held| !held.replayed).count() <= 1);
    assert_eq!(first.order.count(), count, "all or nothing");
    stage.fund(user, PRICE * i64::from(count)).await;
    let pay = || stage.engine.sales.pay(user, key(number + 1_000_000), first.order.id);
    let (paid, again) = tokio::join!(pay(), pay());
    let (paid, again) = (paid.expect("a fresh hold can be paid"), again.expect("so can it be twice"));
    assert_eq!(paid.payment, again.payment);
    (index, count)
}

async fn units_paid_for(stage: &Stage, buyers: i64) -> i64 {
    let mut paid = 0;
    for buyer in 1..=buyers {
        let page = stage.engine.sales.orders(UserId(buyer), OfferKind::Item, None, 1_000).await.unwrap();
        let orders = page.orders.iter().filter(|order| order.status == OrderStatus::Paid);
        paid += orders.map(|order| i64::from(order.count())).sum::<i64>();
    }
    paid
}

/// The negative control: with the decision's check off, on a store whose stocks have no check, more
/// is sold than there is, and the audit sees it.
pub async fn oversells_without_guards(store_without_check: Arc<dyn Store>) {
    let (stage, item) = unchecked_rush(store_without_check, 300, 100, 64).await;
    let paid = units_paid_for(&stage, 300).await;
    assert!(paid > 100, "{paid} of 100 units were sold although nothing guarded them");
    assert!(left(&stage, item).await < 0);
    let report = audit(&*stage.store, |_, _| {}).await.expect("the audit runs").without_accounts();
    assert!(!report.is_clean(), "the audit did not see that units were sold twice");
}

/// The second negative control: with the decision's check off but the stock's check in place, the
/// database itself refuses to sell more than there is.
pub async fn the_check_alone_prevents_overselling(store: Arc<dyn Store>) {
    let (stage, item) = unchecked_rush(store, 100, 50, 1).await;
    let paid = units_paid_for(&stage, 100).await;
    let sale = stage.store.item_sale(item, OrderId::first_at(Timestamp(0))).await.unwrap().unwrap();
    assert_eq!(paid + sale.stock.left, 50);
    assert!((1..=50).contains(&paid), "{paid} of 50 units were sold");
    assert_clean(&stage).await;
}

async fn unchecked_rush(
    store: Arc<dyn Store>,
    buyers: i64,
    units: i64,
    batch_max: usize,
) -> (Arc<Stage>, ItemId) {
    let sales = SaleSettings { gate: false, batch_max, ..SaleSettings::default() };
    let setup = Setup { sales, claim_check: ClaimCheck::Off, ..Setup::default() };
    let stage = Arc::new(Stage::build(store, Arc::new(SystemClock), setup).await);
    let item = add_item(&stage, "Shoes", units, 3).await;
    let waiting: Vec<_> = (1..=buyers)
        .map(|buyer| {
            let stage = stage.clone();
            tokio::spawn(async move {
                let (user, count) = (UserId(buyer), u32::try_from(1 + buyer % 3).expect("small"));
                stage.fund(user, 3 * PRICE).await;
                match stage.engine.sales.hold_units(user, None, item, count).await {
                    Ok(held) => drop(stage.engine.sales.pay(user, None, held.order.id).await.expect("paid")),
                    // The database's check refuses in the decision's place.
                    Err(SaleError::Unavailable(_)) => {}
                    Err(other) => panic!("buyer {buyer} was told: {other}"),
                }
            })
        })
        .collect();
    for buyer in waiting {
        buyer.await.expect("no buyer panics");
    }
    (stage, item)
}

/// Ten thousand orders, each paid the moment it was answered: none is ever unknown.
pub async fn an_order_can_be_paid_the_moment_it_was_answered(store: Arc<dyn Store>) {
    const BUYERS: i64 = 50;
    const ORDERS: i64 = 200;
    let stage = Arc::new(Stage::build(store, Arc::new(SystemClock), Setup::default()).await);
    let item = add_item(&stage, "Soup", BUYERS * ORDERS, 200).await;
    let buyers: Vec<_> = (1..=BUYERS)
        .map(|buyer| {
            let stage = stage.clone();
            tokio::spawn(async move {
                let user = UserId(buyer);
                stage.fund(user, ORDERS * PRICE).await;
                for _ in 0..ORDERS {
                    let held =
                        stage.engine.sales.hold_units(user, None, item, 1).await.expect("some are left");
                    stage.engine.sales.pay(user, None, held.order.id).await.expect("it is known and held");
                }
            })
        })
        .collect();
    for buyer in buyers {
        buyer.await.expect("no buyer panics");
    }
    assert_eq!(left(&stage, item).await, 0);
    assert_clean(&stage).await;
}

/// What somebody does to an order.
#[derive(Clone, Copy)]
enum Move {
    Pay,
    Cancel,
}

/// Orders that are paid, cancelled, or both, while the clock goes over the deadline: what everybody
/// was told is what happened, and units come back exactly once.
pub async fn units_come_back_exactly_once(store: Arc<dyn Store>) {
    const ROUNDS: u64 = 10;
    const ORDERS: i64 = 200;
    let sales = SaleSettings { batch_max: 37, ..SaleSettings::default() };
    let (stage, clock) = Stage::frozen(store, Setup { sales, ..Setup::default() }).await;
    let stage = Arc::new(stage);
    let item = add_item(&stage, "Shoes", 100_000, 1_000).await;
    let (mut taken, mut endings) = (0, [0; 4]);
    for round in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(round);
        let mut orders = Vec::new();
        for number in 0..ORDERS {
            let user = UserId(1 + number);
            let count = random.random_range(1..=3);
            stage.fund(user, 3 * PRICE).await;
            let held = stage.engine.sales.hold_units(user, None, item, count).await.expect("some are left");
            orders.push(held.order);
        }
        clock.advance_ms(HOLD_MS - 1);
        let mut moves = Vec::new();
        for index in 0..orders.len() {
            for (what, chance) in [(Move::Pay, 0.7), (Move::Cancel, 0.3), (Move::Cancel, 0.3)] {
                if random.random_bool(chance) {
                    moves.push((index, what));
                }
            }
        }
        moves.shuffle(&mut random);
        let crossing = random.random_range(0..moves.len());
        let through = Arc::new(AtomicUsize::new(0));
        let moves: Vec<_> = moves
            .into_iter()
            .map(|(index, what)| {
                let (stage, order, clock) = (stage.clone(), orders[index].clone(), clock.clone());
                let through = through.clone();
                tokio::spawn(async move {
                    let sales = &stage.engine.sales;
                    let done = match what {
                        Move::Pay => sales.pay(order.user, None, order.id).await.is_ok(),
                        Move::Cancel => sales.cancel(order.user, order.id).await.is_ok(),
                    };
                    if through.fetch_add(1, Ordering::Relaxed) == crossing {
                        clock.advance_ms(1);
                    }
                    (index, what, done)
                })
            })
            .collect();
        let mut told = vec![(false, false); orders.len()];
        for contender in moves {
            let (index, what, done) = contender.await.expect("no contender panics");
            match what {
                Move::Pay => told[index].0 |= done,
                Move::Cancel => told[index].1 |= done,
            }
        }
        for (order, (paid, cancelled)) in orders.iter().zip(told) {
            let (expected, ending) = match (paid, cancelled) {
                (true, false) => (OrderStatus::Paid, 0),
                (true, true) => (OrderStatus::Cancelled, 1),
                (false, true) => (OrderStatus::Cancelled, 2),
                (false, false) => (OrderStatus::Expired, 3),
            };
            endings[ending] += 1;
            let status = stage.engine.sales.order(order.user, order.id).await.unwrap().status;
            assert_eq!(status, expected, "{} was told {paid} and {cancelled}", order.id);
            taken += i64::from(order.count()) * i64::from(expected == OrderStatus::Paid);
        }
        // What has lapsed is released by itself.
        eventually(async || left(&stage, item).await == 100_000 - taken).await;
    }
    assert!(endings.iter().all(|count| *count > 0), "some ending was not raced: {endings:?}");
    assert_clean(&stage).await;
}

/// Waits until something holds; ten seconds are more than enough.
async fn eventually(holds: impl AsyncFn() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to pass");
}

/// A time deal is refused until its moment, and taken in it. Nothing is left to the gate.
pub async fn a_time_deal_opens_at_its_moment(store: Arc<dyn Store>) {
    let sales = SaleSettings { gate: false, ..SaleSettings::default() };
    let (stage, clock) = Stage::frozen(store, Setup { sales, ..Setup::default() }).await;
    let start_at = OPENING.plus_ms(5_000);
    let details = ItemDetails { kind: ItemKind::TimeDeal { start_at }, ..item("Shoes") };
    let shoes = stage.engine.catalogue.add_item(details, 5, None).await.unwrap();
    let order = || stage.engine.sales.hold_units(UserId(1), None, shoes.id, 1);
    clock.advance_ms(4_999);
    let early = order().await;
    assert!(
        matches!(early, Err(SaleError::Refused(Refusal::NotOnSaleYet { on_sale_at })) if on_sale_at == start_at),
        "{early:?}"
    );
    clock.advance_ms(1);
    order().await.expect("it is open");
    let mut later = shoes.details.clone();
    later.kind = ItemKind::TimeDeal { start_at: clock.now().plus_ms(1) };
    stage.engine.catalogue.change_item(shoes.id, later).await.unwrap();
    assert!(matches!(order().await, Err(SaleError::Refused(Refusal::NotOnSaleYet { .. }))), "put off");
}

/// The limit holds over several orders, and an order that ends makes room again.
pub async fn a_buyer_has_at_most_what_the_rules_allow(store: Arc<dyn Store>) {
    let (stage, clock) = Stage::frozen(store, Setup::default()).await;
    let item = add_item(&stage, "Shoes", 100, 3).await;
    let order = async |count| stage.engine.sales.hold_units(UserId(1), None, item, count).await;
    let too_many = |have, asked| Refusal::TooManyUnits { max: 3, have, asked };
    let refused = async |count, why| match order(count).await {
        Err(SaleError::Refused(refusal)) => assert_eq!(refusal, why),
        other => panic!("{other:?}"),
    };
    refused(0, Refusal::NoUnits).await;
    refused(4, too_many(0, 4)).await;
    order(2).await.expect("allowed");
    refused(2, too_many(2, 2)).await;
    order(1).await.expect("allowed");
    refused(1, too_many(3, 1)).await;
    clock.advance_ms(HOLD_MS);
    order(3).await.expect("what has lapsed counts no more");
}

/// Holds of units end after a restart as they would have without it.
pub async fn units_are_released_after_a_restart(store: Arc<dyn Store>) {
    let (stage, clock) = Stage::frozen(store.clone(), Setup::default()).await;
    let item = add_item(&stage, "Shoes", 2, 2).await;
    stage.engine.sales.hold_units(UserId(1), None, item, 2).await.unwrap();
    stage.engine.stop().await;
    let engine = start(store, clock.clone(), Setup::default()).await;
    let sold_out = engine.sales.hold_units(UserId(2), None, item, 1).await;
    assert!(matches!(sold_out, Err(SaleError::Refused(Refusal::SoldOut { left: 0, asked: 1 }))));
    clock.advance_ms(HOLD_MS - 1);
    assert_eq!(engine.sales.item(item).await.unwrap().stock().left, 0);
    clock.advance_ms(1);
    eventually(async || engine.sales.item(item).await.unwrap().stock().left == 2).await;
}

/// Two nodes sell one item: all units, each once, whichever node is asked; and a request repeated at
/// the other node is answered as the first was.
pub async fn two_nodes_sell_one_item(store: Arc<dyn Store>) {
    two_nodes(store, Guard::Pessimistic).await;
}

/// The same when nothing is locked.
pub async fn two_optimistic_nodes_sell_one_item(store: Arc<dyn Store>) {
    two_nodes(store, Guard::Optimistic).await;
}

async fn two_nodes(store: Arc<dyn Store>, guard: Guard) {
    const BUYERS: i64 = 600;
    let sales = SaleSettings { guard, batch_max: 16, ..SaleSettings::default() };
    let setup = Setup { sales, ..Setup::default() };
    let stage = Arc::new(Stage::build(store.clone(), Arc::new(SystemClock), setup).await);
    let other = start(store.clone(), Arc::new(SystemClock), setup).await;
    let item = add_item(&stage, "Shoes", 200, 1).await;
    let buyers: Vec<_> = (1..=BUYERS)
        .map(|buyer| {
            let nodes = [stage.engine.clone(), other.clone()];
            let key = key(u64::try_from(buyer).expect("positive"));
            tokio::spawn(async move {
                let asked = usize::try_from(buyer % 2).expect("small");
                let buyer = UserId(buyer);
                for _ in 0..100 {
                    match nodes[asked].sales.hold_units(buyer, key, item, 1).await {
                        Ok(held) if buyer.0 % 5 == 0 => {
                            let again = again_at(&nodes[1 - asked], buyer, key, item).await;
                            assert_eq!(again.order, held.order);
                            return 1;
                        }
                        Ok(_) => return 1,
                        Err(SaleError::Refused(Refusal::SoldOut { left: 0, asked: 1 })) => return 0,
                        // Others were first, again and again: nothing has happened.
                        Err(SaleError::Unavailable(_)) => {}
                        Err(other) => panic!("buyer {buyer} was told: {other}"),
                    }
                }
                panic!("buyer {buyer} never has a turn")
            })
        })
        .collect();
    let mut sold = 0;
    for buyer in buyers {
        sold += buyer.await.expect("no buyer panics");
    }
    let sale = store.item_sale(item, OrderId::first_at(Timestamp(0))).await.unwrap().unwrap();
    assert_eq!((sold + sale.stock.left, sale.buyers.len() as i64), (200, sold));
    assert_eq!(sold, 200, "under {guard:?}");
    assert_clean(&stage).await;
}

/// The other node's gate may refuse until it has heard of the buyer.
async fn again_at(node: &Engine, buyer: UserId, key: Option<IdempotencyKey>, item: ItemId) -> Held {
    for _ in 0..6_000 {
        match node.sales.hold_units(buyer, key, item, 1).await {
            Ok(held) => return held,
            Err(SaleError::Refused(Refusal::SoldOut { .. }) | SaleError::Unavailable(_)) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(other) => panic!("told: {other}"),
        }
    }
    panic!("the other node never hears of it");
}

/// The organiser changes the stock while it is sold from.
pub async fn the_stock_changes_while_it_is_sold(store: Arc<dyn Store>) {
    let stage = Arc::new(Stage::build(store, Arc::new(SystemClock), Setup::default()).await);
    let item = add_item(&stage, "Soup", 100, 1).await;
    let organiser = UserId(999_999);
    let buyers: Vec<_> = (1..=500)
        .map(|buyer| {
            let stage = stage.clone();
            tokio::spawn(
                async move { stage.engine.sales.hold_units(UserId(buyer), None, item, 1).await.is_ok() },
            )
        })
        .collect();
    for total in [150, 120, 300, 200] {
        // Refused only if more are taken already.
        match stage.engine.sales.set_stock(organiser, item, total).await {
            Ok(stock) => assert_eq!(stock.total, total),
            Err(SaleError::Refused(Refusal::StockOutOfBounds { min, .. })) => assert!(min > total),
            Err(other) => panic!("{other}"),
        }
    }
    let mut sold = 0;
    for buyer in buyers {
        sold += i64::from(buyer.await.expect("no buyer panics"));
    }
    let Stock { total, left } = stage.engine.sales.item(item).await.unwrap().stock();
    assert_eq!(sold + left, total);
    assert_clean(&stage).await;
}
