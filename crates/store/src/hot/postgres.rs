//! The hot statements in PostgreSQL's words. CockroachDB knows them too.
//!
//! Batches come as arrays, in which the nil UUID, the smallest integer and the empty text stand for
//! null. `LATERAL` with `OFFSET 0` keeps the order of the tables: the batch outside, a look-up by key
//! inside. The writing sessions keep one plan for good, and none that scans; see `connect`.

use super::{HotStatements, Packing};
use crate::sales::Encoding;

/// The rows of a batch, as `k`, of which what is the same in all rows has come once: after the end of a shorter
/// array comes null, and its only member is meant. Each column with its array.
macro_rules! rows {
    ($first:literal = $first_array:literal $(, $column:literal = $array:literal)*) => {
        concat!(
            "(SELECT coalesce(r.", $first, ", (", $first_array, ")[1]) AS ", $first,
            $(", coalesce(r.", $column, ", (", $array, ")[1]) AS ", $column,)*
            " FROM (SELECT unnest(", $first_array, ") AS ", $first,
            $(", unnest(", $array, ") AS ", $column,)*
            " OFFSET 0) r) k"
        )
    };
}

macro_rules! order_columns {
    () => {
        "o.id, o.user_id, o.performance_id, o.status, o.seats, o.amount, o.currency::text, \
         o.created_at, o.expires_at, o.version"
    };
}

macro_rules! performance_columns {
    () => {
        "0::bigint, p.id, p.revision, NULL::uuid, \
         NULL::uuid, NULL::bigint, NULL::bigint, NULL::smallint, NULL::text, NULL::bigint, NULL::text, \
         NULL::bigint, NULL::bigint, p.version"
    };
}

macro_rules! wallet_columns {
    () => {
        "5::bigint, NULL::bigint, NULL::bigint, NULL::uuid, \
         NULL::uuid, w.user_id, NULL::bigint, NULL::smallint, NULL::text, w.balance, NULL::text, \
         NULL::bigint, NULL::bigint, w.version"
    };
}

macro_rules! stock_columns {
    () => {
        "7::bigint, s.item_id, s.revision, NULL::uuid, \
         NULL::uuid, NULL::bigint, NULL::bigint, NULL::smallint, NULL::text, s.units_left, NULL::text, \
         s.units_total, NULL::bigint, s.version"
    };
}

