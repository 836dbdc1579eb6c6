//! A database's address that moves to another server, while connections to the one before stay open.

use std::{sync::Arc, time::Duration};

use onsale_contract::sale::{
    races::assert_clean,
    stage::{Setup, Stage, key},
};
use onsale_domain::{ids::UserId, money::Currency, sale::SaleRules};
use onsale_engine::{clock::SystemClock, ports::StoreError, sales::SaleError};
use onsale_store::{SqlStore, StoreOptions};
use onsale_testbed::{FaultProxy, PostgresReplica, PostgresServer, Protocol};
use tokio::time::{Instant, sleep};

use crate::bed::blocking;

/// How soon there are sales again once the address is right.
const SOON: Duration = Duration::from_secs(5);

/// A server with a standby, and a sale that finds them by one address.
struct Failover {
    primary: PostgresServer,
    standby: PostgresReplica,
    proxy: FaultProxy,
    stage: Stage,
}

impl Failover {
    async fn new() -> Self {
        let (primary, standby, database) = blocking(|| {
            let primary = PostgresServer::new();
            let database = primary.create_database();
            let standby = PostgresReplica::of(&primary);
            (primary, standby, database)
        })
        .await;
        let proxy = FaultProxy::start(primary.address(), Protocol::Postgres).await;
        let url = proxy.url(&primary.url(&database));
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.expect("it opens");
        let rules = SaleRules { hold_ms: 3_600_000, ..SaleRules::default() };
        let setup = Setup { rows: 10, seats_per_row: 10, rules, ..Setup::default() };
        let stage = Stage::build(Arc::new(store), Arc::new(SystemClock), setup).await;
        Self { primary, standby, proxy, stage }
    }

    async fn hold(&self, number: u32) -> Result<(), SaleError> {
        let (stage, seat) = (&self.stage, self.stage.seats[number as usize]);
        let user = UserId(i64::from(number) + 1);
        stage.engine.sales.hold(user, key(1), stage.performance, vec![seat]).await.map(drop)
    }
}

pub(crate) async fn an_address_that_led_to_a_standby_is_followed_back() {
    let mut failover = Failover::new().await;
    failover.hold(0).await.expect("the primary sells");
    failover = blocking(move || {
        failover.standby.wait_until_caught_up(&failover.primary);
        failover
    })
    .await;

    failover.proxy.lead_to(failover.standby.address());
    failover.proxy.cut_all();
    let refused = failover.hold(1).await;
    assert!(
        matches!(&refused, Err(SaleError::Unavailable(StoreError::Unavailable(said))) if said.contains("read-only")),
        "{refused:?}"
    );
    let venue = failover.stage.engine.catalogue.add_venue("Grand", "UTC", None).await;
    assert!(venue.is_err(), "a standby takes no writes");

    // Whatever is connected to the standby stays so.
    failover.proxy.lead_to(failover.primary.address());
    let right = Instant::now();
    while let Err(error) = failover.hold(2).await {
        assert!(right.elapsed() < SOON, "still: {error}");
        sleep(Duration::from_millis(50)).await;
    }
    let venue = failover.stage.engine.catalogue.add_venue("Grand", "UTC", None).await;
    venue.expect("connections to the standby are not used for writing any more");
    failover.stage.store.ping().await.expect("the node is ready");
    assert_clean(&failover.stage).await;
}
