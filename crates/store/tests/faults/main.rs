//! The database fails under load, fifty times in each way: nothing that was answered is lost,
//! nothing happens twice, and the key of a request whose outcome is unknown tells what happened.

mod bed;
mod failover;
mod load;
mod lost_answers;
mod stopped;

use std::time::Duration;

use onsale_testbed::FaultProxy;
use rand::random_range;
use tokio::time::sleep;

use crate::{
    bed::{Bed, Server},
    load::Load,
};

const FAULTS: u32 = 50;

/// The server is killed and comes back.
async fn restarted_under_load(server: Server) {
    let bed = Bed::new(server).await;
    let load = Load::start(&bed).await;
    let (mut slowest_ms, mut away_ms, mut after_ms) = (0, 0, 0);
    for _ in 0..FAULTS {
        sleep(Duration::from_millis(random_range(10..120))).await;
        let killed = load.now();
        bed.restart_immediate().await;
        let back = load.now();
        away_ms = away_ms.max((back - killed) / 1_000);
        slowest_ms = slowest_ms.max(load.next_hold_after(killed).await);
        after_ms = after_ms.max(load.next_hold_after(back).await);
    }
    println!("the server was away for at most {away_ms} ms; once back, {after_ms} ms until the next hold");
    let tally = load.finish(&bed, slowest_ms).await;
    assert!(tally.unanswered > 0, "no request noticed: {tally:?}");
}

/// Every connection is closed at once, whatever it is doing.
async fn cut_under_load(server: Server) {
    let bed = Bed::new(server).await;
    let load = Load::start(&bed).await;
    let mut slowest_ms = 0;
    for _ in 0..FAULTS {
        sleep(Duration::from_micros(random_range(5_000..60_000))).await;
        let cut = load.now();
        bed.proxy.cut_all();
        slowest_ms = slowest_ms.max(load.next_hold_after(cut).await);
    }
    load.finish(&bed, slowest_ms).await;
}

/// The database commits, but the answer does not arrive.
async fn commit_replies_lost_under_load(server: Server) {
    let tally = commits_lost(server, FaultProxy::drop_commit_replies, FaultProxy::commit_replies_dropped);
    let tally = tally.await;
    assert!(tally.happened > 0, "nobody's outcome was unknown: {tally:?}");
}

/// The connection is closed in place of the commit.
async fn commits_lost_under_load(server: Server) {
    let tally = commits_lost(server, FaultProxy::drop_commits, FaultProxy::commits_dropped).await;
    assert!(tally.not_happened > 0, "nobody's outcome was unknown: {tally:?}");
}

async fn commits_lost(
    server: Server,
    drop_next: fn(&FaultProxy, u32),
    dropped: fn(&FaultProxy) -> u32,
) -> load::Tally {
    let bed = Bed::new(server).await;
    let load = Load::start(&bed).await;
    let mut slowest_ms = 0;
    for fault in 1..=FAULTS {
        sleep(Duration::from_micros(random_range(5_000..60_000))).await;
        drop_next(&bed.proxy, 1);
        while dropped(&bed.proxy) < fault {
            sleep(Duration::from_micros(200)).await;
        }
        slowest_ms = slowest_ms.max(load.next_hold_after(load.now()).await);
    }
    load.finish(&bed, slowest_ms).await
}

/// All tests on the servers that `$shared` and `$own` give.
macro_rules! suite {
    ($shared:expr, $own:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn restarted_under_load() {
            crate::restarted_under_load($own).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn cut_under_load() {
            crate::cut_under_load($shared).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn commit_replies_lost_under_load() {
            crate::commit_replies_lost_under_load($shared).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn commits_lost_under_load() {
            crate::commits_lost_under_load($shared).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn an_unknown_outcome_taken_for_a_failure_happens_twice() {
            crate::lost_answers::an_unknown_outcome_taken_for_a_failure_happens_twice($shared).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn the_key_tells_what_happened() {
            crate::lost_answers::the_key_tells_what_happened($shared).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_database_that_is_away_for_a_moment_refuses_nobody() {
            crate::stopped::a_database_that_is_away_for_a_moment_refuses_nobody($shared).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_database_that_is_gone_is_waited_for_only_so_long() {
            crate::stopped::a_database_that_is_gone_is_waited_for_only_so_long($shared).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_store_outlives_its_engines() {
            crate::stopped::a_store_outlives_its_engines($shared).await;
        }
    };
}

mod postgres {
    use crate::bed::Server;

    suite!(Server::shared_postgres(), Server::own_postgres().await);

    #[tokio::test(flavor = "multi_thread")]
    async fn an_address_that_led_to_a_standby_is_followed_back() {
        crate::failover::an_address_that_led_to_a_standby_is_followed_back().await;
    }
}

mod mariadb {
    use crate::bed::Server;

    suite!(Server::shared_mariadb(), Server::own_mariadb().await);
}
