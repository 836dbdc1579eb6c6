//! Halls that are being added.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, integer};

pub(super) fn schema(schema: &mut Schema) {
    schema.table_in_key_order(
        Table::create()
            .table("hall_drafts")
            // The id that the hall will have.
            .col(ColumnDef::new("hall_id").big_integer().not_null().primary_key())
            .col(integer("first_seat_id"))
            .col(integer("seat_count"))
            // When its last portion was written, or -1: it was given up, and its rows are being removed.
            .col(integer("kept_at")),
    );
}
