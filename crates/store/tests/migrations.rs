//! Migrating database servers: many at once, broken off, and beside a node that sells.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use onsale_contract::sale::{
    races::assert_clean,
    stage::{Setup, Stage},
};
use onsale_domain::{ids::UserId, money::Currency};
use onsale_engine::{clock::SystemClock, ports::StoreError};
use onsale_store::{SqlStore, StoreOptions};
use onsale_testbed::{FaultProxy, Protocol, SharedServer};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::time::{Instant, sleep};

/// A kind of server, and how it is asked for what its databases look like.
struct Server {
    shared: &'static SharedServer,
    protocol: Protocol,
    /// Whether changes of tables are undone with the transaction that they belong to.
    undoes_tables: bool,
    /// Every column and every index, in texts that say all there is to say.
    schema: &'static str,
}

async fn open(url: &str) -> Result<SqlStore, StoreError> {
    SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await
}

async fn texts(connection: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("the database answers");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

const STEPS: &str = "SELECT name FROM schema_migrations ORDER BY number";

/// Eight nodes start on an empty database at the same moment.
async fn eight_at_once_migrate_once(server: Server) {
    let url = server.shared.fresh_database().await;
    let nodes: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url).await })
        })
        .collect();
    let mut stores = Vec::new();
    for node in nodes {
        stores.push(node.await.expect("no node panics").expect("every node starts"));
    }
    let raw = Database::connect(&url).await.expect("the database can be reached");
    let (steps, schema) = (texts(&raw, STEPS).await, texts(&raw, server.schema).await);
    let alone = server.shared.fresh_database().await;
    open(&alone).await.expect("it starts");
    let alone = Database::connect(&alone).await.expect("the database can be reached");
    assert_eq!(steps, texts(&alone, STEPS).await);
    assert_eq!(schema, texts(&alone, server.schema).await);
    assert!(steps.len() > 1 && schema.len() > 50, "{steps:?} {schema:?}");
    for store in stores {
        store.close().await.expect("it can be closed");
    }
}

/// A node dies at some moment of its first migration. The next start makes of it what one that was
/// never disturbed would have made.
async fn a_migration_broken_off_is_repaired(server: Server) {
    const CRASHES: u32 = 16;
    let address = tokio::task::spawn_blocking(|| server.shared.address()).await.expect("a server");
    let proxy = FaultProxy::start(address, server.protocol).await;
    // Makes each statement take about the same time, so that a crash hits each alike.
    proxy.delay(Duration::from_millis(8));
    let whole = server.shared.fresh_database().await;
    let start = Instant::now();
    open(&proxy.url(&whole)).await.expect("it starts");
    let takes = start.elapsed();
    let whole = Database::connect(&whole).await.expect("the database can be reached");
    let (steps, schema) = (texts(&whole, STEPS).await, texts(&whole, server.schema).await);

    let mut half_done = 0;
    for crash in 0..CRASHES {
        let url = server.shared.fresh_database().await;
        let broken_off = {
            let url = proxy.url(&url);
            tokio::spawn(async move { open(&url).await.map(drop) })
        };
        sleep(takes * crash / CRASHES).await;
        proxy.cut_all();
        broken_off.abort();
        let _ = broken_off.await;

        let raw = Database::connect(&url).await.expect("the database can be reached");
        let left = texts(&raw, server.schema).await.len();
        half_done += u32::from(left > 0 && left < schema.len());
        open(&url).await.expect("the next start repairs it");
        assert_eq!(texts(&raw, STEPS).await, steps, "crash {crash}");
        assert_eq!(texts(&raw, server.schema).await, schema, "crash {crash}");
        raw.close().await.expect("it can be closed");
    }
    println!("{half_done} of {CRASHES} crashes left something half done");
    assert_eq!(half_done == 0, server.undoes_tables, "{half_done} were half done");
}

