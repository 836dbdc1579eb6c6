//! One row changed or removed: the audit says something, whichever row it is; or it is said here why it cannot.

use std::collections::BTreeMap;

use onsale_domain::money::Currency;
use onsale_engine::audit::audit;
use onsale_store::{SqlStore, StoreOptions};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;

use crate::world::{build_on_sqlite, open, raw, sell};

/// Why a change cannot be told.
const FREE: &str = "nothing else in the database says what it should be";
const TEXT: &str = "free text";
const COUNTER: &str = "a counter that may be ahead";
const NAME: &str = "a name that nothing else uses";
const ANOTHER: &str = "the other account, show or row exists as well";
const WORK: &str = "says what is to be done next, and is gone when it is done";

/// Columns whose change nothing else in the database tells, and why.
const UNPROVABLE: &[(&str, &[&str], &str)] = &[
    ("chart_runs", &["claimed_until"], FREE),
    ("charts", &["published_at"], FREE),
    ("database_marks", &["name"], "a database without a currency takes that of its orders when it is opened"),
    (
        "deliveries",
        &[
            "channel",
            "event_id",
            "event_type",
            "subject",
            "body",
            "state",
            "attempts",
            "added_at",
            "since",
            "due_at",
            "leased_until",
        ],
        WORK,
    ),
    ("deliveries", &["id"], NAME),
    ("event_log", &["position", "created_at"], FREE),
    ("event_tasks", &["task", "node", "beat", "position", "kept_at"], WORK),
    ("hall_categories", &["name"], TEXT),
    ("hall_rows", &["section", "label"], TEXT),
    ("halls", &["name"], TEXT),
    ("halls", &["revision"], COUNTER),
    ("id_runs", &["kind", "next_id"], COUNTER),
    ("idempotency_keys", &["key_id", "fingerprint"], "digests of what a client sent"),
    ("identities", &["user_id"], ANOTHER),
    ("identities", &["created_at"], FREE),
    ("items", &["name", "content"], TEXT),
    ("items", &["owner_id"], ANOTHER),
    ("media", &["used_at", "bytes"], FREE),
    (
        "offer_terms",
        &["since", "show_id", "per_buyer_max", "prices"],
        "what was allowed once; only orders that it forbids are told",
    ),
    ("outbox", &["created_at"], FREE),
    ("payments", &["id"], NAME),
    ("performances", &["revision"], "as of a node that keeps no terms"),
    ("performances", &["version"], COUNTER),
    ("popularity_days", &["day"], "a day of the rankings is one of a zone"),
    ("popularity_days", &["units"], "exact only when all is told: see the test of that"),
    ("popularity_events", &["event_id", "counted_at"], NAME),
    ("room_changes", &["id"], NAME),
    ("room_changes", &["asked", "asked_at", "answered"], WORK),
    ("rooms", &["name"], TEXT),
    ("rooms", &["run_by", "revision"], COUNTER),
    ("rooms", &["owner_id"], ANOTHER),
    ("schema_migrations", &["name", "kind"], "a later version may have other steps"),
    ("seats", &["row_index", "place", "number", "x", "y"], "where a seat stands is what its plan said"),
    ("sessions", &["id"], NAME),
    ("sessions", &["user_id"], ANOTHER),
    ("sessions", &["created_at", "expires_at"], FREE),
    ("shows", &["folded_by"], "a later version may fold by other rules"),
    ("shows", &["owner_id"], ANOTHER),
    ("stocks", &["revision"], "as of a node that keeps no terms"),
    ("stocks", &["version"], COUNTER),
    ("users", &["email", "name", "password_hash", "created_at"], FREE),
    ("venues", &["name"], TEXT),
    ("venues", &["owner_id"], ANOTHER),
    ("webhooks", &["id"], NAME),
    ("webhooks", &["owner_id"], ANOTHER),
    ("webhooks", &["url", "active", "secret", "previous_until", "created_at"], FREE),
];

/// Tables of which a row may be gone without a trace, and why.
const MAY_LACK_ROWS: &[(&str, &str)] = &[
    ("database_marks", "a database without a currency takes that of its orders when it is opened"),
    ("deliveries", WORK),
    ("event_log", WORK),
    ("event_tasks", WORK),
    ("id_runs", "begins anew, and the database refuses a seat that is there"),
    ("idempotency_keys", "forgotten after a while"),
    ("identities", "nothing refers to it"),
    ("offer_terms", "then nothing is compared with it"),
    ("outbox", WORK),
    ("popularity_days", "exact only when all is told: see the test of that"),
    ("popularity_events", "forgotten after a while"),
    ("popularity_now", "forgotten after a while"),
    ("room_changes", WORK),
    ("room_performances", "nothing refers to it"),
    ("sessions", "nothing refers to it"),
    ("webhooks", "removed by its owner"),
];

/// A database file of which copies are tampered with.
struct Original {
    folder: TempDir,
}

