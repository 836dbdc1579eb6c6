//! Many buyers, few seats.

use std::sync::Arc;

use onsale_domain::{
    decide::{ClaimCheck, Refusal},
    ids::{SeatId, UserId},
    offer::OfferKind,
    order::SeatStatus,
    sale::SaleRules,
};
use onsale_engine::{
    audit::audit,
    clock::SystemClock,
    ports::Store,
    sales::{SaleError, SaleSettings},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::stage::{Setup, Stage, key};

/// How large a sale is.
#[derive(Clone, Copy)]
struct Crowd {
    buyers: i64,
    seats: u32,
    /// How often a buyer tries before giving up.
    tries: u32,
    /// Commands in one transaction.
    batch_max: usize,
}

const LARGE: Crowd = Crowd { buyers: 2_000, seats: 500, tries: 200, batch_max: 64 };

/// Every clash that only the database notices costs several transactions, so there are fewer. Each
/// hold has a transaction of its own, because without the decision's check the clashes inside one
/// batch never reach the database.
const SMALL: Crowd = Crowd { buyers: 100, seats: 50, tries: 3, batch_max: 1 };

/// A thousand buyers want one seat at the same moment: one gets it, the others are told why not.
pub async fn a_thousand_buyers_one_seat(store: Arc<dyn Store>) {
    thousand_buyers(store, true).await;
}

/// The same when every request reaches the database.
pub async fn a_thousand_buyers_one_seat_without_the_gate(store: Arc<dyn Store>) {
    thousand_buyers(store, false).await;
}

async fn thousand_buyers(store: Arc<dyn Store>, gate: bool) {
    let sales = SaleSettings { gate, ..SaleSettings::default() };
    let stage =
        Arc::new(Stage::build(store, Arc::new(SystemClock), Setup { sales, ..Setup::default() }).await);
    let buyers: Vec<_> =
        (1..=1_000).map(|buyer| tokio::spawn(try_one_seat(stage.clone(), UserId(buyer)))).collect();

    let (mut held, mut refused) = (0, 0);
    for buyer in buyers {
        match buyer.await.expect("no buyer panics") {
            Ok(()) => held += 1,
            Err(SaleError::Refused(Refusal::SeatHeld(_))) => refused += 1,
            Err(other) => panic!("a buyer was told: {other}"),
        }
    }
    assert_eq!((held, refused), (1, 999));
    let counts = stage.engine.sales.view(stage.performance).await.unwrap().snapshot().counts;
    assert_eq!((counts.held, counts.available), (1, 0));
    assert_clean(&stage).await;
}

async fn try_one_seat(stage: Arc<Stage>, buyer: UserId) -> Result<(), SaleError> {
    let key = key(u64::try_from(buyer.0).expect("ids are positive"));
    stage.engine.sales.hold(buyer, key, stage.performance, vec![stage.seats[0]]).await.map(drop)
}

/// Two thousand buyers take seats at random out of five hundred until none is left: exactly five
/// hundred are sold, each once.
pub async fn sold_out_exactly_once(store: Arc<dyn Store>) {
    let stage = sell_out(store, LARGE, ClaimCheck::On).await;
    let snapshot = stage.engine.sales.view(stage.performance).await.unwrap().snapshot();
    assert_eq!((snapshot.counts.sold, snapshot.counts.available, snapshot.counts.held), (500, 0, 0));
    assert_eq!(seats_paid_for(&stage, LARGE).await, 500);
    assert_clean(&stage).await;
}

/// The negative control: the same sale with the decision's check off. On a store whose claims have
/// no key it oversells, so the tests above would notice if the guards did not work.
pub async fn oversells_without_guards(store_without_claim_key: Arc<dyn Store>) {
    let stage = sell_out(store_without_claim_key, LARGE, ClaimCheck::Off).await;
    let paid = seats_paid_for(&stage, LARGE).await;
    assert!(paid > 500, "{paid} of 500 seats were sold although nothing guarded them");
    let report = audit(&*stage.store, |_, _| {}).await.expect("the audit runs").without_accounts();
    assert!(!report.is_clean(), "the audit did not see that seats were sold twice");
}

/// The second negative control: with the decision's check off but the claims' key in place, the
/// database itself refuses to sell a seat twice.
pub async fn the_key_alone_prevents_overselling(store: Arc<dyn Store>) {
    let stage = sell_out(store, SMALL, ClaimCheck::Off).await;
    let paid = seats_paid_for(&stage, SMALL).await;
    assert!((1..=50).contains(&paid), "{paid} of 50 seats were sold");
    assert_clean(&stage).await;
}

async fn sell_out(store: Arc<dyn Store>, crowd: Crowd, claim_check: ClaimCheck) -> Arc<Stage> {
    let setup = Setup {
        rows: 1,
        seats_per_row: crowd.seats,
        rules: SaleRules { seats_per_buyer_max: 5, ..SaleRules::default() },
        sales: SaleSettings {
            gate: claim_check == ClaimCheck::On,
            batch_max: crowd.batch_max,
            ..SaleSettings::default()
        },
        claim_check,
    };
    let stage = Arc::new(Stage::build(store, Arc::new(SystemClock), setup).await);
    let buyers: Vec<_> = (1..=crowd.buyers)
        .map(|buyer| tokio::spawn(shop(stage.clone(), buyer, crowd.tries, claim_check)))
        .collect();
    for buyer in buyers {
        buyer.await.expect("no buyer panics");
    }
    stage
}

/// A buyer: takes one to three seats at random and pays, until there are none or five are theirs.
async fn shop(stage: Arc<Stage>, buyer: i64, tries: u32, claim_check: ClaimCheck) {
    let mut random = StdRng::seed_from_u64(u64::try_from(buyer).expect("ids are positive"));
    let user = UserId(buyer);
    let mut funded = false;
    for _ in 0..tries {
        let view = stage.engine.sales.view(stage.performance).await.unwrap();
        if view.snapshot().counts.available == 0 {
            return;
        }
        let statuses = view.statuses();
        let seats = some_seats(&stage, &mut random, &statuses);
        let held = stage.engine.sales.hold(user, key(random.random()), stage.performance, seats).await;
        match held {
            Ok(held) => {
                if !funded {
                    stage.fund(user, 1_000_000).await;
                    funded = true;
                }
                let paid = stage.engine.sales.pay(user, key(random.random()), held.order.id).await;
                paid.expect("a fresh hold can be paid");
            }
            Err(SaleError::Refused(Refusal::TooManySeats { .. })) => return,
            Err(SaleError::Refused(Refusal::SeatHeld(_) | Refusal::SeatSold(_))) => {}
            // Only without the decision's check: the database's key refuses in its place.
            Err(SaleError::Unavailable(_)) if claim_check == ClaimCheck::Off => {}
            Err(other) => panic!("buyer {buyer} was told: {other}"),
        }
    }
}

fn some_seats(stage: &Stage, random: &mut StdRng, statuses: &[SeatStatus]) -> Vec<SeatId> {
    let wanted = random.random_range(1..=3);
    let start = random.random_range(0..stage.seats.len());
    let count = stage.seats.len();
    let free: Vec<_> = (0..count)
        .map(|step| (start + step) % count)
        .filter(|index| statuses[*index] == SeatStatus::Available)
        .take(wanted)
        .map(|index| stage.seats[index])
        .collect();
    if free.is_empty() { vec![stage.seats[start]] } else { free }
}

async fn seats_paid_for(stage: &Stage, crowd: Crowd) -> usize {
    let mut paid = 0;
    for buyer in 1..=crowd.buyers {
        let page =
            stage.engine.sales.orders(UserId(buyer), OfferKind::Performance, None, 1_000).await.unwrap();
        let orders = page.orders.iter().filter(|order| order.status.as_str() == "paid");
        paid += orders.map(|order| order.lines().len()).sum::<usize>();
    }
    paid
}

/// Panics with the violations if the store does not agree with itself.
pub async fn assert_clean(stage: &Stage) {
    let report = audit(&*stage.store, |_, _| {}).await.expect("the audit runs").without_accounts();
    assert!(report.is_clean(), "the audit found: {report:#?}");
}
