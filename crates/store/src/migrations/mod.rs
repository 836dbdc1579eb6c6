//! The tables and how they came to be. A migration that was released is never changed; a new one
//! is added after it.

mod m0001_catalogue;
mod m0002_accounts;
mod m0003_sales;

pub(crate) use m0003_sales::claims_without_key;
use onsale_engine::ports::StoreError;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, TransactionTrait,
    sea_query::{
        ColumnDef, Expr, ExprTrait, Index, IndexCreateStatement, Query, Table, TableCreateStatement,
    },
};

use crate::{
    dialect::Dialect,
    error::{broken, store_error},
};

/// One step from an empty database to today's tables.
pub(crate) struct Migration {
    name: &'static str,
    schema: fn(&mut Schema),
}

const MIGRATIONS: &[Migration] = &[
    Migration { name: "catalogue", schema: m0001_catalogue::schema },
    Migration { name: "accounts", schema: m0002_accounts::schema },
    Migration { name: "sales", schema: m0003_sales::schema },
];

/// What a migration makes, in order.
pub(crate) struct Schema {
    dialect: Dialect,
    tables: Vec<TableCreateStatement>,
    indexes: Vec<IndexCreateStatement>,
}

impl Schema {
    /// A table whose key is one ascending integer, or that is small.
    fn table(&mut self, table: &mut TableCreateStatement) {
        self.tables.push(table.take());
    }

    /// A table whose rows are best kept in the order of their key.
    fn table_in_key_order(&mut self, table: &mut TableCreateStatement) {
        self.dialect.keep_in_key_order(table);
        self.tables.push(table.take());
    }

    /// An index.
    fn index(&mut self, index: &mut IndexCreateStatement) {
        self.indexes.push(index.take());
    }
}

/// Runs the migrations that the database has not seen yet, all in one transaction.
pub(crate) async fn migrate(writer: &DatabaseConnection, dialect: Dialect) -> Result<(), StoreError> {
    let table = Table::create()
        .table("schema_migrations")
        .if_not_exists()
        .col(ColumnDef::new("number").integer().not_null().primary_key())
        .col(ColumnDef::new("name").string().not_null())
        .take();
    writer.execute(&table).await.map_err(store_error)?;
    if applied(writer).await? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = writer.begin_with_options(dialect.write_transaction()).await.map_err(store_error)?;
    // Another process may have been faster.
    let done = applied(&transaction).await?;
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        run(&transaction, dialect, migration).await?;
        let insert = Query::insert()
            .into_table("schema_migrations")
            .columns(["number", "name"])
            .values_panic([Expr::val(index as i32 + 1), Expr::val(migration.name)])
            .take();
        transaction.execute(&insert).await.map_err(store_error)?;
        tracing::info!(number = index + 1, name = migration.name, "migrated the database");
    }
    transaction.commit().await.map_err(store_error)
}

async fn run(
    connection: &impl ConnectionTrait,
    dialect: Dialect,
    migration: &Migration,
) -> Result<(), StoreError> {
    let mut schema = Schema { dialect, tables: Vec::new(), indexes: Vec::new() };
    (migration.schema)(&mut schema);
    for table in &schema.tables {
        connection.execute(table).await.map_err(store_error)?;
    }
    for index in &schema.indexes {
        connection.execute(index).await.map_err(store_error)?;
    }
    Ok(())
}

/// How many migrations the database has seen.
async fn applied(connection: &impl ConnectionTrait) -> Result<usize, StoreError> {
    let count = Query::select().expr(Expr::col("number").count()).from("schema_migrations").take();
    let row = connection.query_one(&count).await.map_err(store_error)?.ok_or_else(|| broken("no count"))?;
    let seen: i64 = row.try_get_by_index(0).map_err(store_error)?;
    let seen = usize::try_from(seen).map_err(broken)?;
    if seen > MIGRATIONS.len() {
        return Err(broken(format!(
            "a newer version of Onsale has migrated this database to step {seen}; this one knows {}",
            MIGRATIONS.len()
        )));
    }
    Ok(seen)
}

/// A primary key that the database counts up and never gives out twice.
fn counted_id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().auto_increment().primary_key().take()
}

/// A 64-bit integer that is always there: a reference, an amount, a time in milliseconds.
fn integer(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

/// A UUID, 16 bytes.
fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().take()
}

/// A text of at most 191 characters, which every dialect can index.
fn short_text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(191).not_null().take()
}

/// A text.
fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

/// Columns as a primary key.
fn key<const N: usize>(columns: [&'static str; N]) -> IndexCreateStatement {
    let mut index = Index::create();
    for column in columns {
        index.col(column);
    }
    index
}

/// An index over columns.
fn index<const N: usize>(
    name: &'static str,
    table: &'static str,
    columns: [&'static str; N],
) -> IndexCreateStatement {
    let mut index = key(columns);
    index.name(name).table(table);
    index
}
