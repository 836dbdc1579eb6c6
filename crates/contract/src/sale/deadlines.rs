//! Holds and their deadlines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use onsale_domain::{
    decide::Refusal,
    ids::{OrderId, SeatId, UserId},
    order::{OrderStatus, SeatStatus},
    sale::SaleRules,
};
use onsale_engine::{
    clock::{Clock, ManualClock, SystemClock},
    ports::Store,
    sales::{SaleError, SaleSettings},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    races::assert_clean,
    stage::{PRICE, Setup, Stage, start},
};

const HOLD_MS: i64 = 300_000;
const ROUNDS: u64 = 20;
const RACES_PER_ROUND: usize = 500;

/// Ten thousand holds, each paid, cancelled, wanted by a rival, or several of these, while the clock
/// goes over the deadline: seat, order and money agree with what everybody was told.
pub async fn pay_cancel_and_expiry_race(store: Arc<dyn Store>) {
    let setup = Setup {
        rows: 10,
        seats_per_row: 50,
        rules: SaleRules { hold_ms: HOLD_MS, ..SaleRules::default() },
        // The rival's request must reach the decision, not be stopped by the gate.
        sales: SaleSettings { gate: false, batch_max: 97, ..SaleSettings::default() },
        ..Setup::default()
    };
    let (stage, clock) = Stage::frozen(store, setup).await;
    let stage = Arc::new(stage);
    let mut tally = Tally::default();
    for round in 0..ROUNDS {
        race_round(&stage, &clock, round, &mut tally).await;
    }
    let Tally { paid, cancelled, refunded, expired, rival } = tally;
    assert_eq!(paid + cancelled + refunded + expired, 10_000);
    let seen = [paid, cancelled, refunded, expired, rival];
    assert!(
        seen.iter().all(|count| *count > 0),
        "some ending never happened, so it was not raced: {tally:?}"
    );
    assert_clean(&stage).await;
}

/// How the races ended.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    paid: u32,
    cancelled: u32,
    refunded: u32,
    expired: u32,
    rival: u32,
}

/// What one contender does to a hold.
#[derive(Clone, Copy)]
enum Move {
    Pay,
    Cancel,
    /// Somebody else wants the seat.
    Rival,
}

/// What the contenders of one race were told.
#[derive(Clone, Default)]
struct Told {
    pay: Option<Result<(), Refusal>>,
    cancel: Option<Result<(), Refusal>>,
    rival: Option<Result<(), Refusal>>,
}

/// One hold and its buyer.
#[derive(Clone, Copy)]
struct Race {
    buyer: UserId,
    rival: UserId,
    seat: SeatId,
    order: OrderId,
}

/// Holds a seat for each race, lets everybody loose at the deadline, checks, and tidies up.
async fn race_round(stage: &Arc<Stage>, clock: &Arc<ManualClock>, round: u64, tally: &mut Tally) {
    let mut random = StdRng::seed_from_u64(round);
    let races = line_up(stage, round).await;
    clock.advance_ms(HOLD_MS - 1);
    let told = let_loose(stage, clock, &races, &mut random).await;
    for (race, told) in races.iter().zip(told) {
        settle(stage, *race, told, tally).await;
    }
    // Rivals' holds end too, and paid seats are given back, so the next round finds the hall empty.
    clock.advance_ms(HOLD_MS);
    together(&races, |race| {
        let stage = stage.clone();
        async move { drop(stage.engine.sales.cancel(race.buyer, race.order).await) }
    })
    .await;
}

async fn line_up(stage: &Arc<Stage>, round: u64) -> Vec<Race> {
    let first_buyer = i64::try_from(round).expect("few rounds") * 10_000 + 1;
    let seats: Vec<_> = (first_buyer..).zip(stage.seats.iter().copied()).collect();
    assert_eq!(seats.len(), RACES_PER_ROUND);
    together(&seats, |(buyer, seat)| {
        let stage = stage.clone();
        async move {
            let (buyer, rival) = (UserId(buyer), UserId(buyer + 1_000_000));
            stage.fund(buyer, PRICE).await;
            let held = stage.engine.sales.hold(buyer, None, stage.performance, vec![seat]).await;
            Race { buyer, rival, seat, order: held.expect("the seat is free").order.id }
        }
    })
    .await
}

