//! What has been sold by the day and of late, and the charts made of it.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, index, integer, key, short_text, text};

pub(super) fn schema(schema: &mut Schema) {
    schema.table_in_key_order(
        Table::create()
            .table("popularity_days")
            .col(ColumnDef::new("kind").small_integer().not_null())
            // Days since 1970-01-01, in the zone of the rankings.
            .col(integer("day"))
            .col(integer("subject_id"))
            .col(integer("units"))
            .primary_key(&mut key(["kind", "day", "subject_id"])),
    );
    schema.table_in_key_order(
        Table::create()
            .table("popularity_now")
            .col(ColumnDef::new("kind").small_integer().not_null())
            .col(integer("subject_id"))
            // A decaying count as it was at a time, and what all of them are sorted by.
            .col(ColumnDef::new("count").double().not_null())
            .col(integer("as_of"))
            .col(ColumnDef::new("heat").double().not_null())
            .primary_key(&mut key(["kind", "subject_id"])),
    );
    schema.index(&mut index("popularity_now_by_heat", "popularity_now", ["kind", "heat"]));
    schema.table_in_key_order(
        Table::create()
            .table("popularity_events")
            .col(short_text("event_id").primary_key())
            .col(integer("counted_at")),
    );
    schema.index(&mut index("popularity_events_by_time", "popularity_events", ["counted_at"]));
    charts(schema);
}

fn charts(schema: &mut Schema) {
    schema.table_in_key_order(
        Table::create()
            .table("charts")
            .col(ColumnDef::new("kind").small_integer().not_null())
            .col(ColumnDef::new("period").small_integer().not_null())
            .col(integer("day"))
            // JSON: [[id, count], ...]
            .col(text("places"))
            .col(integer("published_at"))
            .primary_key(&mut key(["kind", "period", "day"])),
    );
    // Who makes the charts of a day. Published: they are there.
    schema.table(
        Table::create()
            .table("chart_runs")
            .col(schema.dialect.given_id("day"))
            .col(integer("claimed_until"))
            .col(ColumnDef::new("published").boolean().not_null()),
    );
}
