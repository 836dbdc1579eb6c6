//! The workspace's dependencies point one way: surfaces and adapters -> engine -> domain.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// For each crate, the crates of the workspace that it may use in production code.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("engine", &["domain"]),
    ("store", &["domain", "engine", "files"]),
    ("coordination", &["domain", "engine"]),
    ("events", &["domain", "engine", "files"]),
    ("files", &[]),
    ("identity", &["engine"]),
    ("media", &["engine", "files"]),
    ("api", &["domain", "engine"]),
    ("contract", &["domain", "engine", "events"]),
    ("onsale", &["api", "coordination", "domain", "engine", "events", "files", "identity", "media", "store"]),
    ("bench", &["api", "coordination", "domain", "engine", "store", "testbed"]),
    ("sim", &["coordination", "domain"]),
    ("testbed", &[]),
];

/// Only the adapter itself and whoever composes may name a database.
const MAY_NAME_DATABASES: &[&str] = &["store", "onsale", "bench"];

fn crates() -> BTreeMap<String, toml::Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/ is above this crate");
    let mut crates = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("crates/ can be read") {
        let path = entry.expect("crates/ can be listed").path();
        if let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) {
            let name = path.file_name().expect("a folder has a name").to_string_lossy().into_owned();
            crates.insert(name, manifest.parse().expect("a manifest is TOML"));
        }
    }
    crates
}

#[test]
fn dependencies_point_one_way() {
    let crates = crates();
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    assert_eq!(
        crates.keys().map(String::as_str).collect::<Vec<_>>(),
        allowed.keys().copied().collect::<Vec<_>>(),
        "a crate was added or removed: say here what it may use"
    );
    for (name, manifest) in &crates {
        let used = manifest
            .get("dependencies")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flat_map(toml::Table::keys);
        for used in used.filter_map(|dependency| dependency.strip_prefix("onsale-")) {
            assert!(allowed[name.as_str()].contains(&used), "`{name}` must not use `{used}`");
        }
    }
}

#[test]
fn folders_are_named_after_their_crates() {
    for (folder, manifest) in crates() {
        let name = manifest["package"]["name"].as_str().expect("a crate has a name");
        assert_eq!(name.strip_prefix("onsale-").unwrap_or(name), folder);
    }
}

#[test]
fn the_domain_is_pure() {
    let manifest = &crates()["domain"];
    let dependencies: Vec<_> = manifest["dependencies"].as_table().expect("a table").keys().collect();
    assert_eq!(
        dependencies,
        ["hashbrown", "hmac", "jiff", "sha2", "siphasher", "thiserror", "unicode-normalization", "uuid"],
        "no async, no IO, no serde in the rules"
    );
}

#[test]
fn only_the_store_knows_sql() {
    for (name, manifest) in crates() {
        let uses = |table: &str| {
            manifest.get(table).and_then(toml::Value::as_table).is_some_and(|table| {
                table
                    .keys()
                    .any(|dependency| dependency.starts_with("sea-orm") || dependency.starts_with("sqlx"))
            })
        };
        assert!(
            !uses("dependencies") || MAY_NAME_DATABASES.contains(&name.as_str()),
            "`{name}` must not use SQL"
        );
    }
}

/// Nobody else asks which database it is on. (The test servers name what they start.)
#[test]
fn only_the_store_names_a_database() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/ is above this crate");
    for name in crates().into_keys().filter(|name| name != "store" && name != "testbed") {
        for file in sources(&root.join(&name).join("src")) {
            let text = fs::read_to_string(&file).expect("a source can be read").to_lowercase();
            for database in ["sqlite", "postgres", "mysql", "mariadb"] {
                assert!(!text.contains(database), "{} names `{database}`", file.display());
            }
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources can be read") {
        let path = entry.expect("a folder of sources can be listed").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Pages that name files which are not there send people the wrong way.
#[test]
fn the_pages_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the root is two above");
    for page in ["ARCHITECTURE.md", "README.md"] {
        let text = fs::read_to_string(root.join(page)).expect("the page can be read");
        let quoted = text.split('`').skip(1).step_by(2).filter(|word| word.starts_with("crates/"));
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let linked = linked.filter(|target| !target.starts_with("http") && !target.starts_with('#'));
        for named in quoted.chain(linked) {
            assert!(root.join(named).exists(), "{page} names `{named}`, which does not exist");
        }
    }
}
