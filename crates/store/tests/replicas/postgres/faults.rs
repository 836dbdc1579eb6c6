//! Replicas that fail while everybody reads and writes: nobody notices.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use onsale_contract::{
    sale::stage::{PRICE, Setup, Stage},
    store::fixture::show,
};
use onsale_domain::{
    offer::OfferKind,
    {catalogue::ShowKind, ids::UserId, order::OrderStatus, sale::SaleRules},
};
use onsale_engine::{
    clock::SystemClock,
    ports::{ReplicaCondition, ReplicaHealth},
};
use tokio::{task::JoinSet, time::sleep};

use crate::cluster::{Cluster, Counts, in_use, until};

const BUYERS: i64 = 4;
const SEATS_EACH: usize = 2_000;

/// How often buyers and readers are seen to work between two faults, and how often the organiser,
/// who works more slowly.
const ROUNDS: u32 = 20;
const CHANGES: u32 = 3;

/// People who work until they are told to stop.
struct Crowd {
    tasks: JoinSet<()>,
    stage: Arc<Stage>,
    stop: Arc<AtomicBool>,
    bought: Arc<AtomicU32>,
    changed: Arc<AtomicU32>,
    read: Arc<AtomicU32>,
}

impl Crowd {
    async fn start(stage: Stage) -> Self {
        let mut crowd = Self {
            tasks: JoinSet::new(),
            stage: Arc::new(stage),
            stop: Arc::default(),
            bought: Arc::default(),
            changed: Arc::default(),
            read: Arc::default(),
        };
        for buyer in 0..BUYERS {
            crowd.stage.fund(UserId(1 + buyer), 1_000 * PRICE).await;
            let (stage, stop, bought) = (crowd.stage.clone(), crowd.stop.clone(), crowd.bought.clone());
            crowd.tasks.spawn(async move { buy(&stage, buyer, &stop, &bought).await });
        }
        let (stage, stop, changed) = (crowd.stage.clone(), crowd.stop.clone(), crowd.changed.clone());
        crowd.tasks.spawn(async move { organise(&stage, &stop, &changed).await });
        for _ in 0..2 {
            let (stage, stop, read) = (crowd.stage.clone(), crowd.stop.clone(), crowd.read.clone());
            crowd.tasks.spawn(async move { browse(&stage, &stop, &read).await });
        }
        crowd
    }

