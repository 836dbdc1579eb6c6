//! A Redis server of one's own, and a Cluster of three.

use std::{env, net::SocketAddr, process::Command, sync::OnceLock, thread, time::Duration};

use rustix::process::Signal;

use crate::{
    process::{Port, ServerProcess},
    programs,
};

const SERVER: &str = "redis-server";
const TOOLS: &str = "redis-tools";

/// The Redis of this process's tests, for those that do not stop or empty it: the one whose URL the
/// variable `ONSALE_TEST_REDIS` holds; without that, one is started when it is first needed, and ends
/// with this process. Blocks until it runs.
///
/// # Panics
/// When there is no server and none can be started.
#[expect(
    clippy::disallowed_methods,
    reason = "which server to test on is said to the tests, not to the binary"
)]
pub fn redis() -> &'static str {
    static RUNNING: OnceLock<(String, Option<RedisServer>)> = OnceLock::new();
    let (url, _) = RUNNING.get_or_init(|| match env::var("ONSALE_TEST_REDIS") {
        Ok(url) => (url, None),
        Err(_) => {
            let server = RedisServer::new();
            (server.url(), Some(server))
        }
    });
    url
}

/// A running Redis that keeps nothing on disk. Dropping it ends it.
///
/// The methods block; in async code call them from `spawn_blocking`.
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
    /// Where the nodes of a Cluster speak to each other.
    bus: Option<Port>,
}

impl RedisServer {
    /// Starts an empty server.
    ///
    /// # Panics
    /// When Redis is not installed or does not start.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "starting a server is no default")]
    pub fn new() -> Self {
        Self::launch(None)
    }

    fn launch(bus: Option<Port>) -> Self {
        let process = ServerProcess::prepare("redis", &["redis", "nobody"], Signal::KILL);
        let server = Self { process, bus };
        server.start();
        server
    }

    /// Starts the stopped server anew, empty, on the same port, and waits until it answers.
    ///
    /// # Panics
    /// When it is running.
    pub fn start(&self) {
        let redis = programs::find("redis-server", &[], SERVER);
        let mut arguments: Vec<String> =
            ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"].map(str::to_owned).into();
        arguments.extend(["--port".to_owned(), self.address().port().to_string()]);
        arguments.extend(["--dir".to_owned(), self.process.folder().display().to_string()]);
        if let Some(bus) = &self.bus {
            arguments.extend(["--cluster-enabled", "yes", "--cluster-port"].map(str::to_owned));
            arguments.push(bus.number.to_string());
        }
        self.process.start(&redis, &arguments, || self.try_command(&["PING"]).map(drop));
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// As clients want it told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Runs a command through `redis-cli` and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_command(&self, words: &[&str]) -> Result<String, String> {
        let port = self.address().port().to_string();
        let printed = programs::run(cli().args(["-e", "-p", &port]).args(words))?;
        if printed.starts_with("LOADING") { Err(printed) } else { Ok(printed) }
    }

    /// Forgets everything.
    pub fn flush(&self) {
        self.command(&["FLUSHALL"]);
    }

    /// Ends the server as a crash would. It has nothing on disk.
    pub fn kill(&self) {
        self.process.stop(Signal::KILL);
    }

    /// Stops the server in its tracks: connections stay, nothing is answered.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a frozen server go on: what was asked meanwhile is done now.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }
}

/// Three masters that share the slots. Dropping it ends them.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts an empty Cluster and waits until it takes commands.
    ///
    /// # Panics
    /// When Redis is not installed or does not start.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "starting servers is no default")]
    pub fn new() -> Self {
        let nodes: Vec<_> = (0..3).map(|_| RedisServer::launch(Some(Port::reserve()))).collect();
        let addresses = nodes.iter().map(|node| node.address().to_string());
        let mut create = cli();
        create.args(["--cluster", "create"]).args(addresses).args([
            "--cluster-replicas",
            "0",
            "--cluster-yes",
        ]);
        programs::run(&mut create).unwrap_or_else(|error| panic!("a Redis Cluster cannot be made: {error}"));
        let cluster = Self { nodes };
        for _ in 0..600 {
            let agreed = |node: &RedisServer| node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
            if cluster.nodes.iter().all(agreed) {
                return cluster;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the nodes of the Redis Cluster do not agree after a minute");
    }

    /// Names all nodes.
    #[must_use]
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis://{}", nodes.join(","))
    }

    /// The masters.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }
}

fn cli() -> Command {
    Command::new(programs::find("redis-cli", &[], TOOLS))
}
