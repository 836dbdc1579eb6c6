//! Copying an embedded database while a server sells from it.

use std::{
    fs::{self, OpenOptions},
    path::Path,
    time::Duration,
};

use onsale_engine::ports::StoreError;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

use crate::{connect, dialect::Dialect, error::store_error};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Writes the embedded database at `url`, as of one moment, into the file `to`, which must not be there
/// yet. A server may go on selling: it is read in one transaction, so the copy has all that was committed
/// before the moment and nothing of what came after. `progress` hears of bytes written and of about how
/// many there will be. The file is not synced.
///
/// # Errors
/// [`StoreError::Rejected`] if the database is a server's, whose own tools do this;
/// [`StoreError::Unavailable`] or [`StoreError::Broken`] if it cannot be read, or the file not written.
pub async fn copy_embedded(url: &str, to: &Path, progress: impl Fn(u64, u64)) -> Result<(), StoreError> {
    let dialect = Dialect::of_url(url)?;
    if dialect != Dialect::Sqlite {
        return Err(StoreError::Rejected(format!(
            "this database is on a server, which has tools of its own for it ({}); docs/backup.md says how",
            if dialect == Dialect::Postgres {
                "pg_dump, or a base backup"
            } else {
                "mariadb-dump, or mariabackup"
            },
        )));
    }
    let Some(target) = to.to_str() else {
        return Err(StoreError::Rejected(format!("the path is not UTF-8: {}", to.display())));
    };
    make_private(to).map_err(|error| cannot_write(to, &error))?;
    let database = Database::connect(connect::copier(url).await?).await.map_err(store_error)?;
    let copied = copy(&database, to, target, progress).await;
    let closed = database.close().await.map_err(store_error);
    copied.and(closed)
}

async fn copy(
    database: &DatabaseConnection,
    to: &Path,
    target: &str,
    progress: impl Fn(u64, u64),
) -> Result<(), StoreError> {
    let total = bytes_of(database).await?;
    let copying = database.execute_raw(Dialect::Sqlite.statement("VACUUM INTO ?", [target.into()]));
    tokio::pin!(copying);
    let mut ticks = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            copied = &mut copying => return copied.map(drop).map_err(store_error),
            _ = ticks.tick() => progress(fs::metadata(to).map_or(0, |file| file.len()), total),
        }
    }
}

/// An empty file that only its owner reads.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot write {}: {error}", path.display()))
}

/// The size of the database's file.
async fn bytes_of(database: &DatabaseConnection) -> Result<u64, StoreError> {
    let asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    let row = database.query_one_raw(Dialect::Sqlite.statement(asked, [])).await.map_err(store_error)?;
    let bytes: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0)).map_err(store_error)?;
    Ok(bytes.unsigned_abs())
}
