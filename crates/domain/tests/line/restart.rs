//! What is left when only the record is.

use std::collections::HashMap;

use onsale_domain::{
    ids::RoomId,
    line::{Guards, Mode, Place, PlaceState, Refusal, Room, RoomChange, Standing},
};

use crate::{PARK, stage::Stage};

fn restart(stage: &mut Stage) {
    stage.room = Room::new(RoomId(1), stage.room.record().clone(), Guards::default(), stage.now);
}

#[test]
fn no_number_is_given_twice_and_nobody_moves_back() {
    let mut stage =
        Stage::scheduled(Mode::ThemePark { admissions: 1_000, interval_ms: 1_000 }, Guards::default());
    stage.change(RoomChange::PreQueue);
    let mut tickets = stage.crowd(700);
    restart(&mut stage);
    tickets.extend(stage.crowd(5_000));
    stage.change(RoomChange::Open);
    let mut places: HashMap<_, Place> = HashMap::new();
    let mut ahead_before: HashMap<_, u32> = HashMap::new();
    for round in 0..10 {
        tickets.extend(stage.crowd(50 * round));
        stage.ticks(5);
        for ticket in &tickets {
            let (place, ahead) = match stage.ask(*ticket) {
                Standing::Waiting { place, ahead, .. } => (place, ahead),
                Standing::Called { place, .. } => (place, 0),
                other => panic!("{ticket}: {other:?}"),
            };
            assert_eq!(*places.entry(*ticket).or_insert(place), place, "a place never changes");
            let before = ahead_before.insert(*ticket, ahead);
            assert!(
                before.is_none_or(|before| ahead <= before),
                "{ticket} had {before:?} ahead, now {ahead}"
            );
        }
        restart(&mut stage);
    }
    let mut numbers = tickets.clone();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), tickets.len(), "every number was given out once");
}

#[test]
fn those_who_were_not_called_are_called_in_their_order() {
    let mut stage = Stage::open(PARK);
    let crowd = stage.crowd(3_000);
    stage.ticks(20);
    restart(&mut stage);
    assert!(stage.room.document().cursor > 100, "the recorded cursor is ahead of the real one");
    for ticket in crowd.iter().rev() {
        stage.ask(*ticket);
    }
    let called: Vec<_> = (0..90).flat_map(|_| stage.tick().called).map(|place| place.0).collect();
    assert!(called.len() >= 8 && called.is_sorted() && called[0] == 0, "{called:?}");
}

#[test]
fn passes_hold_and_a_bank_window_is_not_overfilled() {
    let mut stage = Stage::open(Mode::BankWindow { inside_max: 10 });
    let crowd = stage.crowd(100);
    let entered = stage.all_ask(&crowd);
    assert_eq!(entered.len(), 10);
    let passes: Vec<_> = entered.iter().map(|ticket| stage.enter(*ticket).unwrap()).collect();
    restart(&mut stage);

    stage.all_ask(&crowd[10..]);
    assert_eq!(stage.tick().called, [], "the ten may all still be inside");
    for (ticket, pass) in entered.iter().zip(&passes) {
        assert_eq!(stage.room.resume(*ticket, pass.until, stage.now), Ok(*pass));
        assert_eq!(stage.room.resume(*ticket, pass.until, stage.now), Ok(*pass), "again");
    }
    let forged = stage.room.resume(crowd[20], stage.now.plus_ms(90_000), stage.now);
    assert_eq!(forged, Err(Refusal::Over), "no pass lasts that long");
    assert_eq!(stage.tick().called, []);
    stage.room.use_up(entered[0], stage.now).expect("it is inside");
    assert_eq!(stage.room.resume(entered[0], passes[0].until, stage.now), Err(Refusal::Over), "used up");
    assert_eq!(stage.tick().called.len(), 1);

    // Those who never come again are not waited for longer than a pass lasts.
    restart(&mut stage);
    for _ in 0..60 {
        stage.ticks(10);
        stage.all_ask(&crowd[50..]);
    }
    assert_eq!(stage.room.document().inside, 10);
}

