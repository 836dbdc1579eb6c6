//! What a crash leaves.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use onsale_domain::line::{Mode, Phase, Place, Refusal, RoomChange, Standing, Ticket};
use onsale_engine::ports::{Admits, CoordinationError};

use super::fixture::{Adapter, Stage, account, refusal};

const PARK: Mode = Mode::ThemePark { admissions: 500, interval_ms: 10_000 };

pub async fn what_is_not_written_does_not_happen(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Accounts, PARK).await;
    let covered = stage.journal.last().numbers;
    stage.journal.set_broken(true);
    let mut joined = 0;
    let error = loop {
        match stage.rooms.join(stage.room, account(joined)).await {
            Ok(_) => joined += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CoordinationError::Unavailable(_)), "{error}");
    assert_eq!(joined, i64::from(covered), "all numbers that were written, and no more");
    assert_eq!(stage.document().await.tail, covered, "no number is burnt");
    let revision = stage.document().await.revision;
    assert!(stage.rooms.change(stage.room, RoomChange::Pause).await.is_err());
    assert_eq!(stage.document().await.revision, revision);
    stage.journal.set_broken(false);
    assert_eq!(stage.join(account(joined)).await.ticket.0, covered);
}

/// People join, in parallel, through twenty crashes.
pub async fn no_number_is_given_twice(adapter: Arc<dyn Adapter>) {
    let mut stage = Stage::open(adapter, Admits::Accounts, PARK).await;
    let mut given = HashSet::new();
    for crash in 0..20 {
        let running = Arc::new(stage);
        let joining: Vec<_> = (0..150 + crash * 30)
            .map(|number| {
                let running = running.clone();
                tokio::spawn(async move { running.join(account(crash * 10_000 + number)).await.ticket })
            })
            .collect();
        for joined in joining {
            let ticket = joined.await.expect("nobody panics");
            assert!(given.insert(ticket), "{ticket} was given twice");
            assert!(running.journal.last().numbers > ticket.0, "{ticket} was not written first");
        }
        running.tick().await;
        stage = Arc::into_inner(running).expect("nobody holds it any more");
        stage.crash().await;
    }
}

pub async fn nobody_moves_back(adapter: Arc<dyn Adapter>) {
    let mut stage = Stage::scheduled(adapter, Admits::Accounts, PARK).await;
    stage.change(RoomChange::PreQueue).await;
    let mut crowd = stage.crowd(0, 300).await;
    stage.crash().await;
    crowd.extend(stage.crowd(1_000, 300).await);
    stage.change(RoomChange::Open).await;
    let mut before: HashMap<Ticket, (Place, u32)> = HashMap::new();
    for round in 0..8 {
        crowd.extend(stage.crowd(10_000 + round * 100, 20).await);
        stage.ticks(7).await;
        for holder in &crowd {
            let now = match stage.ask(*holder).await {
                Standing::Waiting { place, ahead, .. } => (place, ahead),
                Standing::Called { place, .. } => (place, 0),
                other => panic!("{holder:?}: {other:?}"),
            };
            if let Some((place, ahead)) = before.insert(holder.ticket, now) {
                assert_eq!(place, now.0, "a place never changes");
                assert!(now.1 <= ahead, "{holder:?} had {ahead} before, now {}", now.1);
            }
        }
        stage.crash().await;
    }
}

pub async fn passes_hold_and_the_window_is_not_overfilled(adapter: Arc<dyn Adapter>) {
    let mut stage = Stage::open(adapter, Admits::Accounts, Mode::BankWindow { inside_max: 10 }).await;
    let crowd = stage.crowd(0, 40).await;
    let entered = stage.all_ask(&crowd).await;
    let mut passes = Vec::new();
    for holder in &entered {
        passes.push(stage.enter(*holder).await.expect("they are inside"));
    }
    assert_eq!(passes.len(), 10);
    stage.crash().await;
    stage.all_ask(&crowd[10..]).await;
    assert_eq!(stage.ticks(5).await, 0, "the ten may be inside");
    for (holder, pass) in entered.iter().zip(&passes) {
        assert_eq!(stage.rooms.resume(stage.room, *holder, pass.until).await.expect("it holds"), *pass);
        assert_eq!(stage.rooms.pass(stage.room, *holder).await.expect("it is known again"), *pass);
    }
    stage.rooms.use_up(stage.room, entered[0]).await.expect("it is inside");
    let replayed = stage.rooms.resume(stage.room, entered[0], passes[0].until).await;
    assert_eq!(refusal(replayed), Err(Refusal::Over));
    assert_eq!(stage.tick().await, 1);
}

