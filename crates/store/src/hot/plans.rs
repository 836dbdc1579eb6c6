//! How each database carries out the hot statements. A scan of a table would cost more the more
//! there is in it, so the plans are the same on an empty database and on one with many rows, and
//! are kept as snapshots.

use std::fmt::Write;

use onsale_domain::money::Currency;
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::{SqlStore, StoreOptions};

/// A batch as each statement takes it, so that a planner has something to look at.
fn sample(name: &str) -> &'static str {
    const UUIDS: &str = r#"["00000000000000000000000000000001","00000000000000000000000000000002"]"#;
    match name {
        "lock_performances" | "lock_stocks" | "lock_wallets" | "load_performances" | "load_stocks"
        | "load_wallets" => "[1,2]",
        "load_lapsed" => "[-1,-2]",
        "load_claims" | "load_buyers" => "[[1,[1,2]],[2,[1]]]",
        "load_orders" | "load_payments" | "refund_payments" => UUIDS,
        "load_keys" => r#"["000000000000000000000000000000017","000000000000000000000000000000027"]"#,
        "delete_claims" => r#"[[1,1,"00000000000000000000000000000001"],[1,2,null]]"#,
        "update_orders" => {
            r#"[["00000000000000000000000000000001",1,2,1],["00000000000000000000000000000002",1,2,1]]"#
        }
        "update_wallets" => "[[1,1,5,2],[2,1,5,2]]",
        "update_versions" => "[[1,1,1,2],[2,1,1,2]]",
        "update_stocks" => "[[1,1,1,2,0,-1],[2,1,1,2,0,-1]]",
        "categorise_rows" | "categorise_seats" | "delete_outbox" => "[3,4]",
        _ => "[]",
    }
}

/// The statements whose plans matter: all but those that only insert, and those that a dialect
/// does without.
fn statements(store: &SqlStore) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = store.dialect.hot().all().into_iter();
    all.filter(|(name, sql)| !name.starts_with("insert") && !sql.is_empty())
}

/// Orders, claims, payments, wallets and keys of 2,000 buyers, so that no planner takes the
/// tables for small.
const FILL: [&str; 9] = [
    "INSERT INTO payments (order_id, id, user_id, amount, currency, balance_after, refunded, created_at)
     SELECT uuid_of(n), uuid_of(n), n, 1, 'KRW', 1, FALSE, n FROM numbers",
    "INSERT INTO idempotency_keys (user_id, key_id, fingerprint, target, created_at)
     SELECT n, uuid_of(n), n, 2, n FROM numbers",
    "INSERT INTO wallets (user_id, balance, version) SELECT n, 5, 1 FROM numbers",
    "INSERT INTO performances (show_id, hall_id, starts_at, ends_at, on_sale_at, hold_ms,
        seats_per_buyer_max, side_by_side, cancelled, revision, version)
     SELECT n, 1, n, n, n, 1, 1, FALSE, FALSE, 1, 1 FROM numbers",
    "INSERT INTO claims (performance_id, seat_id, order_id) SELECT 1 + n % 2, n, NULL FROM numbers",
    "INSERT INTO orders (id, user_id, performance_id, status, seats, amount, currency, created_at,
        expires_at, version)
     SELECT uuid_of(n), n, 1 + n % 2, n % 4, '[]', 1, 'KRW', n, n, 1 FROM numbers",
    "INSERT INTO stocks (item_id, units_total, units_left, revision, version)
     SELECT n, 5, 5, 1, 1 FROM numbers",
    "INSERT INTO seats (id, row_index, place, number, category, x, y)
     SELECT n, n, n, 'x', 1, 0, 0 FROM numbers",
    "INSERT INTO outbox (type, order_id, version, created_at)
     SELECT 'order.held', uuid_of(n), 1, n FROM numbers",
];

mod sqlite {
    use super::*;

    #[tokio::test]
    async fn plans() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        let empty = read(&store).await;
        for line in empty.lines().filter(|line| line.starts_with("  SCAN ")) {
            // The batch, or its groups, each taken apart once.
            let is_batch = line.contains("VIRTUAL TABLE") || line == "  SCAN p";
            assert!(is_batch, "a table is scanned: {line}");
        }
        assert!(!empty.contains("AUTOMATIC"), "an index is built: {empty}");
        // If they were joined as they are, a group would be copied for each of its members.
        assert_eq!(
            empty.matches("  CO-ROUTINE p\n").count(),
            2,
            "groups are taken apart again and again: {empty}"
        );
        insta::assert_snapshot!(empty);
        let numbers =
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)";
        for sql in FILL {
            let (insert, select) = sql.split_once("SELECT").unwrap();
            let sql = format!("{insert} {numbers} SELECT {select}")
                .replace("uuid_of(n)", "CAST(printf('%016d', n) AS BLOB)");
            store.writer.execute_unprepared(&sql).await.unwrap();
        }
        store.writer.execute_unprepared("ANALYZE").await.unwrap();
        assert_eq!(read(&store).await, empty, "the plans are others on a full database");
    }

    async fn read(store: &SqlStore) -> String {
        let mut text = String::new();
        for (name, sql) in statements(store) {
            let explain = store.dialect.statement(&format!("EXPLAIN QUERY PLAN {sql}"), []);
            let plan = store.readers.query_all_raw(explain).await.unwrap();
            writeln!(text, "{name}").unwrap();
            for step in &plan {
                writeln!(text, "  {}", step.try_get_by_index::<String>(3).unwrap()).unwrap();
            }
        }
        text
    }
}

