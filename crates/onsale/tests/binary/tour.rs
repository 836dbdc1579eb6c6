//! `docs/tour.md`, followed to the letter: its blocks in order, in one shell, against the demo.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{self, Place, Server};

/// The expected output of each block, in order.
const EXPECTED: [&[&str]; 16] = [
    &["The Last Lighthouse", "\"concerts\":[", "Sona Quartet"],
    &["buyer1@demo.example"],
    &["\"bitmap\"", "screening ", ", seat "],
    &["\"reservationId\"", "\"status\":\"held\""],
    &["\"balance\""],
    &[": watching"],
    &["라면", "\"success\":true", "\"data\":"],
    &["/problems/queue-token-required", "\"roomId\""],
    &["\"status\":\"active\""],
    &["\"reservationId\"", "\"balance\""],
    &["\"token\""],
    &[
        "line 4: \"2047\" mended",
        "line 6: \"\" left out: it has no title",
        "read 5: added 4, changed 0, unchanged 0",
        "read 5: added 0, changed 0, unchanged 4",
    ],
    &["added venue `Old Harbour`", "added hall `Harbour Hall`", "32 seats in 4 rows"],
    &["added me@example.org"],
    &["added the waiting room 3", "Opening night"],
    &["clean: everything agrees"],
];

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The blocks of a page that are to be run.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (Some(_), "```") => blocks.extend(block.take()),
            (Some(block), line) => *block += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    assert!(block.is_none(), "a block does not end");
    blocks
}

/// Runs blocks in one shell; what each printed. `curl` knows no option younger than Ubuntu 22.04's.
fn run(blocks: &[String], url: &str, place: &Place) -> Vec<String> {
    let path = place.path("bin");
    fs::create_dir(&path).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_onsale"), path.join("onsale")).expect("a link");
    symlink(repository().join("examples"), place.path("examples")).expect("a link");
    let mark = "== the next block";
    let script: String = blocks.iter().map(|block| format!("echo; echo '{mark}'\n{block}\n")).collect();
    let script = script.replace("http://127.0.0.1:8080", url);
    for young in ["--json", "--fail-with-body", "jq ", "python"] {
        assert!(!script.contains(young), "{young} is not everywhere");
    }
    let search = format!("{}:/usr/local/bin:/usr/bin:/bin", path.display());
    let done = Command::new("bash")
        .args(["-eu", "-c", &format!("exec 2>&1\n{script}")])
        .current_dir(place.path("."))
        .env_clear()
        .env("PATH", search)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let printed = String::from_utf8(done.stdout).expect("text");
    assert!(done.status.success(), "{printed}");
    printed.split(mark).skip(1).map(str::to_owned).collect()
}

#[test]
fn the_tour_works_to_the_letter() {
    let place = Place::new();
    let page = fs::read_to_string(repository().join("docs/tour.md")).expect("the page");
    let blocks = blocks(&page);
    // As the tour says it: without --data, with the limits.
    let server = Server::start(place.command_alone(["serve", "--demo", "--listen", "127.0.0.1:0"]));
    let printed = run(&blocks, &server.url, &place);
    assert_eq!(printed.len(), blocks.len());
    assert_eq!(blocks.len(), EXPECTED.len(), "each block has an expected result");
    for ((block, printed), texts) in blocks.iter().zip(&printed).zip(EXPECTED) {
        for text in texts {
            assert!(printed.contains(text), "`{text}` is not in what this printed:\n{block}\n{printed}");
        }
    }
    assert!(server.banner.contains("-d '{") && !server.banner.contains("--json"), "{}", server.banner);
}

#[test]
fn what_looks_for_data_makes_no_empty_database() {
    let place = Place::new();
    let command = |arguments: &[&str]| support::run(place.command_alone(arguments), "");
    let add = ["room", "add", "Opening night", "--performance", "76", "--mode", "bank:5"];
    for arguments in [&add[..], &["room", "list"], &["audit"]] {
        let refused = command(arguments);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains("onsale-data") && refused.stderr.contains("--data"), "{refused:?}");
        assert!(!place.path("onsale-data").exists(), "{arguments:?}");
    }
    let made = command(&["migrate"]);
    assert!(made.code == 0 && made.stderr.contains("new database in onsale-data"), "{made:?}");
    let refused = command(&add);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("no such performance") && refused.stderr.contains("onsale-data"),
        "{refused:?}"
    );
}

/// `cargo install --path crates/onsale --locked` needs, beside what every build does, a lock file that is
/// kept with the sources, and a binary of that name.
#[test]
fn it_can_be_installed() {
    assert!(repository().join("Cargo.lock").is_file());
    let manifest = fs::read_to_string(repository().join("crates/onsale/Cargo.toml")).expect("a manifest");
    assert!(manifest.contains("[[bin]]\nname = \"onsale\""), "{manifest}");
    let readme = fs::read_to_string(repository().join("README.md")).expect("a page");
    assert!(readme.contains("cargo install --path crates/onsale --locked") && !readme.contains("--json"));
}
