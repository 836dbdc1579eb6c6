//! The hot statements in the words that MariaDB and MySQL 8 share. TiDB lacks `JSON_TABLE`.
//!
//! `STRAIGHT_JOIN` keeps the order of the tables: the batch outside, a look-up by key inside.
//!
//! What a batch inserts comes as literals: reading them costs the server a quarter less than a
//! `JSON_TABLE`, and statements without parameters can share a trip.
//!
//! A text that comes out of a `JSON_TABLE` names its charset: without it the server takes the database's, which
//! may be latin1, and makes question marks of what that does not know.

use super::{HotStatements, Packing};
use crate::sales::Encoding;

macro_rules! order_columns {
    () => {
        "o.id, o.user_id, o.performance_id, o.status, o.seats, o.amount, o.currency, \
         o.created_at, o.expires_at, o.version"
    };
}

/// The members of an array of integers as column `k.value`.
macro_rules! integers {
    () => {
        "JSON_TABLE(?, '$[*]' COLUMNS (value BIGINT PATH '$')) k"
    };
}

/// The members of an array of UUIDs in hex as column `k.value`.
macro_rules! uuids {
    () => {
        "JSON_TABLE(?, '$[*]' COLUMNS (value CHAR(32) PATH '$')) k"
    };
}

/// The members of the groups in an array of groups as a table `k` of (group, member).
macro_rules! groups {
    () => {
        "JSON_TABLE(?, '$[*]' COLUMNS (performance BIGINT PATH '$[0]', \
         NESTED PATH '$[1][*]' COLUMNS (member BIGINT PATH '$'))) k"
    };
}

/// The rows of an array of rows as a table `k`.
macro_rules! rows {
    ($($column:literal),*) => {
        concat!("JSON_TABLE(?, '$[*]' COLUMNS (", rows!(@list $($column),*), ")) k")
    };
    (@list $first:literal $(, $rest:literal)*) => {
        concat!($first $(, ", ", $rest)*)
    };
}

macro_rules! performance_columns {
    () => {
        "0, p.id, p.revision, NULL, \
         NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, p.version"
    };
}

macro_rules! wallet_columns {
    () => {
        "5, NULL, NULL, NULL, \
         NULL, w.user_id, NULL, NULL, NULL, w.balance, NULL, NULL, NULL, w.version"
    };
}

macro_rules! stock_columns {
    () => {
        "7, s.item_id, s.revision, NULL, \
         NULL, NULL, NULL, NULL, NULL, s.units_left, NULL, s.units_total, NULL, s.version"
    };
}

