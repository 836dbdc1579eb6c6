//! The hot statements in SQLite's words.
//!
//! `CROSS JOIN` keeps the order of the tables: the batch outside, a look-up by key inside.
//!
//! A batch may go to the database as one text that ends with its COMMIT, so what must not be committed
//! has to stop it: a performance or a stock that is not as it was known gets no version, which its
//! column does not take; see [`crate::error::transaction_error`]. Neither is ever removed, so there is
//! always a row to stop at.

use super::{HotStatements, Packing};
use crate::sales::Encoding;

macro_rules! order_columns {
    () => {
        "o.id, o.user_id, o.performance_id, o.status, o.seats, o.amount, o.currency, \
         o.created_at, o.expires_at, o.version"
    };
}

/// The groups in an array of groups as a table `p` of (id, members). Its limit, which is none, has each group
/// taken apart once: joined as it is, a group would be copied for each of its members, and a large one would
/// cost the square of its size.
macro_rules! groups {
    () => {
        "(SELECT value ->> 0 AS id, jsonb_extract(value, '$[1]') AS members FROM jsonb_each(?) LIMIT -1) p"
    };
}

pub(crate) static SQLITE: HotStatements = HotStatements {
    encoding: Encoding::Json,
    insert_encoding: Encoding::Json,
    load_packing: Packing::Sequence,
    write_packing: Packing::Sequence,

    // A transaction that writes has the whole database to itself.
    lock_performances: "",
    lock_stocks: "",
    lock_wallets: "",

    load_performances: "
        SELECT 0, p.id, p.revision, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, p.version
        FROM jsonb_each(?) k CROSS JOIN performances p ON p.id = k.value",

    load_claims: concat!(
        "SELECT 1, c.performance_id, c.seat_id, c.order_id, ",
        order_columns!(),
        " FROM ",
        groups!(),
        " CROSS JOIN jsonb_each(p.members) s
        CROSS JOIN claims c ON c.performance_id = p.id AND c.seat_id = s.value
        LEFT JOIN orders o ON o.id = c.order_id"
    ),

    load_buyers: concat!(
        "SELECT 2, NULL, NULL, NULL, ",
        order_columns!(),
        " FROM ",
        groups!(),
        " CROSS JOIN jsonb_each(p.members) u
        CROSS JOIN orders o INDEXED BY orders_by_buyer
            ON o.user_id = u.value AND o.performance_id = p.id AND o.status IN (0, 1)"
    ),

    load_orders: concat!(
        "SELECT 3, NULL, NULL, NULL, ",
        order_columns!(),
        " FROM jsonb_each(?) k CROSS JOIN orders o ON o.id = unhex(k.value)"
    ),

    load_payments: "
        SELECT 4, p.balance_after, p.refunded, p.id,
            p.order_id, p.user_id, NULL, NULL, NULL, p.amount, p.currency, p.created_at, NULL, NULL
        FROM jsonb_each(?) k CROSS JOIN payments p ON p.order_id = unhex(k.value)",

    load_wallets: "
        SELECT 5, NULL, NULL, NULL,
            NULL, w.user_id, NULL, NULL, NULL, w.balance, NULL, NULL, NULL, w.version
        FROM jsonb_each(?) k CROSS JOIN wallets w ON w.user_id = k.value",

    load_keys: "
        SELECT 6, i.fingerprint, NULL, i.key_id,
            i.order_id, i.user_id, NULL, i.target, NULL, i.balance_after, NULL, NULL, NULL, NULL
        FROM jsonb_each(?) k CROSS JOIN idempotency_keys i
            ON i.user_id = CAST(substr(k.value, 33) AS INTEGER) AND i.key_id = unhex(substr(k.value, 1, 32))",

    load_stocks: "
        SELECT 7, s.item_id, s.revision, NULL,
            NULL, NULL, NULL, NULL, NULL, s.units_left, NULL, s.units_total, NULL, s.version
        FROM jsonb_each(?) k CROSS JOIN stocks s ON s.item_id = k.value",

    load_lapsed: concat!(
        "SELECT 8, NULL, NULL, NULL, ",
        order_columns!(),
        " FROM orders o WHERE o.id IN (
            SELECT id FROM orders INDEXED BY orders_by_deadline WHERE status = 0 AND expires_at <= ?
            ORDER BY expires_at LIMIT 1000
        ) AND +o.performance_id IN (SELECT value FROM jsonb_each(?))"
    ),

    delete_claims: "
        DELETE FROM claims WHERE (performance_id, seat_id, coalesce(order_id, x'')) IN (
            SELECT value ->> 0, value ->> 1, coalesce(unhex(value ->> 2), x'') FROM jsonb_each(?))",

    insert_claims: "
        INSERT OR FAIL INTO claims (performance_id, seat_id, order_id)
        SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM jsonb_each(?)",

    insert_orders: "
        INSERT OR FAIL INTO orders (id, user_id, performance_id, status, seats, amount, currency,
            created_at, expires_at, version)
        SELECT unhex(value ->> 0), value ->> 1, value ->> 2, 0, value ->> 3, value ->> 4, value ->> 5,
            ?, value ->> 6, 1
        FROM jsonb_each(?)",

    update_orders: "
        UPDATE OR FAIL orders SET version = k.value ->> 2, status = k.value ->> 3
        FROM jsonb_each(?) k
        WHERE orders.id = unhex(k.value ->> 0) AND orders.version = coalesce(k.value ->> 1, orders.version)",

    insert_payments: "
        INSERT OR FAIL INTO payments (order_id, id, user_id, amount, currency, balance_after, refunded, created_at)
        SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5,
            value ->> 6, value ->> 7
        FROM jsonb_each(?)",

    refund_payments: "
        UPDATE OR FAIL payments SET refunded = 1
        WHERE order_id IN (SELECT unhex(value) FROM jsonb_each(?))",

    insert_ledger: "
        INSERT OR FAIL INTO ledger_entries (transfer_id, account, amount, kind, order_id, position, created_at)
        SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5,
            value ->> 6
        FROM jsonb_each(?)",

    insert_wallets: "
        INSERT OR FAIL INTO wallets (user_id, balance, version)
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(?)",

    update_wallets: "
        UPDATE OR FAIL wallets SET balance = k.value ->> 2, version = k.value ->> 3
        FROM jsonb_each(?) k
        WHERE wallets.user_id = k.value ->> 0 AND wallets.version = coalesce(k.value ->> 1, wallets.version)",

    insert_keys: "
        INSERT OR FAIL INTO idempotency_keys (user_id, key_id, fingerprint, target, order_id, balance_after, created_at)
        SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5, ?
        FROM jsonb_each(?)",

    insert_events: "
        INSERT OR FAIL INTO outbox (type, order_id, version, created_at, data)
        SELECT value ->> 0, unhex(value ->> 1), value ->> 2, ?, value ->> 3
        FROM jsonb_each(?)",

    insert_notes: "
        INSERT OR FAIL INTO outbox (type, order_id, version, created_at, subject, data)
        SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5
        FROM jsonb_each(?)",

    update_versions: "
        UPDATE OR FAIL performances SET version = iif(
            performances.version = coalesce(k.value ->> 1, performances.version)
                AND performances.revision = coalesce(k.value ->> 2, performances.revision),
            k.value ->> 3, NULL)
        FROM jsonb_each(?) k
        WHERE performances.id = k.value ->> 0",

    update_stocks: "
        UPDATE OR FAIL stocks SET version = iif(
                stocks.version = coalesce(k.value ->> 1, stocks.version)
                    AND stocks.revision = coalesce(k.value ->> 2, stocks.revision),
                k.value ->> 3, NULL),
            units_total = units_total + (k.value ->> 4), units_left = units_left + (k.value ->> 5)
        FROM jsonb_each(?) k
        WHERE stocks.item_id = k.value ->> 0",

    insert_seats: "
        INSERT OR FAIL INTO seats (id, row_index, place, number, category, x, y, guid)
        SELECT ?1 + key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
            value ->> 6
        FROM jsonb_each(?2)",

    categorise_all: "
        UPDATE seats SET category = ?1 WHERE id BETWEEN ?2 AND ?3 AND category <> ?1",

    categorise_rows: "
        UPDATE seats SET category = ?1
        WHERE id BETWEEN ?2 AND ?3 AND category <> ?1 AND row_index IN (SELECT value FROM jsonb_each(?4))",

    categorise_seats: "
        UPDATE seats SET category = ?1
        WHERE id IN (SELECT value FROM jsonb_each(?4)) AND id BETWEEN ?2 AND ?3 AND category <> ?1",

    insert_grams: "
        INSERT OR FAIL INTO show_grams (gram, show_id) SELECT value, ?1 FROM jsonb_each(?2)",

    delete_outbox: "
        DELETE FROM outbox WHERE seq IN (SELECT value FROM jsonb_each(?))",

    insert_log: "
        INSERT OR FAIL INTO event_log (event, created_at)
        SELECT value ->> 0, value ->> 1 FROM jsonb_each(?)",
};
