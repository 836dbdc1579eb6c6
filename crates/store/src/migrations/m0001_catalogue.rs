//! Shows, venues, halls and performances.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, counted_id, index, integer, key, short_text, text};

pub(super) fn schema(schema: &mut Schema) {
    shows(schema);
    halls(schema);
    performances(schema);
}

fn shows(schema: &mut Schema) {
    let mut title = text("title");
    schema.dialect.sorted_text(&mut title);
    schema.table(
        Table::create()
            .table("shows")
            .col(counted_id("id"))
            .col(ColumnDef::new("kind").string_len(16).not_null())
            .col(title)
            .col(text("title_folded"))
            .col(ColumnDef::new("grade").text())
            .col(ColumnDef::new("genre").text())
            .col(ColumnDef::new("genre_folded").string_len(191))
            // As in ISO 8601, so that texts sort as dates do.
            .col(ColumnDef::new("release_date").string_len(10))
            .col(ColumnDef::new("thumbnail_image").text())
            .col(ColumnDef::new("running_time_min").integer())
            .col(ColumnDef::new("description").text())
            .col(ColumnDef::new("creator").text())
            .col(ColumnDef::new("source_key").string_len(200)),
    );
    schema.index(index("shows_source_key", "shows", ["source_key"]).unique());
    schema.index(&mut index("shows_by_genre", "shows", ["kind", "genre_folded"]));
    schema.index(&mut index("shows_by_release", "shows", ["kind", "release_date"]));

    // Runs of one to three characters of each title: finds parts of titles in any script.
    schema.table_in_key_order(
        Table::create()
            .table("show_grams")
            .col(ColumnDef::new("gram").string_len(12).not_null())
            .col(integer("show_id"))
            .primary_key(&mut key(["gram", "show_id"])),
    );
    schema.index(&mut index("show_grams_by_show", "show_grams", ["show_id"]));
}

fn halls(schema: &mut Schema) {
    schema.table(
        Table::create().table("venues").col(counted_id("id")).col(text("name")).col(short_text("time_zone")),
    );
    schema.table(
        Table::create()
            .table("halls")
            .col(counted_id("id"))
            .col(integer("venue_id"))
            .col(text("name"))
            // A hall's seats have the ids from first_seat_id on, without a gap, in the order of
            // their ordinals. So neither a seat's hall nor its ordinal needs to be written.
            .col(integer("first_seat_id"))
            .col(integer("seat_count"))
            // Counts the changes of its seats.
            .col(integer("revision")),
    );
    schema.index(&mut index("halls_by_venue", "halls", ["venue_id"]));
    schema.index(index("halls_by_first_seat", "halls", ["first_seat_id"]).unique());
    schema.table_in_key_order(
        Table::create()
            .table("hall_categories")
            .col(integer("hall_id"))
            .col(integer("category"))
            .col(text("name"))
            .primary_key(&mut key(["hall_id", "category"])),
    );
    schema.table_in_key_order(
        Table::create()
            .table("hall_rows")
            .col(integer("hall_id"))
            .col(integer("row_index"))
            .col(text("section"))
            .col(text("label"))
            .primary_key(&mut key(["hall_id", "row_index"])),
    );
    schema.table(
        Table::create()
            .table("seats")
            .col(schema.dialect.given_id("id"))
            .col(integer("row_index"))
            .col(integer("place"))
            .col(text("number"))
            .col(integer("category"))
            .col(ColumnDef::new("x").double().not_null())
            .col(ColumnDef::new("y").double().not_null())
            .col(ColumnDef::new("guid").text()),
    );
    // The next id of each kind that is handed out in runs.
    schema.table_in_key_order(
        Table::create()
            .table("id_runs")
            .col(ColumnDef::new("kind").string_len(16).not_null().primary_key())
            .col(integer("next_id")),
    );
}

fn performances(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("performances")
            .col(counted_id("id"))
            .col(integer("show_id"))
            .col(integer("hall_id"))
            .col(integer("starts_at"))
            .col(integer("ends_at"))
            .col(integer("on_sale_at"))
            .col(integer("hold_ms"))
            .col(integer("seats_per_buyer_max"))
            .col(ColumnDef::new("side_by_side").boolean().not_null())
            .col(ColumnDef::new("cancelled").boolean().not_null())
            // Counts the organiser's changes.
            .col(integer("revision"))
            // Counts the batches that changed a seat's status.
            .col(integer("version")),
    );
    schema.index(&mut index("performances_by_show", "performances", ["show_id", "starts_at"]));
    schema.index(&mut index("performances_by_hall", "performances", ["hall_id"]));
    schema.table_in_key_order(
        Table::create()
            .table("price_levels")
            .col(integer("performance_id"))
            .col(integer("category"))
            .col(text("grade"))
            .col(integer("price"))
            .primary_key(&mut key(["performance_id", "category"])),
    );
}
