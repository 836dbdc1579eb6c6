//! A Prometheus of one's own.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
};

use rustix::process::Signal;

use crate::{process::ServerProcess, programs};

/// A running Prometheus. Dropping it ends it and removes its data.
#[derive(Debug)]
pub struct Prometheus {
    process: ServerProcess,
}

impl Prometheus {
    /// Starts it with a configuration; relative paths in it are those of `files`, each a name and what
    /// is in it. Blocks.
    ///
    /// # Panics
    /// When Prometheus is not installed or does not take the configuration.
    #[must_use]
    pub fn start(configuration: &str, files: &[(&str, &str)]) -> Self {
        let program = programs::find("prometheus", &[], PACKAGE);
        let process = ServerProcess::prepare("prometheus", &["prometheus", "nobody"], Signal::TERM);
        let folder = process.folder().to_owned();
        for (name, text) in files.iter().chain(&[("prometheus.yml", configuration)]) {
            fs::write(folder.join(name), text).expect("the server's folder can be written to");
        }
        let prometheus = Self { process };
        let arguments = [
            format!("--config.file={}", folder.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={}", prometheus.address()),
        ];
        prometheus.process.start(&program, &arguments, || {
            TcpStream::connect(prometheus.address()).map(drop).map_err(|error| error.to_string())
        });
        prometheus
    }

    /// Where it answers queries.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// Has `promtool` check a file: `what` is `config`, `rules`, or as the tool has it.
    ///
    /// # Errors
    /// What it found.
    ///
    /// # Panics
    /// When `promtool` is not installed.
    pub fn check(what: &str, file: &Path) -> Result<String, String> {
        let program = programs::find("promtool", &[], PACKAGE);
        programs::run(Command::new(program).args(["check", what]).arg(file))
    }
}

/// The Debian package of the server and its tools.
const PACKAGE: &str = "prometheus";
