//! How many are called, and when.

use onsale_domain::line::{Guards, Mode, RoomChange, SaleHealth};

use crate::{
    PARK,
    stage::{Stage, settings},
};

const BUSY_PARK: Mode = Mode::ThemePark { admissions: 6_000, interval_ms: 10_000 };

#[test]
fn a_theme_park_admits_exactly_its_setting_evenly_spread() {
    for (mode, each) in
        [(PARK, 10), (BUSY_PARK, 6_000), (Mode::ThemePark { admissions: 7, interval_ms: 1_300 }, 7)]
    {
        let mut stage = Stage::open(mode);
        let crowd = stage.crowd(each * 5);
        let Mode::ThemePark { interval_ms, .. } = mode else { unreachable!() };
        for interval in 0..4 {
            // The last tick of an interval is the first of the next.
            let ticks = interval_ms / 100 - i64::from(interval == 0);
            let calls = stage.busy_ticks(ticks, &crowd);
            let even = each as usize / calls.len() + 1;
            assert!(calls.iter().skip(1).all(|calls| *calls <= even), "{mode:?}: {calls:?}");
            assert_eq!(calls.iter().sum::<usize>(), each as usize, "{mode:?}, interval {interval}");
        }
    }
}

#[test]
fn whoever_comes_to_an_empty_line_goes_straight_through_while_there_is_room() {
    let mut stage = Stage::open(PARK);
    let first = stage.join();
    assert!(stage.enter(first).is_ok());
    let second = stage.join();
    assert!(stage.enter(second).is_err(), "ten in ten seconds are not two at once");
    stage.ticks(10);
    assert!(stage.enter(second).is_ok());

    let mut bank = Stage::open(Mode::BankWindow { inside_max: 5 });
    let crowd = bank.crowd(10);
    assert_eq!(bank.all_ask(&crowd), crowd[..5]);
}

/// The most admissions in any interval, when a crowd comes after five empty minutes.
fn busiest_interval_after_emptiness(guards: Guards) -> usize {
    let mut stage = Stage::open_with(BUSY_PARK, guards);
    stage.ticks(3_000);
    let crowd = stage.crowd(60_000);
    let intervals = [99, 100, 100, 100].map(|ticks| stage.busy_ticks(ticks, &crowd));
    intervals.iter().map(|calls| calls.iter().sum()).max().expect("there are intervals")
}

#[test]
fn empty_time_is_never_credited() {
    assert_eq!(busiest_interval_after_emptiness(Guards::default()), 6_000);
    // The negative control.
    let credited = busiest_interval_after_emptiness(Guards { empty_time: false, ..Guards::default() });
    assert!(credited > 6_000, "{credited}");
}

#[test]
fn a_pause_calls_nobody_keeps_the_waits_and_is_not_made_up_for() {
    let mut stage = Stage::open(PARK);
    let crowd = stage.crowd(100);
    stage.ticks(99);
    stage.all_ask(&crowd);
    stage.change(RoomChange::Pause);
    let before = stage.ask(crowd[90]);
    for _ in 0..60 {
        assert_eq!(stage.ticks(50), vec![0; 50]);
        for ticket in &crowd {
            stage.ask(*ticket);
        }
    }
    assert_eq!(stage.ask(crowd[90]), before, "place and expected wait stand still");
    stage.change(RoomChange::Open);
    let calls: Vec<_> = (0..9)
        .flat_map(|_| {
            stage.all_ask(&crowd);
            stage.ticks(10)
        })
        .collect();
    assert!(calls.iter().sum::<usize>() <= 10, "{calls:?}");
}

#[test]
fn a_rate_is_changed_while_people_wait() {
    let mut stage = Stage::open(PARK);
    let crowd = stage.crowd(1_000);
    stage.ticks(150);
    let faster = Mode::ThemePark { admissions: 100, interval_ms: 10_000 };
    stage.change(RoomChange::Settings(settings(faster)));
    stage.all_ask(&crowd);
    assert_eq!(stage.room.advance(stage.now).called.len() + stage.ticks(99).iter().sum::<usize>(), 100);
    stage.change(RoomChange::Settings(settings(Mode::BankWindow { inside_max: 500 })));
    stage.all_ask(&crowd);
    stage.tick();
    let document = stage.room.document();
    assert_eq!(document.inside + document.called, 500);
    stage.change(RoomChange::Settings(settings(Mode::BankWindow { inside_max: 50 })));
    assert_eq!(stage.tick().called, [], "who is inside stays, nobody follows");
}

#[test]
fn a_slot_of_a_bank_window_is_given_on_in_the_same_moment() {
    let mut bank = Stage::open(Mode::BankWindow { inside_max: 2 });
    let crowd = bank.crowd(6);
    assert_eq!(bank.all_ask(&crowd), crowd[..2]);
    assert_eq!(bank.room.use_up(crowd[0], bank.now), Ok(()));
    assert!(bank.enter(crowd[2]).is_ok(), "without a tick");
    assert!(bank.enter(crowd[3]).is_err(), "two are inside");
    assert_eq!(bank.room.leave(crowd[1], bank.now), Ok(()));
    assert!(bank.called(crowd[3]), "without a tick");
    assert_eq!(bank.room.leave(crowd[3], bank.now), Ok(()));
    assert!(bank.enter(crowd[4]).is_ok() && bank.enter(crowd[5]).is_err());

    // In a theme park nobody follows because somebody leaves.
    let mut park = Stage::open(Mode::ThemePark { admissions: 2, interval_ms: 10_000 });
    let crowd = park.crowd(3);
    assert_eq!(park.all_ask(&crowd), crowd[..1]);
    assert_eq!(park.room.leave(crowd[0], park.now), Ok(()));
    assert!(park.enter(crowd[1]).is_err());
}

#[test]
fn the_adaptive_mode_follows_the_sale() {
    let mut stage = Stage::open(Mode::Adaptive { floor: 10, ceiling: 400 });
    let crowd = stage.crowd(10_000);
    let second = |stage: &mut Stage, latency_ms| {
        stage.room.observe(SaleHealth { latency_ms: Some(latency_ms), queue_share: 0.0 });
        stage.all_ask(&crowd);
        stage.ticks(10).iter().sum::<usize>()
    };
    let calm: Vec<_> = (0..20).map(|_| second(&mut stage, 4.0)).collect();
    assert!(calm[19] >= 2 * calm[0], "{calm:?}");
    let slow: Vec<_> = (0..8).map(|_| second(&mut stage, 40.0)).collect();
    assert!(
        slow[7] <= 20,
        "at the floor, and up to twice that for those who do not come, within seconds: {slow:?}"
    );
    assert_eq!(stage.room.document().admissions_per_second, Some(10.0), "shown live");
}
