//! The same request twice.

use std::sync::Arc;

use onsale_domain::{
    decide::{IdempotencyKey, Refusal},
    ids::{SeatId, UserId},
    offer::OfferKind,
};
use onsale_engine::{clock::SystemClock, ports::Store, sales::SaleError};

use super::{
    races::assert_clean,
    stage::{PRICE, Setup, Stage, key, start},
};

async fn stage(store: Arc<dyn Store>) -> Arc<Stage> {
    Arc::new(
        Stage::build(store, Arc::new(SystemClock), Setup { seats_per_row: 20, ..Setup::default() }).await,
    )
}

/// The same key a hundred times at the same moment: one order, the same answer to all.
pub async fn same_key_at_the_same_moment(store: Arc<dyn Store>) {
    let stage = stage(store).await;
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let stage = stage.clone();
            tokio::spawn(async move {
                let seats = vec![stage.seats[3], stage.seats[4]];
                stage.engine.sales.hold(UserId(1), key(9), stage.performance, seats).await.unwrap()
            })
        })
        .collect();
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    assert!(answers.iter().all(|answer| answer.order == answers[0].order));
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let page = stage.engine.sales.orders(UserId(1), OfferKind::Performance, None, 10).await.unwrap();
    assert_eq!(page.orders.len(), 1);
    assert_clean(&stage).await;
}

/// The same key for a payment and for a charge, one after the other: money moves once.
pub async fn same_key_moves_money_once(store: Arc<dyn Store>) {
    let stage = stage(store).await;
    let sales = &stage.engine.sales;
    for _ in 0..3 {
        assert_eq!(sales.charge(UserId(1), key(1), 2 * PRICE).await.unwrap().balance, 2 * PRICE);
    }
    let held = sales.hold(UserId(1), key(2), stage.performance, vec![stage.seats[0]]).await.unwrap();
    let first = sales.pay(UserId(1), key(3), held.order.id).await.unwrap();
    let again = sales.pay(UserId(1), key(3), held.order.id).await.unwrap();
    assert_eq!((first.payment, again.replayed), (again.payment, true));
    assert_eq!(sales.wallet(UserId(1)).await.unwrap().balance, PRICE);
    assert_clean(&stage).await;
}

/// The same key with another request is refused, and another person's same key is their own.
pub async fn a_key_belongs_to_one_request_of_one_person(store: Arc<dyn Store>) {
    let stage = stage(store).await;
    let sales = &stage.engine.sales;
    sales.hold(UserId(1), key(5), stage.performance, vec![stage.seats[0]]).await.unwrap();
    let other_body = IdempotencyKey { fingerprint: 6, ..key(5).unwrap() };
    let refused = sales.hold(UserId(1), Some(other_body), stage.performance, vec![stage.seats[1]]).await;
    assert!(matches!(refused, Err(SaleError::Refused(Refusal::KeyReused))), "{refused:?}");
    let other_person = sales.hold(UserId(2), key(5), stage.performance, vec![stage.seats[2]]).await.unwrap();
    assert!(!other_person.replayed);
    assert_eq!(other_person.order.user, UserId(2));
    assert_eq!(sales.orders(UserId(1), OfferKind::Performance, None, 10).await.unwrap().orders.len(), 1);
    assert_clean(&stage).await;
}

/// A key that was used for something else is found although nobody looks for the keys of strangers:
/// when it is to be written, and when there is nothing to write. Those in the same batch have their
/// seats all the same.
pub async fn a_strangers_used_key_is_found(store: Arc<dyn Store>) {
    let stage = stage(store).await;
    let sales = &stage.engine.sales;
    sales.view(stage.performance).await.unwrap();
    sales.charge(UserId(1), key(5), PRICE).await.unwrap();
    // The digest of what is asked differs, as that of every other request does.
    let reused = Some(IdempotencyKey { fingerprint: 6, ..key(5).unwrap() });
    let (free, neighbour) = (vec![stage.seats[0]], vec![stage.seats[1]]);
    let (refused, held) = tokio::join!(
        sales.hold(UserId(1), reused, stage.performance, free),
        sales.hold(UserId(2), key(5), stage.performance, neighbour),
    );
    assert!(matches!(refused, Err(SaleError::Refused(Refusal::KeyReused))), "{refused:?}");
    assert!(!held.unwrap().replayed);
    // For a second after that, every key is looked up.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let no_seat = vec![SeatId(i64::MAX)];
    let refused = sales.hold(UserId(1), reused, stage.performance, no_seat.clone()).await;
    assert!(matches!(refused, Err(SaleError::Refused(Refusal::KeyReused))), "{refused:?}");
    let unused = sales.hold(UserId(1), key(6), stage.performance, no_seat).await;
    assert!(matches!(unused, Err(SaleError::Refused(Refusal::NoSuchSeat(_)))), "{unused:?}");
    assert_clean(&stage).await;
}

/// A repeated request is answered as the first one was, after a restart, after the hold was given
/// back, and even when the seat is somebody else's by now.
pub async fn a_repeated_request_is_answered_as_the_first(store: Arc<dyn Store>) {
    let stage = stage(store.clone()).await;
    let seats = vec![stage.seats[0]];
    let first = stage.engine.sales.hold(UserId(1), key(5), stage.performance, seats.clone()).await.unwrap();
    stage.engine.sales.cancel(UserId(1), first.order.id).await.unwrap();
    stage.engine.sales.hold(UserId(2), key(6), stage.performance, seats.clone()).await.unwrap();
    stage.engine.stop().await;

    let engine = start(store, Arc::new(SystemClock), Setup::default()).await;
    engine.sales.view(stage.performance).await.unwrap();
    let again = engine.sales.hold(UserId(1), key(5), stage.performance, seats.clone()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(
        (again.order.id, again.order.status, again.order.expires_at),
        (first.order.id, first.order.status, first.order.expires_at)
    );
    let stranger = engine.sales.hold(UserId(3), key(5), stage.performance, seats).await;
    assert!(matches!(stranger, Err(SaleError::Refused(Refusal::SeatHeld(_)))), "{stranger:?}");
}

/// A refused request leaves nothing behind: its key can be used again.
pub async fn a_refusal_does_not_use_the_key_up(store: Arc<dyn Store>) {
    let stage = stage(store).await;
    let sales = &stage.engine.sales;
    let others = sales.hold(UserId(2), None, stage.performance, vec![stage.seats[0]]).await.unwrap();
    let refused = sales.hold(UserId(1), key(5), stage.performance, vec![stage.seats[0]]).await;
    assert!(matches!(refused, Err(SaleError::Refused(Refusal::SeatHeld(_)))), "{refused:?}");
    sales.cancel(UserId(2), others.order.id).await.unwrap();
    let held = sales.hold(UserId(1), key(5), stage.performance, vec![stage.seats[0]]).await.unwrap();
    assert!(!held.replayed);
    assert_clean(&stage).await;
}
