//! Can the database keep every text? Asked when it is opened.

use onsale_engine::ports::StoreError;
use sea_orm::ConnectionTrait;

use crate::{dialect::Dialect, error::store_error};

/// Refuses a database that cannot keep all of Unicode.
///
/// PostgreSQL fixes a database's encoding when it is made. On MariaDB and MySQL our tables and sessions say
/// theirs, whatever the database's is; SQLite knows no other than Unicode.
pub(crate) async fn refuse_other_charsets(
    connection: &impl ConnectionTrait,
    dialect: Dialect,
) -> Result<(), StoreError> {
    if dialect != Dialect::Postgres {
        return Ok(());
    }
    let asked = dialect.statement("SELECT current_setting('server_encoding'), current_database()::text", []);
    let row = connection.query_one_raw(asked).await.map_err(store_error)?;
    let Some(row) = row else { return Ok(()) };
    let text = |index| row.try_get_by_index::<String>(index).map_err(store_error);
    let (encoding, name) = (text(0)?, text(1)?);
    // As CockroachDB writes it, too.
    if encoding.to_ascii_uppercase().replace('-', "") == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Rejected(format!(
        "the database `{name}` is encoded in {encoding}, which cannot keep every text; make one in UTF-8 \
         (`CREATE DATABASE {name} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`), and move what is \
         in this one with pg_dump and psql"
    )))
}
