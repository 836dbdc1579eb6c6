//! Files and folders that survive a power cut, and that only their owner may read.
//!
//! # Names
//! The contents of a file are on disk once the file has been synced. That there *is* such a file is written in
//! the folder that names it, and is on disk once that folder has been synced; the folder's own name is in
//! its parent. Every function here that makes a name returns when the name is on disk, so whatever is
//! answered afterwards survives a power cut.
//!
//! # After a crash
//! A process that is killed leaves in the page cache what it has written and not synced. The next process
//! reads it as if it were on disk. So whoever goes on where another process stopped calls [`settle`] on
//! the files first, and only then reads and answers.
//!
//! # Modes
//! Folders are made with mode 0700 and files with 0600, less what the umask takes away. A file that
//! everybody may read or write is taken back to 0600 by [`restrict`]; one that is open to its group alone
//! is so on purpose, and stays.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The mode of files: their owner reads and writes.
const FILE_MODE: u32 = 0o600;

/// The mode of folders: their owner lists and enters.
const FOLDER_MODE: u32 = 0o700;

/// The bits of a mode that say what everybody may do.
#[cfg(unix)]
const EVERYBODY: u32 = 0o007;

/// Whether a name that is there already is given to the new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfThere {
    /// The new file takes the name over.
    Replace,
    /// The name stays where it is, which is told as [`ErrorKind::AlreadyExists`].
    Keep,
}

/// Makes a folder, and those above it that are missing. One that is there stays as it is; its name is on
/// disk, too, when this returns, as far as the folder above may be opened.
///
/// # Errors
/// If it cannot be made, is something else, or its name cannot be synced.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        // Perhaps made by a process that was killed before it could sync the name.
        return match sync_folder(&folder_of(path)) {
            // A folder that may not be read is somebody else's to look after, and so is what it names.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        };
    }
    let parent = folder_of(path);
    if parent != path {
        create_folder(&parent)?;
    }
    let mut folder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, FOLDER_MODE);
    match folder.create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        created => created?,
    }
    sync_folder(&parent)
}

/// Opens a file to read and write, which is made if there is none. Its bytes and its name are on disk when
/// this returns, whoever wrote them.
///
/// # Errors
/// If it cannot be made, opened or synced.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let file = private().read(true).write(true).create(true).truncate(false).open(path)?;
    file.sync_all()?;
    sync_folder(&folder_of(path))?;
    Ok(file)
}

/// Makes an empty file, unless there is one.
///
/// It does not open one that is there: to close a file lets go of all locks that the process has on it.
///
/// # Errors
/// If it cannot be made, or its name not be synced.
pub fn create_empty(path: &Path) -> io::Result<()> {
    match private().write(true).create_new(true).open(path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    sync_folder(&folder_of(path))
}

/// Writes a new file under the name `aside`, which nobody has, and gives it its own name, in the same
/// folder, once all of it is on disk: whoever finds the name finds the whole file.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if `aside` is taken, or `path` is and stays; whatever keeps it from being
/// written. Nothing is left under `aside` then, unless it was taken.
pub fn write_whole(path: &Path, aside: &Path, bytes: &[u8], if_there: IfThere) -> io::Result<()> {
    let mut file = private().write(true).create_new(true).open(aside)?;
    let named = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| match if_there {
        IfThere::Replace => fs::rename(aside, path),
        IfThere::Keep => fs::hard_link(aside, path),
    });
    if named.is_err() || if_there == IfThere::Keep {
        // The first error is the one to tell.
        let _ = fs::remove_file(aside);
    }
    named?;
    sync_folder(&folder_of(path))
}

/// Puts on disk what another process may have written to a file before it was killed, and the file's name.
/// A file that is not there has nothing to be put there.
///
/// It opens and closes the file, which lets go of all locks that this process has on it: so before the
/// file is used, not while it is.
///
/// # Errors
/// If the file or its folder cannot be synced.
pub fn settle(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    sync_folder(&folder_of(path))
}

/// Puts the names in a folder on disk: those that were made, changed and removed. File systems that
/// cannot sync a folder are taken to look after names themselves.
///
/// # Errors
/// If the folder cannot be opened or synced.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Takes a file that everybody may read or write back to its owner alone; whether it was so. A file that
/// is not there, or open to no more than its group, is left alone.
///
/// # Errors
/// If the mode cannot be read or changed, as where the file is another user's.
pub fn restrict(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = match fs::metadata(path) {
            Ok(metadata) => metadata.permissions().mode(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if mode & EVERYBODY == 0 {
            return Ok(false);
        }
        fs::set_permissions(path, fs::Permissions::from_mode(FILE_MODE))?;
        Ok(true)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(false)
    }
}

/// The folder that names a file or folder.
#[must_use]
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options
}