pub(crate) static POSTGRES: HotStatements = HotStatements {
    encoding: Encoding::Arrays,
    insert_encoding: Encoding::Arrays,
    load_packing: Packing::Union,
    write_packing: Packing::CommonTables,

    lock_performances: concat!(
        "SELECT ",
        performance_columns!(),
        " FROM performances p WHERE p.id = ANY($1::bigint[]) ORDER BY p.id FOR UPDATE"
    ),

    lock_stocks: concat!(
        "SELECT ",
        stock_columns!(),
        " FROM stocks s WHERE s.item_id = ANY($1::bigint[]) ORDER BY s.item_id FOR UPDATE"
    ),

    lock_wallets: concat!(
        "SELECT ",
        wallet_columns!(),
        " FROM wallets w WHERE w.user_id = ANY($1::bigint[]) ORDER BY w.user_id FOR UPDATE"
    ),

    load_performances: concat!(
        "SELECT ",
        performance_columns!(),
        " FROM unnest($1::bigint[]) AS k(id)
        CROSS JOIN LATERAL (SELECT * FROM performances WHERE id = k.id OFFSET 0) p"
    ),

    load_claims: concat!(
        "SELECT 1::bigint, c.performance_id, c.seat_id, c.order_id, ",
        order_columns!(),
        " FROM unnest($1::bigint[], $2::bigint[]) AS k(performance, seat)
        CROSS JOIN LATERAL (
            SELECT * FROM claims WHERE performance_id = k.performance AND seat_id = k.seat OFFSET 0
        ) c
        LEFT JOIN LATERAL (SELECT * FROM orders WHERE id = c.order_id OFFSET 0) o ON true"
    ),

    load_buyers: concat!(
        "SELECT 2::bigint, NULL::bigint, NULL::bigint, NULL::uuid, ",
        order_columns!(),
        " FROM unnest($1::bigint[], $2::bigint[]) AS k(performance, buyer)
        CROSS JOIN LATERAL (
            SELECT * FROM orders
            WHERE user_id = k.buyer AND performance_id = k.performance AND status IN (0, 1) OFFSET 0
        ) o"
    ),

    load_orders: concat!(
        "SELECT 3::bigint, NULL::bigint, NULL::bigint, NULL::uuid, ",
        order_columns!(),
        " FROM unnest($1::uuid[]) AS k(id)
        CROSS JOIN LATERAL (SELECT * FROM orders WHERE id = k.id OFFSET 0) o"
    ),

    load_payments: "
        SELECT 4::bigint, p.balance_after, p.refunded::int::bigint, p.id,
            p.order_id, p.user_id, NULL::bigint, NULL::smallint, NULL::text, p.amount, p.currency::text,
            p.created_at, NULL::bigint, NULL::bigint
        FROM unnest($1::uuid[]) AS k(id)
        CROSS JOIN LATERAL (SELECT * FROM payments WHERE order_id = k.id OFFSET 0) p",

    load_wallets: concat!(
        "SELECT ",
        wallet_columns!(),
        " FROM unnest($1::bigint[]) AS k(id)
        CROSS JOIN LATERAL (SELECT * FROM wallets WHERE user_id = k.id OFFSET 0) w"
    ),

    load_keys: "
        SELECT 6::bigint, i.fingerprint, NULL::bigint, i.key_id,
            i.order_id, i.user_id, NULL::bigint, i.target, NULL::text, i.balance_after, NULL::text,
            NULL::bigint, NULL::bigint, NULL::bigint
        FROM unnest($1::uuid[], $2::bigint[]) AS k(id, owner)
        CROSS JOIN LATERAL (
            SELECT * FROM idempotency_keys WHERE user_id = k.owner AND key_id = k.id OFFSET 0
        ) i",

    load_stocks: concat!(
        "SELECT ",
        stock_columns!(),
        " FROM unnest($1::bigint[]) AS k(id)
        CROSS JOIN LATERAL (SELECT * FROM stocks WHERE item_id = k.id OFFSET 0) s"
    ),

    load_lapsed: concat!(
        "SELECT 8::bigint, NULL::bigint, NULL::bigint, NULL::uuid, ",
        order_columns!(),
        " FROM (
            SELECT * FROM orders WHERE status = 0 AND expires_at <= $1::bigint ORDER BY expires_at LIMIT 1000
        ) o
        WHERE o.performance_id = ANY($2::bigint[])"
    ),

    delete_claims: "
        DELETE FROM claims
        USING unnest($1::bigint[], $2::bigint[], $3::uuid[]) AS k(performance, seat, order_id)
        WHERE claims.performance_id = k.performance AND claims.seat_id = k.seat
            AND claims.order_id IS NOT DISTINCT FROM nullif(k.order_id, '00000000-0000-0000-0000-000000000000')",

    insert_claims: concat!(
        "INSERT INTO claims (performance_id, seat_id, order_id)
        SELECT k.performance, k.seat, nullif(k.order_id, '00000000-0000-0000-0000-000000000000')
        FROM ",
        rows!("performance" = "$1::bigint[]", "seat" = "$2::bigint[]", "order_id" = "$3::uuid[]")
    ),

    insert_orders: concat!(
        "INSERT INTO orders (id, user_id, performance_id, status, seats, amount, currency,
            created_at, expires_at, version)
        SELECT k.id, k.buyer, k.performance, 0, k.seats, k.amount, k.currency, $1::bigint, k.expires_at, 1
        FROM ",
        rows!(
            "id" = "$2::uuid[]",
            "buyer" = "$3::bigint[]",
            "performance" = "$4::bigint[]",
            "seats" = "$5::text[]",
            "amount" = "$6::bigint[]",
            "currency" = "$7::text[]",
            "expires_at" = "$8::bigint[]"
        )
    ),

    update_orders: "
        UPDATE orders SET version = k.version, status = k.status::smallint
        FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[])
            AS k(id, version_before, version, status)
        WHERE orders.id = k.id AND k.version_before IN (orders.version, '-9223372036854775808'::bigint)",

    insert_payments: "
        INSERT INTO payments (order_id, id, user_id, amount, currency, balance_after, refunded, created_at)
        SELECT k.order_id, k.id, k.buyer, k.amount, k.currency, k.balance_after, k.refunded <> 0, k.created_at
        FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[],
            $7::bigint[], $8::bigint[])
            AS k(order_id, id, buyer, amount, currency, balance_after, refunded, created_at)",

    refund_payments: "
        UPDATE payments SET refunded = true
        FROM unnest($1::uuid[]) AS k(id)
        WHERE payments.order_id = k.id",

    insert_ledger: "
        INSERT INTO ledger_entries (transfer_id, account, amount, kind, order_id, position, created_at)
        SELECT k.transfer, k.account, k.amount, k.kind, nullif(k.order_id, '00000000-0000-0000-0000-000000000000'),
            nullif(k.position, '-9223372036854775808'::bigint), k.created_at
        FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[])
            AS k(transfer, account, amount, kind, order_id, position, created_at)",

    insert_wallets: "
        INSERT INTO wallets (user_id, balance, version)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])",

    update_wallets: "
        UPDATE wallets SET balance = k.balance, version = k.version
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
            AS k(id, version_before, balance, version)
        WHERE wallets.user_id = k.id AND k.version_before IN (wallets.version, '-9223372036854775808'::bigint)",

    insert_keys: concat!(
        "INSERT INTO idempotency_keys (user_id, key_id, fingerprint, target, order_id, balance_after, created_at)
        SELECT k.owner, k.id, k.fingerprint, k.target::smallint, nullif(k.order_id, '00000000-0000-0000-0000-000000000000'),
            nullif(k.balance_after, '-9223372036854775808'::bigint), $1::bigint
        FROM ",
        rows!(
            "owner" = "$2::bigint[]",
            "id" = "$3::uuid[]",
            "fingerprint" = "$4::bigint[]",
            "target" = "$5::bigint[]",
            "order_id" = "$6::uuid[]",
            "balance_after" = "$7::bigint[]"
        )
    ),

    insert_events: "
        INSERT INTO outbox (type, order_id, version, created_at, data)
        SELECT k.type, k.order_id, k.version, $1::bigint, k.others
        FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::text[]) AS k(type, order_id, version, others)",

    insert_notes: "
        INSERT INTO outbox (type, order_id, version, created_at, subject, data)
        SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])",

    update_versions: "
        UPDATE performances SET version = k.version
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
            AS k(id, version_before, revision, version)
        WHERE performances.id = k.id AND k.version_before IN (performances.version, '-9223372036854775808'::bigint)
            AND k.revision IN (performances.revision, '-9223372036854775808'::bigint)",

    update_stocks: "
        UPDATE stocks SET version = k.version,
            units_total = stocks.units_total + k.total, units_left = stocks.units_left + k.units_left
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
            AS k(id, version_before, revision, version, total, units_left)
        WHERE stocks.item_id = k.id AND k.version_before IN (stocks.version, '-9223372036854775808'::bigint)
            AND k.revision IN (stocks.revision, '-9223372036854775808'::bigint)",

    insert_seats: "
        INSERT INTO seats (id, row_index, place, number, category, x, y, guid)
        SELECT $1::bigint + k.n - 1, k.row_index, k.place, k.number, k.category, k.x, k.y, nullif(k.guid, '')
        FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::double precision[],
            $7::double precision[], $8::text[])
            WITH ORDINALITY AS k(row_index, place, number, category, x, y, guid, n)",

    categorise_all: "
        UPDATE seats SET category = $1 WHERE id BETWEEN $2 AND $3 AND category <> $1",

    categorise_rows: "
        UPDATE seats SET category = $1
        WHERE id BETWEEN $2 AND $3 AND category <> $1 AND row_index = ANY($4::bigint[])",

    categorise_seats: "
        UPDATE seats SET category = $1
        WHERE id = ANY($4::bigint[]) AND id BETWEEN $2 AND $3 AND category <> $1",

    insert_grams: "
        INSERT INTO show_grams (gram, show_id) SELECT gram, $1::bigint FROM unnest($2::text[]) AS k(gram)",

    delete_outbox: "
        DELETE FROM outbox WHERE seq = ANY($1::bigint[])",

    insert_log: "
        INSERT INTO event_log (event, created_at) SELECT * FROM unnest($1::text[], $2::bigint[])",
};
