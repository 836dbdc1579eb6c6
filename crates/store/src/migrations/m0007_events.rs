//! Events about other things than orders, who works through events, and the log of the local transport.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, counted_id, integer, text};

pub(super) fn schema(schema: &mut Schema) {
    // What the row is about and all there is to say of it, as JSON; null where it is about an order.
    schema.column("outbox", ColumnDef::new("subject").string_len(64).null());
    schema.column("outbox", ColumnDef::new("data").text().null());
    schema.table(
        Table::create()
            .table("event_tasks")
            .col(ColumnDef::new("task").string_len(64).not_null().primary_key())
            // Who does it; 0 if nobody.
            .col(integer("node"))
            .col(integer("beat"))
            .col(integer("position"))
            .col(integer("kept_at")),
    );
    schema.table(
        Table::create()
            .table("event_log")
            .col(counted_id("position"))
            // As JSON.
            .col(text("event"))
            .col(integer("created_at")),
    );
}
