//! A MariaDB server of one's own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::{
    process::{ServerProcess, unique_database_name},
    programs,
    tls::Tls,
    url::DatabaseUrl,
};

/// A running MariaDB, as durable as in production. Dropping it ends it and removes its data.
///
/// The methods block; in async code call them from `spawn_blocking`. All but [`start`](Self::start) may be
/// called at any time.
#[derive(Debug)]
pub struct MariaDbServer {
    process: ServerProcess,
    tls: Option<Tls>,
}

impl MariaDbServer {
    /// Makes an empty server and starts it.
    ///
    /// # Panics
    /// When MariaDB is not installed or does not start.
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
        server.tls = Some(Tls::make(&server.process));
        server.start();
        server
    }

    fn prepare() -> Self {
        let install = programs::find("mariadb-install-db", &[], SERVER);
        let process = ServerProcess::prepare("mariadb", &["mysql", "nobody"], Signal::KILL);
        let made = programs::run(
            process
                .command(&install)
                .args(["--no-defaults", "--auth-root-authentication-method=normal"])
                .args(["--skip-test-db", "--skip-name-resolve"])
                .arg(format!("--datadir={}", data_folder(&process).display())),
        );
        made.unwrap_or_else(|error| panic!("a MariaDB server cannot be made: {error}"));
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
        format!("mysql://root@{}/{database}", self.process.address())
    }

    /// Makes an empty database and returns its name, which no other test has.
    #[must_use]
    pub fn create_database(&self) -> String {
        create_database(&self.url("mysql"))
    }

    /// Runs statements through `mariadb` and returns the rows: a line each, the columns separated by tabs.
    ///
    /// # Panics
    /// When one of them fails.
    pub fn query(&self, database: &str, sql: &str) -> String {
        client(&self.url(database), sql).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts the stopped server, on the same port and with the same data, and waits until it answers.
    ///
    /// # Panics
    /// When it is running.
    pub fn start(&self) {
        let folder = self.process.folder().display();
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", data_folder(&self.process).display()),
            format!("--socket={folder}/socket"),
            format!("--pid-file={folder}/mariadbd.pid"),
            format!("--tmpdir={folder}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={}", self.process.address().port()),
            "--skip-name-resolve".to_owned(),
            "--character-set-server=utf8mb4".to_owned(),
            "--max-connections=200".to_owned(),
            "--innodb-buffer-pool-size=64M".to_owned(),
            "--innodb-flush-log-at-trx-commit=1".to_owned(),
            "--skip-log-bin".to_owned(),
        ];
        match &self.tls {
            None => arguments.push("--skip-ssl".to_owned()),
            Some(tls) => arguments.extend([
                "--require-secure-transport=ON".to_owned(),
                format!("--ssl-cert={}", tls.certificate.display()),
                format!("--ssl-key={}", tls.key.display()),
            ]),
        }
        let url = self.url("mysql");
        let mariadbd = programs::find("mariadbd", &[], SERVER);
        self.process.start(&mariadbd, &arguments, || client(&url, "SELECT 1").map(drop));
    }

    /// Ends the server as a crash would: transactions under way are lost.
    pub fn kill(&self) {
        self.process.stop(Signal::KILL);
    }

    /// A crash and what comes after it.
    pub fn restart_immediate(&self) {
        self.kill();
        self.start();
    }
}

/// The Debian package of the server and its tools.
const SERVER: &str = "mariadb-server";
/// The Debian package of `mariadb`.
const CLIENT: &str = "mariadb-client";

fn data_folder(process: &ServerProcess) -> PathBuf {
    process.folder().join("data")
}

/// Makes an empty database on the server at `url` and returns its name.
pub(crate) fn create_database(url: &str) -> String {
    let name = unique_database_name();
    client(url, &format!("CREATE DATABASE {name}"))
        .unwrap_or_else(|error| panic!("no database can be made at {url}: {error}"));
    name
}

fn client(url: &str, sql: &str) -> Result<String, String> {
    let url = DatabaseUrl::parse(url);
    let mut command = Command::new(programs::find("mariadb", &[], CLIENT));
    command
        // Encrypted, if the server can.
        .args(["--no-defaults", "--batch", "--skip-column-names", "--protocol=tcp", "--ssl"])
        .args(["--host", url.host(), "--port", url.port().unwrap_or("3306")])
        .args(["--user", url.user().unwrap_or("root"), "--database", url.database(), "--execute", sql]);
    if let Some(password) = url.password() {
        command.env("MYSQL_PWD", password);
    }
    programs::run(&mut command)
}
