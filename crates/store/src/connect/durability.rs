//! Would the server lose what was answered? Said once, when the database is opened.

use sea_orm::{ConnectionTrait, DbErr};

use crate::dialect::Dialect;

/// A setting with which a commit that was answered may be lost in a crash or a power cut.
struct Risk {
    /// What the server calls the setting.
    setting: &'static str,
    /// With which values nothing is lost.
    safe: &'static [&'static str],
    /// What to do.
    advice: &'static str,
}

const POSTGRES: (&str, &[Risk]) = (
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')",
    &[
        Risk { setting: "fsync", safe: &["on"], advice: "set it to on in postgresql.conf" },
        Risk {
            setting: "synchronous_commit",
            safe: &["on", "local", "remote_write", "remote_apply"],
            advice: "set it to on, for the server or for Onsale's role",
        },
        Risk {
            setting: "full_page_writes",
            safe: &["on"],
            advice: "set it to on, unless the file system never tears a page",
        },
    ],
);

const MYSQL: (&str, &[Risk]) = (
    "SELECT 'innodb_flush_log_at_trx_commit', CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS CHAR)
     UNION ALL SELECT 'sync_binlog', CAST(IF(@@GLOBAL.log_bin, @@GLOBAL.sync_binlog, 1) AS CHAR)",
    &[
        Risk { setting: "innodb_flush_log_at_trx_commit", safe: &["1"], advice: "set it to 1" },
        Risk { setting: "sync_binlog", safe: &["1"], advice: "set it to 1, or switch the binary log off" },
    ],
);

/// Warns of settings with which the server may lose what it has answered. One that cannot be asked
/// is believed to be safe: not all that speak a dialect have its settings.
pub(crate) async fn warn_of_risks(connection: &impl ConnectionTrait, dialect: Dialect) {
    let (sql, risks) = match dialect {
        // We set what matters ourselves.
        Dialect::Sqlite => return,
        Dialect::Postgres => POSTGRES,
        Dialect::MySql => MYSQL,
    };
    match settings(connection, dialect, sql).await {
        Ok(settings) => risks.iter().for_each(|risk| risk.warn(&settings)),
        Err(error) => tracing::debug!(%error, "the database does not say how it keeps what it commits"),
    }
}

/// The rows of a query that gives names and values.
pub(super) async fn settings(
    connection: &impl ConnectionTrait,
    dialect: Dialect,
    sql: &str,
) -> Result<Vec<(String, String)>, DbErr> {
    let rows = connection.query_all_raw(dialect.statement(sql, [])).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

impl Risk {
    fn warn(&self, settings: &[(String, String)]) {
        for (_, value) in settings.iter().filter(|(name, _)| name == self.setting) {
            if !self.safe.contains(&value.as_str()) {
                tracing::warn!(
                    "the database may lose orders and payments that were confirmed, when it crashes or its \
                     power fails: its setting {} is {value}; {}",
                    self.setting,
                    self.advice
                );
            }
        }
    }
}
