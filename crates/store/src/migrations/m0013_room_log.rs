//! The log of waiting rooms: whose a number is, and which numbers and passes are over.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, counted_id, index, integer};

pub(super) fn schema(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("room_log")
            .col(counted_id("id"))
            .col(integer("room_id"))
            // What the room's adapter wrote, in its own form.
            .col(ColumnDef::new("entries").blob().not_null()),
    );
    schema.index(&mut index("room_log_by_room", "room_log", ["room_id", "id"]));
}
