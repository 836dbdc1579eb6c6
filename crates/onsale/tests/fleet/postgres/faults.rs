//! What is done to the fleet during the sale, one thing after the other.

use std::sync::Arc;

use onsale_testbed::{PostgresServer, RedisServer};
use rustix::process::Signal;
use tokio::task::spawn_blocking;

use super::{
    buyer::{Buyer, Stage},
    sale::Plan,
};
use crate::{client::Caller, node::Node};

/// What there is to break.
pub(super) struct Parts {
    pub(super) nodes: [Node; 3],
    pub(super) database: Arc<PostgresServer>,
    pub(super) redis: Arc<RedisServer>,
}

/// Breaks one part after the other. `orphan` holds a seat at the node that dies, right before it does,
/// and never pays.
pub(super) async fn inject(plan: &Plan, parts: &Parts, stage: &Stage, orphan: &mut Buyer) {
    let timeline = &stage.timeline;
    let [first, second, third] = &parts.nodes;

    timeline.wait_until(plan.fault_every).await;
    orphan.call_only(Caller::new(second.address()));
    for (attempt, seat) in stage.seats.iter().rev().enumerate() {
        if orphan.hold(*seat, attempt).await.is_some() {
            break;
        }
    }
    assert_eq!(orphan.account.told.len(), 1, "no seat is free at the node that is to die");
    let begun = timeline.now();
    second.kill();
    timeline.fault("node 2: kill -9, and never back", begun, false);

    timeline.wait_until(plan.fault_every * 2).await;
    let begun = timeline.now();
    third.signal(Signal::TERM);
    let ended = third.ended().await;
    assert!(ended.success(), "a polite end is a success: {ended}\n{}", third.log());
    third.start();
    third.ready().await;
    timeline.fault(POLITE, begun, false);

    timeline.wait_until(plan.fault_every * 4).await;
    let begun = timeline.now();
    let redis = parts.redis.clone();
    spawn_blocking(move || redis.flush()).await.expect("Redis is up");
    timeline.fault("Redis: flushed", begun, false);

    timeline.wait_until(plan.fault_every * 5).await;
    let begun = timeline.now();
    let redis = parts.redis.clone();
    let gone = plan.fault_every / 2;
    let killed = move || {
        redis.kill();
        std::thread::sleep(gone);
        redis.start();
    };
    spawn_blocking(killed).await.expect("Redis comes back");
    timeline.fault("Redis: kill -9, back empty", begun, false);

    timeline.wait_until(plan.fault_every * 6).await;
    let database = parts.database.clone();
    let begun = timeline.now();
    spawn_blocking(move || database.restart_immediate()).await.expect("PostgreSQL comes back");
    timeline.fault("PostgreSQL: crash and restart", begun, true);
    first.ready().await;
}

/// What nobody may notice.
pub(super) const POLITE: &str = "node 3: SIGTERM, drain, restart";
