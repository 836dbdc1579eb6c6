//! Writing and reading the archive. Whatever goes through is digested.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Component, Path},
};

use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use super::manifest::{Contents, FORMAT, MANIFEST, MANIFEST_BYTES_MAX, Manifest};
use crate::{failure::Failure, progress::Progress};

/// How much is copied at once.
const CHUNK: usize = 1 << 20;

/// An archive that is being written.
pub(super) struct Writer<'a> {
    tar: Builder<BufWriter<File>>,
    files: BTreeMap<String, Contents>,
    progress: &'a Progress,
    done: u64,
    total: u64,
}

impl<'a> Writer<'a> {
    /// A new file that only its owner reads. `total` is how many bytes are to be put into it, for the
    /// progress bar.
    pub(super) fn create(path: &Path, total: u64, progress: &'a Progress) -> io::Result<Self> {
        let tar = Builder::new(BufWriter::with_capacity(CHUNK, create_private(path)?));
        Ok(Self { tar, files: BTreeMap::new(), progress, done: 0, total })
    }

    /// Puts a file in under a name.
    pub(super) fn put(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let (progress, total, before) = (self.progress, self.total, self.done);
        let mut reader = Digesting::new(file.take(bytes), move |read| progress.set(before + read, total));
        self.tar.append_data(&mut header(bytes), name, &mut reader)?;
        self.done += bytes;
        self.files.insert(name.to_owned(), reader.contents());
        Ok(())
    }

    /// Writes the manifest, and all of it to disk.
    pub(super) fn finish(mut self, made_at: String) -> io::Result<()> {
        let manifest = Manifest {
            format: FORMAT,
            onsale: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            files: self.files,
        };
        let text = serde_json::to_vec_pretty(&manifest)?;
        self.tar.append_data(&mut header(text.len() as u64), MANIFEST, &*text)?;
        self.tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn header(bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(bytes);
    header
}

/// A new file that only its owner reads.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads an archive from beginning to end. `take` is given each file's name and bytes, and reads all of
/// them; afterwards everything has been compared with the manifest.
pub(super) fn read(
    path: &Path,
    progress: &Progress,
    mut take: impl FnMut(&str, &mut dyn Read) -> Result<(), Failure>,
) -> Result<Manifest, Failure> {
    let unreadable = || Failure::of(format!("cannot read {}", path.display()));
    let file = File::open(path).map_err(unreadable())?;
    let total = file.metadata().map_err(unreadable())?.len();
    let mut archive = Archive::new(BufReader::with_capacity(CHUNK, file));
    let mut found = BTreeMap::new();
    let mut manifest = None;
    let mut done = 0;
    for entry in archive.entries().map_err(unreadable())? {
        let entry = entry.map_err(unreadable())?;
        let name = name_of(&entry, path)?;
        if manifest.is_some() {
            return Err(damaged(path, &format!("`{name}` comes after the manifest")));
        }
        if name == MANIFEST {
            let mut text = Vec::new();
            entry.take(MANIFEST_BYTES_MAX).read_to_end(&mut text).map_err(unreadable())?;
            manifest = Some(understood(path, &text)?);
            continue;
        }
        let bytes = entry.size();
        let mut reader = Digesting::new(entry, |read| progress.set(done + read, total));
        take(&name, &mut reader)?;
        let contents = reader.contents();
        done += bytes;
        if contents.bytes != bytes || found.insert(name.clone(), contents).is_some() {
            return Err(damaged(path, &format!("`{name}` is cut off, or there twice")));
        }
    }
    let manifest = manifest.ok_or_else(|| damaged(path, "it ends before its manifest: it was cut off"))?;
    compare(path, &manifest, &found)?;
    Ok(manifest)
}

/// The entry's name, which is a plain relative path.
fn name_of<R: Read>(entry: &tar::Entry<'_, R>, archive: &Path) -> Result<String, Failure> {
    let name = entry.path().map_err(Failure::of(format!("cannot read {}", archive.display())))?;
    let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
    match name.to_str() {
        Some(text) if plain && entry.header().entry_type() == EntryType::Regular => Ok(text.to_owned()),
        _ => Err(damaged(archive, &format!("`{}` is nothing that a backup has", name.display()))),
    }
}

fn understood(path: &Path, text: &[u8]) -> Result<Manifest, Failure> {
    let manifest: Manifest = serde_json::from_slice(text)
        .map_err(|error| damaged(path, &format!("its manifest is not understood: {error}")))?;
    if manifest.format > FORMAT {
        return Err(Failure::Failed(format!(
            "{} was written by Onsale {}, which is newer than this one ({}): use that version",
            path.display(),
            manifest.onsale,
            env!("CARGO_PKG_VERSION")
        )));
    }
    Ok(manifest)
}

/// Whether what was found is what the manifest says.
fn compare(path: &Path, manifest: &Manifest, found: &BTreeMap<String, Contents>) -> Result<(), Failure> {
    for (name, contents) in &manifest.files {
        match found.get(name) {
            None => return Err(damaged(path, &format!("`{name}` is missing"))),
            Some(there) if there != contents => {
                return Err(damaged(path, &format!("`{name}` is not as it was written")));
            }
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !manifest.files.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(damaged(path, &format!("`{name}` is not in its manifest"))),
    }
}

pub(super) fn damaged(path: &Path, why: &str) -> Failure {
    Failure::Failed(format!("{} is not a whole backup: {why}", path.display()))
}

/// Writes a file's bytes to disk.
pub(super) fn write_whole(reader: &mut dyn Read, to: &Path) -> io::Result<()> {
    let mut file = create_private(to)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return file.sync_all(),
            Ok(read) => file.write_all(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Digests what is read through it.
struct Digesting<R, F> {
    reader: R,
    tell: F,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read, F: FnMut(u64)> Digesting<R, F> {
    fn new(reader: R, tell: F) -> Self {
        Self { reader, tell, digest: Sha256::new(), bytes: 0 }
    }

    fn contents(self) -> Contents {
        Contents { bytes: self.bytes, sha256: hex::encode(self.digest.finalize()) }
    }
}

impl<R: Read, F: FnMut(u64)> Read for Digesting<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        (self.tell)(self.bytes);
        Ok(read)
    }
}
