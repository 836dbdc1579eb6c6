//! The memory of an audit does not grow with the database.

use std::{fs, process::Stdio, time::Duration};

use sea_orm::{ConnectionTrait, Database};

use crate::support::Place;

/// Orders of the smaller database; the larger one has twenty times as many.
const ORDERS: u32 = 5_000;

/// How much more memory the larger one may take: what is sorted in memory at most, and caches.
const MORE_KIB_MAX: u64 = 48 * 1_024;

/// One order for each number up to N: a buyer who has charged, held, and paid under keys.
const ROWS: &[&str] = &[
    "INSERT INTO venues (id, name, time_zone) VALUES (1, 'Grand', 'Asia/Seoul')",
    "INSERT INTO halls (id, venue_id, name, first_seat_id, seat_count, revision) VALUES (1, 1, 'Main', 1, $N, 0)",
    "INSERT INTO hall_rows (hall_id, row_index, section, label) VALUES (1, 0, 'Stalls', 'A')",
    "INSERT INTO hall_categories (hall_id, category, name) VALUES (1, 0, 'Standard')",
    "INSERT INTO shows (id, kind, title, title_folded) VALUES (1, 'movie', 'a', 'a')",
    "INSERT INTO show_grams (gram, show_id) VALUES ('a', 1)",
    "INSERT INTO performances (id, show_id, hall_id, starts_at, ends_at, on_sale_at, hold_ms, seats_per_buyer_max,
        side_by_side, cancelled, revision, version) VALUES (1, 1, 1, 9000000, 9900000, 1, 300000, 4, 0, 0, 1, 1)",
    "INSERT INTO seats (id, row_index, place, number, category, x, y) SELECT n, 0, n, n, 0, 0, 0 FROM numbers",
    "INSERT INTO users (id, name, role, password_hash, created_at) SELECT n, 'Ann', 'user', 'x', 1 FROM numbers",
    "INSERT INTO orders (id, user_id, performance_id, status, seats, amount, currency, created_at, expires_at, version)
     SELECT unhex(printf('%032x', n)), n, 1, 1, '[[' || n || ',100]]', 100, 'KRW', 10, 300010, 2 FROM numbers",
    "INSERT INTO claims (performance_id, seat_id, order_id)
     SELECT 1, n, unhex(printf('%032x', n)) FROM numbers",
    "INSERT INTO payments (order_id, id, user_id, amount, currency, balance_after, refunded, created_at)
     SELECT unhex(printf('%032x', n)), unhex(printf('%032x', n)), n, 100, 'KRW', 400, 0, 20 FROM numbers",
    "INSERT INTO ledger_entries (transfer_id, account, amount, kind, order_id, position, created_at)
     SELECT unhex(printf('%032x', 2 * n)), n, 500, 'charge', NULL, 1, 5 FROM numbers UNION ALL
     SELECT unhex(printf('%032x', 2 * n)), -1, -500, 'charge', NULL, NULL, 5 FROM numbers UNION ALL
     SELECT unhex(printf('%032x', 2 * n + 1)), n, -100, 'payment', unhex(printf('%032x', n)), 2, 20 FROM numbers
     UNION ALL
     SELECT unhex(printf('%032x', 2 * n + 1)), -2, 100, 'payment', unhex(printf('%032x', n)), NULL, 20 FROM numbers",
    "INSERT INTO wallets (user_id, balance, version) SELECT n, 400, 2 FROM numbers",
    "INSERT INTO idempotency_keys (user_id, key_id, fingerprint, target, order_id, balance_after, created_at)
     SELECT n, unhex(printf('%032x', 1)), 7, 2, NULL, 500, 5 FROM numbers UNION ALL
     SELECT n, unhex(printf('%032x', 2)), 7, 0, unhex(printf('%032x', n)), NULL, 10 FROM numbers UNION ALL
     SELECT n, unhex(printf('%032x', 3)), 7, 1, unhex(printf('%032x', n)), NULL, 20 FROM numbers",
    "DROP TABLE numbers",
];

async fn sold(orders: u32) -> Place {
    let place = Place::new();
    place.done(&["migrate"]);
    let url = format!("sqlite:{}", place.data().join("onsale.db").display());
    let database = Database::connect(&url).await.unwrap();
    let numbers = format!(
        "CREATE TABLE numbers AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {orders})
         SELECT n FROM r"
    );
    database.execute_unprepared("PRAGMA synchronous = OFF").await.unwrap();
    database.execute_unprepared(&numbers).await.unwrap();
    for statement in ROWS {
        database.execute_unprepared(&statement.replace("$N", &orders.to_string())).await.expect(statement);
    }
    database.close().await.unwrap();
    place
}

/// The most memory that an audit ever had, in KiB.
fn audited(place: &Place) -> u64 {
    let mut command = place.command(["audit"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let told = fs::read_to_string(&status).unwrap_or_default();
        let high = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|high| high.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(high.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("clean"), "{text}");
    most
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_does_not_grow_with_the_database() {
    let small = audited(&sold(ORDERS).await);
    let large = audited(&sold(20 * ORDERS).await);
    println!("{small} KiB for {ORDERS} orders, {large} KiB for twenty times as many");
    assert!(large < small + MORE_KIB_MAX, "{small} KiB, and {large} KiB for twenty times as many orders");
}
