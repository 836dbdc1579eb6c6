//! How much is sent to a database at once.
//!
//! The driver (sqlx 0.9.0) leaves Nagle's algorithm on, by which the rest of a message that takes more than one
//! packet, or more than one record of TLS, waits until the server has acknowledged its beginning: up to 40 ms
//! (sqlx issue 4335; fixed since, not yet released). So no message is longer than that.

use sea_orm::ConnectionTrait;

use super::durability::settings;
use crate::dialect::Dialect;

/// Less than a packet on the loopback takes, with room for what stands around the rows.
const PACKET: usize = 64_000;

/// Less than a record of TLS takes.
const TLS_RECORD: usize = 14_000;

/// How many bytes of batches go into one message at the most. A server that does not say whether the
/// connection has TLS is taken for one without.
pub(crate) async fn message_bytes_max(connection: &impl ConnectionTrait, dialect: Dialect) -> usize {
    let sql = match dialect {
        // There are no messages.
        Dialect::Sqlite => return usize::MAX,
        Dialect::Postgres => "SELECT 'ssl', version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
        Dialect::MySql => "SHOW SESSION STATUS WHERE Variable_name = 'Ssl_cipher' AND Value <> ''",
    };
    match settings(connection, dialect, sql).await {
        Ok(tls) if tls.is_empty() => PACKET,
        Ok(_) => TLS_RECORD,
        Err(error) => {
            tracing::debug!(%error, "the database does not say whether the connection has TLS");
            PACKET
        }
    }
}
