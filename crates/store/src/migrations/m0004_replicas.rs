//! The heartbeat by which replicas are found to be behind.

use sea_orm::sea_query::Table;

use super::{Schema, integer};

pub(super) fn schema(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("replica_heartbeats")
            // There is one row, number 1.
            .col(schema.dialect.given_id("id"))
            .col(integer("beat")),
    );
}
