//! Orders, claims, money, idempotency keys and the outbox.
//!
//! No foreign keys here: every row is written by the pipeline, which has loaded what it refers
//! to in the same transaction, and checking them again would touch more pages than the rows
//! themselves. `onsale audit` proves the references.

use sea_orm::sea_query::{ColumnDef, Expr, ExprTrait, IndexCreateStatement, Table, TableCreateStatement};

use super::{Schema, counted_id, index, integer, key, text, uuid};

pub(super) fn schema(schema: &mut Schema) {
    orders(schema);
    claims(schema);
    money(schema);
    idempotency_keys(schema);
    outbox(schema);
}

fn orders(schema: &mut Schema) {
    // Ids ascend with time, so new orders stand side by side at the end.
    schema.table_in_key_order(
        Table::create()
            .table("orders")
            .col(uuid("id").primary_key())
            .col(integer("user_id"))
            .col(integer("performance_id"))
            .col(ColumnDef::new("status").small_integer().not_null())
            // JSON: [[seat, price], ...]
            .col(text("seats"))
            .col(integer("amount"))
            .col(ColumnDef::new("currency").string_len(3).not_null())
            .col(integer("created_at"))
            .col(integer("expires_at"))
            .col(integer("version")),
    );
    schema.index(&mut index("orders_by_buyer", "orders", ["user_id", "performance_id", "status"]));
    schema.index(&mut index("orders_by_performance", "orders", ["performance_id", "id", "user_id"]));
    schema.index(&mut index("orders_by_deadline", "orders", ["status", "expires_at"]));
}

/// A row exactly while a seat is held, sold or locked. The primary key is the last guard against
/// selling a seat twice.
fn claims(schema: &mut Schema) {
    schema.table_in_key_order(claims_table().primary_key(&mut key(["performance_id", "seat_id"])));
}

fn claims_table() -> TableCreateStatement {
    Table::create()
        .table("claims")
        .col(integer("performance_id"))
        .col(integer("seat_id"))
        // None: an organiser has taken the seat off sale.
        .col(ColumnDef::new("order_id").uuid())
        .take()
}

/// The claims without their guard: an index as fast as the key, but not unique.
pub(crate) fn claims_without_key() -> (TableCreateStatement, IndexCreateStatement) {
    (claims_table(), index("claims_by_seat", "claims", ["performance_id", "seat_id"]))
}

fn money(schema: &mut Schema) {
    schema.table_in_key_order(
        Table::create()
            .table("payments")
            .col(uuid("order_id").primary_key())
            .col(uuid("id"))
            .col(integer("user_id"))
            .col(integer("amount"))
            .col(ColumnDef::new("currency").string_len(3).not_null())
            .col(integer("balance_after"))
            .col(ColumnDef::new("refunded").boolean().not_null())
            .col(integer("created_at")),
    );
    schema.table_in_key_order(
        Table::create()
            .table("ledger_entries")
            .col(uuid("transfer_id"))
            .col(integer("account"))
            .col(integer("amount"))
            .col(ColumnDef::new("kind").string_len(16).not_null())
            .col(ColumnDef::new("order_id").uuid())
            .col(integer("created_at"))
            .primary_key(&mut key(["transfer_id", "account"])),
    );
    schema.table(
        Table::create()
            .table("wallets")
            .col(schema.dialect.given_id("user_id"))
            .col(integer("balance").check(Expr::col("balance").gte(0)))
            .col(integer("version")),
    );
}

/// The rows stand in the order of their use, so that forgetting old ones is cutting off the
/// front; only the small index entry of each goes to a random place.
fn idempotency_keys(schema: &mut Schema) {
    let seq = schema.dialect.row_number("seq");
    schema.table(
        Table::create()
            .table("idempotency_keys")
            .col(seq)
            .col(integer("user_id"))
            .col(ColumnDef::new("key_id").uuid().not_null())
            .col(integer("fingerprint"))
            .col(ColumnDef::new("target").small_integer().not_null())
            .col(ColumnDef::new("order_id").uuid())
            .col(ColumnDef::new("balance_after").big_integer())
            .col(integer("created_at")),
    );
    schema.index(index("idempotency_keys_by_user", "idempotency_keys", ["user_id", "key_id"]).unique());
}

/// Events on their way to the outside. What else there is to say of an event is in its order, of
/// which nothing changes but the status and the version.
fn outbox(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("outbox")
            .col(counted_id("seq"))
            .col(ColumnDef::new("type").string_len(32).not_null())
            .col(uuid("order_id"))
            .col(integer("version"))
            .col(integer("created_at")),
    );
}