async fn let_loose(
    stage: &Arc<Stage>,
    clock: &Arc<ManualClock>,
    races: &[Race],
    random: &mut StdRng,
) -> Vec<Told> {
    let mut contenders = Vec::new();
    for index in 0..races.len() {
        for (what, chance) in [(Move::Pay, 0.8), (Move::Cancel, 0.4), (Move::Rival, 0.5)] {
            if random.random_bool(chance) {
                contenders.push((index, what));
            }
        }
    }
    contenders.shuffle(random);
    // The clock goes over the deadline when some of them are through and others are under way.
    let crossing = random.random_range(0..contenders.len());
    let through = Arc::new(AtomicUsize::new(0));
    let mut moves = Vec::new();
    for (index, what) in contenders {
        let (stage, race, clock, through) = (stage.clone(), races[index], clock.clone(), through.clone());
        let contender = tokio::spawn(async move {
            let answer = make(stage, race, what).await;
            if through.fetch_add(1, Ordering::Relaxed) == crossing {
                clock.advance_ms(1);
            }
            answer
        });
        moves.push((index, what, contender));
    }
    let mut told = vec![Told::default(); races.len()];
    for (index, what, answer) in moves {
        let answer = Some(answer.await.expect("no contender panics"));
        match what {
            Move::Pay => told[index].pay = answer,
            Move::Cancel => told[index].cancel = answer,
            Move::Rival => told[index].rival = answer,
        }
    }
    told
}

async fn make(stage: Arc<Stage>, race: Race, what: Move) -> Result<(), Refusal> {
    let sales = &stage.engine.sales;
    let answer = match what {
        Move::Pay => sales.pay(race.buyer, None, race.order).await.map(drop),
        Move::Cancel => sales.cancel(race.buyer, race.order).await.map(drop),
        Move::Rival => sales.hold(race.rival, None, stage.performance, vec![race.seat]).await.map(drop),
    };
    answer.map_err(|error| match error {
        SaleError::Refused(refusal) => refusal,
        other => panic!("a contender was told: {other}"),
    })
}

/// Checks that what everybody was told is what happened.
async fn settle(stage: &Stage, race: Race, told: Told, tally: &mut Tally) {
    let status = stage.engine.sales.order(race.buyer, race.order).await.unwrap().status;
    let balance = stage.engine.sales.wallet(race.buyer).await.unwrap().balance;
    let paid = told.pay == Some(Ok(()));
    let cancelled = told.cancel == Some(Ok(()));
    let (expected, left) = match (paid, cancelled) {
        (true, false) => (OrderStatus::Paid, 0),
        (_, true) => (OrderStatus::Cancelled, PRICE),
        (false, false) => (OrderStatus::Expired, PRICE),
    };
    assert_eq!(
        (status, balance),
        (expected, left),
        "{} was told {:?} and {:?}",
        race.order,
        told.pay,
        told.cancel
    );
    for refused in [&told.pay, &told.cancel].into_iter().flatten().filter_map(|answer| answer.as_ref().err())
    {
        let fits = match status {
            OrderStatus::Expired => *refused == Refusal::HoldExpired,
            OrderStatus::Cancelled => *refused == Refusal::OrderCancelled,
            OrderStatus::Paid | OrderStatus::Held => false,
        };
        assert!(fits, "{} is {status:?}, but somebody was told: {refused}", race.order);
    }
    let rival = told.rival == Some(Ok(()));
    assert!(!(rival && status == OrderStatus::Paid), "{} is paid and somebody else has the seat", race.order);
    tally.rival += u32::from(rival);
    *match (paid, cancelled) {
        (true, false) => &mut tally.paid,
        (true, true) => &mut tally.refunded,
        (false, true) => &mut tally.cancelled,
        (false, false) => &mut tally.expired,
    } += 1;
}

/// A hold is kept until its last millisecond, and free in the next without anybody asking.
pub async fn released_at_the_deadline_not_before(store: Arc<dyn Store>) {
    let rules = SaleRules { hold_ms: HOLD_MS, ..SaleRules::default() };
    let (stage, clock) = Stage::frozen(store, Setup { seats_per_row: 2, rules, ..Setup::default() }).await;
    let sales = &stage.engine.sales;
    let view = sales.view(stage.performance).await.unwrap();
    let seat = vec![stage.seats[0]];
    let held = sales.hold(UserId(1), None, stage.performance, seat.clone()).await.unwrap().order;
    assert_eq!(held.expires_at, clock.now().plus_ms(HOLD_MS));

    clock.advance_ms(HOLD_MS - 1);
    let rival = sales.hold(UserId(2), None, stage.performance, seat.clone()).await;
    assert!(matches!(rival, Err(SaleError::Refused(Refusal::SeatHeld(_)))), "released early: {rival:?}");
    assert_eq!(view.status(0), SeatStatus::Held);

    clock.advance_ms(1);
    wait_until(|| view.status(0) == SeatStatus::Available).await;
    let order = stage.store.order(held.id).await.unwrap().unwrap();
    assert_eq!(order.status, OrderStatus::Expired, "the release is written down");
    sales.hold(UserId(2), None, stage.performance, seat).await.expect("the seat is free");
    assert_clean(&stage).await;
}

