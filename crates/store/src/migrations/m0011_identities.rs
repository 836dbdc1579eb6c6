//! Whose account belongs to which subject of an identity provider.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, integer};

pub(super) fn schema(schema: &mut Schema) {
    schema.table_in_key_order(
        Table::create()
            .table("identities")
            // SHA-256 of the issuer, a zero byte and the subject. As the key it gives a subject one account.
            .col(ColumnDef::new("digest").binary_len(32).not_null().primary_key())
            .col(integer("user_id"))
            .col(integer("created_at")),
    );
}
