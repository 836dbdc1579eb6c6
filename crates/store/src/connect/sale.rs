//! A connection that a lane keeps for itself: what it takes to write a batch in few trips.
//!
//! A connection that goes back to its pool is asked first whether it is still good, which is a trip for
//! every batch; and what the driver calls a transaction is a trip to begin and one to end.

use sea_orm::{
    DatabaseConnection, DbErr, QueryResult, RuntimeErr,
    sqlx::{
        AssertSqlSafe, Executor, MySql, Postgres, Row, Sqlite, mysql::MySqlArguments, pool::PoolConnection,
        postgres::PgArguments, query, query::Query, sqlite::SqliteArguments,
    },
};
use tokio::runtime::Handle;

use crate::{
    dialect::Dialect,
    sales::{Batch, Column, Parameter},
};

/// A connection of the sale's pool.
pub(crate) enum SaleConnection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
    MySql(PoolConnection<MySql>),
}

impl SaleConnection {
    /// Takes one out of the pool.
    pub(crate) async fn acquire(pool: &DatabaseConnection, dialect: Dialect) -> Result<Self, DbErr> {
        let acquired = match dialect {
            Dialect::Sqlite => pool.get_sqlite_connection_pool().acquire().await.map(Self::Sqlite),
            Dialect::Postgres => pool.get_postgres_connection_pool().acquire().await.map(Self::Postgres),
            Dialect::MySql => pool.get_mysql_connection_pool().acquire().await.map(Self::MySql),
        };
        acquired.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
    }

    /// Carries out statements without parameters; how many rows they wrote.
    pub(crate) async fn run(&mut self, text: &str) -> Result<u64, DbErr> {
        let sql = sql(text);
        Ok(match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map_err(failed)?.rows_affected(),
            Self::Postgres(connection) => connection.execute(sql).await.map_err(failed)?.rows_affected(),
            Self::MySql(connection) => connection.execute(sql).await.map_err(failed)?.rows_affected(),
        })
    }

    /// Carries out statements that read; their rows.
    pub(crate) async fn query(&mut self, text: &str, batches: Vec<Batch>) -> Result<Vec<QueryResult>, DbErr> {
        fn rows<R: Into<QueryResult>>(rows: Vec<R>) -> Vec<QueryResult> {
            rows.into_iter().map(Into::into).collect()
        }
        Ok(match self {
            Self::Sqlite(connection) => {
                rows(on_sqlite(text, batches).fetch_all(&mut **connection).await.map_err(failed)?)
            }
            Self::Postgres(connection) => {
                rows(on_postgres(text, batches).fetch_all(&mut **connection).await.map_err(failed)?)
            }
            Self::MySql(connection) => {
                rows(on_mysql(text, batches).fetch_all(&mut **connection).await.map_err(failed)?)
            }
        })
    }

    /// Carries out statements that write, packed as the dialect packs them; how many rows they wrote.
    pub(crate) async fn write(&mut self, text: &str, batches: Vec<Batch>) -> Result<u64, DbErr> {
        match self {
            Self::Sqlite(connection) => {
                let done = on_sqlite(text, batches).execute(&mut **connection).await;
                Ok(done.map_err(failed)?.rows_affected())
            }
            Self::Postgres(connection) => {
                let counted =
                    on_postgres(text, batches).fetch_one(&mut **connection).await.map_err(failed)?;
                Ok(counted.try_get::<i64, _>(0).map_err(failed)?.unsigned_abs())
            }
            Self::MySql(_) => self.run(text).await,
        }
    }

    /// Undoes the transaction that it is in, in the background, and gives it back. What cannot be undone ends
    /// with its connection.
    pub(crate) fn roll_back(mut self) {
        let Ok(runtime) = Handle::try_current() else { return self.close_on_drop() };
        runtime.spawn(async move {
            if self.run("ROLLBACK").await.is_err() {
                self.close_on_drop();
            }
        });
    }

    /// Closes it when it is dropped, instead of giving it back: it may be in a transaction.
    pub(crate) fn close_on_drop(&mut self) {
        match self {
            Self::Sqlite(connection) => connection.close_on_drop(),
            Self::Postgres(connection) => connection.close_on_drop(),
            Self::MySql(connection) => connection.close_on_drop(),
        }
    }
}

fn failed(error: sea_orm::sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn on_sqlite(text: &str, batches: Vec<Batch>) -> Query<'static, Sqlite, SqliteArguments> {
    parameters(batches).fold(query(sql(text)), |query, parameter| match parameter {
        Parameter::Integer(value) => query.bind(value),
        Parameter::Text(value) => query.bind(value),
        Parameter::Column(_) => unreachable!("SQLite has no arrays"),
    })
}

fn on_mysql(text: &str, batches: Vec<Batch>) -> Query<'static, MySql, MySqlArguments> {
    parameters(batches).fold(query(sql(text)), |query, parameter| match parameter {
        Parameter::Integer(value) => query.bind(value),
        Parameter::Text(value) => query.bind(value),
        Parameter::Column(_) => unreachable!("MySQL has no arrays"),
    })
}

fn on_postgres(text: &str, batches: Vec<Batch>) -> Query<'static, Postgres, PgArguments> {
    parameters(batches).fold(query(sql(text)), |query, parameter| match parameter {
        Parameter::Integer(value) => query.bind(value),
        Parameter::Text(value) => query.bind(value),
        Parameter::Column(Column::Integers(values)) => query.bind(values),
        Parameter::Column(Column::Numbers(values)) => query.bind(values),
        Parameter::Column(Column::Uuids(values)) => query.bind(values),
        Parameter::Column(Column::Texts(values)) => query.bind(values),
    })
}

fn parameters(batches: Vec<Batch>) -> impl Iterator<Item = Parameter> {
    batches.into_iter().flat_map(Batch::into_parameters)
}

/// The texts are ours: nothing of a request is in them but numbers, and literals that end nowhere early.
fn sql(text: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(text.to_owned())
}
