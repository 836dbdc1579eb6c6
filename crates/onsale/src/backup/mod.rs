//! `onsale backup` and `onsale restore`: everything that the embedded default keeps, in one file.
//!
//! A backup is a tar archive: the database as of one moment, the signing keys, the pictures, and last a
//! manifest with the digest of each. So a backup that was cut off has no manifest, and one that was
//! changed does not agree with it.

mod archive;
mod check;
mod create;
mod manifest;
mod restore;

pub(crate) use check::check;
pub(crate) use create::create;
pub(crate) use restore::restore;

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Has the processors do everything else first: a backup can wait, a sale cannot. To be called before the
/// process has threads, which inherit it.
pub(crate) fn yield_to_others() {
    #[cfg(unix)]
    let _ = rustix::process::nice(19);
}

/// A path beside another one, for what is not whole yet.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}-{}", std::process::id()));
    path.with_file_name(name)
}

/// Makes the names in a folder survive a power cut.
fn sync_folder(folder: &Path) -> Result<(), Failure> {
    onsale_files::sync_folder(folder).map_err(Failure::of(format!("cannot sync {}", folder.display())))
}
