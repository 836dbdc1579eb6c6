//! Webhooks, and deliveries of all kinds on their way out.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, counted_id, index, integer, short_text, text};

pub(super) fn schema(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("webhooks")
            .col(counted_id("id"))
            .col(integer("owner_id"))
            .col(text("url"))
            // JSON arrays; empty means all.
            .col(text("event_types"))
            .col(text("show_ids"))
            .col(ColumnDef::new("active").boolean().not_null())
            .col(short_text("secret"))
            .col(ColumnDef::new("previous_secret").string_len(191))
            // Until when the previous secret signs as well; 0 if there is none.
            .col(integer("previous_until"))
            .col(integer("created_at")),
    );
    schema.index(&mut index("webhooks_by_owner", "webhooks", ["owner_id"]));
    deliveries(schema);
}

fn deliveries(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("deliveries")
            .col(counted_id("id"))
            // The webhook; 0 for notifications.
            .col(integer("channel"))
            .col(short_text("event_id"))
            .col(short_text("event_type"))
            .col(short_text("subject"))
            .col(text("body"))
            .col(ColumnDef::new("state").small_integer().not_null())
            .col(integer("attempts"))
            .col(integer("added_at"))
            .col(integer("since"))
            .col(integer("due_at"))
            .col(ColumnDef::new("lease").uuid())
            .col(integer("leased_until"))
            .col(ColumnDef::new("answer_status").small_integer())
            .col(ColumnDef::new("answer").text()),
    );
    // A channel gets each event once.
    schema.index(index("deliveries_once", "deliveries", ["channel", "event_id"]).unique());
    // What is due, of all channels and of one; what is over.
    schema.index(&mut index("deliveries_by_state", "deliveries", ["state", "due_at", "channel"]));
    schema.index(&mut index("deliveries_by_channel", "deliveries", ["channel", "state", "due_at"]));
    // What stands before a delivery.
    schema.index(&mut index("deliveries_by_subject", "deliveries", ["channel", "subject", "state"]));
    // Pages of a channel.
    schema.index(&mut index("deliveries_by_number", "deliveries", ["channel", "id"]));
}
