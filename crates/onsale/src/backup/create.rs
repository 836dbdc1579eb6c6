//! Making a backup, also while a server sells from the folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use onsale_engine::clock::{Clock as _, SystemClock};
use onsale_files::folder_of;
use onsale_store::copy_embedded;

use super::{archive::Writer, beside, sync_folder};
use crate::{
    compose::database_url,
    config::Config,
    data_folder::{DATABASE, DataFolder, MEDIA, SIGNING_KEY},
    failure::Failure,
    progress::Progress,
};

/// Writes everything in the data folder into a new file.
pub(crate) async fn create(config: &Config, folder: &DataFolder, file: &Path) -> Result<(), Failure> {
    if file.exists() {
        return Err(Failure::Failed(format!("{} is there already; name a new file", file.display())));
    }
    let (copy, unfinished) = (beside(file, "database"), beside(file, "unfinished"));
    let made = write(config, folder, file, &copy, &unfinished).await;
    for path in [&copy, &unfinished] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "an unfinished file was left behind");
            }
            _ => {}
        }
    }
    let bytes = made?;
    println!("{}: {bytes} bytes; check it with `onsale backup --check {0}`", file.display());
    for (setting, said) in kept_elsewhere(config) {
        println!("not in it: {said}, because {setting} says where; back that up, too");
    }
    Ok(())
}

async fn write(
    config: &Config,
    folder: &DataFolder,
    file: &Path,
    copy: &Path,
    unfinished: &Path,
) -> Result<u64, Failure> {
    let made_at = jiff::Timestamp::from_millisecond(SystemClock.now().0);
    let made_at = made_at.map_err(Failure::of("the clock is wrong"))?;
    let progress = Progress::new("copying the database");
    let url = database_url(config, folder)?;
    let copied = copy_embedded(&url, copy, |done, total| progress.set(done, total)).await;
    copied.map_err(Failure::of("cannot copy the database"))?;
    drop(progress);
    // Afterwards: a picture that the copy refers to stays for an hour after nothing refers to it any more.
    let mut contents = vec![(DATABASE.to_owned(), copy.to_owned())];
    if config.accounts.signing_key.is_empty() {
        contents.push((SIGNING_KEY.to_owned(), folder.signing_key_file()));
    }
    for (path, _) in folder.former_key_files()? {
        let name = path.file_name().and_then(|name| name.to_str()).expect("it was read as text");
        contents.push((name.to_owned(), path.clone()));
    }
    if config.media.url.is_empty() {
        contents.extend(pictures(&folder.media())?);
    }
    let failed = || Failure::of(format!("cannot write {}", file.display()));
    let progress = Progress::new("writing");
    let total = contents.iter().filter_map(|(_, path)| fs::metadata(path).ok()).map(|file| file.len()).sum();
    let mut writer = Writer::create(unfinished, total, &progress).map_err(failed())?;
    for (name, path) in &contents {
        match writer.put(name, path) {
            // A picture that nothing has referred to for an hour was removed meanwhile; a key that
            // nobody has needed was never made.
            Err(error) if error.kind() == io::ErrorKind::NotFound && name != DATABASE => {}
            put => put.map_err(failed())?,
        }
    }
    writer.finish(made_at.to_string()).map_err(failed())?;
    let bytes = fs::metadata(unfinished).map_err(failed())?.len();
    // A link, unlike a rename, does not take the place of a file that somebody has made meanwhile.
    fs::hard_link(unfinished, file).map_err(failed())?;
    sync_folder(&folder_of(file))?;
    Ok(bytes)
}

/// The pictures in a folder, under the names that they have in the archive.
fn pictures(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let unreadable = || Failure::of(format!("cannot read {}", folder.display()));
    let files = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files.map_err(unreadable())?,
    };
    let mut found = Vec::new();
    for file in files {
        let file = file.map_err(unreadable())?;
        let name = file.file_name();
        // What is not whole yet begins with a dot.
        if let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) {
            found.push((format!("{MEDIA}/{name}"), file.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The settings that keep something elsewhere, and what.
fn kept_elsewhere(config: &Config) -> impl Iterator<Item = (&'static str, &'static str)> {
    let key =
        (!config.accounts.signing_key.is_empty()).then_some(("accounts.signing_key", "the signing key"));
    let pictures = (!config.media.url.is_empty()).then_some(("media.url", "the pictures"));
    [key, pictures].into_iter().flatten()
}
