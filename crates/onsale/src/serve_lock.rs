//! The lock by which one process at a time serves an embedded database, however it was named.
//!
//! It is a file beside the database's, found through links, so that the data folder, a URL and another
//! spelling of the path lead to the same one. A second name for the database's file itself (a hard link)
//! leads elsewhere; therefore that file is locked, too. Commands beside a server take no lock: they write
//! by turns with it, as the database itself arranges.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use onsale_files::{create_empty, open_or_create};

use crate::{data_folder::DATABASE, failure::Failure};

/// The lock of the database in a data folder.
const IN_DATA_FOLDER: &str = "serve.lock";

/// Held by the one process that serves from a database's file. The operating system lets go of it when the
/// process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ServeLock {
    _beside: File,
    /// Open for as long as the process: to close it would let go of the locks that the database has on it.
    _database: Option<File>,
}

impl ServeLock {
    /// Makes sure that this is the only process that serves from the database in a file, which is made
    /// empty if there is none. What a process before this one has left of it in the page cache is on disk
    /// when this returns.
    pub(crate) fn take(database: &Path) -> Result<Self, Failure> {
        create_empty(database).map_err(cannot_lock(database))?;
        let beside = lock_beside(&fs::canonicalize(database).map_err(cannot_lock(database))?)?;
        let file = OpenOptions::new().read(true).write(true).open(database).map_err(cannot_lock(database))?;
        // Where files cannot be locked so, the lock beside it must do.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(is_served(database));
        }
        file.sync_all().map_err(cannot_lock(database))?;
        Ok(Self { _beside: beside, _database: Some(file) })
    }

    /// Keeps others from serving from the place of a database that is not there yet.
    pub(crate) fn reserve(database: &Path) -> Result<Self, Failure> {
        Ok(Self { _beside: lock_beside(database)?, _database: None })
    }
}

fn lock_beside(database: &Path) -> Result<File, Failure> {
    let path = lock_path(database);
    let file = open_or_create(&path).map_err(cannot_lock(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(is_served(database)),
        Err(TryLockError::Error(error)) => Err(cannot_lock(&path)(error)),
    }
}

fn cannot_lock(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    Failure::of(format!("cannot lock {}", path.display()))
}

fn is_served(database: &Path) -> Failure {
    Failure::Failed(format!(
        "another `onsale serve` is running on {}; stop it, or give this one a database of its own with --data \
         or database.url",
        database.display()
    ))
}

/// The lock's file for that of a database.
fn lock_path(database: &Path) -> PathBuf {
    let name = database.file_name().unwrap_or_default();
    if name == DATABASE {
        return database.with_file_name(IN_DATA_FOLDER);
    }
    let mut lock = name.to_owned();
    lock.push(".lock");
    database.with_file_name(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_served_by_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join(DATABASE);
        let lock = ServeLock::take(&database).unwrap();
        let other = folder.path().join("other.db");
        ServeLock::take(&other).expect("another database in the same folder");
        let mut names = vec![database.clone(), folder.path().join(".").join(DATABASE)];
        #[cfg(unix)]
        {
            let (link, second) = (folder.path().join("link"), folder.path().join("second.db"));
            std::os::unix::fs::symlink(&database, &link).unwrap();
            fs::hard_link(&database, &second).unwrap();
            names.extend([link, second]);
        }
        for name in &names {
            let refused = ServeLock::take(name).unwrap_err().to_string();
            assert!(refused.contains("another `onsale serve`"), "{}: {refused}", name.display());
        }
        drop(lock);
        ServeLock::take(&database).unwrap();
    }
}
