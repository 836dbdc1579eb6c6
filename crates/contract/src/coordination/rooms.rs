//! Joining, asking, entering, changing.

use std::{collections::HashSet, sync::Arc};

use onsale_domain::{
    ids::{RoomId, UserId},
    line::{ChangeError, DrawNotice, Mode, Phase, Place, Refusal, RoomChange, Schedule, Standing, Ticket},
};
use onsale_engine::ports::{Admits, CoordinationError, Holder, Visitor};

use super::fixture::{Adapter, NOBODY, OPENING, Stage, account, refusal, settings};

const PARK: Mode = Mode::ThemePark { admissions: 100, interval_ms: 10_000 };

pub async fn a_room_that_does_not_exist_is_missing(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Anybody, PARK).await;
    let other = RoomId(stage.room.0 + 1_000_000);
    let missing = stage.rooms.join(other, account(1)).await;
    assert!(matches!(missing, Err(CoordinationError::NoSuchRoom(room)) if room == other));
    let again = stage.rooms.add_room(stage.room, Admits::Anybody, stage.journal.last()).await;
    assert!(matches!(again, Err(CoordinationError::RoomExists(room)) if room == stage.room));
}

pub async fn an_account_has_one_live_place(adapter: Arc<dyn Adapter>) {
    let stage = Arc::new(Stage::open(adapter, Admits::Accounts, PARK).await);
    let joining: Vec<_> = (0..1_000)
        .map(|turn| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.join(account(turn % 10)).await.ticket })
        })
        .collect();
    let mut tickets = HashSet::new();
    for joined in joining {
        tickets.insert(joined.await.expect("nobody panics"));
    }
    assert_eq!(tickets, (0..10).map(Ticket).collect(), "ten accounts, ten numbers, none burnt");
    assert_eq!(stage.document().await.tail, 10);
}

pub async fn who_has_left_or_paid_joins_anew(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Accounts, Mode::BankWindow { inside_max: 1 }).await;
    let first = stage.join(account(1)).await;
    let second = stage.join(account(2)).await;
    stage.enter(first).await.expect("straight through");
    assert_eq!(stage.join(account(1)).await, first, "who is inside has a place");
    stage.rooms.use_up(stage.room, first).await.expect("it is inside");
    let again = stage.join(account(1)).await;
    assert_eq!(again.ticket, Ticket(2), "at the end of the line");
    assert_eq!(stage.enter(first).await, Err(Refusal::Over), "the old number is used up");
    stage.rooms.leave(stage.room, second).await.expect("it waits");
    assert_eq!(stage.join(account(2)).await.ticket, Ticket(3));
    assert_eq!(refusal(stage.rooms.ask(stage.room, second).await), Err(Refusal::Over));
}

pub async fn an_account_cannot_take_numbers_without_end(adapter: Arc<dyn Adapter>) {
    let stage = Stage::scheduled(adapter, Admits::Accounts, PARK).await;
    stage.change(RoomChange::PreQueue).await;
    let mut taken = 0;
    let refused = loop {
        match refusal(stage.rooms.join(stage.room, account(1)).await) {
            Ok(ticket) => {
                taken += 1;
                stage.rooms.leave(stage.room, Holder::new(ticket, account(1))).await.expect("it is known");
            }
            Err(refused) => break refused,
        }
    };
    assert_eq!((taken, refused), (101, Refusal::TooManyNumbers));
    stage.join(account(2)).await;
    stage.clock.advance_ms(60_000);
    stage.join(account(1)).await;
}

