//! The data folder: everything that the embedded default writes.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use onsale_domain::time::Timestamp;
use onsale_engine::FormerKey;
use onsale_files::{IfThere, create_folder, restrict, settle, write_whole};

use crate::failure::Failure;

/// The embedded database's file.
pub(crate) const DATABASE: &str = "onsale.db";
/// The folder of pictures.
pub(crate) const MEDIA: &str = "media";
/// The file of the key that signs access tokens.
pub(crate) const SIGNING_KEY: &str = "signing.key";
const SIGNING_KEY_BYTES: usize = 32;
/// A former key's file; then the time until which it reads, in seconds since 1970.
const FORMER_KEY: &str = "signing.key.former.";

/// The data folder.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
}

impl DataFolder {
    /// The folder, which must exist.
    pub(crate) fn existing(path: &Path) -> Result<Self, Failure> {
        if !path.is_dir() {
            let path = path.display();
            return Err(Failure::Failed(format!("there is no data folder {path}; name one with --data")));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// The folder, made if there is none, for its owner alone. One that is there keeps its mode.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        create_folder(path).map_err(Failure::of(format!("cannot make {}", path.display())))?;
        warn_if_others_may_write(path);
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

    /// The key that signs access tokens: made on the first start, readable by its owner only. It is on disk
    /// when this returns: a token signed with a key that a power cut takes away is worth nothing.
    pub(crate) fn signing_key(&self) -> Result<Vec<u8>, Failure> {
        let path = self.signing_key_file();
        let cannot_read = || Failure::of(format!("cannot read {}", path.display()));
        if restrict(&path).map_err(cannot_read())? {
            tracing::warn!(
                file = %path.display(),
                "everybody on this machine could read the signing key, and with it be any account; now its \
                 owner alone can. If somebody may have read it, delete it and start again"
            );
        }
        settle(&path).map_err(cannot_read())?;
        match fs::read(&path) {
            Ok(key) if key.len() == SIGNING_KEY_BYTES => Ok(key),
            Ok(key) => Err(Failure::Failed(format!(
                "{} has {} bytes instead of {SIGNING_KEY_BYTES}; bring back the right file, or delete it: \
                 a new key is made and everybody has to log in again",
                path.display(),
                key.len()
            ))),
            Err(error) if error.kind() == ErrorKind::NotFound => self.make_signing_key(&path),
            Err(error) => Err(cannot_read()(error)),
        }
    }

    /// The files of keys that signed before, and the times until which they read.
    pub(crate) fn former_key_files(&self) -> Result<Vec<(PathBuf, Timestamp)>, Failure> {
        let cannot = || Failure::of(format!("cannot read {}", self.path.display()));
        let mut files = Vec::new();
        for file in fs::read_dir(&self.path).map_err(cannot())? {
            let file = file.map_err(cannot())?;
            if let Some(until) = file.file_name().to_str().and_then(former_key_until) {
                files.push((file.path(), until));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Keys that signed before, with the times until which they read.
    pub(crate) fn former_keys(&self) -> Result<Vec<FormerKey>, Failure> {
        let files = self.former_key_files()?.into_iter();
        let read = files.map(|(path, until)| {
            let key = fs::read(&path).map_err(Failure::of(format!("cannot read {}", path.display())))?;
            Ok(FormerKey { key, until: Some(until) })
        });
        read.collect()
    }

    /// Makes a new key for the next start; what the one before has signed is read until a time. A crash
    /// in between leaves the old key in place.
    pub(crate) fn rotate_key(&self, until: Timestamp) -> Result<(), Failure> {
        let key = self.signing_key()?;
        let cannot = |path: &Path| Failure::of(format!("cannot write {}", path.display()));
        let former = self.path.join(format!("{FORMER_KEY}{}", until.0.div_euclid(1_000)));
        write_whole(&former, &self.aside(), &key, IfThere::Replace).map_err(cannot(&former))?;
        let path = self.signing_key_file();
        let new: [u8; SIGNING_KEY_BYTES] = rand::random();
        write_whole(&path, &self.aside(), &new, IfThere::Replace).map_err(cannot(&path))
    }

    fn aside(&self) -> PathBuf {
        self.path.join(format!("{SIGNING_KEY}.{:016x}", rand::random::<u64>()))
    }

    /// Written aside and linked into place whole, so that neither a crash nor a second process
    /// leaves half a key or two.
    fn make_signing_key(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        let key: [u8; SIGNING_KEY_BYTES] = rand::random();
        match write_whole(path, &self.aside(), &key, IfThere::Keep) {
            Ok(()) => Ok(key.to_vec()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.signing_key(),
            Err(error) => Err(Failure::of(format!("cannot write {}", path.display()))(error)),
        }
    }
}

/// Until when the key in a file of this name reads, if it is a former one.
pub(crate) fn former_key_until(name: &str) -> Option<Timestamp> {
    let until_s: i64 = name.strip_prefix(FORMER_KEY)?.parse().ok()?;
    Some(Timestamp(until_s.saturating_mul(1_000)))
}

/// Whoever may write to the folder may put their own signing key there.
fn warn_if_others_may_write(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        const OTHERS_WRITE: u32 = 0o022;
        if fs::metadata(path).is_ok_and(|folder| folder.permissions().mode() & OTHERS_WRITE != 0) {
            tracing::warn!(
                folder = %path.display(),
                "others than the owner may write to the data folder, and so replace what is in it: `chmod 700` it"
            );
        }
    }
    #[cfg(not(unix))]
    let _ = path;
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
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = folder.path.join(SIGNING_KEY);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(folder.signing_key().unwrap(), key);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "taken back");
        }
        fs::write(folder.path.join(SIGNING_KEY), b"cut").unwrap();
        assert!(folder.signing_key().unwrap_err().to_string().contains("3 bytes"));
    }

    #[test]
    fn a_key_that_was_replaced_is_read_until_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(folder.path()).unwrap();
        let first = folder.signing_key().unwrap();
        assert!(folder.former_keys().unwrap().is_empty());
        folder.rotate_key(Timestamp(5_000_999)).unwrap();
        let second = folder.signing_key().unwrap();
        assert_ne!(first, second);
        folder.rotate_key(Timestamp(9_000_000)).unwrap();
        let mut former = folder.former_keys().unwrap();
        former.sort_by_key(|key| key.until);
        let until: Vec<_> = former.iter().map(|key| (&key.key, key.until)).collect();
        assert_eq!(until, [(&first, Some(Timestamp(5_000_000))), (&second, Some(Timestamp(9_000_000)))]);
        assert!(former[0].reads(Timestamp(4_999_999)) && !former[0].reads(Timestamp(5_000_000)));
        #[cfg(unix)]
        for file in fs::read_dir(&folder.path).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
