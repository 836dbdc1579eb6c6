//! Locks of many seats: in portions, with the sale in between.

use std::{sync::Arc, time::Duration};

use onsale_domain::{
    decide::Refusal,
    ids::{SeatId, UserId},
    order::SeatStatus,
};
use onsale_engine::{
    clock::SystemClock,
    ports::{OutboxSubject, Store},
    sales::{PerformanceView, SaleError, SaleSettings, SeatsLocked},
};
use tokio::{task::JoinHandle, time::sleep};

use super::{
    races::assert_clean,
    stage::{Setup, Stage, add_performance, start},
};

const ORGANISER: UserId = UserId(900);
const BUYER: UserId = UserId(1);
const PORTION: usize = 50;
const PORTIONS: usize = 40;

fn setup(seats_per_portion: usize) -> Setup {
    let sales = SaleSettings { seats_per_portion, ..SaleSettings::default() };
    Setup { rows: u32::try_from(PORTIONS).unwrap(), seats_per_row: PORTION as u32, sales, ..Setup::default() }
}

/// A hall of [`PORTIONS`] portions of so many seats.
async fn stage(store: Arc<dyn Store>, seats_per_portion: usize) -> Stage {
    Stage::build(store, Arc::new(SystemClock), setup(seats_per_portion)).await
}

async fn view(stage: &Stage) -> Arc<PerformanceView> {
    stage.engine.sales.view_of_house(stage.performance).await.expect("the performance is read")
}

async fn lock(stage: &Stage, seats: &[SeatId], lock: bool) -> SeatsLocked {
    let done = stage.engine.sales.lock_seats(ORGANISER, stage.performance, seats.to_vec(), lock).await;
    done.expect("the seats are locked or unlocked")
}

/// Locks all seats, and asks again when nobody knows what became of it: connections of the engine that has stopped
/// end with it, and the next one may find one of them.
async fn lock_patiently(stage: &Stage) -> SeatsLocked {
    loop {
        let seats = stage.seats.clone();
        match stage.engine.sales.lock_seats(ORGANISER, stage.performance, seats, true).await {
            Err(SaleError::OutcomeUnknown) => {}
            done => return done.expect("the seats are locked"),
        }
    }
}

/// Locks all seats in the background.
fn begin_to_lock_all(stage: &Stage) -> JoinHandle<Result<SeatsLocked, SaleError>> {
    let (sales, performance, seats) = (stage.engine.sales.clone(), stage.performance, stage.seats.clone());
    tokio::spawn(async move { sales.lock_seats(ORGANISER, performance, seats, true).await })
}

async fn first_change(view: &PerformanceView, before: i64) {
    while view.version() == before {
        sleep(Duration::from_millis(1)).await;
    }
}

/// The events in the order in which they were committed: whether each is of a lock.
async fn locks_among_events(store: &dyn Store) -> Vec<bool> {
    let events = store.outbox(10_000).await.expect("the outbox is read");
    let relevant = events
        .into_iter()
        .filter(|event| event.kind.starts_with("seats.") || matches!(event.subject, OutboxSubject::Order(_)));
    relevant.map(|event| event.kind.starts_with("seats.")).collect()
}

/// Locks all seats of a hall while somebody buys at another performance; the events in their order.
async fn lock_beside_a_hold(stage: &Stage) -> Vec<bool> {
    let small = Setup { rows: 1, seats_per_row: 1, ..setup(PORTION) };
    let (other, seats) = add_performance(&stage.engine, small, stage.engine.clock().now()).await;
    let big = view(stage).await;
    stage.engine.sales.view_of_house(other).await.expect("it is in memory");
    let before = big.version();
    let locking = begin_to_lock_all(stage);
    // While a portion is under way, so that the hold comes in the middle of the change if it can.
    let holding = tokio::spawn({
        let (sales, big) = (stage.engine.sales.clone(), big.clone());
        async move {
            first_change(&big, before).await;
            sales.hold(BUYER, None, other, seats).await
        }
    });
    let done = locking.await.unwrap().expect("all seats are locked");
    assert_eq!(done.changed as usize, stage.seats.len());
    holding.await.unwrap().expect("the seat at the other performance is held");
    assert_eq!(big.snapshot().counts.locked as usize, stage.seats.len());
    locks_among_events(&*stage.store).await
}

/// A hold that comes while a hall is being locked is committed before the last of its portions.
pub async fn holds_get_in_between_the_portions_of_a_large_lock(store: Arc<dyn Store>) {
    let stage = stage(store, PORTION).await;
    let before = view(&stage).await.version();
    let events = lock_beside_a_hold(&stage).await;
    let portions = view(&stage).await.version() - before;
    assert_eq!(portions, PORTIONS as i64, "each portion is a version of its own");
    let held = events.iter().position(|is_lock| !is_lock).expect("the hold is told");
    assert!(events[held..].iter().any(|is_lock| *is_lock), "portions follow the hold: {events:?}");
    assert_clean(&stage).await;
}

