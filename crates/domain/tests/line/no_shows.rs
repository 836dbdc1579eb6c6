//! Those who left, and those who came back.

use onsale_domain::line::{Guards, Mode, Refusal, Standing, Ticket};

use crate::stage::Stage;

const FAST: Mode = Mode::ThemePark { admissions: 100, interval_ms: 1_000 };
const SLOW: Mode = Mode::ThemePark { admissions: 1, interval_ms: 3_600_000 };

/// A room where the first of `crowd` have not asked for long enough, and the others have.
fn abandoned(mode: Mode, guards: Guards, crowd: u32, stay: u32) -> (Stage, Vec<Ticket>) {
    let mut stage = Stage::open_with(SLOW, guards);
    let crowd = stage.crowd(crowd);
    let staying = crowd.len() - stay as usize;
    for _ in 0..10 {
        stage.ticks(25);
        stage.all_ask(&crowd[staying..]);
    }
    stage.change(onsale_domain::line::RoomChange::Settings(crate::stage::settings(mode)));
    (stage, crowd)
}

#[test]
fn places_of_those_who_left_are_stepped_over() {
    let (mut stage, crowd) = abandoned(FAST, Guards::default(), 10_000, 50);
    let tick = stage.tick();
    assert_eq!(tick.called.len(), 20, "two steps of a tenth of a second");
    assert!(tick.stepped_over >= 9_900, "{}", tick.stepped_over);
    assert!(stage.called(crowd[9_950]));
}

#[test]
fn nobody_is_stepped_over_before_the_stated_time() {
    let mut stage = Stage::open(SLOW);
    let crowd = stage.crowd(3);
    stage.ticks(99);
    stage.change(onsale_domain::line::RoomChange::Settings(crate::stage::settings(FAST)));
    assert_eq!(stage.tick().called.len(), 2, "the first went straight through");
    assert!(crowd[1..].iter().all(|ticket| stage.called(*ticket)));
}

#[test]
fn who_comes_back_keeps_the_place() {
    let (mut stage, crowd) = abandoned(FAST, Guards::default(), 10_000, 5_000);
    assert_eq!(stage.tick().called.len(), 20, "the cursor is at 5,020 now");
    // They come back in the wrong order, after their places were stepped over.
    let back = [4_000, 17, 300];
    for index in back {
        assert!(matches!(stage.ask(crowd[index]), Standing::Waiting { ahead: 0, .. }));
    }
    let called: Vec<_> = stage.tick().called.iter().take(4).map(|place| place.0).collect();
    assert_eq!(called, [17, 300, 4_000, 5_020], "first, and in their order");
}

#[test]
fn who_is_called_and_does_not_come_is_replaced_and_can_come_back() {
    let mut stage = Stage::open(FAST);
    let crowd = stage.crowd(2_000);
    // The first hundred do not come, though they have just been there.
    let mut calls = Vec::new();
    for _ in 0..30 {
        calls.push(stage.ticks(10).iter().sum::<usize>());
        stage.all_ask(&crowd[100..]);
    }
    let document = stage.room.document();
    assert_eq!(calls.iter().sum::<usize>(), 2_000, "all were called");
    assert!(calls.iter().any(|calls| *calls > 150), "a hundred did not come, so more were called: {calls:?}");
    assert!(calls.iter().all(|calls| *calls <= 200), "at most twice the setting: {calls:?}");
    assert_eq!(document.inside, 1_900);
    assert_eq!(document.no_show_percent, 5);

    assert_eq!(stage.enter(crowd[3]), Err(Refusal::NotYourTurn), "the turn was lost");
    stage.tick();
    assert!(stage.enter(crowd[3]).is_ok(), "the place was not");
    let gone = stage.ticks(100).iter().sum::<usize>();
    assert_eq!(gone, 0, "those who do not come back are not called again");
}

#[test]
fn who_leaves_makes_room_and_does_not_come_back() {
    let mut stage = Stage::open(Mode::BankWindow { inside_max: 1 });
    let crowd = stage.crowd(4);
    assert_eq!(stage.all_ask(&crowd), crowd[..1]);
    stage.room.leave(crowd[1], stage.now).expect("from the line");
    stage.room.leave(crowd[0], stage.now).expect("from inside");
    stage.room.leave(crowd[0], stage.now).expect("twice is not an error");
    stage.tick();
    assert_eq!(stage.enter(crowd[0]), Err(Refusal::Over));
    assert_eq!(stage.enter(crowd[1]), Err(Refusal::Over));
    stage.room.leave(crowd[2], stage.now).expect("when called");
    stage.tick();
    assert!(stage.enter(crowd[3]).is_ok());
}

/// The negative control: a bank window that does not notice who left serves nobody any more.
#[test]
fn without_stepping_over_the_line_stalls() {
    let served = |guards| {
        let (mut stage, crowd) = abandoned(Mode::BankWindow { inside_max: 20 }, guards, 1_000, 100);
        for _ in 0..400 {
            stage.tick();
            for ticket in stage.all_ask(&crowd[900..]) {
                stage.room.use_up(ticket, stage.now).expect("it is inside");
            }
        }
        crowd[900..].iter().filter(|ticket| stage.ask(**ticket) == Standing::Over).count()
    };
    assert_eq!(served(Guards::default()), 100);
    assert_eq!(served(Guards { no_shows: false, ..Guards::default() }), 0);
}
