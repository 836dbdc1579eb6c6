//! Whether the files of an embedded database are still where they were.
//!
//! A file that is removed or replaced stays open: commits go on into what nobody will ever find again, and
//! nothing fails. So it is asked after every commit of the sale, before anybody is answered, and four
//! times a second besides.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use onsale_engine::ports::{CommitError, StoreError};

/// The files of an embedded database, as they were when it was opened.
pub(crate) struct Files {
    /// They were missing when they were looked for last.
    are_missing: AtomicBool,
    #[cfg(unix)]
    files: Vec<(std::path::PathBuf, (u64, u64))>,
}

#[cfg(unix)]
impl Files {
    /// Notes the database's file, its log and the index of that, as they are.
    pub(super) fn note(path: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            std::path::PathBuf::from(name)
        };
        let paths = [path.to_owned(), beside("-wal"), beside("-shm")];
        let files = paths.into_iter().filter_map(|path| Some((path.clone(), identity(&path)?)));
        Self { are_missing: AtomicBool::new(false), files: files.collect() }
    }

    /// A description of the first file that is not where it was. `None` if all are there.
    pub(crate) fn missing(&self) -> Option<String> {
        let missing = self.first_missing(self.files.len());
        self.are_missing.store(missing.is_some(), Ordering::Relaxed);
        missing
    }

    fn first_missing(&self, of: usize) -> Option<String> {
        self.files.iter().take(of).find_map(|(path, before)| match identity(path) {
            Some(now) if now == *before => None,
            Some(_) => Some(format!("{} has been replaced", file_name(path))),
            None => Some(format!("{} has been removed", file_name(path))),
        })
    }

    /// As [`Files::missing`], of what a commit is in: the file and its log.
    fn log_missing(&self) -> Option<String> {
        let missing = self.first_missing(2);
        if missing.is_some() {
            self.are_missing.store(true, Ordering::Relaxed);
        }
        missing
    }

    /// When the log was written last, and its length.
    pub(super) fn log_written(&self) -> Option<(std::time::SystemTime, u64)> {
        let (log, _) = self.files.get(1)?;
        let file = std::fs::metadata(log).ok()?;
        Some((file.modified().ok()?, file.len()))
    }

    /// Why nothing can be written where they are: their disk is full or read-only.
    pub(super) fn no_room(&self) -> Option<String> {
        let (path, _) = self.files.first()?;
        let disk = rustix::fs::statvfs(path).ok()?;
        if disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
            return Some("its disk is read-only".to_owned());
        }
        let free = disk.f_bfree.saturating_mul(disk.f_frsize);
        (free < FREE_BYTES_MIN).then(|| "its disk is full".to_owned())
    }
}

/// A disk with less is full.
#[cfg(unix)]
const FREE_BYTES_MIN: u64 = 64 * 1_024;

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

#[cfg(unix)]
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
impl Files {
    pub(super) fn note(_: &Path) -> Self {
        Self { are_missing: AtomicBool::new(false) }
    }

    pub(crate) fn missing(&self) -> Option<String> {
        None
    }

    fn log_missing(&self) -> Option<String> {
        None
    }

    pub(super) fn log_written(&self) -> Option<(std::time::SystemTime, u64)> {
        None
    }

    pub(super) fn no_room(&self) -> Option<String> {
        None
    }
}

impl Files {
    /// Before something is written.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        // Looked for again only where they were missing: this is done before every batch.
        if !self.are_missing.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.missing().map_or(Ok(()), |why| Err(StoreError::Rejected(of_the_database(&why))))
    }

    /// After a commit: whether it is in files that can be found again.
    pub(crate) fn check_commit(&self) -> Result<(), CommitError> {
        self.log_missing().map_or(Ok(()), |why| Err(CommitError::Unknown(of_the_database(&why))))
    }
}

fn of_the_database(why: &str) -> String {
    format!("the database's file is not where it was: {why}")
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_are_removed_replaced_or_put_back_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onsale.db");
        for ending in ["", "-wal", "-shm"] {
            fs::write(folder.path().join(format!("onsale.db{ending}")), "x").unwrap();
        }
        let files = Files::note(&path);
        assert_eq!(files.missing(), None);
        assert_eq!(files.no_room(), None);
        let aside = folder.path().join("aside");
        for name in ["onsale.db", "onsale.db-wal", "onsale.db-shm"] {
            let path = folder.path().join(name);
            fs::rename(&path, &aside).unwrap();
            assert_eq!(files.missing(), Some(format!("{name} has been removed")));
            fs::write(&path, "another").unwrap();
            assert_eq!(files.missing(), Some(format!("{name} has been replaced")));
            fs::rename(&aside, &path).unwrap();
            assert_eq!(files.missing(), None, "it is back");
        }
    }
}