impl Original {
    async fn new() -> Self {
        let original = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        build_on_sqlite(&original.url("original.db")).await;
        original
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.folder.path().join(name).display())
    }

    /// The findings of the audit in a copy after a statement; none if it changed nothing.
    async fn found_after(&self, statement: &str) -> Option<Vec<&'static str>> {
        for tail in ["", "-wal", "-shm"] {
            let copy = self.folder.path().join(format!("copy.db{tail}"));
            let _ = std::fs::remove_file(&copy);
            let original = self.folder.path().join(format!("original.db{tail}"));
            if original.exists() {
                std::fs::copy(original, copy).expect("the file can be copied");
            }
        }
        let url = self.url("copy.db");
        let database = raw(&url).await;
        database.execute_unprepared("PRAGMA ignore_check_constraints = ON").await.expect("it is set");
        let done = database.execute_unprepared(statement).await;
        database.close().await.expect("it can be closed");
        match done {
            Ok(done) if done.rows_affected() > 0 => {}
            // The database itself refuses it, or there is no such row.
            Ok(_) | Err(_) => return None,
        }
        let Ok(store) = SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await else {
            return Some(vec!["it cannot be opened"]);
        };
        let report = audit(&store, |_, _| {}).await.expect("the audit runs");
        Some(report.violations.keys().map(|kind| kind.as_str()).collect())
    }
}

