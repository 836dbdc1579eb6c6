//! What is told of waits in front of a bank window, soon after it was filled.

use std::collections::BTreeMap;

use onsale_domain::line::{Mode, Standing, Ticket};

use crate::stage::{Stage, TICK_MS};

const SLOTS: u32 = 200;
const VISITORS: u32 = 4_000;

/// Passes are good for 60 s. Three of four leave after 1 to 15 s, the fourth closes the tab.
fn stay_ticks(number: u32) -> Option<i64> {
    (number % 4 != 3).then(|| 10 + i64::from(number.wrapping_mul(2_654_435_769) >> 16) % 140)
}

/// Lets everybody through who stays; `absent` are called and do not come. What the last in line is told
/// after each second, in seconds, and when they were let in.
fn told_and_turned_out(absent: impl Fn(u32) -> bool) -> (BTreeMap<i64, f64>, f64) {
    let mut stage = Stage::open(Mode::BankWindow { inside_max: SLOTS });
    let crowd = stage.crowd(VISITORS);
    let last = crowd[VISITORS as usize - 1];
    let mut waiting: Vec<Ticket> = crowd.iter().copied().filter(|ticket| !absent(ticket.0)).collect();
    let mut leave_at: BTreeMap<i64, Vec<Ticket>> = BTreeMap::new();
    let mut told = BTreeMap::new();
    for tick in 0.. {
        for ticket in leave_at.remove(&tick).unwrap_or_default() {
            // Some passes run out in this moment.
            _ = stage.room.leave(ticket, stage.now);
        }
        if tick % 10 == 0 {
            waiting.retain(|ticket| {
                let entered = stage.called(*ticket) && stage.enter(*ticket).is_ok();
                if entered && let Some(ticks) = stay_ticks(ticket.0) {
                    leave_at.entry(tick + ticks).or_default().push(*ticket);
                }
                !entered
            });
            let now_s = (tick * TICK_MS) as f64 / 1_000.0;
            match stage.ask(last) {
                Standing::Waiting { wait: Some(wait), .. } => {
                    told.insert(tick / 10, wait.expected_ms as f64 / 1_000.0);
                }
                Standing::Waiting { wait: None, .. } => {}
                _ => return (told, now_s),
            }
        }
        stage.tick();
    }
    unreachable!("everybody is let in")
}

/// The largest error of what was told from `from_s` on, as a share of the wait, until 30 s are left.
fn worst((told, let_in_s): &(BTreeMap<i64, f64>, f64), from_s: i64) -> f64 {
    let errors = told.range(from_s..*let_in_s as i64 - 30).map(|(asked_s, told_s)| {
        let waited_s = let_in_s - *asked_s as f64;
        (told_s / waited_s - 1.0).abs()
    });
    errors.fold(0.0, f64::max)
}

#[test]
fn a_window_that_was_just_filled_is_not_taken_for_a_fast_one() {
    let run = told_and_turned_out(|_| false);
    let first_s = *run.0.keys().next().expect("something is told");
    assert!(first_s <= 15, "told after {first_s} s only");
    assert!(run.1 > 300.0, "let in after {} s: too soon to tell", run.1);
    let worst = worst(&run, first_s);
    assert!(worst < 0.2, "{worst}: {:?}", run.0);
    // The control: in the first seconds, long before the first pass runs out, those who leave do so
    // much faster than all do on average.
    let out_in_15_s = (0..SLOTS).filter(|number| stay_ticks(*number).is_some()).count();
    let as_at_first_s = f64::from(VISITORS - SLOTS) / (out_in_15_s as f64 / 15.0);
    assert!(as_at_first_s < 0.75 * run.1, "{as_at_first_s} against {}", run.1);
}
