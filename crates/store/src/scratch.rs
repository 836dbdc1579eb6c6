//! A database of one's own for measurements, on the server or in the folder of another one.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use onsale_domain::money::Currency;
use onsale_engine::ports::StoreError;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::{
    StoreOptions,
    connect::{self, Pools, file_url, path_in},
    dialect::{Dialect, ServerDatabases},
    error::{broken, store_error},
};

/// An empty database that nobody else uses. It stays until [`ScratchDatabase::remove`].
pub struct ScratchDatabase {
    name: String,
    url: String,
    place: Place,
}

/// Where a database is made and removed.
enum Place {
    File(PathBuf),
    Server { dialect: Dialect, databases: ServerDatabases, url: String },
}

/// Without the URLs, which have passwords in them.
impl fmt::Debug for ScratchDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScratchDatabase").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ScratchDatabase {
    /// Makes an empty database beside the one at `url`, which is not touched: on the same server,
    /// or as a file in the same folder. `id` makes its name unique.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if the URL is not understood or the account may not create a
    /// database, [`StoreError::Unavailable`] if the server cannot be reached.
    pub async fn create(url: &str, id: Uuid) -> Result<Self, StoreError> {
        let name = format!("onsale_bench_{}", id.simple());
        let dialect = Dialect::of_url(url)?;
        let Some(databases) = dialect.server_databases() else {
            let path = path_in(url)?.with_file_name(format!("{name}.db"));
            return Ok(Self { name, url: file_url(&path)?, place: Place::File(path) });
        };
        let scratch_url = with_database(url, &name)?;
        let place = Place::Server { dialect, databases, url: url.to_owned() };
        let scratch = Self { name, url: scratch_url, place };
        run(dialect, url, &(databases.create)(&scratch.name)).await?.map_err(|error| {
            StoreError::Rejected(format!(
                "a database of its own is needed, so that yours is not touched, and cannot be created: {error}. \
                 Allow this account to create databases, or name another account or server"
            ))
        })?;
        match scratch.is_what_its_url_opens().await {
            Ok(true) => Ok(scratch),
            Ok(false) => {
                scratch.remove().await?;
                Err(StoreError::Rejected(
                    "the database must be named by the URL's path, not by its options".to_owned(),
                ))
            }
            Err(error) => {
                scratch.remove().await?;
                Err(error)
            }
        }
    }

    /// The URL to open it with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server, or the file's without the ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes it with everything in it. Whoever has it open loses it.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses.
    pub async fn remove(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::File(path) => remove_files(path).map_err(|error| {
                StoreError::Unavailable(format!("cannot remove {}: {error}", path.display()))
            }),
            Place::Server { dialect, databases, url } => {
                run(*dialect, url, &(databases.drop)(&self.name)).await?.map_err(|error| {
                    StoreError::Unavailable(format!("the database {} was not dropped: {error}", self.name))
                })
            }
        }
    }

    /// Options of a URL may name a database, too, and would win: that must not be the user's.
    async fn is_what_its_url_opens(&self) -> Result<bool, StoreError> {
        let Place::Server { dialect, databases, .. } = &self.place else { return Ok(true) };
        let pools = open(*dialect, &self.url).await?;
        let row = pools.writer.query_one_raw(dialect.statement(databases.current, [])).await;
        let row = row.map_err(store_error)?.ok_or_else(|| broken("the session has no database"))?;
        let current: String = row.try_get_by_index(0).map_err(store_error)?;
        close(pools).await?;
        Ok(current == self.name)
    }
}

/// The same server, another database.
fn with_database(url: &str, name: &str) -> Result<String, StoreError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| {
        StoreError::Rejected("a server's URL is `scheme://user:password@host:port/database`".to_owned())
    })?;
    let (rest, options) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let authority = rest.split('/').next().unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{options}"))
}

/// The database and its log, as far as they are there.
fn remove_files(path: &Path) -> io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Runs a statement outside any transaction. The outer error is that of connecting.
async fn run(dialect: Dialect, url: &str, sql: &str) -> Result<Result<(), sea_orm::DbErr>, StoreError> {
    let pools = open(dialect, url).await?;
    let done = pools.writer.execute_unprepared(sql).await.map(drop);
    close(pools).await?;
    Ok(done)
}

/// Connections for a moment; each is opened when it is first needed.
async fn open(dialect: Dialect, url: &str) -> Result<Pools, StoreError> {
    // The currency is of no consequence here.
    let options = StoreOptions { create: false, ..StoreOptions::new(Currency::KRW) };
    // Boxed: the compiler limits how deep futures of futures may go.
    Box::pin(connect::connect(dialect, url, &options)).await
}

async fn close(pools: Pools) -> Result<(), StoreError> {
    for pool in [pools.readers, pools.sale, pools.writer] {
        pool.close().await.map_err(store_error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_in_a_url_is_replaced() {
        let replaced = |url| with_database(url, "new").unwrap();
        assert_eq!(
            replaced("postgres://ann:p%2Fw@db:5433/shop?sslmode=disable"),
            "postgres://ann:p%2Fw@db:5433/new?sslmode=disable"
        );
        assert_eq!(replaced("mysql://root@localhost"), "mysql://root@localhost/new");
        assert_eq!(replaced("postgres:///shop?host=/run/db"), "postgres:///new?host=/run/db");
        assert!(with_database("postgres:shop", "new").is_err());
    }
}
