//! The waiting room: who is called, when, and what a restart leaves.

mod modes;
mod no_shows;
mod restart;
mod stage;
mod waits;

use onsale_domain::line::{
    ChangeError, DrawNotice, Guards, Mode, Phase, Refusal, RoomChange, Standing, Ticket,
};
use stage::{Stage, settings};

const PARK: Mode = Mode::ThemePark { admissions: 10, interval_ms: 10_000 };

#[test]
fn a_refused_join_uses_no_number_up() {
    let mut stage = Stage::scheduled(PARK, Guards::default());
    assert_eq!(stage.room.join(stage.now), Err(Refusal::NotYet));
    stage.change(RoomChange::PreQueue);
    assert_eq!(stage.join(), Ticket(0));
    stage.change(RoomChange::Open);
    assert_eq!(stage.join(), Ticket(1));
    stage.change(RoomChange::Close);
    assert_eq!(stage.room.join(stage.now), Err(Refusal::Closed));
    assert_eq!(stage.room.document().tail, 2);
}

#[test]
fn numbers_are_recorded_before_they_are_given_out() {
    let mut stage = Stage::open(PARK);
    let recorded = stage.room.record().numbers;
    for number in 0..recorded {
        assert_eq!(stage.room.join(stage.now), Ok(Ticket(number)));
    }
    assert_eq!(stage.room.join(stage.now), Err(Refusal::NumbersUsedUp));
    let next = stage.room.due_record(stage.now).expect("the next block is due");
    assert!(next.numbers > recorded);
    assert_eq!(stage.room.join(stage.now), Err(Refusal::NumbersUsedUp), "not before it is written");
    stage.room.recorded(next, stage.now);
    assert_eq!(stage.room.join(stage.now), Ok(Ticket(recorded)));
}

#[test]
fn the_pre_queue_is_drawn_and_those_after_it_stand_behind() {
    let mut stage = Stage::scheduled(PARK, Guards::default());
    let opens_at = stage.now.plus_ms(20_000);
    let schedule = onsale_domain::line::Schedule {
        pre_queue_at: Some(stage.now.plus_ms(10_000)),
        opens_at: Some(opens_at),
        closes_at: Some(stage.now.plus_ms(100_000)),
    };
    stage.change(RoomChange::Schedule(schedule));
    stage.ticks(99);
    assert_eq!(stage.phase(), Phase::Scheduled);
    stage.tick();
    assert_eq!(stage.phase(), Phase::PreQueue);
    let cohort = stage.crowd(1_000);
    assert_eq!(stage.ask(cohort[0]), Standing::PreQueue);
    assert_eq!(stage.enter(cohort[0]), Err(Refusal::NotYourTurn));
    stage.change(RoomChange::PublicRandomness(b"today's lottery".to_vec()));
    let DrawNotice::Committed(commitment) = stage.room.document().draw else {
        panic!("the seed was told before the opening")
    };
    assert_eq!(stage.ticks(99), vec![0; 99], "nobody is called in the pre-queue");
    stage.tick();
    assert_eq!((stage.phase(), stage.now), (Phase::Open, opens_at));
    let late = stage.join();

    let DrawNotice::Drawn(record) = stage.room.document().draw else { panic!("the draw is not published") };
    assert_eq!((record.cohort, record.commitment), (1_000, commitment));
    let draw = record.verify().expect("the published record is true");
    for ticket in cohort {
        let place = match stage.ask(ticket) {
            Standing::Waiting { place, .. } | Standing::Called { place, .. } => place,
            other => panic!("{ticket}: {other:?}"),
        };
        assert_eq!(place, draw.place(ticket));
    }
    assert!(matches!(stage.ask(late), Standing::Waiting { place, .. } if place.0 == 1_000));
    let randomness = stage.room.changed(RoomChange::PublicRandomness(vec![]), stage.now);
    assert_eq!(randomness, Err(ChangeError::Phase(Phase::Open)), "the draw is made");
    stage.ticks(800);
    assert_eq!(stage.phase(), Phase::Closed);
    assert_eq!(stage.ask(late), Standing::Over);
}

/// Somebody takes sixty numbers before the opening and gives up all but the last; the numbers that are
/// still good after the draw.
fn good_of_sixty(guards: Guards) -> Vec<Ticket> {
    let mut stage = Stage::scheduled(PARK, guards);
    stage.change(RoomChange::PreQueue);
    stage.crowd(20);
    let mut kept = Vec::new();
    for _ in 0..60 {
        if let Some(before) = kept.last() {
            stage.room.leave(*before, stage.now).expect("the number is known");
        }
        kept.push(stage.join());
    }
    stage.crowd(20);
    if guards.given_up {
        for given_up in &kept[..59] {
            assert_eq!(stage.ask(*given_up), Standing::Over, "before the draw, too");
            assert_eq!(stage.room.leave(*given_up, stage.now), Ok(()), "twice is as good as once");
        }
    }
    stage.change(RoomChange::Open);
    let good = |stage: &mut Stage| {
        let good = |ticket: &Ticket| stage.ask(*ticket) != Standing::Over;
        kept.iter().copied().filter(good).collect::<Vec<_>>()
    };
    let at_once = good(&mut stage);
    stage.ticks(50);
    assert_eq!(good(&mut stage), at_once, "also when their places are marked");
    for given_up in kept.iter().filter(|ticket| !at_once.contains(ticket)) {
        assert_eq!(stage.enter(*given_up), Err(Refusal::Over));
        assert_eq!(stage.room.pass(*given_up, stage.now), Err(Refusal::Over));
    }
    at_once
}

