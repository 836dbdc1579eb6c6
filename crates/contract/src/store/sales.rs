//! What the pipeline writes and loads.

use std::sync::Arc;

use onsale_domain::{
    decide::{FactKeys, KeyRecord, KeyTarget, Outcome},
    ids::{OrderId, SeatId, UserId},
    offer::OfferKind,
    order::{Claim, Order, OrderStatus, Payment, SeatStatus},
    time::Timestamp,
    wallet::Wallet,
};
use onsale_engine::ports::{DueHold, Store, TakenSeat};

use super::fixture::{Fixture, HOLD_MS, OPENS, PRICE, hall_plan};

fn taken(seat: SeatId, status: SeatStatus) -> TakenSeat {
    TakenSeat { seat, status }
}

fn record(target: KeyTarget) -> KeyRecord {
    KeyRecord { fingerprint: 7, target }
}

async fn paid(world: &Fixture, order: &Order, key: Option<u128>, now: Timestamp) -> Payment {
    match world.accept(world.pay(order, key, now), now).await {
        Outcome::Paid { payment, .. } => payment,
        other => panic!("a payment was answered {other:?}"),
    }
}

pub async fn a_hold_is_kept_in_every_part(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    assert_eq!(store.claims(world.performance).await.unwrap().version, 0);
    let order = world.held(41, Some(u128::MAX), &[5, 3], OPENS).await;
    assert_eq!(
        order.lines().iter().map(|line| line.seat).collect::<Vec<_>>(),
        [world.seats[5], world.seats[3]]
    );
    assert_eq!(store.order(order.id).await.unwrap().as_ref(), Some(&order), "the order as it was answered");
    assert_eq!(store.order(OrderId(world.id(OPENS))).await.unwrap(), None);

    let mut claims = store.claims(world.performance).await.unwrap();
    claims.taken.sort_by_key(|taken| taken.seat);
    assert_eq!(claims.version, 1, "one batch changed seats");
    let held = [taken(world.seats[3], SeatStatus::Held), taken(world.seats[5], SeatStatus::Held)];
    assert_eq!(claims.taken, held);
    assert_eq!(claims.buyers, [UserId(41)]);

    let hold = world.hold(41, Some(u128::MAX), &[3, 5, 6], OPENS);
    let facts = world.load(&FactKeys::of([&hold])).await;
    assert_eq!(facts.performances[&world.performance], (1, 1));
    assert_eq!(facts.claims.len(), 2);
    assert_eq!(facts.claims[&(world.performance, world.seats[3])], Claim::Order(order.id));
    assert_eq!(facts.orders[&order.id], order);
    assert_eq!(facts.buyers[&(UserId(41), world.performance.into())], [order.id]);
    assert_eq!(facts.keys[&(UserId(41), u128::MAX)], record(KeyTarget::Hold(order.id)));

    let replayed = world.accept(hold, OPENS).await;
    assert_eq!(replayed, Outcome::Held { order, replayed: true }, "the same key gives the same answer");
    assert_eq!(store.claims(world.performance).await.unwrap().version, 1, "and changes nothing");
}

pub async fn a_payment_moves_money_and_a_refund_moves_it_back(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    world.accept(world.charge(41, None, 100_000, OPENS), OPENS).await;
    let order = world.held(41, None, &[0, 1], OPENS).await;
    let now = OPENS.plus_ms(10);
    let payment = paid(&world, &order, Some(1), now).await;
    assert_eq!((payment.amount, payment.balance_after), (2 * PRICE, 100_000 - 2 * PRICE));
    let written = store.order(order.id).await.unwrap().unwrap();
    assert_eq!((written.status, written.version), (OrderStatus::Paid, 2));
    assert_eq!(store.wallet(UserId(41)).await.unwrap(), Wallet { balance: 70_000, version: 2 });
    let claims = store.claims(world.performance).await.unwrap();
    assert!(claims.taken.iter().all(|taken| taken.status == SeatStatus::Sold));
    assert_eq!((claims.taken.len(), claims.version), (2, 2));

    let facts = world.load(&FactKeys::of([&world.pay(&order, Some(1), now)])).await;
    assert_eq!(facts.payments[&order.id], payment);
    assert_eq!(facts.orders[&order.id], written);
    assert_eq!(facts.wallets[&UserId(41)], Wallet { balance: 70_000, version: 2 });
    assert_eq!(facts.keys[&(UserId(41), 1)], record(KeyTarget::Pay(order.id)));

    world.accept(world.cancel(&order, now), now).await;
    let written = store.order(order.id).await.unwrap().unwrap();
    assert_eq!((written.status, written.version), (OrderStatus::Cancelled, 3));
    assert_eq!(store.wallet(UserId(41)).await.unwrap(), Wallet { balance: 100_000, version: 3 });
    let facts = world.load(&FactKeys::of([&world.pay(&order, Some(1), now)])).await;
    assert_eq!(facts.payments[&order.id], Payment { refunded: true, ..payment });
    let claims = store.claims(world.performance).await.unwrap();
    assert_eq!((claims.taken, claims.version), (vec![], 3));
    assert_eq!(claims.buyers, [UserId(41)], "whoever has ever ordered");
}

