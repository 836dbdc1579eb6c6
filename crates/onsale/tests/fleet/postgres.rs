//! A sale on three nodes behind HAProxy, on one PostgreSQL and one Redis, while its parts fail one after the other.

mod buyer;
mod faults;
mod ledger;
mod report;
mod sale;
mod timeline;

use std::time::Duration;

use self::sale::{Plan, run};

/// What CI runs.
const SHORT: Plan = Plan {
    name: "short",
    buyers: 300,
    seats: 100,
    arrivals_per_second: 12,
    room: true,
    hold_seconds: 3,
    drain_seconds: 2,
    fault_every: Duration::from_millis(1_500),
    // A busy machine may hold everything up.
    pause_max: Duration::from_secs(20),
};

/// What is documented.
const FULL: Plan = Plan {
    name: "full",
    buyers: 3_000,
    seats: 1_000,
    arrivals_per_second: 40,
    room: true,
    hold_seconds: 8,
    drain_seconds: 3,
    fault_every: Duration::from_secs(5),
    pause_max: Duration::from_secs(5),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_survives_its_parts() {
    run(&SHORT).await;
}

/// Takes minutes; `./test --fleet` runs it and says where its report is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: ./test --fleet"]
async fn a_large_sale_survives_its_parts() {
    run(&FULL).await;
}