#[test]
fn a_number_given_up_before_the_opening_is_given_up_for_good() {
    assert_eq!(good_of_sixty(Guards::default()), [Ticket(79)]);
}

/// The negative control: sixty lots for one.
#[test]
fn without_the_guard_every_number_is_a_lot() {
    assert_eq!(good_of_sixty(Guards { given_up: false, ..Guards::default() }).len(), 60);
}

#[test]
fn asking_again_changes_nothing() {
    let mut stage = Stage::open(PARK);
    let crowd = stage.crowd(100);
    let before = stage.ask(crowd[50]);
    assert!((0..50).all(|_| stage.ask(crowd[50]) == before));
    assert_eq!(stage.room.ask(Ticket(100), stage.now), Err(Refusal::UnknownTicket));
    assert_eq!(stage.room.leave(Ticket(100), stage.now), Err(Refusal::UnknownTicket));
}

#[test]
fn a_pass_ends_is_extended_used_up_and_given_back() {
    let mut stage = Stage::open(Mode::BankWindow { inside_max: 3 });
    let crowd = stage.crowd(4);
    let pass = stage.enter(crowd[0]).expect("straight through");
    assert_eq!(pass.until, stage.now.plus_ms(60_000));
    assert_eq!(stage.enter(crowd[0]), Ok(pass), "entering again gives the same pass");
    assert!(stage.enter(crowd[1]).is_ok() && stage.enter(crowd[2]).is_ok());
    assert_eq!(stage.enter(crowd[3]), Err(Refusal::NotYourTurn));

    // Used up.
    stage.tick();
    assert_eq!(stage.room.use_up(crowd[0], stage.now), Ok(()));
    assert_eq!(stage.room.use_up(crowd[0], stage.now), Err(Refusal::Over), "once");
    assert_eq!(stage.enter(crowd[0]), Err(Refusal::Over));
    assert_eq!(stage.tick().called.len(), 1);
    assert!(stage.enter(crowd[3]).is_ok(), "the slot is reused within a tick");

    // Extended, as long as a hold that lasts longer than a new pass.
    stage.ticks(500);
    let held_until = stage.now.plus_ms(120_000);
    let extended = stage.room.extend(crowd[1], held_until, stage.now).expect("it is inside");
    assert_eq!(extended.until, held_until);
    assert_eq!(stage.room.extend(crowd[1], stage.now, stage.now), Ok(extended), "never shorter");
    stage.now = pass.until.plus_ms(-1);
    assert!(stage.room.pass(crowd[2], stage.now).is_ok());
    stage.now = pass.until;
    assert_eq!(stage.room.pass(crowd[2], stage.now), Err(Refusal::Over), "ended without a tick");
    assert_eq!(stage.room.pass(crowd[1], stage.now), Ok(extended));
    stage.now = extended.until;
    assert_eq!(stage.room.pass(crowd[1], stage.now), Err(Refusal::Over));
    assert_eq!(stage.room.document().inside, 0);
}

#[test]
fn changes_are_checked_and_counted() {
    let mut stage = Stage::open(PARK);
    let revision = stage.room.document().revision;
    for mode in [
        Mode::ThemePark { admissions: 0, interval_ms: 10_000 },
        Mode::ThemePark { admissions: 1, interval_ms: 999 },
        Mode::BankWindow { inside_max: 0 },
        Mode::Adaptive { floor: 5, ceiling: 4 },
    ] {
        let refused = stage.room.changed(RoomChange::Settings(settings(mode)), stage.now);
        assert!(matches!(refused, Err(ChangeError::Settings(_))), "{mode:?}");
    }
    let mut impatient = settings(PARK);
    impatient.unseen_ms = 7_000;
    let refused = stage.room.changed(RoomChange::Settings(impatient), stage.now).unwrap_err();
    assert_eq!(refused.to_string(), "unseen_ms is 7000, but must be from 7800 to 86400000");
    assert_eq!(stage.room.changed(RoomChange::PreQueue, stage.now), Err(ChangeError::Phase(Phase::Open)));

    let mode = Mode::BankWindow { inside_max: 5 };
    stage.change(RoomChange::Settings(settings(mode)));
    let document = stage.room.document();
    assert_eq!((document.settings.mode, document.revision), (mode, revision + 1));
    stage.change(RoomChange::Close);
    assert_eq!(stage.room.changed(RoomChange::Open, stage.now), Err(ChangeError::Phase(Phase::Closed)));
}
