//! Connecting to MariaDB or MySQL.

use onsale_engine::ports::StoreError;
use sea_orm::{Database, sqlx::Executor};

use super::{Pools, cannot_connect, server_pools};
use crate::StoreOptions;

pub(super) async fn connect(url: &str, options: &StoreOptions) -> Result<Pools, StoreError> {
    let url = url.replacen("mariadb:", "mysql:", 1);
    let [mut sale, mut writer, mut readers] = server_pools(&url, options);
    let patience_s = options.patience.as_secs().max(1);
    let writing = format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
         SET SESSION innodb_lock_wait_timeout = {patience_s}"
    );
    on_connect(&mut sale, writing.clone());
    on_connect(&mut writer, writing);
    on_connect(&mut readers, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ".to_owned());
    Ok(Pools {
        sale: Database::connect(sale).await.map_err(cannot_connect)?,
        writer: Database::connect(writer).await.map_err(cannot_connect)?,
        readers: Database::connect(readers).await.map_err(cannot_connect)?,
    })
}

/// Has a statement run by every new connection.
fn on_connect(connect: &mut sea_orm::ConnectOptions, sql: String) {
    let sql: &'static str = sql.leak();
    connect.map_sqlx_mysql_pool_opts(move |pool| {
        pool.after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(sql).await.map(drop) })
        })
    });
}