async fn texts(database: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = sea_orm::Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.expect("the database answers");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

/// Another value of the same kind.
fn changed(column: &str, kind: &str) -> String {
    match kind {
        "boolean" => format!("NOT {column}"),
        _ if kind.contains("blob") || kind.contains("uuid") => "randomblob(16)".to_owned(),
        _ if kind.contains("text") || kind.contains("char") => format!("{column} || 'x'"),
        _ => format!("{column} + 1"),
    }
}

/// Every column of every table, and every table: what is not found must be listed, and what is listed not found.
#[tokio::test]
async fn each_row_that_is_changed_or_removed_is_found() {
    let original = Original::new().await;
    let database = raw(&original.url("original.db")).await;
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1";
    let tables = texts(&database, tables).await;
    let mut columns = BTreeMap::new();
    for table in &tables {
        let sql = format!("SELECT name || ' ' || lower(type) FROM pragma_table_info('{table}')");
        columns.insert(table.clone(), texts(&database, &sql).await);
    }
    database.close().await.expect("it can be closed");
    let harmless = original.found_after("UPDATE users SET name = 'Bob' WHERE id = 1").await;
    assert_eq!(harmless, Some(vec![]), "the original is clean");

    let (mut unfound, mut untried) = (Vec::new(), Vec::new());
    for (table, columns) in &columns {
        for column in columns {
            let (column, kind) = column.split_once(' ').expect("a name and a type");
            let set = changed(column, kind);
            let one = one_row(table, columns, column);
            let update = format!("UPDATE {table} SET {column} = {set} WHERE {one}");
            match original.found_after(&update).await {
                None => untried.push(format!("{table}.{column}")),
                Some(found) if found.is_empty() => unfound.push(format!("{table}.{column}")),
                Some(_) => {}
            }
        }
        let one = one_row(table, columns, "");
        match original.found_after(&format!("DELETE FROM {table} WHERE {one}")).await {
            None => untried.push(format!("{table} (row)")),
            Some(found) if found.is_empty() => unfound.push(format!("{table} (row)")),
            Some(_) => {}
        }
    }
    let listed =
        UNPROVABLE.iter().flat_map(|(table, columns, _)| columns.iter().map(move |column| (table, column)));
    let listed = listed.map(|(table, column)| format!("{table}.{column}"));
    let listed: Vec<String> =
        listed.chain(MAY_LACK_ROWS.iter().map(|(table, _)| format!("{table} (row)"))).collect();
    println!("refused by the database, or null: {untried:?}");
    let not_listed: Vec<_> = unfound.iter().filter(|what| !listed.contains(what)).collect();
    let found_after_all: Vec<_> = listed.iter().filter(|what| !unfound.contains(what)).collect();
    assert!(not_listed.is_empty() && found_after_all.is_empty(), "{not_listed:#?}\n{found_after_all:#?}");
}

/// The first row by the primary key, of those in which the column has a value.
fn one_row(table: &str, columns: &[String], column: &str) -> String {
    let names: Vec<&str> = columns.iter().filter_map(|column| column.split(' ').next()).collect();
    let all = names.join(", ");
    // Notes are gone when they are told; rows about orders are compared with them.
    let of_orders = if table == "outbox" { "subject IS NULL" } else { "1" };
    let with_value = if column.is_empty() { "1".to_owned() } else { format!("{column} IS NOT NULL") };
    let compare: Vec<String> =
        names.iter().map(|name| format!("{table}.{name} IS first_row.{name}")).collect();
    format!(
        "EXISTS (SELECT 1 FROM (SELECT {all} FROM {table} WHERE {with_value} AND {of_orders} LIMIT 1) AS first_row WHERE {})",
        compare.join(" AND ")
    )
}

/// When all that was told is counted, the sums must agree.
#[tokio::test]
async fn what_is_counted_is_exact_when_all_is_told() {
    let original = Original::new().await;
    let told = "DELETE FROM outbox; UPDATE event_log SET created_at = 9000000000000";
    assert_eq!(original.found_after(told).await, Some(vec![]), "the original is clean");
    for change in [
        "UPDATE popularity_days SET units = units + 1 WHERE kind = 1",
        "UPDATE popularity_days SET units = units - 1 WHERE kind = 3",
        "UPDATE popularity_days SET subject_id = 2 WHERE kind = 1",
        "DELETE FROM popularity_days WHERE kind = 1",
        "UPDATE charts SET places = '[[1,100]]' WHERE kind = 1",
    ] {
        let found = original.found_after(&format!("{told}; {change}")).await.expect(change);
        assert!(found.contains(&"ranking counts what was not sold"), "{change}: {found:?}");
    }
    assert_eq!(
        original.found_after("DELETE FROM popularity_days").await,
        Some(vec![]),
        "nothing is counted yet"
    );
}

/// Some of the same on a server.
async fn a_sample_is_found(url: String) {
    sell(&url).await;
    let store = open(&url).await;
    let clean = audit(&store, |_, _| {}).await.expect("the audit runs");
    assert!(clean.is_clean(), "{:#?}", clean.violations);
    let database = raw(&url).await;
    // (there, back, what is found, among others)
    for (there, back, expected) in [
        (
            "UPDATE orders SET expires_at = expires_at + 60000 WHERE user_id = 1",
            "UPDATE orders SET expires_at = expires_at - 60000 WHERE user_id = 1",
            "order held for longer or shorter than its offer ever said",
        ),
        (
            "UPDATE payments SET balance_after = balance_after + 1 WHERE user_id = 2",
            "UPDATE payments SET balance_after = balance_after - 1 WHERE user_id = 2",
            "balance after a payment is not the ledger's",
        ),
        (
            "INSERT INTO claims (performance_id, seat_id) VALUES (1, 100000)",
            "DELETE FROM claims WHERE seat_id = 100000",
            "claim on a seat that does not exist",
        ),
        (
            "INSERT INTO wallets (user_id, balance, version) VALUES (999, 0, 0)",
            "DELETE FROM wallets WHERE user_id = 999",
            "wallet of nobody",
        ),
        (
            "UPDATE offer_terms SET per_buyer_max = 1",
            "UPDATE offer_terms SET per_buyer_max = 4",
            "buyer with more than the offer ever allowed",
        ),
        (
            "UPDATE idempotency_keys SET balance_after = balance_after + 1 WHERE user_id = 3 AND target = 2",
            "UPDATE idempotency_keys SET balance_after = balance_after - 1 WHERE user_id = 3 AND target = 2",
            "idempotency key without its charge",
        ),
        (
            "UPDATE show_grams SET show_id = show_id + 1 WHERE gram = 'para' OR gram = 'par'",
            "UPDATE show_grams SET show_id = show_id - 1 WHERE gram = 'para' OR gram = 'par'",
            "title or genre is not found by what it says",
        ),
        (
            "INSERT INTO popularity_days (kind, day, subject_id, units) VALUES (1, 0, 1, 1000)",
            "DELETE FROM popularity_days",
            "ranking counts what was not sold",
        ),
        (
            "UPDATE outbox SET version = version + 1 WHERE type = 'order.held' AND order_id IN
                (SELECT id FROM orders WHERE status = 0)",
            "UPDATE outbox SET version = version - 1 WHERE type = 'order.held' AND order_id IN
                (SELECT id FROM orders WHERE status = 0)",
            "outbox tells what its order did not do",
        ),
        (
            "UPDATE orders SET user_id = user_id + 500 WHERE user_id = 4",
            "UPDATE orders SET user_id = user_id - 500 WHERE user_id = 504",
            "order of a buyer that does not exist",
        ),
    ] {
        let done = database.execute_unprepared(there).await.expect(there);
        assert!(done.rows_affected() > 0, "{there}: changed nothing");
        let found = audit(&store, |_, _| {}).await.expect("the audit runs");
        let found: Vec<_> = found.violations.keys().map(|kind| kind.as_str()).collect();
        assert!(found.contains(&expected), "{there}: {found:?}");
        database.execute_unprepared(back).await.expect(back);
    }
    let clean = audit(&store, |_, _| {}).await.expect("the audit runs");
    assert!(clean.is_clean(), "{:#?}", clean.violations);
}

#[tokio::test]
async fn a_sample_is_found_on_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    a_sample_is_found(format!("sqlite:{}", folder.path().join("onsale.db").display())).await;
}

mod postgres {
    #[tokio::test]
    async fn a_sample_is_found() {
        super::a_sample_is_found(onsale_testbed::postgres().fresh_database().await).await;
    }
}

mod mariadb {
    #[tokio::test]
    async fn a_sample_is_found() {
        super::a_sample_is_found(onsale_testbed::mariadb().fresh_database().await).await;
    }
}
