//! Bringing a backup back into an empty data folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use onsale_files::create_folder;

use super::{
    archive::{damaged, read, write_whole},
    manifest::Manifest,
    sync_folder,
};
use crate::{
    data_folder::{DATABASE, DataFolder, MEDIA, SIGNING_KEY, former_key_until},
    failure::Failure,
    progress::Progress,
    serve_lock::ServeLock,
};

/// Brings back what is in a file, whole or not at all. The folder must not have a database.
pub(crate) fn restore(file: &Path, data: &Path) -> Result<(), Failure> {
    let folder = DataFolder::create(data)?;
    let _lock = ServeLock::reserve(&folder.database())?;
    if folder.database().exists() {
        return Err(Failure::Failed(format!(
            "{} has a database already, which is left alone: move the folder away, or name another with --data",
            data.display()
        )));
    }
    let manifest = extract_into(file, folder.path())?;
    println!(
        "{} is as it was at {}; `onsale audit` checks it, and `onsale serve` goes on from there",
        data.display(),
        manifest.made_at
    );
    Ok(())
}

/// Extracts aside, and moves everything into place when it has been found whole; the database last, so
/// that a folder with a database is one that was restored to the end.
pub(super) fn extract_into(file: &Path, folder: &Path) -> Result<Manifest, Failure> {
    let aside = folder.join(format!(".restoring-{}", std::process::id()));
    let extracted =
        extract(file, &aside).and_then(|manifest| move_into_place(&aside, folder).map(|()| manifest));
    let _ = fs::remove_dir_all(&aside);
    extracted
}

fn extract(file: &Path, aside: &Path) -> Result<Manifest, Failure> {
    make_folder(&aside.join(MEDIA))?;
    let progress = Progress::new("restoring");
    let manifest = read(file, &progress, |name, bytes| {
        let path = place_of(name, aside).ok_or_else(|| damaged(file, &format!("what is `{name}`?")))?;
        write_whole(bytes, &path).map_err(Failure::of(format!("cannot write {}", path.display())))
    })?;
    if !manifest.files.contains_key(DATABASE) {
        return Err(damaged(file, "it has no database"));
    }
    Ok(manifest)
}

/// Where a file of the archive belongs.
fn place_of(name: &str, folder: &Path) -> Option<PathBuf> {
    let is_picture = || {
        let picture = name.strip_prefix(MEDIA)?.strip_prefix('/')?;
        (!picture.contains('/') && !picture.starts_with('.')).then_some(())
    };
    let is_key = name == SIGNING_KEY || former_key_until(name).is_some();
    (name == DATABASE || is_key || is_picture().is_some()).then(|| folder.join(name))
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    create_folder(path).map_err(Failure::of(format!("cannot make {}", path.display())))
}

fn move_into_place(aside: &Path, folder: &Path) -> Result<(), Failure> {
    let failed = |path: &Path| Failure::of(format!("cannot write {}", path.display()));
    let media = folder.join(MEDIA);
    make_folder(&media)?;
    for picture in fs::read_dir(aside.join(MEDIA)).map_err(failed(&media))? {
        let picture = picture.map_err(failed(&media))?;
        fs::rename(picture.path(), media.join(picture.file_name())).map_err(failed(&media))?;
    }
    sync_folder(&media)?;
    let former = DataFolder::existing(aside)?.former_key_files()?;
    let former = former.iter().filter_map(|(path, _)| path.file_name()?.to_str());
    // The database comes last: a folder with one is whole.
    for name in former.chain([SIGNING_KEY, DATABASE]) {
        let (from, to) = (aside.join(name), folder.join(name));
        if from.exists() {
            fs::rename(&from, &to).map_err(failed(&to))?;
        }
        sync_folder(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_backup_has_is_brought_back() {
        let place = |name| place_of(name, Path::new("d")).map(|path| path.display().to_string());
        assert_eq!(place("onsale.db").as_deref(), Some("d/onsale.db"));
        assert_eq!(place("signing.key").as_deref(), Some("d/signing.key"));
        assert!(place("signing.key.former.1800000000").is_some());
        assert_eq!(place("media/ab.jpg").as_deref(), Some("d/media/ab.jpg"));
        for other in [
            "onsale.db-wal",
            "serve.lock",
            "media/",
            "media/a/b",
            "media/.x",
            "mediaab.jpg",
            "x",
            "signing.key.1",
        ] {
            assert_eq!(place(other), (other == "media/").then(|| "d/media/".to_owned()), "{other}");
        }
    }
}