pub async fn charges_add_up(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    assert_eq!(store.wallet(UserId(3)).await.unwrap(), Wallet::default());
    let batch = [
        world.charge(3, Some(1), 10, OPENS),
        world.charge(4, None, 5, OPENS),
        world.charge(3, Some(2), 20, OPENS),
        world.charge(3, Some(1), 10, OPENS),
    ];
    let answers = world.run(&batch, OPENS).await;
    let balance = |balance, replayed| Ok(Outcome::Charged { balance, replayed });
    assert_eq!(answers, [balance(10, false), balance(5, false), balance(30, false), balance(10, true)]);
    assert_eq!(store.wallet(UserId(3)).await.unwrap(), Wallet { balance: 30, version: 2 });
    world.accept(world.charge(3, None, 1, OPENS), OPENS).await;
    assert_eq!(store.wallet(UserId(3)).await.unwrap().balance, 31);
    let facts = world.load(&FactKeys::of(&batch)).await;
    assert_eq!(facts.keys[&(UserId(3), 2)], record(KeyTarget::Charge { balance_after: 30 }));
    assert_eq!((facts.keys.len(), facts.wallets.len()), (2, 2));
}

pub async fn keys_of_every_kind_are_loaded_with_what_they_stand_for(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    world.accept(world.charge(41, Some(3), 100_000, OPENS), OPENS).await;
    let order = world.held(41, Some(1), &[0], OPENS).await;
    let payment = paid(&world, &order, Some(2), OPENS).await;
    let keys = [1, 2, 3, 4].map(|key| (UserId(41), key)).into();
    let facts = world.load(&FactKeys { keys, ..FactKeys::default() }).await;
    assert_eq!(facts.keys.len(), 3, "the fourth was never used");
    assert_eq!(facts.keys[&(UserId(41), 1)], record(KeyTarget::Hold(order.id)));
    assert_eq!(facts.orders[&order.id].status, OrderStatus::Paid, "the order behind a key comes along");
    assert_eq!(facts.payments[&order.id], payment, "so does its payment");
    let others = [1, 2, 3].map(|key| (UserId(42), key)).into();
    let facts = world.load(&FactKeys { keys: others, ..FactKeys::default() }).await;
    assert!(facts.keys.is_empty() && facts.orders.is_empty(), "another user has no trace of them");
}

