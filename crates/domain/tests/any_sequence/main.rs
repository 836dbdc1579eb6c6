//! Any sequence of commands keeps the invariants of a sale.
//!
//! Random commands by a few people for a few seats and units, in batches of random size while the clock
//! moves, go through load, decide and write on a small model of the database. The model refuses
//! what the real one's constraints would refuse, gives a batch the facts it asks for and no
//! others, and is checked after every batch.

mod database;
mod invariants;
mod oracle;
mod world;

use std::collections::HashMap;

use onsale_domain::{
    decide::{Changes, ClaimCheck, Command, Decider, FactKeys, Noted, Outcome, Refusal, Request},
    ids::UserId,
    time::Timestamp,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

use database::Database;
use world::{Batch, World};

type Answer = Result<Outcome, Refusal>;

/// What went wrong, in words.
type Violation = String;

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn any_sequence_keeps_the_invariants(batches in world::batches()) {
        run(&batches, ClaimCheck::On).map_err(TestCaseError::fail)?;
    }
}

/// The same run with the claim check off must be caught selling a seat twice; if not, the test
/// above proves nothing.
#[test]
fn without_the_claim_check_a_seat_is_sold_twice_and_that_is_noticed() {
    notices_without_the_claim_check("claimed twice", Batch::without_units);
}

/// And more units than there are.
#[test]
fn without_the_claim_check_an_item_is_oversold_and_that_is_noticed() {
    notices_without_the_claim_check("oversold", Batch::without_seats);
}

fn notices_without_the_claim_check(what: &str, only: fn(Batch) -> Batch) {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config(400), rng);
    let result = runner.run(&world::batches(), |batches| {
        let batches: Vec<Batch> = batches.into_iter().map(only).collect();
        run(&batches, ClaimCheck::Off).map_err(TestCaseError::fail)
    });
    match result {
        Err(TestError::Fail(reason, _)) => {
            assert!(reason.message().contains(what), "another violation: {reason}");
        }
        other => panic!("nothing was noticed: {other:?}"),
    }
}

/// The control of what notes tell: should those of one kind be lost, that is noticed.
#[test]
fn a_lost_note_is_noticed() {
    type Lost = fn(&Noted) -> bool;
    let kinds: [(Lost, &str); 3] = [
        (|noted| matches!(noted, Noted::SeatsLocked { .. }), "told of locks"),
        (|noted| matches!(noted, Noted::StockChanged { .. }), "told of stocks"),
        (|noted| matches!(noted, Noted::PointsCharged { .. }), "told of charges"),
    ];
    for (lost, what) in kinds {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config(400), rng);
        let result = runner.run(&world::batches(), |batches| {
            let mut world = World::new();
            let mut database = Database::new(world.terms(), world.items());
            let mut now = Timestamp(0);
            for batch in &batches {
                now = now.plus_ms(batch.advance_ms);
                let requests = world.requests(&batch.steps);
                let (_, mut changes) = decide(&database, &requests, now, ClaimCheck::On);
                changes.notes.retain(|note| !lost(&note.what));
                database.apply(&changes, now).map_err(TestCaseError::fail)?;
                world.learn(&database);
                invariants::check(&database, now).map_err(TestCaseError::fail)?;
            }
            Ok(())
        });
        match result {
            Err(TestError::Fail(reason, _)) => {
                assert!(reason.message().contains(what), "another violation: {reason}");
            }
            other => panic!("nothing was noticed: {other:?}"),
        }
    }
}

