//! Pictures in a folder.

use std::sync::Arc;

use bytes::Bytes;
use onsale_engine::{
    media::{ImageFormat, MediaName},
    ports::MediaFiles,
};
use onsale_media::MediaFolder;
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn MediaFiles>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let files = MediaFolder::open(&folder.path().join("media")).await.unwrap();
    (Arc::new(files), folder)
}

onsale_contract::media_contract!(fresh);

fn names(folder: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_file_has_its_name_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = MediaFolder::open(folder.path()).await.unwrap();
    let name = MediaName::of(b"x", ImageFormat::Gif);
    files.put(&name, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(names(folder.path()), [name.to_string()]);
}

#[tokio::test]
async fn a_file_that_cannot_be_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = MediaFolder::open(folder.path()).await.unwrap();
    let name = MediaName::of(b"x", ImageFormat::Gif);
    // A folder stands where the file is to be.
    std::fs::create_dir(folder.path().join(name.to_string())).unwrap();
    let failed = files.put(&name, Bytes::from_static(b"x")).await.unwrap_err();
    assert!(failed.to_string().contains(&name.to_string()), "{failed}");
    assert_eq!(names(folder.path()), [name.to_string()], "the folder alone");
    assert!(files.get(&name).await.is_err(), "that is not: there is none");
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_removed_once_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, age_s| {
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        file.set_modified(written - std::time::Duration::from_secs(age_s)).unwrap();
    };
    file(".unfinished-1-0", 7_200);
    file(".unfinished-1-1", 60);
    file("somebody's", 7_200);
    MediaFolder::open(folder.path()).await.unwrap();
    let mut left = names(folder.path());
    left.sort();
    assert_eq!(left, [".unfinished-1-1", "somebody's"], "somebody may be writing the young one");
}
