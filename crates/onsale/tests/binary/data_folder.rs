//! The owner and modes of the files, who may serve from them, and a limit of their size.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::{
    serve::{hold, seats_on_sale},
    support::{PASSWORD, Place, Server, run},
};

/// Smaller than a page in the database's log, wherever that has begun anew.
const SMALL: u64 = 4_096;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The files in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let place = Place::new();
    let journal = place.data().join("events.jsonl");
    let settings = [("ONSALE_EVENTS_JOURNAL", journal.to_str().unwrap())];
    let server = place.serve_with(&["--demo"], &settings);
    let admin = server.log_in("admin@demo.example", "demo-admin").await;
    let picture = include_bytes!("../../../engine/tests/images/small.png");
    let image = reqwest::Client::new().put(format!("{}/api/v1/admin/shows/1/image", server.url));
    let image = image.bearer_auth(admin).header("content-type", "image/png").body(picture.to_vec());
    assert!(image.send().await.unwrap().status().is_success());
    let made = files(&place.data());
    for name in ["onsale.db", "onsale.db-wal", "onsale.db-shm", "signing.key", "serve.lock", "events.jsonl"] {
        assert!(made.iter().any(|file| file.ends_with(name)), "{name}");
    }
    assert!(made.iter().any(|file| file.parent().unwrap().ends_with("media")), "{made:?}");
    for file in made {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    for folder in [place.data(), place.data().join("media")] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
    }
    server.stop();

    // What everybody may read is taken back, as from older versions; what a group may read is meant so.
    let database = place.data().join("onsale.db");
    for (before, after) in [(0o644, 0o600), (0o640, 0o640)] {
        set_mode(&database, before);
        let server = place.serve_with(&["--demo"], &settings);
        assert_eq!(mode(&database), after);
        assert_eq!(mode(&place.data().join("onsale.db-wal")), after, "as the database");
        server.stop();
    }
}

#[test]
fn a_database_is_served_once_however_it_is_named() {
    let place = Place::new();
    let server = place.serve(&[]);
    let database = place.data().join("onsale.db");
    let (link, second) = (place.path("link.db"), place.path("second.db"));
    std::os::unix::fs::symlink(&database, &link).unwrap();
    fs::hard_link(&database, &second).unwrap();
    std::os::unix::fs::symlink(place.data(), place.path("folder")).unwrap();
    let elsewhere = Place::new();
    for name in [&database, &link, &second, &place.path("folder/onsale.db"), &place.path("data/./onsale.db")]
    {
        for url in [format!("sqlite:{}", name.display()), format!("sqlite://{}", name.display())] {
            let mut command = elsewhere.command(["serve", "--listen", "127.0.0.1:0"]);
            command.env("ONSALE_DATABASE_URL", &url);
            let refused = run(command, "");
            assert_eq!(refused.code, 1, "{url}: {refused:?}");
            assert!(refused.stderr.contains("another `onsale serve`"), "{url}: {refused:?}");
        }
    }
    // Commands beside it go on.
    assert!(place.done(&["audit"]).contains("clean"));
    let add = ["user", "add", "ann@example.org", "--role", "user", "--password-stdin"];
    assert_eq!(place.run_with_input(&add, "correct horse battery").code, 0);
    drop(server);

    // And the other way round: a URL's server keeps the folder's out, and another file's does not.
    let url = format!("sqlite:{}", database.display());
    let server = elsewhere.serve_with(&[], &[("ONSALE_DATABASE_URL", &url)]);
    let refused = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(refused.code == 1 && refused.stderr.contains("another `onsale serve`"), "{refused:?}");
    let other = format!("sqlite:{}", place.data().join("other.db").display());
    elsewhere.serve_with(&[], &[("ONSALE_DATABASE_URL", &other)]);
    server.stop();
}

/// Bounds the size of a running server's files, or no more.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let now = getrlimit(Resource::Fsize);
    let limit = Rlimit { current: bytes.or(now.maximum), maximum: now.maximum };
    prlimit(Pid::from_raw(server.id().cast_signed()), Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn a_limit_of_files_is_an_error_and_no_death() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (performance, seats) = seats_on_sale(&server, 3).await;
    assert_eq!(hold(&server, &token, "before", performance, &seats[..1]).await.0, 201);
    limit_files(&server, Some(SMALL));
    let (status, refused) = hold(&server, &token, "beyond", performance, &seats[1..2]).await;
    assert_eq!(status, 503, "{refused}");
    assert_eq!(server.get("/livez", None).await.0, 200);
    limit_files(&server, None);
    let (status, held) = hold(&server, &token, "after", performance, &seats[2..3]).await;
    assert_eq!((status, &held["status"]), (201, &json!("held")), "{held}");
    assert!(server.stop().success());
    assert!(place.done(&["audit"]).contains("clean"));
}
