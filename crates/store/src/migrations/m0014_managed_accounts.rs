//! Accounts that can be disabled, refresh tokens that get their answer twice, and e-mail addresses that an
//! identity provider says later.

use sea_orm::sea_query::ColumnDef;

use super::{Schema, index};

pub(super) fn schema(schema: &mut Schema) {
    schema.column("users", ColumnDef::new("disabled_at").big_integer());
    // Administrators are looked for when one is about to go.
    schema.index(&mut index("users_by_role", "users", ["role"]));
    schema.column("sessions", ColumnDef::new("replaced_hash").binary_len(32));
    schema.column("sessions", ColumnDef::new("replaced_at").big_integer());
    schema.column("identities", ColumnDef::new("email_as_of").big_integer());
}