/// Runs batches on an empty database, checking everything after each.
fn run(batches: &[Batch], claim_check: ClaimCheck) -> Result<(), Violation> {
    let mut world = World::new();
    let mut database = Database::new(world.terms(), world.items());
    let mut now = Timestamp(0);
    let mut memory = KeyMemory::default();
    for batch in batches {
        now = now.plus_ms(batch.advance_ms);
        let requests = world.requests(&batch.steps);
        let before = database.clone();

        let (answers, changes) = decide(&before, &requests, now, claim_check);
        database.apply(&changes, now)?;
        world.learn(&database);
        invariants::check(&database, now)?;
        memory.check(&requests, &answers)?;

        if claim_check == ClaimCheck::On {
            one_by_one_is_the_same(&before, &requests, &answers, &database, now)?;
            refused_commands_leave_no_trace(&before, &requests, &answers, &changes, now)?;
        }
    }
    Ok(())
}

fn decide(
    database: &Database,
    requests: &[Request],
    now: Timestamp,
    claim_check: ClaimCheck,
) -> (Vec<Answer>, Changes) {
    let facts = database.load(&FactKeys::of(requests).with_lapsed_by(now));
    let mut decider = Decider::new(facts, now, claim_check);
    let answers = requests.iter().map(|request| decider.decide(request)).collect();
    (answers, decider.into_changes())
}

/// A batch of n is n batches of one: the same answers and the same rows. And each answer is the
/// one that the rules, read directly off the rows, ask for.
fn one_by_one_is_the_same(
    before: &Database,
    requests: &[Request],
    answers: &[Answer],
    after: &Database,
    now: Timestamp,
) -> Result<(), Violation> {
    let mut database = before.clone();
    for (request, answer) in requests.iter().zip(answers) {
        let expected = oracle::accepts(&database, request, now);
        let (alone, changes) = decide(&database, std::slice::from_ref(request), now, ClaimCheck::On);
        if alone[0] != *answer {
            return Err(format!("alone {:?}, in a batch {answer:?}: {request:?}", alone[0]));
        }
        if expected != answer.is_ok() {
            return Err(format!("should be accepted: {expected}, was {answer:?}: {request:?} at {now:?}"));
        }
        if (answer.is_err() || is_replay(answer)) && !changes.is_empty() {
            return Err(format!("{answer:?} changed {changes:?}"));
        }
        database.apply(&changes, now)?;
    }
    database.same_rows(after)
}

/// Deciding [a, refused, b] is deciding [a, b].
fn refused_commands_leave_no_trace(
    before: &Database,
    requests: &[Request],
    answers: &[Answer],
    changes: &Changes,
    now: Timestamp,
) -> Result<(), Violation> {
    let accepted: Vec<Request> = requests
        .iter()
        .zip(answers)
        .filter(|(_, answer)| answer.is_ok())
        .map(|(request, _)| request.clone())
        .collect();
    let (again, changes_again) = decide(before, &accepted, now, ClaimCheck::On);
    let answers: Vec<&Answer> = answers.iter().filter(|answer| answer.is_ok()).collect();
    if again.iter().collect::<Vec<_>>() != answers {
        return Err(format!("without the refused ones {again:?}, with them {answers:?}"));
    }
    if changes_again != *changes {
        return Err(format!("without the refused ones {changes_again:?}, with them {changes:?}"));
    }
    Ok(())
}

/// The first answer to each key.
#[derive(Default)]
struct KeyMemory(HashMap<(UserId, u128), (u64, Outcome)>);

impl KeyMemory {
    /// The same key has the same answer and one effect; with another body it is refused.
    fn check(&mut self, requests: &[Request], answers: &[Answer]) -> Result<(), Violation> {
        for (request, answer) in requests.iter().zip(answers) {
            let Some(key) = request.key else { continue };
            match (self.0.get(&(request.caller, key.id)), answer) {
                (None, Ok(outcome)) if !is_replay(answer) => {
                    self.0.insert((request.caller, key.id), (key.fingerprint, outcome.clone()));
                }
                (None, Err(refusal)) if *refusal != Refusal::KeyReused => {}
                (Some((fingerprint, _)), Err(Refusal::KeyReused)) if *fingerprint != key.fingerprint => {}
                (Some((fingerprint, first)), Ok(outcome))
                    if *fingerprint == key.fingerprint
                        && is_replay(answer)
                        && same_answer(first, outcome) => {}
                (first, answer) => {
                    return Err(format!("first {first:?}, then {answer:?}: {request:?}"));
                }
            }
        }
        Ok(())
    }
}