pub async fn the_deadline_frees_seats_and_due_holds_are_listed(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let mut orders = Vec::new();
    for step in 0..5 {
        orders.push(world.held(50 + step, None, &[step as usize], OPENS.plus_ms(step / 2 * 10)).await);
    }
    world.accept(world.charge(50, None, 100_000, OPENS), OPENS).await;
    paid(&world, &orders[0], None, OPENS).await;
    let due = |order: &Order| DueHold {
        expires_at: order.expires_at,
        order: order.id,
        offer: world.performance.into(),
        made_at: order.created_at,
    };
    let all: Vec<DueHold> = orders[1..].iter().map(due).collect();
    let until = OPENS.plus_ms(HOLD_MS + 20);
    assert_eq!(store.due_holds(until, None, 10).await.unwrap(), all[..3], "before `until`, not at it");
    assert_eq!(store.due_holds(until.plus_ms(1), None, 10).await.unwrap(), all);
    assert_eq!(store.due_holds(until, None, 2).await.unwrap(), all[..2]);
    assert_eq!(store.due_holds(until, Some(all[1]), 10).await.unwrap(), all[2..3]);
    assert_eq!(store.due_holds(until, Some(all[0]), 1).await.unwrap(), all[1..2]);

    // Taking a lapsed seat over writes down that the hold has ended; expiring does the same.
    let now = until;
    let successor = world.held(70, None, &[1, 2], now).await;
    assert_eq!(world.accept(world.expire(&orders[3]), now).await, Outcome::Expired(true));
    let status = |order: &Order| {
        let (store, id) = (store.clone(), order.id);
        async move { store.order(id).await.unwrap().unwrap().status }
    };
    for order in &orders[1..4] {
        assert_eq!(status(order).await, OrderStatus::Expired);
    }
    assert_eq!(status(&orders[4]).await, OrderStatus::Held, "nothing has touched it");
    assert_eq!(store.due_holds(now, None, 10).await.unwrap(), []);
    let claims = store.claims(world.performance).await.unwrap();
    let mut seats: Vec<SeatId> = claims.taken.iter().map(|taken| taken.seat).collect();
    seats.sort();
    assert_eq!(seats, [0, 1, 2, 4].map(|ordinal| world.seats[ordinal]));
    let facts = world.load(&FactKeys::of([&world.hold(1, None, &[1], now)])).await;
    assert_eq!(facts.claims[&(world.performance, world.seats[1])], Claim::Order(successor.id));
}

pub async fn orders_of_a_buyer_are_paged(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let mut orders = Vec::new();
    for step in 0..5 {
        orders.push(world.held(41, None, &[step], OPENS.plus_ms(step as i64)).await);
        world.held(42, None, &[50 + step], OPENS.plus_ms(step as i64)).await;
    }
    orders.reverse();
    let page = store.orders_of(UserId(41), OfferKind::Performance, None, 2).await.unwrap();
    assert_eq!((&page.orders[..], page.more), (&orders[..2], true));
    let page = store.orders_of(UserId(41), OfferKind::Performance, Some(orders[1].id), 2).await.unwrap();
    assert_eq!((&page.orders[..], page.more), (&orders[2..4], true));
    let page = store.orders_of(UserId(41), OfferKind::Performance, Some(orders[3].id), 2).await.unwrap();
    assert_eq!((&page.orders[..], page.more), (&orders[4..], false));
    let page = store.orders_of(UserId(41), OfferKind::Performance, None, 5).await.unwrap();
    assert_eq!((page.orders.len(), page.more), (5, false));
    assert_eq!(store.orders_of(UserId(43), OfferKind::Performance, None, 5).await.unwrap().orders, []);
}

pub async fn seats_are_locked_and_unlocked(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    world.held(41, None, &[2], OPENS).await;
    world.accept(world.lock(&[1, 2, 3], true), OPENS).await;
    let mut claims = store.claims(world.performance).await.unwrap();
    claims.taken.sort_by_key(|taken| taken.seat);
    let [one, two, three] = [1, 2, 3].map(|ordinal| world.seats[ordinal]);
    let expected =
        [taken(one, SeatStatus::Locked), taken(two, SeatStatus::Held), taken(three, SeatStatus::Locked)];
    assert_eq!(claims.taken, expected);
    let facts = world.load(&FactKeys::of([&world.hold(1, None, &[1], OPENS)])).await;
    assert_eq!(facts.claims[&(world.performance, one)], Claim::Locked);
    world.accept(world.lock(&[1, 2], false), OPENS).await;
    let claims = store.claims(world.performance).await.unwrap();
    assert_eq!((claims.taken.len(), claims.version), (2, 3));
    world.held(42, None, &[1], OPENS).await;
}

