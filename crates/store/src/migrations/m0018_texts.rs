//! By which rules titles are folded, and what the source of an imported show said.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, index, integer, text};

pub(super) fn schema(schema: &mut Schema) {
    // The rules of `onsale_domain::search::FOLD_VERSION`; 0 are those before it had a number.
    schema.column("shows", ColumnDef::new("folded_by").integer().not_null().default(0));
    schema.index(&mut index("shows_by_fold", "shows", ["folded_by", "id"]));
    schema.table_in_key_order(
        Table::create()
            .table("show_imports")
            .col(integer("show_id").primary_key())
            // As JSON.
            .col(text("said")),
    );
}
