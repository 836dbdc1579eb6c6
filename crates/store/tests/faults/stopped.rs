//! A database that is not there, and engines that come and go.

use std::{sync::Arc, time::Duration};

use onsale_contract::sale::{
    races::assert_clean,
    stage::{Setup, key, start},
};
use onsale_domain::ids::UserId;
use onsale_engine::{clock::SystemClock, ports::StoreError, sales::SaleError};
use tokio::time::{sleep, timeout};

use crate::bed::{Bed, Server};

/// What has certainly not happened is tried again, so callers notice only that it took longer.
pub(crate) async fn a_database_that_is_away_for_a_moment_refuses_nobody(server: Server) {
    let bed = Bed::new(server).await;
    let (stage, mut holds) = (&bed.stage, Vec::new());
    bed.proxy.refuse(true);
    bed.proxy.cut_all();
    for number in 0..50 {
        let stage = stage.clone();
        holds.push(tokio::spawn(async move {
            let seat = stage.seats[number as usize];
            stage.engine.sales.hold(UserId(number), key(1), stage.performance, vec![seat]).await
        }));
    }
    sleep(Duration::from_millis(1_500)).await;
    assert!(!holds.iter().any(tokio::task::JoinHandle::is_finished), "nobody can be answered yet");
    bed.proxy.refuse(false);
    for hold in holds {
        assert!(!hold.await.expect("no buyer panics").expect("the database is back").replayed);
    }
    assert_clean(stage).await;
}

/// The negative control: patience ends, and callers are told that nothing has happened.
pub(crate) async fn a_database_that_is_gone_is_waited_for_only_so_long(server: Server) {
    let bed = Bed::new(server).await;
    let (sales, seats) = (&bed.stage.engine.sales, vec![bed.stage.seats[0]]);
    bed.proxy.refuse(true);
    bed.proxy.cut_all();
    let hold = || sales.hold(UserId(1), key(1), bed.stage.performance, seats.clone());
    let refused = timeout(Duration::from_secs(60), hold()).await.expect("an answer within a minute");
    assert!(matches!(refused, Err(SaleError::Unavailable(StoreError::Unavailable(_)))), "{refused:?}");
    bed.proxy.refuse(false);
    assert!(!hold().await.expect("the database is back").replayed, "it had not happened");
    assert_clean(&bed.stage).await;
}

/// The connections that an engine's lanes have opened end with the lanes; whoever uses the store
/// next gets others. One that is found to have ended only at COMMIT leaves the outcome unknown, as
/// any lost connection does, and the same key tells.
pub(crate) async fn a_store_outlives_its_engines(server: Server) {
    let bed = Bed::new(server).await;
    let stage = &bed.stage;
    let mut engine = stage.engine.clone();
    for round in 0..10 {
        let holds = (0..20_u32).map(|number| {
            let (engine, performance) = (engine.clone(), stage.performance);
            let seat = stage.seats[(round * 20 + number) as usize];
            tokio::spawn(async move {
                let user = UserId(i64::from(round * 20 + number));
                insist(|| engine.sales.charge(user, key(1), 100)).await.expect("points can be charged");
                insist(|| engine.sales.hold(user, key(2), performance, vec![seat]))
                    .await
                    .expect("the seat is free");
            })
        });
        for hold in holds.collect::<Vec<_>>() {
            hold.await.expect("no buyer panics");
        }
        engine.stop().await;
        assert_clean(stage).await;
        engine
            .catalogue
            .add_venue(&format!("Venue {round}"), "UTC", None)
            .await
            .expect("a venue can be added");
        engine = start(stage.store.clone(), Arc::new(SystemClock), Setup::default()).await;
    }
}

/// Asks again while the outcome is unknown.
async fn insist<T, F>(ask: impl Fn() -> F) -> Result<T, SaleError>
where
    F: Future<Output = Result<T, SaleError>>,
{
    loop {
        match ask().await {
            Err(SaleError::OutcomeUnknown) => {}
            answered => return answered,
        }
    }
}
