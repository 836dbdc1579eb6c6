//! Pictures in a folder.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use onsale_engine::{
    media::MediaName,
    ports::{MediaFiles, MediaFilesError},
};
use onsale_files::{IfThere, create_folder, write_whole};
use tokio::{fs, task::spawn_blocking};

/// What the names of files begin with that are not whole yet.
const UNFINISHED: &str = ".unfinished-";

/// After this long nobody is writing an unfinished file any more.
const UNFINISHED_MAX: Duration = Duration::from_secs(3_600);

/// A folder with a file for each picture.
#[derive(Debug)]
pub struct MediaFolder {
    path: PathBuf,
    unfinished: AtomicU64,
}

impl MediaFolder {
    /// The folder, made if there is none, with its name on disk. What a crash left unfinished in it is removed.
    ///
    /// # Errors
    /// If it cannot be made or read.
    pub async fn open(path: &Path) -> Result<Self, MediaFilesError> {
        let failed = failed(path);
        let folder = path.to_owned();
        let created = spawn_blocking(move || create_folder(&folder)).await;
        created.map_err(std::io::Error::other).flatten().map_err(&failed)?;
        let mut files = fs::read_dir(path).await.map_err(&failed)?;
        while let Some(file) = files.next_entry().await.map_err(&failed)? {
            let written = file.metadata().await.and_then(|file| file.modified()).map_err(&failed)?;
            let is_old = written.elapsed().is_ok_and(|age| age > UNFINISHED_MAX);
            if is_old && file.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(file.path()).await.map_err(&failed)?;
            }
        }
        Ok(Self { path: path.to_owned(), unfinished: AtomicU64::new(0) })
    }

    /// The file of a picture. Its name has digits and one dot, so it is in this folder.
    fn file(&self, name: &MediaName) -> PathBuf {
        self.path.join(name.to_string())
    }

    /// A name for a file that is not whole yet. Other processes may share the folder and take the same.
    fn unfinished(&self) -> PathBuf {
        let number = self.unfinished.fetch_add(1, Relaxed);
        self.path.join(format!("{UNFINISHED}{}-{number}", std::process::id()))
    }
}

#[async_trait]
impl MediaFiles for MediaFolder {
    async fn put(&self, name: &MediaName, bytes: Bytes) -> Result<(), MediaFilesError> {
        let file = self.file(name);
        loop {
            let (file, unfinished, bytes) = (file.clone(), self.unfinished(), bytes.clone());
            let path = file.clone();
            let written =
                spawn_blocking(move || write_whole(&file, &unfinished, &bytes, IfThere::Replace)).await;
            match written.map_err(std::io::Error::other).flatten() {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                written => return written.map_err(failed(&path)),
            }
        }
    }

    async fn get(&self, name: &MediaName) -> Result<Option<Bytes>, MediaFilesError> {
        let file = self.file(name);
        match fs::read(&file).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&file)(error)),
        }
    }

    async fn remove(&self, name: &MediaName) -> Result<(), MediaFilesError> {
        let file = self.file(name);
        match fs::remove_file(&file).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&file)(error)),
            _ => Ok(()),
        }
    }
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> MediaFilesError {
    let path = path.display().to_string();
    move |error| MediaFilesError(format!("{path}: {error}"))
}
