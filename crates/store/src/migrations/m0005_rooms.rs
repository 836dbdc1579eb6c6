//! Waiting rooms, the performances behind them, and changes asked of the node that runs them.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, counted_id, index, integer, text};

pub(super) fn schema(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("rooms")
            .col(counted_id("id"))
            .col(text("name"))
            .col(ColumnDef::new("admits").string_len(16).not_null())
            // The node that may write the record; 0 before the first.
            .col(integer("run_by"))
            // Counts the organiser's changes, as the record says.
            .col(integer("revision"))
            // What the room needs after a crash, as JSON.
            .col(text("record")),
    );
    schema.table(
        Table::create()
            .table("room_performances")
            // A performance is behind one room at most.
            .col(schema.dialect.given_id("performance_id"))
            .col(integer("room_id")),
    );
    schema.index(&mut index("room_performances_by_room", "room_performances", ["room_id"]));
    schema.table(
        Table::create()
            .table("room_changes")
            .col(counted_id("id"))
            .col(integer("room_id"))
            // The change, as JSON.
            .col(text("asked"))
            .col(integer("asked_at"))
            .col(ColumnDef::new("answered").boolean().not_null())
            .col(ColumnDef::new("refusal").text()),
    );
}