/// In a room for anybody: one guest's pass, shown by ten accounts.
pub async fn a_guests_pass_becomes_that_of_the_first_account_that_uses_it(adapter: Arc<dyn Adapter>) {
    let mut stage = Stage::open(adapter, Admits::Anybody, Mode::BankWindow { inside_max: 1 }).await;
    let guest = stage.join(stage.visitor(0)).await;
    let own = stage.join(account(5)).await;
    let pass = stage.enter(guest).await.expect("straight through");
    let shown = async |stage: &Stage, by| {
        let holder = Holder { used_by: Some(UserId(by)), ..guest };
        stage.rooms.resume(stage.room, holder, pass.until).await
    };
    assert!(stage.rooms.resume(stage.room, guest, pass.until).await.is_ok(), "to look is not to use");
    assert_eq!(shown(&stage, 5).await.expect("the first"), pass);
    assert_eq!(refusal(stage.rooms.ask(stage.room, own).await), Err(Refusal::Over), "one live number");
    for round in 0..2 {
        for other in 6..16 {
            let refused = shown(&stage, other).await;
            assert!(matches!(refused, Err(CoordinationError::OtherAccount)), "{round}: {refused:?}");
        }
        assert_eq!(shown(&stage, 5).await.expect("it is theirs"), pass);
        assert_eq!(stage.join(account(5)).await.ticket, guest.ticket, "that is their place now");
        stage.crash().await;
    }
    stage.rooms.use_up(stage.room, guest).await.expect("it is inside");
    assert_eq!(refusal(shown(&stage, 5).await), Err(Refusal::Over));
    assert_eq!(refusal(shown(&stage, 6).await), Err(Refusal::Over));
}

/// An account has one live number in a room for anybody, too.
pub async fn an_account_among_guests_has_one_live_place(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Anybody, PARK).await;
    let first = stage.join(account(1)).await;
    assert_eq!(stage.join(account(1)).await, first);
    stage.rooms.leave(stage.room, first).await.expect("it is known");
    let second = stage.join(account(1)).await;
    assert_ne!(second, first);
    assert_eq!(refusal(stage.rooms.ask(stage.room, first).await), Err(Refusal::Over));
}

pub async fn guests_are_numbered_and_not_remembered(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter.clone(), Admits::Anybody, PARK).await;
    let guest = Visitor::Guest(7);
    let (first, second) = (stage.join(guest).await, stage.join(guest).await);
    assert_ne!(first.ticket, second.ticket, "the signed number is the place");
    assert!(matches!(stage.ask(second).await, Standing::Waiting { place: Place(1), .. }));

    let accounts = Stage::open(adapter, Admits::Accounts, PARK).await;
    let refused = accounts.rooms.join(accounts.room, guest).await;
    assert!(matches!(refused, Err(CoordinationError::AccountNeeded)));
    assert_eq!(accounts.document().await.tail, 0, "no number is burnt");
}

pub async fn a_refused_join_burns_no_number(adapter: Arc<dyn Adapter>) {
    let stage = Stage::scheduled(adapter, Admits::Accounts, PARK).await;
    assert_eq!(refusal(stage.rooms.join(stage.room, account(1)).await), Err(Refusal::NotYet));
    stage.change(RoomChange::PreQueue).await;
    assert_eq!(stage.join(account(1)).await.ticket, Ticket(0));
    stage.change(RoomChange::Open).await;
    assert_eq!(stage.join(account(2)).await.ticket, Ticket(1));
    stage.change(RoomChange::Close).await;
    assert_eq!(refusal(stage.rooms.join(stage.room, account(3)).await), Err(Refusal::Closed));
    assert_eq!(stage.document().await.tail, 2);
}

pub async fn asking_changes_nothing_and_an_unknown_number_is_refused(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Anybody, PARK).await;
    let crowd = stage.crowd(0, 50).await;
    let before = stage.ask(crowd[20]).await;
    for _ in 0..20 {
        assert_eq!(stage.ask(crowd[20]).await, before);
    }
    let nobody = Holder { ticket: NOBODY, ..crowd[0] };
    assert_eq!(refusal(stage.rooms.ask(stage.room, nobody).await), Err(Refusal::UnknownTicket));
    assert_eq!(stage.enter(nobody).await, Err(Refusal::UnknownTicket));
}