/// At its deadline a hold is gone even if nothing has released it: here, because the gate is off and
/// the rival's request is in the very batch that finds it.
pub async fn a_lapsed_hold_yields_without_being_released(store: Arc<dyn Store>) {
    let rules = SaleRules { hold_ms: HOLD_MS, ..SaleRules::default() };
    let sales = SaleSettings { gate: false, ..SaleSettings::default() };
    let (stage, clock) =
        Stage::frozen(store.clone(), Setup { seats_per_row: 2, rules, sales, ..Setup::default() }).await;
    let seats = stage.seats.clone();
    let first =
        stage.engine.sales.hold(UserId(1), None, stage.performance, seats.clone()).await.unwrap().order;
    // Stopped, the engine releases nothing; a new one on a clock past the deadline meets the claims.
    stage.engine.stop().await;
    clock.advance_ms(HOLD_MS);
    let engine = start(store, clock, Setup { rules, sales, ..Setup::default() }).await;
    let second = engine.sales.hold(UserId(2), None, stage.performance, vec![seats[0]]).await;
    second.expect("the seat is free although the first hold was never released");
    let first = engine.sales.order(UserId(1), first.id).await.unwrap();
    assert_eq!(first.status, OrderStatus::Expired);
    let view = engine.sales.view(stage.performance).await.unwrap();
    wait_until(|| view.status(1) == SeatStatus::Available).await;
    engine.stop().await;
    assert_clean(&stage).await;
}

/// Holds that end while the process is away are released when it is back.
pub async fn holds_are_released_after_a_restart(store: Arc<dyn Store>) {
    let rules = SaleRules { hold_ms: HOLD_MS, ..SaleRules::default() };
    let setup = Setup { seats_per_row: 3, rules, ..Setup::default() };
    let (stage, clock) = Stage::frozen(store.clone(), setup).await;
    let sales = &stage.engine.sales;
    sales.hold(UserId(1), None, stage.performance, vec![stage.seats[0]]).await.unwrap();
    clock.advance_ms(HOLD_MS / 2);
    sales.hold(UserId(2), None, stage.performance, vec![stage.seats[1]]).await.unwrap();
    stage.engine.stop().await;

    clock.advance_ms(HOLD_MS / 2);
    let engine = start(store, clock.clone(), setup).await;
    let view = engine.sales.view(stage.performance).await.unwrap();
    wait_until(|| view.status(0) == SeatStatus::Available).await;
    assert_eq!(view.status(1), SeatStatus::Held, "the second hold still has time");
    clock.advance_ms(HOLD_MS / 2);
    wait_until(|| view.status(1) == SeatStatus::Available).await;
    engine.stop().await;
    assert_clean(&stage).await;
}

/// Nothing is paid for a performance that was called off after the hold was made.
pub async fn a_hold_of_a_cancelled_performance_cannot_be_paid(store: Arc<dyn Store>) {
    let (stage, _clock) = Stage::frozen(store, Setup::default()).await;
    let sales = &stage.engine.sales;
    stage.fund(UserId(1), PRICE).await;
    let held = sales.hold(UserId(1), None, stage.performance, stage.seats.clone()).await.unwrap().order;
    let mut performance = stage.engine.catalogue.performance(stage.performance).await.unwrap();
    performance.cancelled = true;
    stage.engine.catalogue.change_performance(performance).await.unwrap();
    let refused = sales.pay(UserId(1), None, held.id).await;
    assert!(matches!(refused, Err(SaleError::Refused(Refusal::PerformanceCancelled(_)))), "{refused:?}");
    assert_eq!(sales.wallet(UserId(1)).await.unwrap().balance, PRICE);
    assert_clean(&stage).await;
}

/// On the machine's own clock: never early, free within a second after.
pub async fn free_within_a_second(store: Arc<dyn Store>) {
    let rules = SaleRules { hold_ms: 1_500, ..SaleRules::default() };
    let stage = Stage::build(store, Arc::new(SystemClock), Setup { rules, ..Setup::default() }).await;
    let sales = &stage.engine.sales;
    let first = sales.hold(UserId(1), None, stage.performance, stage.seats.clone()).await.unwrap().order;
    let second = loop {
        match sales.hold(UserId(2), None, stage.performance, stage.seats.clone()).await {
            Ok(held) => break held.order,
            Err(SaleError::Refused(Refusal::SeatHeld(_))) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(other) => panic!("the rival was told: {other}"),
        }
    };
    let late_ms = second.created_at.since_ms(first.expires_at);
    assert!((0..=1_000).contains(&late_ms), "the seat was free {late_ms} ms after the deadline");
}

/// Runs something for every item at once and gives the answers in the items' order.
async fn together<T, F, Answer>(items: &[T], run: impl Fn(T) -> F) -> Vec<Answer>
where
    T: Copy,
    F: Future<Output = Answer> + Send + 'static,
    Answer: Send + 'static,
{
    let tasks: Vec<_> = items.iter().map(|item| tokio::spawn(run(*item))).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.expect("no task panics"));
    }
    answers
}

/// Waits for something that happens by itself; gives up after ten seconds.
async fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("what should have happened by itself has not");
}
