//! An HAProxy of one's own.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
};

use rustix::process::Signal;

use crate::{
    process::{Port, ServerProcess},
    programs,
};

/// A running HAProxy. Dropping it ends it.
#[derive(Debug)]
pub struct HaProxy {
    process: ServerProcess,
    metrics: Port,
}

impl HaProxy {
    /// Starts it with a configuration that takes where to listen from the variable `bind`, where to
    /// show its own state from `metrics`, and others as given. Blocks.
    ///
    /// # Panics
    /// When HAProxy is not installed or does not take the configuration.
    #[must_use]
    pub fn start(configuration: &str, bind: &str, metrics: &str, variables: &[(&str, String)]) -> Self {
        let program = programs::find("haproxy", &[], "haproxy");
        let process = ServerProcess::prepare("haproxy", &["haproxy", "nobody"], Signal::KILL);
        let file = process.folder().join("haproxy.cfg");
        fs::write(&file, configuration).expect("the server's folder can be written to");
        let proxy = Self { process, metrics: Port::reserve() };
        let own = [(bind, proxy.address().to_string()), (metrics, proxy.metrics.address().to_string())];
        let variables = own.iter().chain(variables).map(|(name, value)| format!("{name}={value}"));
        let serve =
            [program.display().to_string(), "-db".to_owned(), "-f".to_owned(), file.display().to_string()];
        let arguments: Vec<String> = variables.chain(serve).collect();
        proxy.process.start(&programs::find("env", &[], "coreutils"), &arguments, || {
            TcpStream::connect(proxy.address()).map(drop).map_err(|error| error.to_string())
        });
        proxy
    }

    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// Where it shows its own state.
    #[must_use]
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics.address()
    }
}