pub async fn rooms_open_and_close_by_time_and_the_draw_is_published(adapter: Arc<dyn Adapter>) {
    let stage = Stage::scheduled(adapter, Admits::Accounts, PARK).await;
    let schedule = Schedule {
        pre_queue_at: Some(OPENING.plus_ms(1_000)),
        opens_at: Some(OPENING.plus_ms(3_000)),
        closes_at: Some(OPENING.plus_ms(5_000)),
    };
    stage.change(RoomChange::Schedule(schedule)).await;
    stage.ticks(9).await;
    assert_eq!(stage.document().await.phase, Phase::Scheduled);
    stage.tick().await;
    let cohort = stage.crowd(0, 300).await;
    assert_eq!(stage.ask(cohort[0]).await, Standing::PreQueue);
    stage.change(RoomChange::PublicRandomness(b"1 2 3 4 5 6".to_vec())).await;
    let DrawNotice::Committed(commitment) = stage.document().await.draw else { panic!("the seed was told") };
    assert_eq!(stage.ticks(19).await, 0, "nobody is called before the opening");
    stage.tick().await;
    let DrawNotice::Drawn(record) = stage.document().await.draw else { panic!("the draw is not told") };
    assert_eq!((record.cohort, record.commitment), (300, commitment));
    let draw = record.verify().expect("the record is true");
    for holder in cohort {
        let (Standing::Waiting { place, .. } | Standing::Called { place, .. }) = stage.ask(holder).await
        else {
            panic!("{holder:?} is not in line")
        };
        assert_eq!(place, draw.place(holder.ticket));
    }
    stage.ticks(20).await;
    assert_eq!(stage.document().await.phase, Phase::Closed);
}

pub async fn a_theme_park_admits_exactly_its_setting(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Accounts, PARK).await;
    let crowd = stage.crowd(0, 400).await;
    let mut called = Vec::new();
    for interval in 0..3 {
        let mut sum = 0;
        for part in 0..5 {
            stage.all_ask(&crowd).await;
            sum += stage.ticks(if interval == 0 && part == 0 { 19 } else { 20 }).await;
        }
        called.push(sum);
    }
    assert_eq!(called, [100, 100, 100]);
}

pub async fn who_left_is_stepped_over_and_who_comes_back_is_first(adapter: Arc<dyn Adapter>) {
    let slow = Mode::ThemePark { admissions: 1, interval_ms: 3_600_000 };
    let stage = Stage::open(adapter, Admits::Accounts, slow).await;
    let crowd = stage.crowd(0, 3_000).await;
    for _ in 0..10 {
        stage.ticks(25).await;
        for holder in &crowd[2_000..] {
            stage.ask(*holder).await;
        }
    }
    stage.change(RoomChange::Settings(settings(PARK))).await;
    assert_eq!(stage.tick().await, 2, "not held up by those who left");
    assert!(matches!(stage.ask(crowd[2_001]).await, Standing::Called { .. }));
    assert!(matches!(stage.ask(crowd[50]).await, Standing::Waiting { ahead: 0, .. }));
    assert_eq!(stage.tick().await, 1);
    assert!(stage.enter(crowd[50]).await.is_ok(), "the place was kept");
    assert_eq!(stage.enter(crowd[2_002]).await, Err(Refusal::NotYourTurn));
}

pub async fn settings_change_while_people_wait(adapter: Arc<dyn Adapter>) {
    let stage = Stage::open(adapter, Admits::Anybody, PARK).await;
    let crowd = stage.crowd(0, 100).await;
    let revision = stage.document().await.revision;
    let bank = Mode::BankWindow { inside_max: 30 };
    let document = stage.change(RoomChange::Settings(settings(bank))).await;
    assert_eq!((document.settings.mode, document.revision), (bank, revision + 1));
    stage.tick().await;
    stage.all_ask(&crowd).await;
    assert_eq!(stage.document().await.inside, 30);
    stage.change(RoomChange::Pause).await;
    for holder in &crowd[..20] {
        stage.rooms.leave(stage.room, *holder).await.expect("they are inside");
    }
    assert_eq!(stage.ticks(20).await, 0, "paused");
    stage.change(RoomChange::Open).await;
    assert_eq!(stage.tick().await, 20);
    let refused = stage.rooms.change(stage.room, RoomChange::PreQueue).await;
    assert!(matches!(refused, Err(CoordinationError::Change(ChangeError::Phase(Phase::Open)))));
}
