//! Items and their stock. Orders for units stand among the others: in place of a performance's id they
//! have the offer's code (`Offer::code`), and in place of the seats `[[count, price]]`.

use sea_orm::sea_query::{ColumnDef, Expr, ExprTrait, Table, TableCreateStatement};

use super::{Schema, counted_id, integer, short_text, text};
use crate::dialect::Dialect;

pub(super) fn schema(schema: &mut Schema) {
    schema.table(
        Table::create()
            .table("items")
            .col(counted_id("id"))
            .col(text("name"))
            .col(text("content"))
            .col(integer("price"))
            .col(ColumnDef::new("kind").string_len(16).not_null())
            // None: sales have always been open.
            .col(ColumnDef::new("start_at").big_integer())
            .col(short_text("time_zone"))
            .col(ColumnDef::new("image_url").text())
            .col(integer("hold_ms"))
            .col(integer("units_per_buyer_max")),
    );
    // Apart from what is seldom changed, because it is written with every batch. Its check is the last
    // guard against selling more than there is.
    schema.table(stocks_table(schema.dialect).check(Expr::col("units_left").gte(0)));
}

fn stocks_table(dialect: Dialect) -> TableCreateStatement {
    Table::create()
        .table("stocks")
        .col(dialect.given_id("item_id"))
        .col(integer("units_total"))
        .col(integer("units_left"))
        // Counts the organiser's changes of the item.
        .col(integer("revision"))
        // Counts the batches that changed the stock.
        .col(integer("version"))
        .take()
}

/// The stocks without their guard.
pub(crate) fn stocks_without_check(dialect: Dialect) -> TableCreateStatement {
    stocks_table(dialect)
}
