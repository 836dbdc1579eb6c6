//! A connection that a lane keeps for itself: what it takes to write a batch in few trips.
//!
//! A connection that goes back to its pool is asked first whether it is still good, which is a trip for
//! every batch; and what the driver calls a transaction is a trip to begin and one to end.

use sea_orm::{
    DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{AssertSqlSafe, Executor, MySql, Postgres, Row, Sqlite, pool::PoolConnection, query},
};

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
        let sql = AssertSqlSafe(text.to_owned());
        Ok(match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map_err(failed)?.rows_affected(),
            Self::Postgres(connection) => connection.execute(sql).await.map_err(failed)?.rows_affected(),
            Self::MySql(connection) => connection.execute(sql).await.map_err(failed)?.rows_affected(),
        })
    }

    /// Carries out statements that write, packed as the dialect packs them. How many rows they wrote,
    /// where that is told.
    pub(crate) async fn write(&mut self, text: &str, batches: Vec<Batch>) -> Result<u64, DbErr> {
        let sql = AssertSqlSafe(text.to_owned());
        let parameters = batches.into_iter().flat_map(Batch::into_parameters);
        match self {
            Self::Sqlite(connection) => {
                let query = parameters.fold(query(sql), |query, parameter| match parameter {
                    Parameter::Integer(value) => query.bind(value),
                    Parameter::Text(value) => query.bind(value),
                    Parameter::Column(_) => unreachable!("SQLite has no arrays"),
                });
                Ok(query.execute(&mut **connection).await.map_err(failed)?.rows_affected())
            }
            Self::Postgres(connection) => {
                let query = parameters.fold(query(sql), |query, parameter| match parameter {
                    Parameter::Integer(value) => query.bind(value),
                    Parameter::Text(value) => query.bind(value),
                    Parameter::Column(Column::Integers(values)) => query.bind(values),
                    Parameter::Column(Column::Numbers(values)) => query.bind(values),
                    Parameter::Column(Column::Uuids(values)) => query.bind(values),
                    Parameter::Column(Column::Texts(values)) => query.bind(values),
                });
                let counted = query.fetch_one(&mut **connection).await.map_err(failed)?;
                Ok(counted.try_get::<i64, _>(0).map_err(failed)?.unsigned_abs())
            }
            Self::MySql(_) => self.run(text).await,
        }
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
