//! A PostgreSQL server of one's own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::{
    process::{ServerProcess, unique_database_name},
    programs,
    tls::Tls,
};

/// A running PostgreSQL, as durable as in production. Dropping it ends it and removes its data.
///
/// The methods block; in async code call them from `spawn_blocking`. All but [`start`](Self::start) may be
/// called at any time.
#[derive(Debug)]
pub struct PostgresServer {
    process: ServerProcess,
    tls: Option<Tls>,
}

impl PostgresServer {
    /// Makes an empty server and starts it.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "starting a server is no default")]
    pub fn new() -> Self {
        let server = Self::prepare();
        server.start();
        server
    }

    /// The same, but it is reached by TLS only. Its certificate is for 127.0.0.1.
    ///
    /// # Panics
    /// As [`new`](Self::new), or when `openssl` is not installed.
    #[must_use]
    pub fn with_tls() -> Self {
        let mut server = Self::prepare();
        let only_tls = "hostssl all all 127.0.0.1/32 trust\n";
        fs::write(data_folder(&server.process).join("pg_hba.conf"), only_tls)
            .expect("the server's folder can be written to");
        server.tls = Some(Tls::make(&server.process));
        server.start();
        server
    }

    fn prepare() -> Self {
        let initdb = find("initdb", SERVER);
        let process = prepare("postgres");
        let made = programs::run(
            process
                .command(&initdb)
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"])
                .arg("--pgdata")
                .arg(data_folder(&process)),
        );
        made.unwrap_or_else(|error| panic!("a PostgreSQL server cannot be made: {error}"));
        Self { process, tls: None }
    }

    /// The certificate of the authority that has signed the server's. `None` without TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.tls.as_ref().map(|tls| tls.authority.as_path())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// As clients want it told.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(&self.process, database)
    }

    /// Makes an empty database and returns its name, which no other test has.
    #[must_use]
    pub fn create_database(&self) -> String {
        create_database(&self.url("postgres"))
    }

    /// Runs statements through `psql` and returns the rows: a line each, the columns separated by `|`.
    ///
    /// # Panics
    /// When one of them fails.
    pub fn query(&self, database: &str, sql: &str) -> String {
        psql(&self.url(database), sql).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts the stopped server, on the same port and with the same data, and waits until it answers.
    ///
    /// # Panics
    /// When it is running.
    pub fn start(&self) {
        let settings: Vec<String> = match &self.tls {
            None => Vec::new(),
            Some(tls) => vec![
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", tls.certificate.display()),
                format!("ssl_key_file={}", tls.key.display()),
            ],
        };
        start(&self.process, &settings.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Ends the server as a crash would: no checkpoint, transactions under way are lost.
    pub fn stop_immediate(&self) {
        self.process.stop(Signal::QUIT);
    }

    /// Ends the server in order, throwing its clients out ("fast").
    pub fn stop(&self) {
        self.process.stop(Signal::INT);
    }

    /// A crash and what comes after it.
    pub fn restart_immediate(&self) {
        self.stop_immediate();
        self.start();
    }
}

/// The Debian package of the server and its tools.
pub(crate) const SERVER: &str = "postgresql";
/// The Debian package of `psql`.
const CLIENT: &str = "postgresql-client";

/// Where a program of PostgreSQL is; the newest version, if there are several.
pub(crate) fn find(program: &str, package: &str) -> PathBuf {
    programs::find(program, &versioned_folders(), package)
}

/// Debian keeps each major version in a folder of its own. Newest first.
fn versioned_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

pub(crate) fn prepare(name: &str) -> ServerProcess {
    ServerProcess::prepare(name, &["postgres", "nobody"], Signal::QUIT)
}

pub(crate) fn data_folder(process: &ServerProcess) -> PathBuf {
    process.folder().join("data")
}

pub(crate) fn url(process: &ServerProcess, database: &str) -> String {
    format!("postgres://postgres@{}/{database}", process.address())
}

/// Starts `postgres` with our settings and `more` of the form `name=value`.
pub(crate) fn start(process: &ServerProcess, more: &[&str]) {
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={}", process.address().port()),
        format!("unix_socket_directories={}", process.folder().display()),
        "max_connections=200".to_owned(),
        "shared_buffers=64MB".to_owned(),
        // In the data folder, so that nothing is left elsewhere whatever ends the server.
        "dynamic_shared_memory_type=mmap".to_owned(),
        "fsync=on".to_owned(),
        "synchronous_commit=on".to_owned(),
        // After a crash every file is flushed before recovery; one by one that takes seconds.
        "recovery_init_sync_method=syncfs".to_owned(),
        "wal_level=replica".to_owned(),
        "max_wal_senders=8".to_owned(),
        "wal_keep_size=256MB".to_owned(),
    ];
    let settings = settings.into_iter().chain(more.iter().map(|&setting| setting.to_owned()));
    let mut arguments = vec!["-D".to_owned(), data_folder(process).display().to_string()];
    arguments.extend(settings.flat_map(|setting| ["-c".to_owned(), setting]));
    let url = url(process, "postgres");
    process.start(&find("postgres", SERVER), &arguments, || psql(&url, "SELECT 1").map(drop));
}

/// Makes an empty database on the server at `url` and returns its name.
pub(crate) fn create_database(url: &str) -> String {
    let name = unique_database_name();
    psql(url, &format!("CREATE DATABASE {name}"))
        .unwrap_or_else(|error| panic!("no database can be made at {url}: {error}"));
    name
}

/// Runs statements as one message, so that they are one transaction unless they say otherwise.
pub(crate) fn psql(url: &str, sql: &str) -> Result<String, String> {
    let program = find("psql", CLIENT);
    programs::run(
        Command::new(program)
            .args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--dbname", url, "--command", sql])
            .current_dir(Path::new("/")),
    )
}