/// A restart finds what was written down: numbers given up, passes used up and passes as they were before
/// they were extended.
#[test]
fn what_was_written_down_is_known_again() {
    let mut stage = Stage::scheduled(Mode::BankWindow { inside_max: 3 }, Guards::default());
    stage.change(RoomChange::PreQueue);
    stage.room.note_changes();
    let crowd = stage.crowd(200);
    for ticket in &crowd[50..150] {
        stage.room.leave(*ticket, stage.now).unwrap();
    }
    let given_up = stage.room.take_changes().given_up;
    assert_eq!(given_up, crowd[50..150]);
    restart(&mut stage);
    stage.room.restore(given_up.clone(), []);
    stage.room.knows_all_passes();
    assert!(crowd[50..150].iter().all(|ticket| stage.ask(*ticket) == Standing::Over));
    stage.change(RoomChange::Open);
    stage.room.note_changes();
    let mut entered = Vec::new();
    // Numbers that were never given out count as seen after a restart, for a while.
    while entered.len() < 3 {
        stage.tick();
        entered.extend(stage.all_ask(&crowd));
    }
    let passes: Vec<_> = entered.iter().map(|ticket| stage.enter(*ticket).unwrap()).collect();
    let written: Vec<_> = passes.iter().map(|pass| (pass.place, pass.until)).collect();
    stage.room.use_up(entered[0], stage.now).unwrap();
    let changes = stage.room.take_changes();
    assert_eq!(changes.over, [passes[0].place]);
    let held_until = passes[1].until.plus_ms(100_000);
    assert_eq!(stage.room.extend(entered[1], held_until, stage.now).unwrap().until, held_until);

    restart(&mut stage);
    let over = PlaceState { taken: true, turn: None };
    stage.room.restore(given_up, [(passes[0].place, over)]);
    stage.room.restore_passes(written[1..].iter().copied(), 0);
    stage.room.knows_all_passes();
    assert!(crowd[50..150].iter().all(|ticket| stage.ask(*ticket) == Standing::Over));
    assert_eq!(stage.room.resume(entered[0], passes[0].until, stage.now), Err(Refusal::Over), "used up");
    assert_eq!(stage.room.resume(entered[2], passes[2].until, stage.now), Ok(passes[2]));
    // Whoever had it extended shows so, also when it would have run out.
    stage.now = passes[1].until.plus_ms(1_000);
    assert_eq!(stage.room.resume(entered[2], passes[2].until, stage.now), Err(Refusal::Over), "run out");
    assert_eq!(stage.room.resume(entered[1], held_until, stage.now).unwrap().until, held_until);
    stage.room.use_up(entered[1], stage.now).unwrap();
    assert_eq!(stage.room.resume(entered[1], held_until, stage.now), Err(Refusal::Over));
}

/// A node whose clock is behind goes on with passes that last as long as they would have.
#[test]
fn a_clock_that_was_set_back_prolongs_no_pass() {
    let mut stage = Stage::open(Mode::BankWindow { inside_max: 1 });
    let ticket = stage.join();
    let pass = stage.enter(ticket).unwrap();
    let hours = 7_200_000;
    stage.now = stage.now.plus_ms(-hours);
    restart(&mut stage);
    stage.room.restore_passes([(pass.place, pass.until)], hours);
    let again = stage.room.resume(ticket, pass.until, stage.now).unwrap();
    assert_eq!(again.until, stage.now.plus_ms(60_000));
}

#[test]
fn a_room_gives_out_a_hundred_million_numbers_and_no_more() {
    let mut stage = Stage::open(PARK);
    let mut record = stage.room.record().clone();
    record.numbers = 100_000_000 - 2;
    stage.room = Room::new(RoomId(1), record, Guards::default(), stage.now);
    stage.crowd(2);
    stage.write_records();
    assert_eq!(stage.room.join(stage.now), Err(Refusal::Full));
    assert_eq!(stage.room.due_record(stage.now), None);
    assert!(stage.room.bytes() < 40_000_000, "{}", stage.room.bytes());
}
