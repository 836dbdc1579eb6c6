//! A Kafka broker of one's own.

use std::{
    env,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
};

use rustix::process::Signal;

use crate::process::ServerProcess;

/// A running broker: `tansu`, which speaks Kafka's protocol and keeps its data in a file. Dropping it ends
/// it and removes its data.
///
/// The methods block; in async code call them from `spawn_blocking`.
#[derive(Debug)]
pub struct KafkaBroker {
    process: ServerProcess,
}

impl KafkaBroker {
    /// Starts an empty broker.
    ///
    /// # Panics
    /// When `tansu` is not installed or does not start.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "starting a server is no default")]
    pub fn new() -> Self {
        // It does not mind running as root, whose cache it may be in.
        let broker = Self { process: ServerProcess::prepare("kafka", &["root"], Signal::KILL) };
        broker.start();
        broker
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// Its URL, as `events.url` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("kafka://{}", self.address())
    }

    /// Starts the stopped broker, on the same port and with the same data, and waits until it answers.
    ///
    /// # Panics
    /// When it is running.
    pub fn start(&self) {
        let address = self.address();
        let url = format!("tcp://{address}");
        let arguments = ["broker", "--listener-url", &url, "--advertised-listener-url", &url]
            .into_iter()
            .chain(["--storage-engine", "sqlite://tansu.db"])
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let is_ready = || TcpStream::connect(address).map(drop).map_err(|error| error.to_string());
        self.process.start(&program(), &arguments, is_ready);
    }

    /// Ends the broker as a crash would.
    pub fn kill(&self) {
        self.process.stop(Signal::KILL);
    }
}

/// Where `scripts/install-tansu` has put it.
fn program() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    let program = cache.unwrap_or_default().join("onsale/tools/tansu/bin/tansu");
    assert!(
        program.is_file(),
        "the broker for tests is not at {}: run `scripts/install-tansu` (about 15 minutes, once)",
        program.display()
    );
    program
}
