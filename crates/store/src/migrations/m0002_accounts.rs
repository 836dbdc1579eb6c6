//! People and their sessions.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, counted_id, index, integer, text, uuid};

pub(super) fn schema(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("users")
            .col(counted_id("id"))
            // In lower case; none once the account is closed.
            .col(ColumnDef::new("email").string_len(320))
            .col(text("name"))
            .col(ColumnDef::new("role").string_len(16).not_null())
            .col(text("password_hash"))
            .col(integer("created_at"))
            .col(ColumnDef::new("closed_at").big_integer()),
    );
    schema.index(index("users_email", "users", ["email"]).unique());
    schema.table_in_key_order(
        Table::create()
            .table("sessions")
            .col(uuid("id").primary_key())
            .col(integer("user_id"))
            .col(ColumnDef::new("refresh_hash").binary_len(32).not_null())
            .col(integer("created_at"))
            .col(integer("expires_at"))
            .col(ColumnDef::new("ended_at").big_integer()),
    );
    schema.index(&mut index("sessions_by_user", "sessions", ["user_id"]));
    schema.index(&mut index("sessions_by_end", "sessions", ["ended_at"]));
}