mod postgres {
    use super::*;

    #[tokio::test]
    async fn plans() {
        let url = onsale_testbed::postgres().fresh_database().await;
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        let empty = read(&store).await;
        assert!(!empty.contains("Seq Scan"), "a table is scanned: {empty}");
        insta::assert_snapshot!(empty);
        let numbers = "(SELECT generate_series(1, 2000) AS n) numbers";
        for sql in FILL {
            let sql = sql
                .replace("FROM numbers", &format!("FROM {numbers}"))
                .replace("uuid_of(n)", "lpad(n::text, 32, '0')::uuid");
            store.writer.execute_unprepared(&sql).await.unwrap();
        }
        store.writer.execute_unprepared("ANALYZE").await.unwrap();
        assert_eq!(read(&store).await, empty, "the plans are others on a full database");
    }

    async fn read(store: &SqlStore) -> String {
        let session = store.writer.begin().await.unwrap();
        let mut text = String::new();
        for (name, sql) in statements(store) {
            session.execute_unprepared(&format!("PREPARE plan AS {sql}")).await.unwrap();
            // The plan is for any values.
            let parameters = (1..=9).filter(|number| sql.contains(&format!("${number}"))).count();
            let values = vec!["NULL"; parameters].join(", ");
            let explain = format!("EXPLAIN (COSTS OFF) EXECUTE plan({values})");
            let plan = session.query_all_raw(store.dialect.statement(&explain, [])).await.unwrap();
            session.execute_unprepared("DEALLOCATE plan").await.unwrap();
            writeln!(text, "{name}").unwrap();
            for step in &plan {
                writeln!(text, "  {}", step.try_get_by_index::<String>(0).unwrap()).unwrap();
            }
        }
        text
    }
}

mod mariadb {
    use super::*;

    #[tokio::test]
    async fn plans() {
        let url = onsale_testbed::mariadb().fresh_database().await;
        let store = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap();
        fill(&store, 20).await;
        let few = read(&store).await;
        insta::assert_snapshot!(few);
        for table in [
            "orders",
            "claims",
            "payments",
            "wallets",
            "performances",
            "stocks",
            "seats",
            "idempotency_keys",
            "outbox",
        ] {
            let emptied = format!("DELETE FROM {table}");
            store.writer.execute_unprepared(&emptied).await.unwrap();
        }
        fill(&store, 2_000).await;
        assert_eq!(read(&store).await, few, "the plans are others on a full database");
    }

    async fn fill(store: &SqlStore, rows: u32) {
        for sql in FILL {
            let sql = sql
                .replace("FROM numbers", &format!("FROM (SELECT seq AS n FROM seq_1_to_{rows}) numbers"))
                .replace("uuid_of(n)", "UNHEX(LPAD(n, 32, '0'))");
            store.writer.execute_unprepared(&sql).await.unwrap();
        }
        let analyze = "ANALYZE TABLE orders, claims, payments, wallets, performances, stocks, seats, idempotency_keys, outbox";
        store.writer.query_all_raw(store.dialect.statement(analyze, [])).await.unwrap();
    }

    /// For each statement the tables in the order in which they are read, how, and by which key.
    async fn read(store: &SqlStore) -> String {
        let mut text = String::new();
        for (name, sql) in statements(store) {
            let mut values = match name {
                "categorise_all" => vec!["1", "1", "9"],
                "load_lapsed" => vec!["1", sample(name)],
                _ if name.starts_with("categorise") => vec!["1", "1", "9", sample(name)],
                _ => vec![sample(name)],
            }
            .into_iter();
            let parts: Vec<&str> = sql.split('?').collect();
            let mut explain = format!("EXPLAIN {}", parts[0]);
            for part in &parts[1..] {
                write!(explain, "'{}'{part}", values.next().unwrap()).unwrap();
            }
            let plan = store.writer.query_all_raw(store.dialect.statement(&explain, [])).await.unwrap();
            writeln!(text, "{name}").unwrap();
            for step in &plan {
                let column =
                    |name: &str| step.try_get::<Option<String>>("", name).unwrap().unwrap_or_default();
                let (table, how, key) = (column("table"), column("type"), column("key"));
                let scans = matches!(how.as_str(), "ALL" | "index");
                let is_batch = table == "k" || table.starts_with('<');
                assert!(is_batch || !scans, "{name} scans {table}");
                writeln!(text, "  {table}: {how} {key}").unwrap();
            }
        }
        text
    }
}