fn is_replay(answer: &Answer) -> bool {
    matches!(
        answer,
        Ok(Outcome::Held { replayed: true, .. }
            | Outcome::Paid { replayed: true, .. }
            | Outcome::Charged { replayed: true, .. })
    )
}

fn same_answer(first: &Outcome, second: &Outcome) -> bool {
    match (first, second) {
        (Outcome::Held { order: a, .. }, Outcome::Held { order: b, .. }) => a == b,
        (Outcome::Paid { payment: a, .. }, Outcome::Paid { payment: b, .. }) => a == b,
        (Outcome::Charged { balance: a, .. }, Outcome::Charged { balance: b, .. }) => a == b,
        _ => false,
    }
}

/// How often each way through the rules is taken, so that a change of the generators cannot
/// quietly leave one out.
#[test]
fn the_sequences_reach_every_outcome_and_refusal() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config(400), rng);
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::<String, u32>::new());
    let result = runner.run(&world::batches(), |batches| {
        let mut world = World::new();
        let mut database = Database::new(world.terms(), world.items());
        let mut now = Timestamp(0);
        for batch in &batches {
            now = now.plus_ms(batch.advance_ms);
            let requests = world.requests(&batch.steps);
            let (answers, changes) = decide(&database, &requests, now, ClaimCheck::On);
            database.apply(&changes, now).map_err(TestCaseError::fail)?;
            world.learn(&database);
            for (request, answer) in requests.iter().zip(&answers) {
                *seen.borrow_mut().entry(kind(request, answer)).or_default() += 1;
            }
        }
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
    let seen = seen.into_inner();
    let missing: Vec<&&str> = EXPECTED.iter().filter(|kind| !seen.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}; seen: {seen:#?}");
}

const EXPECTED: &[&str] = &[
    "Hold ok",
    "Hold replayed",
    "HoldUnits ok",
    "HoldUnits replayed",
    "Pay ok",
    "Pay replayed",
    "Cancel ok",
    "Expire true",
    "Expire false",
    "Release true",
    "Release false",
    "Charge ok",
    "Charge replayed",
    "LockSeats ok",
    "SetStock ok",
    "NoSuchPerformance",
    "PerformanceCancelled",
    "NotOnSaleYet",
    "SaleClosed",
    "NoSeats",
    "SeatTwice",
    "NoSuchSeat",
    "SeatLocked",
    "SeatHeld",
    "SeatSold",
    "TooManySeats",
    "NotSideBySide",
    "NoSuchItem",
    "NoUnits",
    "TooManyUnits",
    "SoldOut",
    "StockOutOfBounds",
    "NoSuchOrder",
    "HoldExpired",
    "OrderCancelled",
    "AlreadyPaid",
    "TooFewPoints",
    "AmountOutOfBounds",
    "TooLateToRefund",
    "KeyReused",
];

fn kind(request: &Request, answer: &Answer) -> String {
    let command = match request.command {
        Command::Hold(_) => "Hold",
        Command::HoldUnits(_) => "HoldUnits",
        Command::Pay(_) => "Pay",
        Command::Cancel(_) => "Cancel",
        Command::Expire(_) => "Expire",
        Command::Release(_) => "Release",
        Command::Charge(_) => "Charge",
        Command::LockSeats(_) => "LockSeats",
        Command::SetStock(_) => "SetStock",
    };
    match answer {
        Ok(Outcome::Expired(done) | Outcome::Released(done)) => format!("{command} {done}"),
        Ok(_) if is_replay(answer) => format!("{command} replayed"),
        Ok(_) => format!("{command} ok"),
        Err(refusal) => {
            let text = format!("{refusal:?}");
            text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
        }
    }
}
