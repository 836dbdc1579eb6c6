//! Connecting to PostgreSQL.

use onsale_engine::ports::StoreError;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection,
    sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions, query_scalar},
};

use super::{
    Pools, cannot_connect, not_an_address,
    reason::{Place, reason},
    server_pools,
};
use crate::{StoreOptions, dialect::Dialect};

/// The parameters of a URL that the driver knows.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

pub(super) async fn connect(url: &str, options: &StoreOptions) -> Result<Pools, StoreError> {
    let (url, unknown) = &with_known_parameters(url);
    for parameter in unknown {
        tracing::warn!(parameter, "database.url: this parameter is not known and passed over");
    }
    let [mut sale, mut writer, mut readers] = server_pools(url, options);
    writes(&mut sale, options);
    writes(&mut writer, options);
    leaves_standbys(&mut writer);
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
    let server: PgConnectOptions = url.parse().map_err(not_an_address)?;
    let place = Place {
        dialect: Dialect::Postgres,
        host: server.get_host().to_owned(),
        port: server.get_port(),
        user: server.get_username().to_owned(),
        database: server.get_database().map(str::to_owned),
    };
    Err(reason(failed, &place, options, PgConnection::connect_with(&server)).await)
}

fn writes(pool: &mut ConnectOptions, options: &StoreOptions) {
    let lock_timeout = options.patience.as_millis().to_string();
    pool.map_sqlx_postgres_opts(move |postgres| {
        postgres.options([
            ("default_transaction_isolation", "read committed"),
            // One plan for good, made for a few rows looked up by key. A plan made by cost while
            // a table is small scans it, and is kept when it has grown.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_memoize", "off"),
            ("jit", "off"),
            ("lock_timeout", lock_timeout.as_str()),
            // A node that vanished in the middle of a batch holds its locks no longer than this.
            ("idle_in_transaction_session_timeout", "10000"),
        ])
    });
}

/// Closes connections to a server that has become a standby, instead of using them again: it would answer
/// each statement that writes with an error for ever. Asked in place of whether they are good.
fn leaves_standbys(pool: &mut ConnectOptions) {
    pool.test_before_acquire(false).map_sqlx_postgres_pool_opts(|pool| {
        pool.before_acquire(|connection, _| {
            Box::pin(async move {
                let asked = query_scalar::<_, String>("SHOW transaction_read_only");
                Ok(asked.fetch_one(connection).await? == "off")
            })
        })
    });
}

pub(super) async fn connect_replica(
    url: &str,
    options: &StoreOptions,
) -> Result<DatabaseConnection, StoreError> {
    let [_, _, mut readers] = server_pools(&with_known_parameters(url).0, options);
    read_only(&mut readers);
    readers.connect_lazy(true);
    Database::connect(readers).await.map_err(cannot_connect)
}

pub(super) fn address(url: &str) -> Result<String, StoreError> {
    let options: PgConnectOptions = with_known_parameters(url).0.parse().map_err(not_an_address)?;
    Ok(format!("{}:{}", options.get_host(), options.get_port()))
}

/// A URL without the parameters that the driver does not know, and their names. It would tell of them itself,
/// with their values, and the value of `passwrod` is a password.
fn with_known_parameters(url: &str) -> (String, Vec<&str>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), Vec::new()) };
    // A name without a value may be a part of somebody's password.
    let name = |pair: &'_ str| pair.find('=').unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let (known, unknown): (Vec<_>, Vec<_>) = pairs.partition(|pair| {
        let name = &pair[..name(pair)];
        PARAMETERS.contains(&name) || name.starts_with("options[")
    });
    let query = if known.is_empty() { String::new() } else { format!("?{}", known.join("&")) };
    (format!("{place}{query}"), unknown.into_iter().map(|pair| &pair[..name(pair)]).collect())
}

fn read_only(connect: &mut ConnectOptions) {
    connect.map_sqlx_postgres_opts(|postgres| {
        postgres.options([
            ("default_transaction_isolation", "repeatable read"),
            ("default_transaction_read_only", "on"),
            ("jit", "off"),
        ])
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_not_shown_what_it_would_repeat() {
        let url = "postgres://ann@db/x?sslmode=require&passwrod=hunter2&options[a]=b&hunter2";
        let known = "postgres://ann@db/x?sslmode=require&options[a]=b".to_owned();
        assert_eq!(with_known_parameters(url), (known, vec!["passwrod", ""]));
        for url in ["postgres://ann:p@db/x", "postgres://ann:p@db/x?user=a&password=b"] {
            assert_eq!(with_known_parameters(url), (url.to_owned(), vec![]));
        }
    }
}
