//! A lock of many seats in portions does what one command does.

use std::{collections::BTreeSet, sync::Arc};

use onsale_domain::{
    decide::{
        Changes, ClaimCheck, Command, Decider, Facts, LockSeats, Noted, Outcome, PerformanceFacts, Request,
        SEATS_PER_NOTE_MAX,
    },
    hall::{Plan, Seat, SeatMap, SectionSpec},
    ids::{HallId, OrderId, PerformanceId, SeatId, ShowId, UserId},
    money::Currency,
    order::{Claim, Goods, Line, Order, OrderStatus},
    sale::{SaleRules, SaleTerms},
    time::Timestamp,
};
use proptest::prelude::*;
use uuid::Uuid;

const PERFORMANCE: PerformanceId = PerformanceId(1);
const NOW: Timestamp = Timestamp(1_000);
const SEATS: i64 = 40;

/// The state of a seat before the lock.
#[derive(Clone, Copy, Debug)]
enum Before {
    Free,
    Locked,
    Held,
    /// Held until a moment ago, and not released yet.
    Lapsed,
}

fn before() -> impl Strategy<Value = Before> {
    prop_oneof![Just(Before::Free), Just(Before::Locked), Just(Before::Held), Just(Before::Lapsed)]
}

fn terms() -> SaleTerms {
    let section =
        SectionSpec { name: "A".into(), rows: 1, seats_per_row: SEATS as u32, category: "Standard".into() };
    let plan = Plan::generate(&[section]).unwrap();
    let seats = (1..).zip(plan.seats).map(|(id, seat)| Seat {
        id: SeatId(id),
        row: seat.row,
        place: seat.place,
        number: seat.number,
        category: seat.category,
        x: seat.x,
        y: seat.y,
        guid: None,
    });
    SaleTerms {
        performance: PERFORMANCE,
        show: ShowId(1),
        revision: 1,
        seats: Arc::new(SeatMap::new(HallId(1), plan.rows, plan.categories, seats.collect())),
        prices: vec![None],
        currency: Currency::KRW,
        on_sale_at: Timestamp(0),
        starts_at: Timestamp(9_000),
        rules: SaleRules::default(),
        cancelled: false,
    }
}

fn facts(seats: &[Before]) -> Facts {
    let performance = PerformanceFacts { terms: Arc::new(terms()), revision: 1, version: 7 };
    let mut facts = Facts::default();
    facts.performances.insert(PERFORMANCE, performance);
    for (seat, before) in (1..).map(SeatId).zip(seats) {
        let expires_at = match before {
            Before::Free => continue,
            Before::Locked => {
                facts.claims.insert((PERFORMANCE, seat), Claim::Locked);
                continue;
            }
            Before::Held => Timestamp(2_000),
            Before::Lapsed => Timestamp(999),
        };
        let id = OrderId(Uuid::from_u128(seat.0.unsigned_abs().into()));
        let order = Order {
            id,
            user: UserId(seat.0),
            status: OrderStatus::Held,
            amount: 5,
            goods: Goods::Seats { performance: PERFORMANCE, lines: vec![Line { seat, price: 5 }] },
            currency: Currency::KRW,
            created_at: Timestamp(1),
            expires_at,
            version: 1,
        };
        facts.orders.insert(id, order);
        facts.claims.insert((PERFORMANCE, seat), Claim::Order(id));
    }
    facts
}

/// The sums of what was answered, and what is to be written.
fn decide(
    before: &[Before],
    wanted: &[SeatId],
    lock: bool,
    portion: usize,
) -> ((u32, u32, Vec<SeatId>), Changes) {
    let mut decider = Decider::new(facts(before), NOW, ClaimCheck::On);
    let (mut changed, mut unchanged, mut taken) = (0, 0, Vec::new());
    for seats in wanted.chunks(portion) {
        let command = Command::LockSeats(LockSeats { performance: PERFORMANCE, seats: seats.to_vec(), lock });
        let answer = decider.decide(&Request { caller: UserId(9), key: None, command });
        let Ok(Outcome::SeatsLocked { changed: more, unchanged: as_before, taken: others }) = answer else {
            panic!("a lock was answered {answer:?}");
        };
        changed += more;
        unchanged += as_before;
        taken.extend(others);
    }
    ((changed, unchanged, taken), decider.into_changes())
}

/// The seats that events tell of.
fn told(changes: &Changes) -> BTreeSet<SeatId> {
    let seats = changes.notes.iter().flat_map(|note| match &note.what {
        Noted::SeatsLocked { seats, .. } => {
            assert!(seats.len() <= SEATS_PER_NOTE_MAX);
            seats.clone()
        }
        other => panic!("a lock tells {other:?}"),
    });
    seats.collect()
}

proptest! {
    #[test]
    fn portions_do_what_one_command_does(
        before in prop::collection::vec(before(), SEATS as usize),
        wanted in prop::collection::vec((1..=SEATS).prop_map(SeatId), 1..80),
        lock: bool,
        portion in 1_usize..20,
    ) {
        let (whole, changes) = decide(&before, &wanted, lock, usize::MAX);
        let (sums, in_portions) = decide(&before, &wanted, lock, portion);
        prop_assert_eq!(&sums, &whole);
        prop_assert_eq!(told(&in_portions), told(&changes));
        // Told in other pieces, in another order; all else is the same.
        let without_events = |changes: Changes| Changes { notes: vec![], events: vec![], ..changes };
        let orders = |changes: &Changes| -> BTreeSet<_> {
            changes.events.iter().map(|event| (event.order.id, event.kind.as_str())).collect()
        };
        prop_assert_eq!(orders(&in_portions), orders(&changes));
        prop_assert_eq!(without_events(in_portions), without_events(changes));

        // Whatever portions had been done, asking for all of it again does the rest.
        let again = wanted.iter().chain(&wanted).copied().collect::<Vec<_>>();
        let (twice, _) = decide(&before, &again, lock, wanted.len());
        prop_assert_eq!(twice.0, whole.0);
    }
}
