//! The hot statements in PostgreSQL's words. CockroachDB knows them too.
//!
//! `LATERAL` with `OFFSET 0` keeps the order of the tables: the batch outside, a look-up by key
//! inside. The writing sessions keep one plan for good, and none that scans; see `connect`.

use super::{HotStatements, Packing};

macro_rules! order_columns {
    () => {
        "o.id, o.user_id, o.performance_id, o.status, o.seats, o.amount, o.currency::text, \
         o.created_at, o.expires_at, o.version"
    };
}

pub(crate) static POSTGRES: HotStatements = HotStatements {
    load_packing: Packing::Union,
    write_packing: Packing::CommonTables,

    lock_performances: "
        SELECT id FROM performances
        WHERE id IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb) value)
        ORDER BY id FOR UPDATE",

    lock_wallets: "
        SELECT user_id FROM wallets
        WHERE user_id IN (SELECT value::bigint FROM jsonb_array_elements_text($1::jsonb) value)
        ORDER BY user_id FOR UPDATE",

    load_performances: "
        SELECT 0::bigint, p.id, p.revision, NULL::uuid,
            NULL::uuid, NULL::bigint, NULL::bigint, NULL::smallint, NULL::text, NULL::bigint, NULL::text,
            NULL::bigint, NULL::bigint, p.version
        FROM jsonb_array_elements_text($1::jsonb) k
        CROSS JOIN LATERAL (SELECT * FROM performances WHERE id = k::bigint OFFSET 0) p",

    load_claims: concat!(
        "SELECT 1::bigint, c.performance_id, c.seat_id, c.order_id, ",
        order_columns!(),
        " FROM jsonb_array_elements($1::jsonb) p CROSS JOIN LATERAL jsonb_array_elements_text(p -> 1) s
        CROSS JOIN LATERAL (
            SELECT * FROM claims WHERE performance_id = (p ->> 0)::bigint AND seat_id = s::bigint OFFSET 0
        ) c
        LEFT JOIN LATERAL (SELECT * FROM orders WHERE id = c.order_id OFFSET 0) o ON true"
    ),

    load_buyers: concat!(
        "SELECT 2::bigint, NULL::bigint, NULL::bigint, NULL::uuid, ",
        order_columns!(),
        " FROM jsonb_array_elements($1::jsonb) p CROSS JOIN LATERAL jsonb_array_elements_text(p -> 1) u
        CROSS JOIN LATERAL (
            SELECT * FROM orders
            WHERE user_id = u::bigint AND performance_id = (p ->> 0)::bigint AND status IN (0, 1) OFFSET 0
        ) o"
    ),

    load_orders: concat!(
        "SELECT 3::bigint, NULL::bigint, NULL::bigint, NULL::uuid, ",
        order_columns!(),
        " FROM jsonb_array_elements_text($1::jsonb) k
        CROSS JOIN LATERAL (SELECT * FROM orders WHERE id = k::uuid OFFSET 0) o"
    ),

    load_payments: "
        SELECT 4::bigint, p.balance_after, p.refunded::int::bigint, p.id,
            p.order_id, p.user_id, NULL::bigint, NULL::smallint, NULL::text, p.amount, p.currency::text,
            p.created_at, NULL::bigint, NULL::bigint
        FROM jsonb_array_elements_text($1::jsonb) k
        CROSS JOIN LATERAL (SELECT * FROM payments WHERE order_id = k::uuid OFFSET 0) p",

    load_wallets: "
        SELECT 5::bigint, NULL::bigint, NULL::bigint, NULL::uuid,
            NULL::uuid, w.user_id, NULL::bigint, NULL::smallint, NULL::text, w.balance, NULL::text,
            NULL::bigint, NULL::bigint, w.version
        FROM jsonb_array_elements_text($1::jsonb) k
        CROSS JOIN LATERAL (SELECT * FROM wallets WHERE user_id = k::bigint OFFSET 0) w",

    load_keys: "
        SELECT 6::bigint, i.fingerprint, NULL::bigint, i.key_id,
            i.order_id, i.user_id, NULL::bigint, i.target, NULL::text, i.balance_after, NULL::text,
            NULL::bigint, NULL::bigint, NULL::bigint
        FROM jsonb_array_elements_text($1::jsonb) k
        CROSS JOIN LATERAL (
            SELECT * FROM idempotency_keys
            WHERE user_id = substr(k, 33)::bigint AND key_id = substr(k, 1, 32)::uuid OFFSET 0
        ) i",

    delete_claims: "
        DELETE FROM claims USING jsonb_array_elements($1::jsonb) k
        WHERE performance_id = (k ->> 0)::bigint AND seat_id = (k ->> 1)::bigint
            AND order_id IS NOT DISTINCT FROM (k ->> 2)::uuid",

    insert_claims: "
        INSERT INTO claims (performance_id, seat_id, order_id)
        SELECT (k ->> 0)::bigint, (k ->> 1)::bigint, (k ->> 2)::uuid
        FROM jsonb_array_elements($1::jsonb) k",

    insert_orders: "
        INSERT INTO orders (id, user_id, performance_id, status, seats, amount, currency,
            created_at, expires_at, version)
        SELECT (k ->> 0)::uuid, (k ->> 1)::bigint, (k ->> 2)::bigint, (k ->> 3)::smallint, k ->> 4,
            (k ->> 5)::bigint, k ->> 6, (k ->> 7)::bigint, (k ->> 8)::bigint, (k ->> 9)::bigint
        FROM jsonb_array_elements($1::jsonb) k",

    update_orders: "
        UPDATE orders SET version = (k ->> 2)::bigint, status = (k ->> 3)::smallint
        FROM jsonb_array_elements($1::jsonb) k
        WHERE orders.id = (k ->> 0)::uuid AND orders.version = coalesce((k ->> 1)::bigint, orders.version)",

    insert_payments: "
        INSERT INTO payments (order_id, id, user_id, amount, currency, balance_after, refunded, created_at)
        SELECT (k ->> 0)::uuid, (k ->> 1)::uuid, (k ->> 2)::bigint, (k ->> 3)::bigint, k ->> 4,
            (k ->> 5)::bigint, (k ->> 6)::int::boolean, (k ->> 7)::bigint
        FROM jsonb_array_elements($1::jsonb) k",

    refund_payments: "
        UPDATE payments SET refunded = true
        FROM jsonb_array_elements_text($1::jsonb) k
        WHERE payments.order_id = k::uuid",

    insert_ledger: "
        INSERT INTO ledger_entries (transfer_id, account, amount, kind, order_id, created_at)
        SELECT (k ->> 0)::uuid, (k ->> 1)::bigint, (k ->> 2)::bigint, k ->> 3, (k ->> 4)::uuid,
            (k ->> 5)::bigint
        FROM jsonb_array_elements($1::jsonb) k",

    insert_wallets: "
        INSERT INTO wallets (user_id, balance, version)
        SELECT (k ->> 0)::bigint, (k ->> 1)::bigint, (k ->> 2)::bigint
        FROM jsonb_array_elements($1::jsonb) k",

    update_wallets: "
        UPDATE wallets SET balance = (k ->> 2)::bigint, version = (k ->> 3)::bigint
        FROM jsonb_array_elements($1::jsonb) k
        WHERE wallets.user_id = (k ->> 0)::bigint
            AND wallets.version = coalesce((k ->> 1)::bigint, wallets.version)",

    insert_keys: "
        INSERT INTO idempotency_keys (user_id, key_id, fingerprint, target, order_id, balance_after, created_at)
        SELECT (k ->> 0)::bigint, (k ->> 1)::uuid, (k ->> 2)::bigint, (k ->> 3)::smallint, (k ->> 4)::uuid,
            (k ->> 5)::bigint, (k ->> 6)::bigint
        FROM jsonb_array_elements($1::jsonb) k",

    insert_events: "
        INSERT INTO outbox (type, order_id, version, created_at)
        SELECT k ->> 0, (k ->> 1)::uuid, (k ->> 2)::bigint, (k ->> 3)::bigint
        FROM jsonb_array_elements($1::jsonb) k",

    update_versions: "
        UPDATE performances SET version = (k ->> 2)::bigint
        FROM jsonb_array_elements($1::jsonb) k
        WHERE performances.id = (k ->> 0)::bigint
            AND performances.version = coalesce((k ->> 1)::bigint, performances.version)",

    insert_seats: "
        INSERT INTO seats (id, row_index, place, number, category, x, y, guid)
        SELECT $1::bigint + n - 1, (k ->> 0)::bigint, (k ->> 1)::bigint, k ->> 2, (k ->> 3)::bigint,
            (k ->> 4)::double precision, (k ->> 5)::double precision, k ->> 6
        FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS seats (k, n)",

    categorise_all: "
        UPDATE seats SET category = $1 WHERE id BETWEEN $2 AND $3 AND category <> $1",

    categorise_rows: "
        UPDATE seats SET category = $1
        WHERE id BETWEEN $2 AND $3 AND category <> $1
            AND row_index = ANY(ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($4::jsonb) value))",

    categorise_seats: "
        UPDATE seats SET category = $1
        WHERE id = ANY(ARRAY(SELECT value::bigint FROM jsonb_array_elements_text($4::jsonb) value))
            AND id BETWEEN $2 AND $3 AND category <> $1",

    insert_grams: "
        INSERT INTO show_grams (gram, show_id)
        SELECT value, $1::bigint FROM jsonb_array_elements_text($2::jsonb) value",
};
