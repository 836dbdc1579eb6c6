//! The owners and sizes of pictures, so that both can be bounded.

use sea_orm::sea_query::ColumnDef;

use super::{Schema, index};

pub(super) fn schema(schema: &mut Schema) {
    // The account that sent it first; none for what was there before.
    schema.column("media", ColumnDef::new("owner_id").big_integer());
    schema.column("media", ColumnDef::new("bytes").big_integer().not_null().default(0));
    schema.index(&mut index("media_by_owner", "media", ["owner_id"]));
}
