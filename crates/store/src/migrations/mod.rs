//! The tables and how they came to be. A migration that was released is never changed; a new one
//! is added after it.

mod m0001_catalogue;
mod m0002_accounts;
mod m0003_sales;
mod m0004_replicas;
mod m0005_rooms;
mod m0006_items;
mod m0007_events;
mod m0008_webhooks;
mod m0009_popularity;
mod m0010_owners;
mod m0011_identities;
mod m0012_media;
mod m0013_room_log;
mod m0014_managed_accounts;
mod m0015_hall_drafts;
mod m0016_audit;
mod m0017_media_owners;
mod m0018_texts;

pub(crate) use m0003_sales::claims_without_key;
pub(crate) use m0006_items::stocks_without_check;
use onsale_engine::ports::StoreError;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait,
    sea_query::{
        ColumnDef, Expr, Index, IndexCreateStatement, Order, Query, Table, TableAlterStatement,
        TableCreateStatement,
    },
};

use crate::{
    dialect::Dialect,
    error::{broken, is_existing, store_error},
};

/// One step from an empty database to today's tables.
pub(crate) struct Migration {
    name: &'static str,
    kind: Kind,
    schema: fn(&mut Schema),
}

/// What a step means for a node that does not know it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It adds what older nodes may ignore: they go on, and may still be started. What it adds
    /// has defaults, so that their rows fit.
    Expand,
    /// It takes away what older nodes need, so none may be running. It comes a release after the
    /// last node that needed it.
    #[expect(dead_code, reason = "there has been nothing to take away yet")]
    Contract,
}

impl Kind {
    const EXPAND: &str = "expand";

    const fn name(self) -> &'static str {
        match self {
            Self::Expand => Self::EXPAND,
            Self::Contract => "contract",
        }
    }
}

const MIGRATIONS: &[Migration] = &[
    Migration { name: "catalogue", kind: Kind::Expand, schema: m0001_catalogue::schema },
    Migration { name: "accounts", kind: Kind::Expand, schema: m0002_accounts::schema },
    Migration { name: "sales", kind: Kind::Expand, schema: m0003_sales::schema },
    Migration { name: "replicas", kind: Kind::Expand, schema: m0004_replicas::schema },
    Migration { name: "rooms", kind: Kind::Expand, schema: m0005_rooms::schema },
    Migration { name: "items", kind: Kind::Expand, schema: m0006_items::schema },
    Migration { name: "events", kind: Kind::Expand, schema: m0007_events::schema },
    Migration { name: "popularity", kind: Kind::Expand, schema: m0009_popularity::schema },
    Migration { name: "webhooks", kind: Kind::Expand, schema: m0008_webhooks::schema },
    Migration { name: "media", kind: Kind::Expand, schema: m0012_media::schema },
    Migration { name: "identities", kind: Kind::Expand, schema: m0011_identities::schema },
    Migration { name: "owners", kind: Kind::Expand, schema: m0010_owners::schema },
    Migration { name: "media-owners", kind: Kind::Expand, schema: m0017_media_owners::schema },
    Migration { name: "texts", kind: Kind::Expand, schema: m0018_texts::schema },
    Migration { name: "audit", kind: Kind::Expand, schema: m0016_audit::schema },
    Migration { name: "managed accounts", kind: Kind::Expand, schema: m0014_managed_accounts::schema },
    Migration { name: "hall drafts", kind: Kind::Expand, schema: m0015_hall_drafts::schema },
    Migration { name: "room-log", kind: Kind::Expand, schema: m0013_room_log::schema },
];

/// What a migration makes, in order.
pub(crate) struct Schema {
    dialect: Dialect,
    server_version: String,
    tables: Vec<TableCreateStatement>,
    columns: Vec<TableAlterStatement>,
    indexes: Vec<IndexCreateStatement>,
}

impl Schema {
    /// A table whose key is one ascending integer, or that is small.
    fn table(&mut self, table: &mut TableCreateStatement) {
        self.dialect.compare_by_code_points(table, &self.server_version);
        self.tables.push(table.take());
    }

    /// A table whose rows are best kept in the order of their key.
    fn table_in_key_order(&mut self, table: &mut TableCreateStatement) {
        self.dialect.keep_in_key_order(table);
        self.table(table);
    }

    /// A column that is added to a table. It may be null or has a default: older nodes do not write it.
    fn column(&mut self, table: &'static str, column: &mut ColumnDef) {
        self.columns.push(Table::alter().table(table).add_column(column.take()).take());
    }