/// What a later version may do to the tables that a sale uses: each gets a column, and there is one
/// table more.
async fn a_node_sells_while_another_migrates(server: Server) {
    let url = server.shared.fresh_database().await;
    let store = Arc::new(open(&url).await.expect("it starts"));
    let setup = Setup { rows: 20, seats_per_row: 500, ..Setup::default() };
    let stage = Arc::new(Stage::build(store, Arc::new(SystemClock), setup).await);
    let (sold, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let buyers: Vec<_> =
        (0..4).map(|buyer| tokio::spawn(shop(stage.clone(), buyer, sold.clone(), stop.clone()))).collect();

    let newer = Database::connect(&url).await.expect("the database can be reached");
    let steps = texts(&newer, STEPS).await.len();
    let tables = ["performances", "orders", "claims", "payments", "wallets", "ledger_entries", "outbox"];
    for table in tables.into_iter().chain(["idempotency_keys"]) {
        let before = sold.load(SeqCst);
        let add = format!("ALTER TABLE {table} ADD COLUMN tomorrow BIGINT NOT NULL DEFAULT 0");
        newer.execute_unprepared(&add).await.expect("a column is added");
        // Until orders are made that began after it.
        while sold.load(SeqCst) < before + 10 {
            assert!(!buyers.iter().any(tokio::task::JoinHandle::is_finished), "a buyer was turned away");
            sleep(Duration::from_millis(1)).await;
        }
    }
    newer.execute_unprepared("CREATE TABLE tomorrow (id BIGINT PRIMARY KEY)").await.expect("a table is made");
    let step = format!("INSERT INTO schema_migrations VALUES ({}, 'tomorrow', 'expand')", steps + 1);
    newer.execute_unprepared(&step).await.expect("the step is noted");

    let of_the_version_before = open(&url).await.expect("a node of the version before may still start");
    of_the_version_before.close().await.expect("it can be closed");
    stop.store(true, SeqCst);
    for buyer in buyers {
        buyer.await.expect("nobody is turned away");
    }
    assert_clean(&stage).await;
}

/// One person after the other: points, a seat that nobody else wants, the payment.
async fn shop(stage: Arc<Stage>, buyer: usize, sold: Arc<AtomicU32>, stop: Arc<AtomicBool>) {
    let sales = &stage.engine.sales;
    for (number, seat) in stage.seats.iter().enumerate().skip(buyer).step_by(4) {
        let user = UserId(1 + number as i64);
        sales.charge(user, None, 1_000_000).await.expect("points can be charged");
        let held = sales.hold(user, None, stage.performance, vec![*seat]).await.expect("the seat is free");
        sales.pay(user, None, held.order.id).await.expect("the hold can be paid");
        sold.fetch_add(1, SeqCst);
        if stop.load(SeqCst) {
            return;
        }
    }
    panic!("there are too few seats for this test");
}

/// All tests on one kind of server.
macro_rules! suite {
    () => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn eight_at_once_migrate_once() {
            crate::eight_at_once_migrate_once(server()).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_migration_broken_off_is_repaired() {
            crate::a_migration_broken_off_is_repaired(server()).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_node_sells_while_another_migrates() {
            crate::a_node_sells_while_another_migrates(server()).await;
        }
    };
}

mod postgres {
    use crate::{Protocol, Server};

    fn server() -> Server {
        Server {
            shared: onsale_testbed::postgres(),
            protocol: Protocol::Postgres,
            undoes_tables: true,
            schema: "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
                FROM information_schema.columns WHERE table_schema = 'public'
                UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        }
    }

    suite!();
}

mod mariadb {
    use crate::{Protocol, Server};

    fn server() -> Server {
        Server {
            shared: onsale_testbed::mariadb(),
            protocol: Protocol::MySql,
            undoes_tables: false,
            schema: "SELECT CAST(CONCAT_WS(' ', table_name, column_name, column_type, is_nullable,
                    column_default, collation_name) AS CHAR)
                FROM information_schema.columns WHERE table_schema = DATABASE()
                UNION ALL SELECT CAST(CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name,
                    non_unique) AS CHAR)
                FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY 1",
        }
    }

    suite!();
}
