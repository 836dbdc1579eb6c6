//! Whose shows, items, venues and rooms are.

use sea_orm::sea_query::ColumnDef;

use super::Schema;

pub(super) fn schema(schema: &mut Schema) {
    for table in ["shows", "items", "venues", "rooms"] {
        // The account that made it; none for what was there before, or a tool has made.
        schema.column(table, ColumnDef::new("owner_id").big_integer());
    }
}
