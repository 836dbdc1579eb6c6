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
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt as _,
};

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
    /// The folder, made if there is none. What a crash left unfinished in it is removed.
    ///
    /// # Errors
    /// If it cannot be made or read.
    pub async fn open(path: &Path) -> Result<Self, MediaFilesError> {
        let failed = failed(path);
        fs::create_dir_all(path).await.map_err(&failed)?;
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

    /// A new file that has no name yet by which it is found. Other processes may share the folder.
    async fn begin(&self) -> std::io::Result<(PathBuf, File)> {
        loop {
            let number = self.unfinished.fetch_add(1, Relaxed);
            let path = self.path.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
            match File::create_new(&path).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                begun => return begun.map(|file| (path, file)),
            }
        }
    }

    /// Gives a file its name once it is whole and on disk.
    async fn finish(
        &self,
        mut begun: File,
        unfinished: &Path,
        file: &Path,
        bytes: &[u8],
    ) -> std::io::Result<()> {
        begun.write_all(bytes).await?;
        begun.sync_all().await?;
        fs::rename(unfinished, file).await?;
        // The name is on disk when the folder is.
        #[cfg(unix)]
        File::open(&self.path).await?.sync_all().await?;
        Ok(())
    }
}

#[async_trait]
impl MediaFiles for MediaFolder {
    async fn put(&self, name: &MediaName, bytes: Bytes) -> Result<(), MediaFilesError> {
        let file = self.file(name);
        let (unfinished, begun) = self.begin().await.map_err(failed(&file))?;
        let written = self.finish(begun, &unfinished, &file, &bytes).await;
        if written.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&unfinished).await;
        }
        written.map_err(failed(&file))
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
