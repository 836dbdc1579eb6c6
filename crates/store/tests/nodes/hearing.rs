//! Two nodes that look into the database once an hour: what one changes is known to the other because
//! it is told.

use std::{sync::Arc, time::Duration};

use onsale_contract::sale::stage::{Setup, add_performance, start};
use onsale_coordination::{LocalBroadcast, RedisBroadcast, RedisOptions};
use onsale_domain::{
    ids::{ItemId, PerformanceId, SeatId, UserId},
    item::{ItemDetails, ItemKind, ItemRules},
    money::Currency,
    order::SeatStatus,
};
use onsale_engine::{
    Engine,
    clock::{Clock, SystemClock},
    ports::Broadcast,
    sales::SaleSettings,
};
use onsale_store::{SqlStore, StoreOptions};
use tokio::time::{Instant, sleep};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long nothing is to happen.
const SILENCE: Duration = Duration::from_secs(1);

fn setup() -> Setup {
    let look_every = Duration::from_secs(3_600);
    let sales = SaleSettings { batch_max: 1, look_every, ..SaleSettings::default() };
    Setup { rows: 1, seats_per_row: 100, sales, ..Setup::default() }
}

/// Two nodes, and a performance and an item that both have in memory.
struct Pair {
    here: Arc<Engine>,
    there: Arc<Engine>,
    performance: PerformanceId,
    seats: Vec<SeatId>,
    item: ItemId,
}

impl Pair {
    async fn start(url: &str) -> Self {
        let (here, there) = (node(url).await, node(url).await);
        let (performance, seats) = add_performance(&here, setup(), SystemClock.now()).await;
        let item = ItemDetails {
            name: "Bear".to_owned(),
            content: "A bear.".to_owned(),
            price: 1_000,
            kind: ItemKind::General,
            time_zone: "Asia/Seoul".to_owned(),
            image_url: None,
            rules: ItemRules::default(),
        };
        let item = here.catalogue.add_item(item, 100, None).await.expect("an item is added").id;
        for node in [&here, &there] {
            node.sales.view(performance).await.expect("it is there");
            node.sales.item(item).await.expect("it is there");
        }
        Self { here, there, performance, seats, item }
    }

    async fn hold(&self, seat: usize) {
        let buyer = UserId(seat as i64 + 1);
        let held = self.here.sales.hold(buyer, None, self.performance, vec![self.seats[seat]]).await;
        held.expect("it is free");
    }

    async fn held_there(&self) -> usize {
        let statuses = self.there.sales.view(self.performance).await.expect("it is there").statuses();
        statuses.iter().filter(|status| **status == SeatStatus::Held).count()
    }

    async fn left_there(&self) -> i64 {
        self.there.sales.item(self.item).await.expect("it is there").stock().left
    }

    /// Whether the other node comes to know of so many held seats and so many units left.
    async fn is_known(&self, held: usize, left: i64, within: Duration) -> bool {
        let since = Instant::now();
        while self.held_there().await != held || self.left_there().await != left {
            if since.elapsed() > within {
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }

    async fn stop(self) {
        self.here.stop().await;
        self.there.stop().await;
    }
}

async fn node(url: &str) -> Arc<Engine> {
    let store = SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
    start(Arc::new(store), Arc::new(SystemClock), setup()).await
}

async fn redis_nodes(url: &str) -> Vec<Arc<dyn Broadcast>> {
    let redis = tokio::task::spawn_blocking(onsale_testbed::redis).await.expect("Redis starts");
    let (_, database) = url.rsplit_once('/').expect("the URL names a database");
    let options = RedisOptions { prefix: database.to_owned(), ..RedisOptions::default() };
    let node = || RedisBroadcast::start(redis, &options).expect("the URL is understood");
    let nodes: Vec<_> = (0..2).map(|_| Arc::new(node()) as Arc<dyn Broadcast>).collect();
    let since = Instant::now();
    while !nodes.iter().all(|node| node.works()) {
        assert!(since.elapsed() < PATIENCE, "the nodes do not hear");
        sleep(Duration::from_millis(20)).await;
    }
    nodes
}

async fn what_is_told_is_known_without_looking(url: String) {
    let pair = Pair::start(&url).await;
    pair.hold(0).await;
    pair.here.sales.hold_units(UserId(1), None, pair.item, 1).await.expect("there are enough");
    assert!(!pair.is_known(1, 99, SILENCE).await, "control: nobody tells, and nobody looks");

    let mut nodes = redis_nodes(&url).await.into_iter();
    pair.here.tell_changes(nodes.next().expect("two"));
    pair.there.tell_changes(nodes.next().expect("two"));
    pair.hold(1).await;
    pair.here.sales.hold_units(UserId(2), None, pair.item, 2).await.expect("there are enough");
    assert!(pair.is_known(2, 97, PATIENCE).await, "what is told brings what was not told along");
    let order = pair.here.sales.hold(UserId(9), None, pair.performance, vec![pair.seats[9]]).await;
    assert!(pair.is_known(3, 97, PATIENCE).await);
    pair.here.sales.cancel(UserId(9), order.expect("it is free").order.id).await.expect("it is held");
    assert!(pair.is_known(2, 97, PATIENCE).await, "what is given back is told, too");
    pair.stop().await;
}

/// The messages of a node that does not listen yet gather.
async fn many_changes_are_read_once(url: String) {
    let pair = Pair::start(&url).await;
    let mut nodes = LocalBroadcast::nodes(2).into_iter();
    pair.here.tell_changes(Arc::new(nodes.next().expect("two")));
    for seat in 0..50 {
        pair.hold(seat).await;
    }
    let view = pair.there.sales.view(pair.performance).await.expect("it is there");
    let (_, mut readings) = view.watch(view.version());
    pair.there.tell_changes(Arc::new(nodes.next().expect("two")));
    assert!(pair.is_known(50, 100, PATIENCE).await);
    let reading = readings.try_recv().expect("it was read");
    assert_eq!((reading.seats.len(), readings.len()), (50, 0), "all fifty at once");
    pair.stop().await;
}

macro_rules! suite {
    ($server:path) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn what_is_told_is_known_without_looking() {
            crate::hearing::what_is_told_is_known_without_looking($server().fresh_database().await).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn many_changes_are_read_once() {
            crate::hearing::many_changes_are_read_once($server().fresh_database().await).await;
        }
    };
}

mod redis {
    mod postgres {
        suite!(onsale_testbed::postgres);
    }

    mod mariadb {
        suite!(onsale_testbed::mariadb);
    }
}