pub(crate) static MYSQL: HotStatements = HotStatements {
    encoding: Encoding::Json,
    insert_encoding: Encoding::Literals,
    load_packing: Packing::Union,
    write_packing: Packing::Literals,

    lock_performances: concat!(
        "SELECT ",
        performance_columns!(),
        " FROM ",
        integers!(),
        " STRAIGHT_JOIN performances p ON p.id = k.value FOR UPDATE"
    ),

    lock_stocks: concat!(
        "SELECT ",
        stock_columns!(),
        " FROM ",
        integers!(),
        " STRAIGHT_JOIN stocks s ON s.item_id = k.value FOR UPDATE"
    ),

    lock_wallets: concat!(
        "SELECT ",
        wallet_columns!(),
        " FROM ",
        integers!(),
        " STRAIGHT_JOIN wallets w ON w.user_id = k.value FOR UPDATE"
    ),

    load_performances: concat!(
        "SELECT ",
        performance_columns!(),
        " FROM ",
        integers!(),
        " STRAIGHT_JOIN performances p ON p.id = k.value"
    ),

    load_claims: concat!(
        "SELECT 1, c.performance_id, c.seat_id, c.order_id, ",
        order_columns!(),
        " FROM ",
        groups!(),
        " STRAIGHT_JOIN claims c ON c.performance_id = k.performance AND c.seat_id = k.member
        LEFT JOIN orders o ON o.id = c.order_id"
    ),

    load_buyers: concat!(
        "SELECT 2, NULL, NULL, NULL, ",
        order_columns!(),
        " FROM ",
        groups!(),
        " STRAIGHT_JOIN orders o FORCE INDEX (orders_by_buyer)
            ON o.user_id = k.member AND o.performance_id = k.performance AND o.status IN (0, 1)"
    ),

    load_orders: concat!(
        "SELECT 3, NULL, NULL, NULL, ",
        order_columns!(),
        " FROM ",
        uuids!(),
        " STRAIGHT_JOIN orders o ON o.id = UNHEX(k.value)"
    ),

    load_payments: concat!(
        "SELECT 4, p.balance_after, p.refunded, p.id,
            p.order_id, p.user_id, NULL, NULL, NULL, p.amount, p.currency, p.created_at, NULL, NULL FROM ",
        uuids!(),
        " STRAIGHT_JOIN payments p ON p.order_id = UNHEX(k.value)"
    ),

    load_wallets: concat!(
        "SELECT ",
        wallet_columns!(),
        " FROM ",
        integers!(),
        " STRAIGHT_JOIN wallets w ON w.user_id = k.value"
    ),

    load_keys: concat!(
        "SELECT 6, i.fingerprint, NULL, i.key_id,
            i.order_id, i.user_id, NULL, i.target, NULL, i.balance_after, NULL, NULL, NULL, NULL FROM ",
        "JSON_TABLE(?, '$[*]' COLUMNS (value VARCHAR(52) PATH '$')) k",
        " STRAIGHT_JOIN idempotency_keys i
            ON i.user_id = CAST(SUBSTR(k.value, 33) AS SIGNED) AND i.key_id = UNHEX(LEFT(k.value, 32))"
    ),

    load_stocks: concat!(
        "SELECT ",
        stock_columns!(),
        " FROM ",
        integers!(),
        " STRAIGHT_JOIN stocks s ON s.item_id = k.value"
    ),

    load_lapsed: concat!(
        "SELECT 8, NULL, NULL, NULL, ",
        order_columns!(),
        " FROM (
            SELECT * FROM orders FORCE INDEX (orders_by_deadline)
            WHERE status = 0 AND expires_at <= CAST(? AS SIGNED) ORDER BY expires_at LIMIT 1000
        ) o STRAIGHT_JOIN ",
        integers!(),
        " ON o.performance_id = k.value"
    ),

    delete_claims: concat!(
        "DELETE c FROM ",
        rows!("performance BIGINT PATH '$[0]'", "seat BIGINT PATH '$[1]'", "order_id CHAR(32) PATH '$[2]'"),
        " STRAIGHT_JOIN claims c
            ON c.performance_id = k.performance AND c.seat_id = k.seat AND c.order_id <=> UNHEX(k.order_id)"
    ),

    insert_claims: "
        INSERT INTO claims (performance_id, seat_id, order_id) VALUES (?)",

    insert_orders: "
        INSERT INTO orders (status, version, created_at, id, user_id, performance_id, seats, amount, currency,
            expires_at)
        VALUES (0, 1, ?)",

    update_orders: concat!(
        "UPDATE ",
        rows!(
            "id CHAR(32) PATH '$[0]'",
            "version_before BIGINT PATH '$[1]'",
            "version BIGINT PATH '$[2]'",
            "status SMALLINT PATH '$[3]'"
        ),
        " STRAIGHT_JOIN orders o
            ON o.id = UNHEX(k.id) AND o.version = COALESCE(k.version_before, o.version)
        SET o.version = k.version, o.status = k.status"
    ),

    insert_payments: "
        INSERT INTO payments (order_id, id, user_id, amount, currency, balance_after, refunded, created_at)
        VALUES (?)",

    refund_payments: concat!(
        "UPDATE ",
        uuids!(),
        " STRAIGHT_JOIN payments p ON p.order_id = UNHEX(k.value) SET p.refunded = 1"
    ),

    insert_ledger: "
        INSERT INTO ledger_entries (transfer_id, account, amount, kind, order_id, position, created_at) VALUES (?)",

    insert_wallets: "
        INSERT INTO wallets (user_id, balance, version) VALUES (?)",

    update_wallets: concat!(
        "UPDATE ",
        rows!(
            "user BIGINT PATH '$[0]'",
            "version_before BIGINT PATH '$[1]'",
            "balance BIGINT PATH '$[2]'",
            "version BIGINT PATH '$[3]'"
        ),
        " STRAIGHT_JOIN wallets w
            ON w.user_id = k.user AND w.version = COALESCE(k.version_before, w.version)
        SET w.balance = k.balance, w.version = k.version"
    ),

    insert_keys: "
        INSERT INTO idempotency_keys (created_at, user_id, key_id, fingerprint, target, order_id, balance_after)
        VALUES (?)",

    insert_events: "
        INSERT INTO outbox (created_at, type, order_id, version, data) VALUES (?)",

    insert_notes: "
        INSERT INTO outbox (type, order_id, version, created_at, subject, data) VALUES (?)",

    update_versions: concat!(
        "UPDATE ",
        rows!(
            "performance BIGINT PATH '$[0]'",
            "version_before BIGINT PATH '$[1]'",
            "revision BIGINT PATH '$[2]'",
            "version BIGINT PATH '$[3]'"
        ),
        " STRAIGHT_JOIN performances p
            ON p.id = k.performance AND p.version = COALESCE(k.version_before, p.version)
                AND p.revision = COALESCE(k.revision, p.revision)
        SET p.version = k.version"
    ),

    update_stocks: concat!(
        "UPDATE ",
        rows!(
            "item BIGINT PATH '$[0]'",
            "version_before BIGINT PATH '$[1]'",
            "revision BIGINT PATH '$[2]'",
            "version BIGINT PATH '$[3]'",
            "total BIGINT PATH '$[4]'",
            "units_left BIGINT PATH '$[5]'"
        ),
        " STRAIGHT_JOIN stocks s
            ON s.item_id = k.item AND s.version = COALESCE(k.version_before, s.version)
                AND s.revision = COALESCE(k.revision, s.revision)
        SET s.version = k.version, s.units_total = s.units_total + k.total,
            s.units_left = s.units_left + k.units_left"
    ),

    insert_seats: concat!(
        "INSERT INTO seats (id, row_index, place, number, category, x, y, guid)
        SELECT k.ordinal - 1 + ?, k.row_index, k.place, k.number, k.category, k.x, k.y, k.guid FROM ",
        rows!(
            "ordinal FOR ORDINALITY",
            "row_index BIGINT PATH '$[0]'",
            "place BIGINT PATH '$[1]'",
            "number TEXT CHARACTER SET utf8mb4 PATH '$[2]'",
            "category BIGINT PATH '$[3]'",
            "x DOUBLE PATH '$[4]'",
            "y DOUBLE PATH '$[5]'",
            "guid TEXT CHARACTER SET utf8mb4 PATH '$[6]'"
        ),
    ),

    categorise_all: "
        UPDATE (SELECT ? AS category) n STRAIGHT_JOIN seats s
            ON s.id BETWEEN ? AND ? AND s.category <> n.category
        SET s.category = n.category",

    categorise_rows: concat!(
        "UPDATE (SELECT ? AS category) n STRAIGHT_JOIN seats s
            ON s.id BETWEEN ? AND ? AND s.category <> n.category
        SET s.category = n.category
        WHERE s.row_index IN (SELECT k.value FROM ",
        integers!(),
        ")"
    ),

    categorise_seats: concat!(
        "UPDATE (SELECT ? AS category, ? AS first, ? AS last) n STRAIGHT_JOIN ",
        integers!(),
        " STRAIGHT_JOIN seats s
            ON s.id = k.value AND s.id BETWEEN n.first AND n.last AND s.category <> n.category
        SET s.category = n.category"
    ),

    insert_grams: "
        INSERT INTO show_grams (gram, show_id)
        SELECT k.gram, n.show_id
        FROM (SELECT ? AS show_id) n
        STRAIGHT_JOIN JSON_TABLE(?, '$[*]' COLUMNS (gram VARCHAR(12) CHARACTER SET utf8mb4 PATH '$')) k",

    // Scanning a small table would wait for the rows of transactions that are not yet committed.
    delete_outbox: concat!(
        "DELETE o FROM ",
        integers!(),
        " STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.seq = k.value"
    ),

    insert_log: concat!(
        "INSERT INTO event_log (event, created_at) SELECT k.event, k.created FROM ",
        rows!("event JSON PATH '$[0]'", "created BIGINT PATH '$[1]'"),
    ),
};
