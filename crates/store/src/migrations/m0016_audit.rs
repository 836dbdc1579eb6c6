//! Facts that a database keeps of itself so that an audit can prove more of it: the currency of its money, on
//! which terms each offer was sold, and in which order a wallet changed.

use sea_orm::sea_query::{ColumnDef, Table};

use super::{Schema, integer, key};

pub(super) fn schema(schema: &mut Schema) {
    schema.table_in_key_order(
        Table::create()
            .table("database_marks")
            .col(ColumnDef::new("name").string_len(64).not_null().primary_key())
            .col(ColumnDef::new("value").string_len(191).not_null()),
    );
    // Every revision of an offer's terms since this table exists. Nodes that do not know it leave gaps.
    schema.table_in_key_order(
        Table::create()
            .table("offer_terms")
            // As in orders: a performance's id, or minus an item's.
            .col(integer("offer"))
            .col(integer("revision"))
            .col(integer("since"))
            // The performance's show; 0 for items.
            .col(integer("show_id"))
            .col(integer("hold_ms"))
            .col(integer("per_buyer_max"))
            // JSON: [price, ...], each once, or null if there are too many.
            .col(ColumnDef::new("prices").text())
            // Of all terms, to tell whether the offer's row still says the same.
            .col(integer("digest"))
            .primary_key(&mut key(["offer", "revision"])),
    );
    // The number that the transfer has among those of its wallet; null for accounts of the house.
    schema.column("ledger_entries", ColumnDef::new("position").big_integer());
}
