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

/// What came of it.
struct Run {
    /// What the last in line was told, by the second in which they asked, in seconds.
    told: BTreeMap<i64, f64>,
    /// When they were let in, in seconds.
    let_in_s: f64,
    /// How many had come out after a quarter of a pass.
    out_at_first: u32,
}

impl Run {
    /// The largest error of what was told from `from_s` on, as a share of the wait, until 30 s are left.
    fn worst(&self, from_s: i64) -> f64 {
        let errors = self.told.range(from_s..self.let_in_s as i64 - 30).map(|(asked_s, told_s)| {
            let waited_s = self.let_in_s - *asked_s as f64;
            (told_s / waited_s - 1.0).abs()
        });
        errors.fold(0.0, f64::max)
    }
}

/// Everybody waits until they are let in.
fn run() -> Run {
    let mut stage = Stage::open(Mode::BankWindow { inside_max: SLOTS });
    let mut waiting: Vec<Ticket> = stage.crowd(VISITORS);
    let last = waiting[VISITORS as usize - 1];
    let mut leave_at: BTreeMap<i64, Vec<Ticket>> = BTreeMap::new();
    let mut run = Run { told: BTreeMap::new(), let_in_s: 0.0, out_at_first: 0 };
    for tick in 0.. {
        for ticket in leave_at.remove(&tick).unwrap_or_default() {
            stage.room.leave(ticket, stage.now).expect("it is inside");
            run.out_at_first += u32::from(tick < 150);
        }
        if tick % 10 == 0 {
            waiting.retain(|ticket| {
                let entered = stage.called(*ticket) && stage.enter(*ticket).is_ok();
                if entered && let Some(ticks) = stay_ticks(ticket.0) {
                    leave_at.entry(tick + ticks).or_default().push(*ticket);
                }
                !entered
            });
            match stage.ask(last) {
                Standing::Waiting { wait: Some(wait), .. } => {
                    run.told.insert(tick / 10, wait.expected_ms as f64 / 1_000.0);
                }
                Standing::Waiting { wait: None, .. } => {}
                _ => {
                    run.let_in_s = (tick * TICK_MS) as f64 / 1_000.0;
                    return run;
                }
            }
        }
        stage.tick();
    }
    unreachable!("everybody is let in")
}

#[test]
fn a_window_that_was_just_filled_is_not_taken_for_a_fast_one() {
    let run = run();
    let first_s = *run.told.keys().next().expect("something is told");
    assert!(first_s <= 15, "told after {first_s} s only");
    assert!(run.let_in_s > 300.0, "let in after {} s: too soon to tell", run.let_in_s);
    // Long before the first pass runs out.
    let worst = run.worst(24);
    assert!(worst < 0.2, "{worst}: {:?}", run.told);
    // The control: those who have come out by then tell of a much faster window.
    let naive_s = f64::from(VISITORS - SLOTS) / (f64::from(run.out_at_first) / 15.0);
    assert!(naive_s < 0.75 * run.let_in_s, "{naive_s} against {}", run.let_in_s);
}