    /// Waits until everybody has done something once more.
    async fn goes_on(&mut self) {
        for (count, more) in [(&self.bought, ROUNDS), (&self.changed, CHANGES), (&self.read, ROUNDS)] {
            let until = count.load(SeqCst) + more;
            while count.load(SeqCst) < until {
                if let Some(ended) = self.tasks.try_join_next() {
                    ended.expect("nobody notices anything");
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn end(mut self) {
        self.stop.store(true, SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("nobody notices anything");
        }
    }
}

/// Holds a seat, pays it, sometimes gives it back; looks at once each time.
async fn buy(stage: &Stage, buyer: i64, stop: &AtomicBool, bought: &AtomicU32) {
    let (sales, me) = (&stage.engine.sales, UserId(1 + buyer));
    let mut balance = sales.wallet(me).await.unwrap().balance;
    let own = &stage.seats[buyer as usize * SEATS_EACH..][..SEATS_EACH];
    for (round, &seat) in own.iter().cycle().enumerate() {
        if stop.load(Relaxed) {
            return;
        }
        let held = sales.hold(me, None, stage.performance, vec![seat]).await.unwrap().order;
        assert_eq!(sales.order(me, held.id).await.expect("one's own order is there"), held);
        let paid = round % 2 == 0;
        if paid {
            sales.pay(me, None, held.id).await.unwrap();
            balance -= PRICE;
            assert_eq!(sales.order(me, held.id).await.unwrap().status, OrderStatus::Paid);
            assert_eq!(sales.wallet(me).await.unwrap().balance, balance);
        }
        sales.cancel(me, held.id).await.unwrap();
        balance += i64::from(paid) * PRICE;
        let newest = sales.orders(me, OfferKind::Performance, None, 1).await.unwrap().orders.remove(0);
        assert_eq!((newest.id, newest.status), (held.id, OrderStatus::Cancelled));
        assert_eq!(sales.wallet(me).await.unwrap().balance, balance);
        bought.fetch_add(1, SeqCst);
    }
}

/// Changes a title and looks at the public page at once.
async fn organise(stage: &Stage, stop: &AtomicBool, changed: &AtomicU32) {
    let catalogue = &stage.engine.catalogue;
    let id = catalogue.add_show(show(ShowKind::Concert, "new"), None).await.unwrap().id;
    let mut number = 0;
    while !stop.load(Relaxed) {
        number += 1;
        let title = format!("Concert {number}");
        catalogue.change_show(id, show(ShowKind::Concert, &title)).await.unwrap();
        let page = catalogue.listing(ShowKind::Concert, id).await.expect("the page is there");
        assert_eq!(page.show.details.title, title);
        changed.fetch_add(1, SeqCst);
        // Long enough for the replicas to be in use in between.
        sleep(Duration::from_millis(number % 3 * 500)).await;
    }
}

/// Reads the public pages.
async fn browse(stage: &Stage, stop: &AtomicBool, read: &AtomicU32) {
    let catalogue = &stage.engine.catalogue;
    while !stop.load(Relaxed) {
        let page = catalogue.performance_listing(stage.performance).await.expect("a read never fails");
        assert_eq!(page.performance.id, stage.performance);
        assert!(catalogue.concerts(0, 10).await.expect("a read never fails").total > 0);
        read.fetch_add(1, SeqCst);
        sleep(Duration::from_millis(5)).await;
    }
}

async fn stage(cluster: &Cluster) -> (Stage, Counts) {
    let (store, counts) = cluster.open().await;
    let rules = SaleRules { seats_per_buyer_max: 100, ..SaleRules::default() };
    let setup = Setup { rows: BUYERS as u32, seats_per_row: SEATS_EACH as u32, rules, ..Setup::default() };
    (Stage::build(Arc::new(store), Arc::new(SystemClock), setup).await, counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_delayed_and_returned_during_reads_and_writes() {
    let cluster = Cluster::start(2).await;
    let (stage, counts) = stage(&cluster).await;
    let store = stage.store.clone();
    let names = [cluster.name(0), cluster.name(1)];
    in_use(&*store).await;
    let mut crowd = Crowd::start(stage).await;
    crowd.goes_on().await;

    for _ in 0..3 {
        cluster.to(|cluster| cluster.replicas[0].stop()).await;
        until(&*store, 0, "left out", |health| health.condition == ReplicaCondition::Failing).await;
        crowd.goes_on().await;
        cluster.to(|cluster| cluster.replicas[0].start()).await;
        until(&*store, 0, "back", |health| health.condition == ReplicaCondition::Usable).await;
        crowd.goes_on().await;
    }

    cluster.to(|cluster| cluster.replicas[1].set_apply_delay(10_000)).await;
    until(&*store, 1, "behind", |health| health.condition == ReplicaCondition::Behind).await;
    let late = |health: &ReplicaHealth| health.lag_ms >= Some(9_000);
    until(&*store, 1, "ten seconds behind", late).await;
    assert!(counts.lag_seconds(&names[1]) >= 8.0, "{}", counts.lag_seconds(&names[1]));
    assert!(!counts.usable(&names[1]));
    let before = [0, 1].map(|replica| counts.on_replica(&names[replica]));
    crowd.goes_on().await;
    assert_eq!(counts.on_replica(&names[1]), before[1], "nothing is read that old");
    cluster.to(|cluster| cluster.replicas[1].set_apply_delay(0)).await;
    until(&*store, 1, "back", |health| health.condition == ReplicaCondition::Usable).await;
    crowd.goes_on().await;

    // Both gone at once, and back.
    cluster.to(|cluster| cluster.replicas.iter().for_each(|replica| replica.stop())).await;
    crowd.goes_on().await;
    cluster.to(|cluster| cluster.replicas.iter().for_each(|replica| replica.start())).await;
    in_use(&*store).await;
    crowd.goes_on().await;
    for name in &names {
        assert!(counts.on_replica(name) > 0, "{name} has been read from");
    }
    assert!(counts.on_source() > 0);
    crowd.end().await;
}

/// Connections that are ended, and reads that the replica gives up because they are in the way of
/// what it has to replay (SQLSTATE 40001).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_fails_on_a_replica_is_done_on_the_source() {
    let cluster = Cluster::start(1).await;
    let (stage, counts) = stage(&cluster).await;
    let store = stage.store.clone();
    cluster
        .to(|cluster| {
            let replica = &cluster.replicas[0];
            replica.query("postgres", "ALTER SYSTEM SET max_standby_streaming_delay = 0");
            replica.query("postgres", "SELECT pg_reload_conf()");
        })
        .await;
    in_use(&*store).await;
    let mut crowd = Crowd::start(stage).await;
    let conflicts = "SELECT confl_lock + confl_snapshot FROM pg_stat_database_conflicts WHERE datname = ";
    let mut ended = 0;
    loop {
        let (now_ended, in_the_way) = cluster
            .to(move |cluster| {
                let database = &cluster.database;
                let others = "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                              WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS ended";
                let ended: u32 = cluster.replicas[0].query("postgres", others).parse().unwrap();
                for _ in 0..20 {
                    let lock = "BEGIN; LOCK TABLE shows IN ACCESS EXCLUSIVE MODE; COMMIT";
                    cluster.server.query(database, lock);
                }
                let conflicts = format!("{conflicts}'{database}'");
                (ended, cluster.replicas[0].query("postgres", &conflicts).parse::<u32>().unwrap())
            })
            .await;
        ended += now_ended;
        crowd.goes_on().await;
        if ended > 10 && in_the_way > 0 && counts.on_replica(&cluster.name(0)) > 100 {
            break;
        }
    }
    crowd.end().await;
    in_use(&*store).await;
}