/// The negative control.
pub async fn in_one_command_a_large_lock_lets_nobody_in(store: Arc<dyn Store>) {
    let stage = stage(store, usize::MAX).await;
    let before = view(&stage).await.version();
    let events = lock_beside_a_hold(&stage).await;
    assert_eq!(view(&stage).await.version() - before, 1);
    let held = events.iter().position(|is_lock| !is_lock).expect("the hold is told");
    assert!(!events[held..].iter().any(|is_lock| *is_lock), "the hold came after all seats: {events:?}");
}

/// Seats of buyers, seats that are as asked already and seats named twice count alike in both.
pub async fn portions_do_what_one_command_does(store: Arc<dyn Store>) {
    // Both engines go on until the end: connections of one that stops would end with it.
    let (mut answers, mut engines) = (Vec::new(), Vec::new());
    for seats_per_portion in [7, usize::MAX] {
        let engine = start(store.clone(), Arc::new(SystemClock), setup(seats_per_portion)).await;
        let (performance, seats) = add_performance(&engine, setup(1), engine.clock().now()).await;
        let stage = Stage { engine, store: store.clone(), performance, seats };
        let sales = &stage.engine.sales;
        sales.hold(BUYER, None, performance, vec![stage.seats[10], stage.seats[500]]).await.expect("held");
        lock(&stage, &stage.seats[20..30], true).await;
        let twice = [&stage.seats[..], &stage.seats[3..5]].concat();
        let mut said = Vec::new();
        for (seats, locked) in
            [(&twice[..], true), (&stage.seats[..], true), (&twice[..], false), (&[][..], true)]
        {
            let done = lock(&stage, seats, locked).await;
            let taken: Vec<_> = done.taken.iter().map(|seat| seat.0 - stage.seats[0].0).collect();
            said.push((done.changed, done.unchanged, taken));
        }
        let statuses = view(&stage).await.statuses();
        let written = store.claims(performance).await.expect("the claims are read").taken;
        answers.push((said, statuses, written.len()));
        assert_clean(&stage).await;
        engines.push(stage.engine);
    }
    assert_eq!(answers[0].0[0], (1_988, 12, vec![10, 500]), "12 seats were locked or are named again");
    assert_eq!(answers[0], answers[1]);
}

/// A stop in the middle leaves whole portions, and asking again does the rest.
pub async fn a_lock_that_ended_half_way_is_finished_by_asking_again(store: Arc<dyn Store>) {
    let stage = stage(store.clone(), PORTION).await;
    let big = view(&stage).await;
    let before = big.version();
    let locking = begin_to_lock_all(&stage);
    first_change(&big, before).await;
    stage.engine.stop().await;
    locking.await.unwrap().expect_err("the engine has stopped in the middle");

    let locked = store.claims(stage.performance).await.expect("the claims are read").taken;
    assert!(locked.iter().all(|seat| seat.status == SeatStatus::Locked));
    assert!((PORTION..stage.seats.len()).contains(&locked.len()), "{} seats are locked", locked.len());
    assert_eq!(locked.len() % PORTION, 0, "a portion is whole or not at all");

    let engine = start(store, Arc::new(SystemClock), setup(PORTION)).await;
    let stage = Stage { engine, ..stage };
    let done = lock_patiently(&stage).await;
    assert!(done.unchanged as usize >= locked.len(), "what had been done is not done again");
    assert_eq!((done.changed + done.unchanged) as usize, stage.seats.len());
    assert_eq!(view(&stage).await.snapshot().counts.locked as usize, stage.seats.len());
    assert_eq!(lock_patiently(&stage).await.changed, 0);
    assert_clean(&stage).await;
}

/// Nobody waits for the answer any more, and all seats are locked all the same.
pub async fn a_lock_goes_on_when_its_caller_hangs_up(store: Arc<dyn Store>) {
    let stage = stage(store, PORTION).await;
    let big = view(&stage).await;
    let before = big.version();
    let locking = begin_to_lock_all(&stage);
    first_change(&big, before).await;
    locking.abort();
    let all = before + PORTIONS as i64;
    for _ in 0..10_000 {
        if big.version() == all {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((big.version(), big.snapshot().counts.locked as usize), (all, stage.seats.len()));
}

/// Not even the portions before the one with the wrong seat are done.
pub async fn a_lock_of_a_seat_elsewhere_does_nothing(store: Arc<dyn Store>) {
    let stage = stage(store, PORTION).await;
    let elsewhere = SeatId(stage.seats.last().unwrap().0 + 1);
    let seats = [&stage.seats[..], &[elsewhere]].concat();
    let refused = stage.engine.sales.lock_seats(ORGANISER, stage.performance, seats, true).await;
    assert!(matches!(refused, Err(SaleError::Refused(Refusal::NoSuchSeat(seat))) if seat == elsewhere));
    assert!(stage.store.claims(stage.performance).await.expect("the claims are read").taken.is_empty());
}
