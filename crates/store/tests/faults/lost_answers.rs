//! One request whose outcome is unknown.

use std::time::Duration;

use onsale_contract::sale::{races::assert_clean, stage::key};
use onsale_domain::{ids::UserId, offer::OfferKind};
use onsale_engine::sales::SaleError;

use tokio::time::sleep;

use crate::bed::{Bed, Server};

/// After an answer that it did not get, a node tries whether the database takes writes. By then it has: that
/// commit is not the one that is meant to be lost.
const SETTLED: Duration = Duration::from_millis(500);

/// Whoever repeats a request with its key gets what happened: the commit without an answer did, the
/// one that never arrived did not.
pub(crate) async fn the_key_tells_what_happened(server: Server) {
    let bed = Bed::new(server).await;
    let (sales, performance) = (&bed.stage.engine.sales, bed.stage.performance);
    for (number, happened) in [(1, true), (2, false)] {
        sleep(SETTLED).await;
        if happened {
            bed.proxy.drop_commit_replies(1);
        } else {
            bed.proxy.drop_commits(1);
        }
        let seats = vec![bed.stage.seats[number as usize]];
        let hold = || sales.hold(UserId(number), key(7), performance, seats.clone());
        let first = hold().await;
        assert!(matches!(first, Err(SaleError::OutcomeUnknown)), "{first:?}");
        let again = hold().await.expect("an answer");
        assert_eq!(again.replayed, happened);
        assert_eq!(
            sales.orders(UserId(number), OfferKind::Performance, None, 10).await.expect("orders").orders,
            [again.order]
        );
    }
    assert_clean(&bed.stage).await;
}

/// The negative control: whoever takes "unknown" for "failed" and asks anew, with another key, has
/// two orders and is charged twice.
pub(crate) async fn an_unknown_outcome_taken_for_a_failure_happens_twice(server: Server) {
    let bed = Bed::new(server).await;
    let (sales, performance) = (&bed.stage.engine.sales, bed.stage.performance);
    let user = UserId(1);
    bed.proxy.drop_commit_replies(1);
    let unknown = sales.charge(user, key(1), 100).await;
    assert!(matches!(unknown, Err(SaleError::OutcomeUnknown)), "{unknown:?}");
    assert_eq!(sales.charge(user, key(2), 100).await.expect("an answer").balance, 200);

    sleep(SETTLED).await;
    bed.proxy.drop_commit_replies(1);
    let unknown = sales.hold(user, key(3), performance, vec![bed.stage.seats[0]]).await;
    assert!(matches!(unknown, Err(SaleError::OutcomeUnknown)), "{unknown:?}");
    sales.hold(user, key(4), performance, vec![bed.stage.seats[1]]).await.expect("another seat is free");
    assert_eq!(sales.orders(user, OfferKind::Performance, None, 10).await.expect("orders").orders.len(), 2);
}
