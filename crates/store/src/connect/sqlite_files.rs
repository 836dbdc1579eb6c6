//! The files of a SQLite database, before and after SQLite opens them: whose they are, and what of them is
//! on disk.
//!
//! SQLite syncs what it writes itself, and the name of its log. What it does not do: after a crash it
//! reads the log that the dead process left, and takes for committed whatever is whole there, without
//! asking whether it has reached the disk. An order could then be shown that a power cut takes back.

use std::{
    io,
    path::{Path, PathBuf},
};

use onsale_engine::ports::StoreError;
use tokio::task::spawn_blocking;

/// The endings of files beside a database: its log, the log's index, and the journal that is
/// used until there is a log.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Makes the file, if there is none and `create` says so, for its owner alone, and puts on disk what a
/// process that died may have left in the page cache. The file itself is not synced here: that would
/// let go of the locks of whoever has it open in this process, and all that was committed is in the log
/// until the file has been synced.
///
/// # Errors
/// [`StoreError::Unavailable`] if a file cannot be made or synced.
pub(super) async fn prepare(path: &Path, create: bool) -> Result<(), StoreError> {
    on_files(path, move |path| {
        if create {
            onsale_files::create_empty(path)?;
        }
        restrict(path);
        for ending in BESIDE {
            let file = beside(path, ending);
            restrict(&file);
            // The index is made anew from the log.
            if ending != "-shm" {
                onsale_files::settle(&file)?;
            }
        }
        Ok(())
    })
    .await
}

/// Puts the names on disk that opening has made and removed.
///
/// # Errors
/// [`StoreError::Unavailable`] if the folder cannot be synced.
pub(super) async fn keep_names(path: &Path) -> Result<(), StoreError> {
    on_files(path, |path| onsale_files::sync_folder(&onsale_files::folder_of(path))).await
}

async fn on_files(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
) -> Result<(), StoreError> {
    let path = path.to_owned();
    let unavailable = |path: &Path, error: &dyn std::fmt::Display| {
        StoreError::Unavailable(format!("{}: {error}", path.display()))
    };
    let done = spawn_blocking(move || work(&path).map_err(|error| unavailable(&path, &error))).await;
    done.unwrap_or_else(|error| Err(StoreError::Broken(error.to_string())))
}

/// It holds password hashes and all orders.
fn restrict(path: &Path) {
    match onsale_files::restrict(path) {
        Ok(false) => {}
        Ok(true) => tracing::warn!(
            file = %path.display(),
            "everybody on this machine could read this file; now its owner alone can. To let a group read \
             it, give it mode 0640"
        ),
        Err(error) => tracing::warn!(
            file = %path.display(), %error,
            "everybody on this machine can read this file, and that cannot be changed"
        ),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut file = path.as_os_str().to_owned();
    file.push(ending);
    file.into()
}
