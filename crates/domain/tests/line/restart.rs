//! What is left when only the record is.

use std::collections::HashMap;

use onsale_domain::{
    ids::RoomId,
    line::{Guards, Mode, Place, Refusal, Room, RoomChange, Standing},
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