pub async fn an_account_still_has_one_live_place(adapter: Arc<dyn Adapter>) {
    let mut stage = Stage::open(adapter, Admits::Accounts, PARK).await;
    let crowd = stage.crowd(0, 200).await;
    stage.ticks(2).await;
    // In the last moment, so that the log may not have it.
    let late = stage.join(account(900)).await;
    stage.crash().await;
    // One asks with the number from before; another has lost it and joins anew.
    assert!(matches!(stage.ask(crowd[100]).await, Standing::Waiting { .. } | Standing::Called { .. }));
    assert_eq!(stage.join(account(100)).await, crowd[100]);
    assert_eq!(stage.join(account(150)).await, crowd[150], "the log has it");
    let anew = stage.join(account(900)).await;
    if anew != late {
        // The old number is found again: it does not count any more.
        assert_eq!(refusal(stage.rooms.ask(stage.room, late).await), Err(Refusal::Over));
    }
    assert!(stage.rooms.ask(stage.room, anew).await.is_ok());
    assert_eq!(stage.join(account(900)).await, anew);
}

/// Sixty numbers, all but the last given up, with crashes in between; after the draw all are shown.
pub async fn numbers_that_were_given_up_stay_so(adapter: Arc<dyn Adapter>) {
    for admits in [Admits::Accounts, Admits::Anybody] {
        let mut stage = Stage::scheduled(adapter.clone(), admits, PARK).await;
        stage.change(RoomChange::PreQueue).await;
        stage.crowd(1, 30).await;
        let mut kept = Vec::new();
        for turn in 0..60 {
            if let Some(before) = kept.last() {
                stage.rooms.leave(stage.room, *before).await.expect("it is known");
            }
            if turn % 20 == 10 {
                stage.crash().await;
            }
            kept.push(stage.join(stage.visitor(0)).await);
        }
        let mut tickets: Vec<_> = kept.iter().map(|holder| holder.ticket).collect();
        tickets.dedup();
        assert_eq!(tickets.len(), 60, "each time another number");
        for crashes in [false, true, true] {
            if crashes {
                stage.ticks(2).await;
                stage.crash().await;
            }
            for given_up in &kept[..59] {
                let shown = refusal(stage.rooms.ask(stage.room, *given_up).await);
                assert!(matches!(shown, Ok(Standing::Over) | Err(Refusal::Over)), "{given_up:?}: {shown:?}");
                assert_eq!(stage.enter(*given_up).await, Err(Refusal::Over));
            }
            assert_ne!(stage.ask(kept[59]).await, Standing::Over, "the last one is live");
            if stage.document().await.phase == Phase::PreQueue {
                stage.change(RoomChange::Open).await;
                stage.ticks(10).await;
            }
        }
    }
}

pub async fn what_is_used_up_stays_so(adapter: Arc<dyn Adapter>) {
    let mut stage = Stage::open(adapter, Admits::Accounts, Mode::BankWindow { inside_max: 1 }).await;
    let crowd = stage.crowd(0, 3).await;
    let paid = stage.enter(crowd[0]).await.expect("straight through");
    stage.rooms.use_up(stage.room, crowd[0]).await.expect("it is inside");
    stage.tick().await;
    let left = stage.enter(crowd[1]).await.expect("it was called");
    stage.rooms.leave(stage.room, crowd[1]).await.expect("it is inside");
    stage.tick().await;
    let inside = stage.enter(crowd[2]).await.expect("it was called");
    for _ in 0..2 {
        stage.crash().await;
        for (holder, pass) in [(crowd[0], paid), (crowd[1], left)] {
            let shown = stage.rooms.resume(stage.room, holder, pass.until).await;
            assert_eq!(refusal(shown), Err(Refusal::Over));
            assert_eq!(stage.enter(holder).await, Err(Refusal::Over));
        }
        assert_eq!(stage.document().await.inside, 1);
        let late = stage.join(account(10)).await;
        assert!(matches!(stage.ask(late).await, Standing::Waiting { .. }), "the window is full");
        assert_eq!(stage.rooms.resume(stage.room, crowd[2], inside.until).await.expect("it holds"), inside);
    }
    // Nobody is presumed to be inside: the slot is free as soon as it is given back.
    stage.rooms.use_up(stage.room, crowd[2]).await.expect("it is inside");
    stage.crash().await;
    stage.join(account(11)).await;
    stage.tick().await;
    assert_eq!(stage.document().await.called, 1);
}

/// As an earlier version leaves a room: without a log. What may have been given out is presumed.
pub async fn a_room_without_a_log_goes_on(adapter: Arc<dyn Adapter>) {
    let mut stage = Stage::open(adapter, Admits::Accounts, Mode::BankWindow { inside_max: 2 }).await;
    let crowd = stage.crowd(0, 4).await;
    let pass = stage.enter(crowd[0]).await.expect("straight through");
    stage.journal.forget_log();
    stage.crash().await;
    stage.all_ask(&crowd[2..]).await;
    assert_eq!(stage.ticks(5).await, 0, "two may be inside");
    assert_eq!(stage.rooms.resume(stage.room, crowd[0], pass.until).await.expect("it holds"), pass);
    assert!(stage.ask(crowd[3]).await != Standing::Over);
}
