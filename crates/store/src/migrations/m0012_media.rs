//! Pictures whose files are kept.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, index, integer, short_text};

pub(super) fn schema(schema: &mut Schema) {
    schema.table_in_key_order(
        Table::create()
            .table("media")
            .col(short_text("name").primary_key())
            .col(integer("used_at"))
            // Nobody may refer to it any more; its file is about to go.
            .col(ColumnDef::new("removing").boolean().not_null()),
    );
    schema.index(&mut index("media_by_use", "media", ["removing", "used_at"]));
}
