//! The draw: a fair order that anybody can check.

use onsale_domain::{
    ids::RoomId,
    line::{Draw, DrawError, DrawRecord, Place, Seed, Ticket, commitment},
};
use proptest::prelude::*;

const ROOM: RoomId = RoomId(7);

fn seed(number: u64) -> Seed {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

fn record(cohort: u32) -> DrawRecord {
    let seed = seed(42);
    let public_randomness = b"drand round 1000".to_vec();
    DrawRecord { room: ROOM, cohort, commitment: commitment(ROOM, &seed), seed, public_randomness }
}

fn order(draw: &Draw) -> Vec<u32> {
    (0..draw.cohort()).map(|ticket| draw.place(Ticket(ticket)).0).collect()
}

/// Written down once with a separate implementation in Python (`docs/draw.py`). If this test
/// fails, records published by earlier versions no longer verify.
#[test]
fn frozen_vectors() {
    let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        hex(commitment(ROOM, &seed(42))),
        "619259aadab589c9ba450c7ebb8e73458a5ee3952e23a24a3ff8e210368efc3b"
    );
    let draw = record(10).verify().unwrap();
    assert_eq!(order(&draw), [0, 4, 2, 5, 1, 9, 3, 7, 8, 6]);
    assert_eq!(order(&Draw::new(&seed(0), b"", 5)), [4, 0, 1, 3, 2]);
    let large = Draw::new(&seed(1), b"public", 10_000_000);
    let places = [0, 1, 2, 9_999_999].map(|ticket| large.place(Ticket(ticket)).0);
    assert_eq!(places, [9_663_182, 9_780_367, 1_325_736, 4_745_524]);
}

#[test]
fn every_small_cohort_is_ordered_one_to_one() {
    for cohort in 0..=700 {
        let draw = Draw::new(&seed(cohort.into()), b"", cohort);
        let mut places = order(&draw);
        for (ticket, place) in (0..).zip(&places) {
            assert_eq!(draw.ticket(Place(*place)), Ticket(ticket), "cohort {cohort}");
        }
        places.sort_unstable();
        assert!(places.iter().copied().eq(0..cohort), "cohort {cohort}");
        assert_eq!(draw.place(Ticket(cohort)), Place(cohort), "who comes later keeps the number");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_cohort_of_any_size_is_ordered_one_to_one(cohort in 1_u32..60_000, seed: [u8; 32], public: Vec<u8>) {
        let draw = Draw::new(&seed, &public, cohort);
        let mut hit = vec![false; cohort as usize];
        for place in order(&draw) {
            prop_assert!(!std::mem::replace(&mut hit[place as usize], true));
        }
    }

    #[test]
    fn a_ticket_of_the_largest_cohorts_comes_back(cohort in 60_000..=u32::MAX, seed: [u8; 32], part: u32) {
        let draw = Draw::new(&seed, b"", cohort);
        let ticket = Ticket(part % cohort);
        let place = draw.place(ticket);
        prop_assert!(place.0 < cohort);
        prop_assert_eq!(draw.ticket(place), ticket);
    }
}

/// Chi-squared of arrival decile against position decile, 81 degrees of freedom. Over many seeds
/// the statistic must behave like chance: a mean near 81 and about one in a hundred above 113.5.
#[test]
fn position_does_not_depend_on_arrival() {
    let statistics: Vec<f64> = (0..400).map(|number| decile_statistic(number, true)).collect();
    let mean = statistics.iter().sum::<f64>() / 400.0;
    assert!((78.0..84.0).contains(&mean), "the mean of the statistic is {mean}");
    let unlikely = statistics.iter().filter(|statistic| **statistic > 113.5).count();
    assert!(unlikely <= 14, "{unlikely} of 400 seeds are above what one in a hundred should be");
    assert!(decile_statistic(0, false) > 10_000.0, "order of arrival is noticed");
}

fn decile_statistic(number: u64, drawn: bool) -> f64 {
    const COHORT: u32 = 10_000;
    let draw = Draw::new(&seed(number), b"", COHORT);
    let mut counts = [[0_u32; 10]; 10];
    for ticket in 0..COHORT {
        let place = if drawn { draw.place(Ticket(ticket)).0 } else { ticket };
        counts[(ticket * 10 / COHORT) as usize][(place * 10 / COHORT) as usize] += 1;
    }
    // Rows and columns have exactly 1,000 each, so each cell is expected to have 100. Drawing
    // without putting back makes the statistic smaller by this factor.
    let statistic: f64 =
        counts.iter().flatten().map(|count| (f64::from(*count) - 100.0).powi(2) / 100.0).sum();
    statistic * f64::from(COHORT - 1) / f64::from(COHORT)
}

/// Small cohorts, where a network of few rounds would show: all 24 orders of four, about as often.
#[test]
fn every_order_of_four_is_as_likely() {
    let mut counts = std::collections::HashMap::new();
    for number in 0..24_000 {
        *counts.entry(order(&Draw::new(&seed(number), b"", 4))).or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 24);
    let statistic: f64 = counts.values().map(|count| (f64::from(*count) - 1_000.0).powi(2) / 1_000.0).sum();
    assert!(statistic < 49.7, "chi-squared with 23 degrees of freedom is {statistic}, one in a thousand");
}

#[test]
fn a_true_record_is_accepted_and_one_with_any_bit_changed_is_not() {
    let truth = record(1_000);
    let order_of_truth = order(&truth.verify().expect("the true record is accepted"));
    let flip = |bytes: &mut [u8], bit: usize| bytes[bit / 8] ^= 1 << (bit % 8);
    for bit in 0..256 {
        let mut changed = truth.clone();
        flip(&mut changed.seed, bit);
        assert_eq!(changed.verify().unwrap_err(), DrawError::OtherSeed, "bit {bit} of the seed");
        let mut changed = truth.clone();
        flip(&mut changed.commitment, bit);
        assert_eq!(changed.verify().unwrap_err(), DrawError::OtherSeed, "bit {bit} of the commitment");
    }
    for bit in 0..64 {
        let changed = DrawRecord { room: RoomId(ROOM.0 ^ 1 << bit), ..truth.clone() };
        assert_eq!(changed.verify().unwrap_err(), DrawError::OtherSeed, "bit {bit} of the room");
    }
    // What was not fixed by the commitment gives another order, so it shows in everybody's place.
    for bit in 0..truth.public_randomness.len() * 8 {
        let mut changed = truth.clone();
        flip(&mut changed.public_randomness, bit);
        let other = changed.verify().expect("the seed is the one committed to");
        assert_ne!(order(&other), order_of_truth, "bit {bit} of the public randomness");
    }
    for bit in 0..32 {
        let changed = DrawRecord { cohort: truth.cohort ^ 1 << bit, ..truth.clone() };
        let other = changed.verify().expect("the seed is the one committed to");
        let places: Vec<_> = (0..1_000).map(|ticket| other.place(Ticket(ticket)).0).collect();
        assert_ne!(places, order_of_truth, "bit {bit} of the cohort's size");
    }
}
