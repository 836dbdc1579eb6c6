//! The hot statements in SQLite's words.
//!
//! `CROSS JOIN` keeps the order of the tables: the batch outside, a look-up by key inside.

use super::HotStatements;

macro_rules! order_columns {
    () => {
        "o.id, o.user_id, o.performance_id, o.status, o.seats, o.amount, o.currency, \
         o.created_at, o.expires_at, o.version"
    };
}

pub(crate) static SQLITE: HotStatements = HotStatements {
    load_performances: "
        SELECT p.id, p.revision, p.version
        FROM json_each(?1) k CROSS JOIN performances p ON p.id = k.value",

    load_claims: concat!(
        "SELECT c.performance_id, c.seat_id, c.order_id, ",
        order_columns!(),
        " FROM json_each(?1) p CROSS JOIN json_each(p.value) s
        CROSS JOIN claims c ON c.performance_id = CAST(p.key AS INTEGER) AND c.seat_id = s.value
        LEFT JOIN orders o ON o.id = c.order_id"
    ),

    load_buyers: concat!(
        "SELECT ",
        order_columns!(),
        " FROM json_each(?1) p CROSS JOIN json_each(p.value) u
        CROSS JOIN orders o INDEXED BY orders_by_buyer
            ON o.user_id = u.value AND o.performance_id = CAST(p.key AS INTEGER) AND o.status IN (0, 1)"
    ),

    load_orders: concat!(
        "SELECT ",
        order_columns!(),
        " FROM json_each(?1) k CROSS JOIN orders o ON o.id = unhex(k.value)"
    ),

    load_payments: "
        SELECT p.order_id, p.id, p.user_id, p.amount, p.currency, p.balance_after, p.refunded, p.created_at
        FROM json_each(?1) k CROSS JOIN payments p ON p.order_id = unhex(k.value)",

    load_wallets: "
        SELECT w.user_id, w.balance, w.version
        FROM json_each(?1) k CROSS JOIN wallets w ON w.user_id = k.value",

    load_keys: "
        SELECT i.user_id, i.key_id, i.fingerprint, i.target, i.order_id, i.balance_after
        FROM json_each(?1) k CROSS JOIN idempotency_keys i
            ON i.user_id = CAST(substr(k.value, 33) AS INTEGER) AND i.key_id = unhex(substr(k.value, 1, 32))",

    delete_claims: "
        DELETE FROM claims WHERE (performance_id, seat_id) IN (
            SELECT c.performance_id, c.seat_id
            FROM json_each(?1) k CROSS JOIN claims c
                ON c.performance_id = k.value ->> 0 AND c.seat_id = k.value ->> 1
                AND c.order_id IS unhex(k.value ->> 2))",

    insert_claims: "
        INSERT INTO claims (performance_id, seat_id, order_id)
        SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?1)",

    insert_orders: "
        INSERT INTO orders (id, user_id, performance_id, status, seats, amount, currency,
            created_at, expires_at, version)
        SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
            value ->> 6, value ->> 7, value ->> 8, value ->> 9
        FROM json_each(?1)",

    update_orders: "
        UPDATE orders SET version = k.value ->> 2, status = k.value ->> 3
        FROM json_each(?1) k
        WHERE orders.id = unhex(k.value ->> 0) AND orders.version = k.value ->> 1",

    insert_payments: "
        INSERT INTO payments (order_id, id, user_id, amount, currency, balance_after, refunded, created_at)
        SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5,
            value ->> 6, value ->> 7
        FROM json_each(?1)",

    refund_payments: "
        UPDATE payments SET refunded = 1
        WHERE order_id IN (SELECT unhex(value) FROM json_each(?1))",

    insert_ledger: "
        INSERT INTO ledger_entries (transfer_id, account, amount, kind, order_id, created_at)
        SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5
        FROM json_each(?1)",

    insert_wallets: "
        INSERT INTO wallets (user_id, balance, version)
        SELECT value ->> 0, value ->> 2, value ->> 3 FROM json_each(?1)",

    update_wallets: "
        UPDATE wallets SET balance = k.value ->> 2, version = k.value ->> 3
        FROM json_each(?1) k
        WHERE wallets.user_id = k.value ->> 0 AND wallets.version = k.value ->> 1",

    insert_keys: "
        INSERT INTO idempotency_keys (user_id, key_id, fingerprint, target, order_id, balance_after, created_at)
        SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5,
            value ->> 6
        FROM json_each(?1)",

    insert_events: "
        INSERT INTO outbox (type, order_id, version, data, created_at)
        SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value -> 3, value ->> 4
        FROM json_each(?1)",

    update_versions: "
        UPDATE performances SET version = k.value ->> 1
        FROM json_each(?1) k
        WHERE performances.id = k.value ->> 0 AND performances.version = (k.value ->> 1) - 1",

    insert_seats: "
        INSERT INTO seats (id, row_index, place, number, category, x, y, guid)
        SELECT ?2 + key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
            value ->> 6
        FROM json_each(?1)",

    categorise_all: "
        UPDATE seats SET category = ?1 WHERE id BETWEEN ?2 AND ?3 AND category <> ?1",

    categorise_rows: "
        UPDATE seats SET category = ?1
        WHERE id BETWEEN ?2 AND ?3 AND category <> ?1 AND row_index IN (SELECT value FROM json_each(?4))",

    categorise_seats: "
        UPDATE seats SET category = ?1
        WHERE id IN (SELECT value FROM json_each(?4)) AND id BETWEEN ?2 AND ?3 AND category <> ?1",

    insert_grams: "
        INSERT INTO show_grams (gram, show_id) SELECT value, ?2 FROM json_each(?1)",
};
