//! Connecting to MariaDB or MySQL.

use onsale_engine::ports::StoreError;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection,
    sqlx::{Connection as _, Executor, MySqlConnection, mysql::MySqlConnectOptions, query_scalar},
};

use super::{
    Pools, cannot_connect, not_an_address,
    reason::{Place, reason},
    server_pools,
};
use crate::{StoreOptions, dialect::Dialect};

pub(super) async fn connect(url: &str, options: &StoreOptions) -> Result<Pools, StoreError> {
    let [mut sale, mut writer, mut readers] = server_pools(&as_mysql(url), options);
    let patience_s = options.patience.as_secs().max(1);
    let writing = format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
         SET SESSION innodb_lock_wait_timeout = {patience_s};
         SET SESSION lock_wait_timeout = {patience_s};
         SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')"
    );
    on_connect(&mut sale, writing.clone());
    on_connect(&mut writer, writing);
    leaves_replicas(&mut writer);
    read_only(&mut readers);
    Ok(Pools {
        sale: open(sale, url, options).await?,
        writer: open(writer, url, options).await?,
        readers: open(readers, url, options).await?,
        embedded: None,
    })
}

/// Opens a pool, or says why it cannot.
async fn open(
    pool: ConnectOptions,
    url: &str,
    options: &StoreOptions,
) -> Result<DatabaseConnection, StoreError> {
    let failed = match Database::connect(pool).await {
        Ok(pool) => return Ok(pool),
        Err(failed) => failed,
    };
    let server: MySqlConnectOptions = as_mysql(url).parse().map_err(not_an_address)?;
    let place = Place {
        dialect: Dialect::MySql,
        host: server.get_host().to_owned(),
        port: server.get_port(),
        user: server.get_username().to_owned(),
        database: server.get_database().map(str::to_owned),
    };
    Err(reason(failed, &place, options, MySqlConnection::connect_with(&server)).await)
}

pub(super) async fn connect_replica(
    url: &str,
    options: &StoreOptions,
) -> Result<DatabaseConnection, StoreError> {
    let [_, _, mut readers] = server_pools(&as_mysql(url), options);
    read_only(&mut readers);
    readers.connect_lazy(true);
    Database::connect(readers).await.map_err(cannot_connect)
}

pub(super) fn address(url: &str) -> Result<String, StoreError> {
    let options: MySqlConnectOptions = as_mysql(url).parse().map_err(not_an_address)?;
    Ok(format!("{}:{}", options.get_host(), options.get_port()))
}

/// Closes connections to a server that has become a replica, instead of using them again: it would answer
/// each statement that writes with an error for ever. Asked in place of whether they are good.
fn leaves_replicas(pool: &mut ConnectOptions) {
    pool.test_before_acquire(false).map_sqlx_mysql_pool_opts(|pool| {
        pool.before_acquire(|connection, _| {
            Box::pin(async move {
                let asked = query_scalar::<_, i64>("SELECT IF(@@global.read_only, 1, 0)");
                Ok(asked.fetch_one(connection).await? == 0)
            })
        })
    });
}

/// The only scheme that the driver knows.
fn as_mysql(url: &str) -> String {
    url.replacen("mariadb:", "mysql:", 1)
}

fn read_only(connect: &mut ConnectOptions) {
    on_connect(connect, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ".to_owned());
}

/// Has a statement run by every new connection. It talks in Unicode, whatever the URL says.
fn on_connect(connect: &mut ConnectOptions, sql: String) {
    connect.map_sqlx_mysql_opts(|mysql| mysql.charset("utf8mb4"));
    let sql: &'static str = sql.leak();
    connect.map_sqlx_mysql_pool_opts(move |pool| {
        pool.after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(sql).await.map(drop) })
        })
    });
}
