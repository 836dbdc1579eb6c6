//! Passes, and the bank window that never holds more than it may.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use onsale_domain::line::{Mode, Refusal, RoomChange, RoomSettings, Standing};
use onsale_engine::ports::Admits;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::fixture::{Adapter, Stage, TICK_MS, refusal, settings};

pub async fn a_pass_is_extended_used_up_and_runs_out(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Accounts, Mode::BankWindow { inside_max: 3 }).await;
    let crowd = stage.crowd(0, 5).await;
    assert_eq!(stage.all_ask(&crowd).await, crowd[..3]);
    let (rooms, room) = (&stage.rooms, stage.room);
    let pass = stage.enter(crowd[0]).await.expect("it is inside");
    assert_eq!(refusal(rooms.pass(room, crowd[3]).await), Err(Refusal::NotYourTurn));

    rooms.use_up(room, crowd[0]).await.expect("it is inside");
    assert_eq!(refusal(rooms.pass(room, crowd[0]).await), Err(Refusal::Over));
    assert_eq!(refusal(rooms.use_up(room, crowd[0]).await), Err(Refusal::Over), "once");
    let replayed = rooms.resume(room, crowd[0], pass.until).await;
    assert_eq!(refusal(replayed), Err(Refusal::Over), "an old pass is no new one");

    stage.clock.advance_ms(50_000);
    let held_until = pass.until.plus_ms(1_000_000);
    let extended = rooms.extend(room, crowd[1], held_until).await.expect("it is inside");
    assert_eq!(extended.until, held_until, "as long as a hold that lasts longer than a pass");
    stage.clock.set(pass.until.plus_ms(-1));
    assert!(rooms.pass(room, crowd[2]).await.is_ok());
    stage.clock.set(pass.until);
    assert_eq!(refusal(rooms.pass(room, crowd[2]).await), Err(Refusal::Over), "run out, to the millisecond");
    assert!(rooms.pass(room, crowd[1]).await.is_ok(), "extended");
}

pub async fn a_slot_is_reused_within_a_tick(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Accounts, Mode::BankWindow { inside_max: 2 }).await;
    let crowd = stage.crowd(0, 10).await;
    stage.tick().await;
    stage.all_ask(&crowd).await;
    stage.rooms.use_up(stage.room, crowd[0]).await.expect("it is inside");
    stage.rooms.leave(stage.room, crowd[1]).await.expect("it is inside");
    assert_eq!(stage.tick().await, 2);
    assert_eq!(stage.all_ask(&crowd[2..]).await, crowd[2..4]);
    // Called and gone: the slot is lost for the time to enter, then reused. The time began as the slot
    // became free, a tick before it was counted.
    stage.rooms.leave(stage.room, crowd[2]).await.expect("it is inside");
    assert_eq!(stage.tick().await, 1);
    assert_eq!(stage.ticks(48).await, 0);
    for holder in &crowd[5..] {
        stage.ask(*holder).await;
    }
    assert_eq!(stage.tick().await, 1, "five seconds later");
}

const CLIENTS: i64 = 200;
const INSIDE_MAX: u32 = 20;
const ROUNDS: u32 = 3;

/// What the clients see of the room.
struct Counted {
    stage: Stage,
    inside: AtomicI64,
    most: AtomicI64,
    entries: AtomicU32,
}

/// Two hundred clients join, wait, enter, and pay, leave or vanish, all at once, three times over.
/// Each counts itself in after it has entered and out before it leaves, so the count never shows
/// more than are inside.
pub async fn never_more_than_allowed_under_two_hundred_clients(adapter: Arc<dyn Adapter>) {
    let mode = Mode::BankWindow { inside_max: INSIDE_MAX };
    let stage = Stage::open(adapter, Admits::Accounts, mode).await;
    // The clock runs a hundred times as fast as the clients: no pass may run out under them.
    let patient = RoomSettings { pass_ms: 86_400_000, ..settings(mode) };
    stage.change(RoomChange::Settings(patient)).await;
    let counted = Arc::new(Counted {
        stage,
        inside: AtomicI64::new(0),
        most: AtomicI64::new(0),
        entries: AtomicU32::new(0),
    });
    let done = Arc::new(AtomicBool::new(false));
    let ticking = tokio::spawn(tick_until(counted.clone(), done.clone()));
    let clients: Vec<_> = (0..CLIENTS).map(|client| tokio::spawn(visit(counted.clone(), client))).collect();
    for client in clients {
        client.await.expect("no client panics");
    }
    done.store(true, Ordering::SeqCst);
    ticking.await.expect("the ticks do not panic");
    let most = counted.most.load(Ordering::SeqCst);
    assert!(most <= i64::from(INSIDE_MAX), "{most} were inside");
    assert!(most > i64::from(INSIDE_MAX / 2), "only {most} were ever inside: nothing was tried");
    assert_eq!(counted.entries.load(Ordering::SeqCst), CLIENTS as u32 * ROUNDS);
}

async fn tick_until(counted: Arc<Counted>, done: Arc<AtomicBool>) {
    while !done.load(Ordering::SeqCst) {
        counted.stage.clock.advance_ms(TICK_MS);
        counted.stage.rooms.advance(counted.stage.room).await.expect("the room goes on");
        let document = counted.stage.document().await;
        assert!(document.inside + document.called <= INSIDE_MAX, "{document:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn visit(counted: Arc<Counted>, client: i64) {
    let stage = &counted.stage;
    let mut random = StdRng::seed_from_u64(client.unsigned_abs());
    for _ in 0..ROUNDS {
        let holder = stage.join(stage.visitor(client)).await;
        while !matches!(stage.ask(holder).await, Standing::Called { .. }) {
            tokio::task::yield_now().await;
        }
        match stage.enter(holder).await {
            Ok(_) => {}
            // The turn may have lapsed in between; the place is kept.
            Err(Refusal::NotYourTurn) => {
                while stage.enter(holder).await.is_err() {
                    tokio::task::yield_now().await;
                }
            }
            Err(refusal) => panic!("client {client} was told: {refusal}"),
        }
        counted.entries.fetch_add(1, Ordering::SeqCst);
        let inside = counted.inside.fetch_add(1, Ordering::SeqCst) + 1;
        counted.most.fetch_max(inside, Ordering::SeqCst);
        let (rooms, room) = (&stage.rooms, stage.room);
        for _ in 0..random.random_range(0..20) {
            // Takes as long as the adapter takes for what the others do meanwhile.
            rooms.pass(room, holder).await.expect("it is inside");
            tokio::task::yield_now().await;
        }
        counted.inside.fetch_sub(1, Ordering::SeqCst);
        match random.random_range(0..2) {
            0 => rooms.use_up(room, holder).await.expect("it is inside"),
            _ => rooms.leave(room, holder).await.expect("it is inside"),
        }
    }
}
