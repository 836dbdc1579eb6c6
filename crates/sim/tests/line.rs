//! A sale's crowd, small enough for every test run, and what happens without the guards.

use onsale_domain::line::{Guards, Mode};
use onsale_sim::line::{Hoppers, Lots, Report, Setup, error, hop, run};

const VISITORS: u32 = 60_000;

fn simulate(mode: Mode, guards: Guards, stop_after_ms: Option<i64>) -> Report {
    run(Setup { mode, visitors: VISITORS, seed: 7, guards, stop_after_ms }, &|_| {})
}

const PARK: Mode = Mode::ThemePark { admissions: VISITORS / 500, interval_ms: 10_000 };
const BANK: Mode = Mode::BankWindow { inside_max: VISITORS / 100 };

#[test]
fn a_theme_park_keeps_its_promises() {
    let report = simulate(PARK, Guards::default(), None);
    assert_eq!(report.broken, 0, "{:#?}", report.told);
    assert!(report.intervals > 100, "{} busy intervals are not enough to tell", report.intervals);
    assert_eq!((report.inexact, report.over_setting), (0, 0));
    assert!((report.entries_share - 1.0).abs() <= 0.02, "{}", report.entries_share);
    assert!(report.returned_called > 100, "hardly anybody came back, so it was not tried");
    let median = error(&report.any, 0.5);
    assert!(median <= 0.10, "the median error of a predicted wait is {median}");
}

#[test]
fn a_bank_window_keeps_its_promises() {
    let report = simulate(BANK, Guards::default(), None);
    assert_eq!(report.broken, 0, "{:#?}", report.told);
    assert!((VISITORS / 110..=VISITORS / 100).contains(&report.inside_max), "{}", report.inside_max);
}

#[test]
fn the_adaptive_mode_keeps_its_promises_while_the_sale_slows_down() {
    let mode = Mode::Adaptive { floor: 1, ceiling: VISITORS / 2_500 };
    let report = simulate(mode, Guards::default(), None);
    assert_eq!(report.broken, 0, "{:#?}", report.told);
    let full = report.seconds[0].capacity;
    let slow: Vec<_> = report.seconds.iter().filter(|second| second.capacity < full).collect();
    assert!(slow.len() > 60, "the sale was never slow");
    // From ten seconds after it became slow.
    let load =
        slow[10..].iter().map(|second| second.rate / second.capacity).sum::<f64>() / (slow.len() - 10) as f64;
    assert!(load <= 1.0, "a slow sale was given {load} of what it bears");
}

/// The negative control: a room that does not step over those who left comes to a halt.
#[test]
fn without_stepping_over_the_line_stalls() {
    let minutes = Some(15 * 60_000);
    let with = simulate(BANK, Guards::default(), minutes);
    let without = simulate(BANK, Guards { no_shows: false, ..Guards::default() }, minutes);
    assert!(without.entered * 4 < with.entered, "{} against {}", without.entered, with.entered);
}

/// The negative control: admissions that are kept while nobody waits break the setting.
#[test]
fn with_credit_for_empty_time_the_setting_is_exceeded() {
    // Fast enough that the line is empty before the burst in the middle of the sale.
    let fast = Mode::ThemePark { admissions: VISITORS / 50, interval_ms: 10_000 };
    assert_eq!(simulate(fast, Guards::default(), None).over_setting, 0);
    let credited = simulate(fast, Guards { empty_time: false, ..Guards::default() }, None);
    assert!(credited.over_setting > 0);
}

fn hoppers(guards: Guards) -> Lots {
    hop(Hoppers { honest: 20_000, hoppers: 100, numbers: 60, seed: 7, guards })
}

#[test]
fn who_takes_sixty_numbers_before_the_draw_has_one_lot() {
    let lots = hoppers(Guards::default());
    assert_eq!(lots.live_max, 1);
    assert!((lots.honest - 0.5).abs() < 0.01, "{lots:?}");
    assert!((lots.hoppers - 0.5).abs() < 0.12, "a hundred are few, but not that few: {lots:?}");
}

/// The negative control: whoever can show any of sixty numbers stands in front of nearly everybody.
#[test]
fn without_the_guard_sixty_numbers_are_sixty_lots() {
    let lots = hoppers(Guards { given_up: false, ..Guards::default() });
    assert_eq!(lots.live_max, 60);
    assert!(lots.hoppers < 0.03 && (lots.honest - 0.5).abs() < 0.01, "{lots:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let figures = || {
        let report = simulate(PARK, Guards::default(), Some(300_000));
        (report.entered, report.any, report.returned_called)
    };
    assert_eq!(figures(), figures());
}
