//! Modes, and names that are there already. That names survive a power cut is tested on the whole program:
//! `crates/onsale/tests/power_cut`.
#![cfg(unix)]

use std::{fs, io::ErrorKind, os::unix::fs::PermissionsExt, path::Path};

use onsale_files::{IfThere, create_empty, create_folder, open_or_create, restrict, settle, write_whole};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn all_that_is_made_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b");
    create_folder(&inner).unwrap();
    assert_eq!((mode(&folder.path().join("a")), mode(&inner)), (0o700, 0o700));
    open_or_create(&inner.join("opened")).unwrap();
    create_empty(&inner.join("empty")).unwrap();
    write_whole(&inner.join("whole"), &inner.join("aside"), b"x", IfThere::Keep).unwrap();
    for name in ["opened", "empty", "whole"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
    assert!(!inner.join("aside").exists());
}

#[test]
fn what_is_there_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    create_folder(folder.path()).unwrap();
    assert_eq!(mode(folder.path()), 0o755);
    let file = folder.path().join("file");
    fs::write(&file, "old").unwrap();
    create_empty(&file).unwrap();
    open_or_create(&file).unwrap();
    let aside = folder.path().join("aside");
    let kept = write_whole(&file, &aside, b"new", IfThere::Keep).unwrap_err();
    assert_eq!(kept.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&file).unwrap(), b"old");
    write_whole(&file, &aside, b"new", IfThere::Replace).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
    fs::write(&aside, "somebody else's").unwrap();
    assert!(write_whole(&file, &aside, b"newer", IfThere::Replace).is_err());
    assert_eq!(fs::read(&aside).unwrap(), b"somebody else's");
}

#[test]
fn only_what_everybody_may_use_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (before, after) in [(0o644, 0o600), (0o606, 0o600), (0o660, 0o660), (0o640, 0o640), (0o600, 0o600)] {
        set_mode(&file, before);
        assert_eq!(restrict(&file).unwrap(), before != after);
        assert_eq!(mode(&file), after, "{before:o}");
    }
    let missing = folder.path().join("missing");
    assert!(!restrict(&missing).unwrap());
    settle(&missing).unwrap();
    assert!(!missing.exists());
}

#[test]
fn a_file_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(create_folder(&file).is_err());
    assert!(create_folder(&file.join("inner")).is_err());
}
