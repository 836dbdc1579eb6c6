//! The data folder: everything that the embedded default writes.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// The embedded database's file.
pub(crate) const DATABASE: &str = "onsale.db";
/// The folder of pictures.
pub(crate) const MEDIA: &str = "media";
const LOCK: &str = "serve.lock";
/// The file of the key that signs access tokens.
pub(crate) const SIGNING_KEY: &str = "signing.key";
const SIGNING_KEY_BYTES: usize = 32;

/// The data folder.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// Held by the one process that serves from a folder.
#[derive(Debug)]
pub(crate) struct ServeLock {
    _file: File,
}

impl DataFolder {
    /// The folder, which must exist.
    pub(crate) fn existing(path: &Path) -> Result<Self, Failure> {
        if !path.is_dir() {
            return Err(Failure::Failed(format!("there is no data folder {}", path.display())));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// The folder, made if there is none.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut folder = DirBuilder::new();
        folder.recursive(true);
        // It holds password hashes and the signing key.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(path).map_err(Failure::of(format!("cannot make {}", path.display())))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The embedded database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The file of the key that signs access tokens, which may not be there yet.
    pub(crate) fn signing_key_file(&self) -> PathBuf {
        self.path.join(SIGNING_KEY)
    }

    /// The folder of pictures.
    pub(crate) fn media(&self) -> PathBuf {
        self.path.join(MEDIA)
    }

    /// Makes sure that this is the only process that serves from the folder. The operating system
    /// lets go of the lock when the process ends, however it ends.
    pub(crate) fn lock(&self) -> Result<ServeLock, Failure> {
        let path = self.path.join(LOCK);
        let failed = || Failure::of(format!("cannot lock {}", path.display()));
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed())?;
        match file.try_lock() {
            Ok(()) => Ok(ServeLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::Failed(format!(
                "another `onsale serve` is running on {}; stop it, or give this one its own folder with --data",
                self.path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed()(error)),
        }
    }

    /// The key that signs access tokens: made on the first start, readable by its owner only.
    pub(crate) fn signing_key(&self) -> Result<Vec<u8>, Failure> {
        let path = self.signing_key_file();
        match fs::read(&path) {
            Ok(key) if key.len() == SIGNING_KEY_BYTES => return Ok(key),
            Ok(key) => {
                return Err(Failure::Failed(format!(
                    "{} has {} bytes instead of {SIGNING_KEY_BYTES}; bring back the right file, or delete it: \
                     a new key is made and everybody has to log in again",
                    path.display(),
                    key.len()
                )));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::of(format!("cannot read {}", path.display()))(error)),
        }
        self.make_signing_key(&path)
    }

    /// Written aside and linked into place whole, so that neither a crash nor a second process
    /// leaves half a key or two.
    fn make_signing_key(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        let key: [u8; SIGNING_KEY_BYTES] = rand::random();
        let aside = self.path.join(format!("{SIGNING_KEY}.{}", std::process::id()));
        let linked = write_private(&aside, &key).and_then(|()| fs::hard_link(&aside, path));
        let _ = fs::remove_file(&aside);
        match linked {
            Ok(()) => Ok(key.to_vec()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.signing_key(),
            Err(error) => Err(Failure::of(format!("cannot write {}", path.display()))(error)),
        }
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signing_key_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(&folder.path().join("new/folder")).unwrap();
        let key = folder.signing_key().unwrap();
        assert_eq!(key.len(), 32);
        assert_eq!(folder.signing_key().unwrap(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path.join(SIGNING_KEY)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let files: Vec<_> =
            fs::read_dir(&folder.path).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, [SIGNING_KEY], "nothing else is left behind");
        fs::write(folder.path.join(SIGNING_KEY), b"cut").unwrap();
        assert!(folder.signing_key().unwrap_err().to_string().contains("3 bytes"));
    }

    #[test]
    fn a_folder_is_served_by_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(folder.path()).unwrap();
        let lock = folder.lock().unwrap();
        assert!(folder.lock().unwrap_err().to_string().contains("another `onsale serve`"));
        drop(lock);
        folder.lock().unwrap();
    }
}