pub async fn only_what_is_asked_for_is_loaded(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let second = world.another_hall().await;
    let order = world.held(41, Some(1), &[0, 1], OPENS).await;
    let other = second.held(41, Some(2), &[0], OPENS).await;
    let nothing = world.load(&FactKeys::default()).await;
    assert!(nothing.performances.is_empty() && nothing.claims.is_empty() && nothing.orders.is_empty());
    assert!(nothing.buyers.is_empty() && nothing.wallets.is_empty() && nothing.keys.is_empty());

    // The seat of one performance asked for at the other is not the other's.
    let seats = [(world.performance, second.seats[0]), (second.performance, second.seats[0])].into();
    let facts = world.load(&FactKeys { seats, ..FactKeys::default() }).await;
    assert_eq!(facts.claims.len(), 1);
    assert_eq!(facts.claims[&(second.performance, second.seats[0])], Claim::Order(other.id));
    assert!(!facts.orders.contains_key(&order.id));

    let buyers = [(UserId(41), second.performance.into()), (UserId(42), world.performance.into())].into();
    let facts = world.load(&FactKeys { buyers, ..FactKeys::default() }).await;
    assert_eq!(facts.buyers.len(), 1);
    assert_eq!(facts.buyers[&(UserId(41), second.performance.into())], [other.id]);

    let orders = [order.id, OrderId(world.id(OPENS))].into();
    let facts = world.load(&FactKeys { orders, ..FactKeys::default() }).await;
    assert_eq!(facts.orders.into_keys().collect::<Vec<_>>(), [order.id]);
}

pub async fn buyers_have_only_live_orders(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    world.accept(world.charge(41, None, 100_000, OPENS), OPENS).await;
    let cancelled = world.held(41, None, &[0], OPENS).await;
    world.accept(world.cancel(&cancelled, OPENS), OPENS).await;
    let held = world.held(41, None, &[1], OPENS.plus_ms(1)).await;
    let bought = world.held(41, None, &[2], OPENS.plus_ms(2)).await;
    paid(&world, &bought, None, OPENS).await;
    let buyer = (UserId(41), world.performance.into());
    let facts = world.load(&FactKeys { buyers: [buyer].into(), ..FactKeys::default() }).await;
    let mut live = facts.buyers[&buyer].clone();
    live.sort();
    assert_eq!(live, [held.id, bought.id]);
    assert_eq!(facts.orders[&bought.id].status, OrderStatus::Paid);
}

pub async fn old_keys_are_forgotten(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    for key in 1..=5 {
        let now = OPENS.plus_ms(key as i64);
        world.accept(world.charge(41, Some(key), 1, now), now).await;
    }
    assert_eq!(store.prune_keys(OPENS.plus_ms(1), 10).await.unwrap(), 0, "none is older");
    assert_eq!(store.prune_keys(OPENS.plus_ms(4), 2).await.unwrap(), 2);
    assert_eq!(store.prune_keys(OPENS.plus_ms(4), 2).await.unwrap(), 1);
    assert_eq!(store.prune_keys(OPENS.plus_ms(4), 2).await.unwrap(), 0);
    let keys = (1..=5).map(|key| (UserId(41), key)).collect();
    let facts = world.load(&FactKeys { keys, ..FactKeys::default() }).await;
    let mut left: Vec<u128> = facts.keys.into_keys().map(|(_, key)| key).collect();
    left.sort_unstable();
    assert_eq!(left, [4, 5]);
}

pub async fn a_large_batch_is_written_and_loaded(store: Arc<dyn Store>) {
    let world = Fixture::with_plan(store.clone(), &hall_plan("Field", 50, 100)).await;
    let holds: Vec<_> = (0..1_024)
        .map(|buyer| world.hold(buyer + 1, Some(buyer as u128), &[buyer as usize * 4], OPENS))
        .collect();
    let answers = world.run(&holds, OPENS).await;
    assert!(answers.iter().all(Result::is_ok));
    let facts = world.load(&FactKeys::of(&holds)).await;
    assert_eq!((facts.claims.len(), facts.orders.len()), (1_024, 1_024));
    assert_eq!((facts.buyers.len(), facts.keys.len()), (1_024, 1_024));
    for answer in answers {
        let Ok(Outcome::Held { order, .. }) = answer else { panic!("a hold was answered {answer:?}") };
        assert_eq!(facts.orders[&order.id], order);
    }
    let claims = store.claims(world.performance).await.unwrap();
    assert_eq!((claims.taken.len(), claims.buyers.len(), claims.version), (1_024, 1_024, 1));
}