    /// An index.
    fn index(&mut self, index: &mut IndexCreateStatement) {
        self.indexes.push(index.take());
    }
}

/// Runs the migrations that the database has not seen yet. Processes that start together do so
/// one after the other, and nodes of the version before may go on selling meanwhile.
pub(crate) async fn migrate(writer: &DatabaseConnection, dialect: Dialect) -> Result<(), StoreError> {
    // Nothing is locked, or written, in a database that is up to date.
    if let Ok(seen) = applied(writer).await
        && is_done(&seen)?
    {
        return Ok(());
    }
    let transaction = writer.begin_with_options(dialect.write_transaction()).await.map_err(store_error)?;
    if let Some(lock) = dialect.lock_migrations() {
        let locked = transaction.query_one_raw(dialect.statement(lock, [])).await.map_err(store_error)?;
        let locked: Option<i32> = locked.and_then(|row| row.try_get_by_index(0).ok()).flatten();
        if locked != Some(1) {
            let reason = "another process has been migrating the database for ten minutes";
            return Err(StoreError::Unavailable(reason.to_owned()));
        }
    }
    transaction.execute(&migrations_table()).await.map_err(store_error)?;
    // Another process may have been faster.
    let seen = applied(&transaction).await?;
    if !is_done(&seen)? {
        run_missing(&transaction, dialect, seen.len()).await?;
    }
    // Some databases commit each change of a table by itself. Then a crash leaves a step half
    // done, and the next start does it again: what is there already is passed over.
    if let Some(unlock) = dialect.unlock_migrations() {
        transaction.query_one_raw(dialect.statement(unlock, [])).await.map_err(store_error)?;
    }
    transaction.commit().await.map_err(store_error)
}

fn migrations_table() -> TableCreateStatement {
    Table::create()
        .table("schema_migrations")
        .if_not_exists()
        .col(ColumnDef::new("number").integer().not_null().primary_key())
        .col(ColumnDef::new("name").string().not_null())
        .col(ColumnDef::new("kind").string_len(16).not_null().default(Kind::EXPAND))
        .take()
}

async fn run_missing(
    transaction: &DatabaseTransaction,
    dialect: Dialect,
    seen: usize,
) -> Result<(), StoreError> {
    let server_version = dialect.server_version(transaction).await?;
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(seen) {
        let mut schema = Schema {
            dialect,
            server_version: server_version.clone(),
            tables: Vec::new(),
            columns: Vec::new(),
            indexes: Vec::new(),
        };
        (migration.schema)(&mut schema);
        run(transaction, &mut schema).await?;
        let insert = Query::insert()
            .into_table("schema_migrations")
            .columns(["number", "name", "kind"])
            .values_panic([
                Expr::val(index as i32 + 1),
                Expr::val(migration.name),
                Expr::val(migration.kind.name()),
            ])
            .take();
        transaction.execute(&insert).await.map_err(store_error)?;
        tracing::info!(number = index + 1, name = migration.name, "migrated the database");
    }
    Ok(())
}

async fn run(connection: &impl ConnectionTrait, schema: &mut Schema) -> Result<(), StoreError> {
    for table in &mut schema.tables {
        connection.execute(table.if_not_exists()).await.map_err(store_error)?;
    }
    for column in &schema.columns {
        match connection.execute(column).await {
            Err(error) if is_existing(&error) => {}
            made => made.map(drop).map_err(store_error)?,
        }
    }
    for index in &schema.indexes {
        match connection.execute(index).await {
            Err(error) if is_existing(&error) => {}
            made => made.map(drop).map_err(store_error)?,
        }
    }
    Ok(())
}

/// The kinds of the migrations that the database has seen, the first one first.
async fn applied(connection: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let select =
        Query::select().column("kind").from("schema_migrations").order_by("number", Order::Asc).take();
    let rows = connection.query_all(&select).await.map_err(store_error)?;
    rows.iter().map(|row| row.try_get_by_index(0).map_err(store_error)).collect()
}

/// Whether there is nothing left to do. Fails if a newer version has done more than this one can
/// live with.
fn is_done(seen: &[String]) -> Result<bool, StoreError> {
    let newer = seen.get(MIGRATIONS.len()..).unwrap_or_default();
    if newer.iter().any(|kind| kind != Kind::EXPAND) {
        return Err(broken(format!(
            "a newer version of Onsale has migrated this database to step {}; this one knows {}",
            seen.len(),
            MIGRATIONS.len()
        )));
    }
    Ok(seen.len() >= MIGRATIONS.len())
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
