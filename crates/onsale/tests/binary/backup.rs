//! `onsale backup` and `onsale restore`: made while a sale goes on, brought back whole or not at all.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{
    serve::{hold, seats_on_sale},
    support::{PASSWORD, Place, Server},
};

/// The size of the parts of a tar archive.
const BLOCK: usize = 512;

#[tokio::test]
async fn a_backup_made_while_selling_has_all_that_was_answered_before() {
    let place = Place::new();
    let server = place.serve(&["--demo"]);
    let token = server.log_in("buyer1@demo.example", PASSWORD).await;
    let (performance, seats) = seats_on_sale(&server, 4).await;
    let mut before = Vec::new();
    for seat in &seats[..3] {
        let (status, held) = hold(&server, &token, &format!("before-{seat}"), performance, &[*seat]).await;
        assert_eq!(status, 201, "{held}");
        before.push(held["reservationId"].as_str().unwrap().to_owned());
    }

    let file = place.path("backup.tar");
    let selling = AtomicBool::new(true);
    let backup = async {
        let mut backup = place.command(["backup".as_ref(), file.as_os_str()]);
        let made = tokio::task::spawn_blocking(move || backup.output().unwrap()).await.unwrap();
        selling.store(false, Relaxed);
        made
    };
    let (sold, made) = tokio::join!(sell_while(&selling, &server, performance, seats[3]), backup);
    assert!(made.status.success(), "{made:?}");
    assert!(sold > 0, "nobody bought meanwhile");
    only_its_owner_reads(&file);
    assert_eq!(names_in(&place.path("")), ["backup.tar", "data"], "nothing else is left behind");

    let checked = place.done(&["backup", "--check", file.to_str().unwrap()]);
    assert!(checked.contains("clean: everything agrees"), "{checked}");
    assert_eq!(names_in(&place.path("")), ["backup.tar", "data"], "nothing else is left behind");
    assert!(server.stop().success());

    let elsewhere = Place::new();
    elsewhere.done(&["restore", file.to_str().unwrap()]);
    assert!(elsewhere.done(&["audit"]).contains("clean"));
    let server = elsewhere.serve(&[]);
    for reservation in before {
        let (status, found) = server.get(&format!("/api/v1/reservations/{reservation}"), Some(&token)).await;
        assert_eq!(status, 200, "the key came along, so the log-in is good: {found}");
        assert_eq!(found["status"], "held", "{found}");
    }
}

/// Somebody takes a seat and gives it back, again and again. How often.
async fn sell_while(selling: &AtomicBool, server: &Server, performance: i64, seat: i64) -> u32 {
    let token = server.log_in("buyer2@demo.example", PASSWORD).await;
    let mut sold = 0;
    while selling.load(Relaxed) {
        let (status, held) = hold(server, &token, &format!("meanwhile-{sold}"), performance, &[seat]).await;
        assert_eq!(status, 201, "{held}");
        let reservation = held["reservationId"].as_str().unwrap();
        server.delete(&format!("/api/v1/reservations/{reservation}"), Some(&token)).await;
        sold += 1;
    }
    sold
}

fn only_its_owner_reads(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "it has the signing key");
}

fn names_in(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A place with a small database, and a backup of it.
fn backed_up() -> (Place, Vec<u8>) {
    let place = Place::new();
    place.done(&["migrate"]);
    // The first command that needs the key makes it.
    let add = ["user", "add", "ann@shop.example", "--role", "admin", "--password-stdin"];
    let added = place.run_with_input(&add, "correct horse battery staple\n");
    assert_eq!(added.code, 0, "{added:?}");
    let media = place.data().join("media");
    fs::create_dir_all(&media).unwrap();
    fs::write(media.join("0123.png"), b"a picture").unwrap();
    fs::write(media.join(".unfinished-1-0"), b"half a pic").unwrap();
    place.done(&["backup", "backup.tar"]);
    let bytes = fs::read(place.path("backup.tar")).unwrap();
    (place, bytes)
}

#[test]
fn a_backup_has_database_key_and_pictures_and_takes_the_place_of_nothing() {
    let (place, _) = backed_up();
    let again = place.run(&["backup", "backup.tar"]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("is there already"), "{again:?}");

    let onto_itself = place.run(&["restore", "backup.tar"]);
    assert_eq!(onto_itself.code, 1);
    assert!(onto_itself.stderr.contains("has a database already"), "{onto_itself:?}");

    let elsewhere = Place::new();
    elsewhere.done(&["restore", place.path("backup.tar").to_str().unwrap()]);
    let read = |place: &Place, name: &str| fs::read(place.data().join(name)).unwrap();
    assert_eq!(read(&elsewhere, "signing.key"), read(&place, "signing.key"));
    assert_eq!(names_in(&elsewhere.data().join("media")), ["0123.png"]);
    assert_eq!(read(&elsewhere, "media/0123.png"), b"a picture");
    assert!(names_in(&elsewhere.data()).iter().all(|name| !name.starts_with('.')));
}

#[test]
fn what_is_not_a_whole_backup_is_refused_and_leaves_nothing() {
    let (_place, whole) = backed_up();
    let mut flipped = whole.clone();
    flipped[BLOCK + 5_000] ^= 1;
    let renamed = with_first_name(&whole, "../evil.db");
    let other = with_first_name(&whole, "serve.lock");
    let cut = whole[..whole.len() / 2].to_vec();
    let without_manifest = whole[..manifest_at(&whole)].to_vec();
    for (what, bytes, said) in [
        ("a bit flipped in the database", flipped, "is not as it was written"),
        ("cut in the middle of a file", cut, "is cut off"),
        ("cut between two files", without_manifest, "it was cut off"),
        ("a path that leads out", renamed, "nothing that a backup has"),
        ("a file that no backup has", other, "what is `serve.lock`?"),
        ("something else", b"not a tar archive at all".repeat(100), "cannot read"),
        ("nothing", Vec::new(), "it was cut off"),
    ] {
        let elsewhere = Place::new();
        let file = elsewhere.file("backup.tar", bytes);
        for arguments in [&["restore", &file][..], &["backup", "--check", &file]] {
            let refused = elsewhere.run(arguments);
            assert_eq!(refused.code, 1, "{what}: {refused:?}");
            assert!(refused.stderr.contains(said), "{what}: {refused:?}");
        }
        let left = names_in(&elsewhere.data());
        assert!(left.iter().all(|name| name == "serve.lock"), "{what}: {left:?}");
        assert!(!elsewhere.path("evil.db").exists());
    }
}

/// Where the manifest's part of an archive begins.
fn manifest_at(archive: &[u8]) -> usize {
    archive.chunks(BLOCK).position(|block| block.starts_with(b"manifest.json\0")).unwrap() * BLOCK
}

/// The archive with another name for its first file.
fn with_first_name(archive: &[u8], name: &str) -> Vec<u8> {
    let mut archive = archive.to_vec();
    archive[..100].fill(0);
    archive[..name.len()].copy_from_slice(name.as_bytes());
    archive[148..156].fill(b' ');
    let sum: u32 = archive[..BLOCK].iter().copied().map(u32::from).sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive
}
