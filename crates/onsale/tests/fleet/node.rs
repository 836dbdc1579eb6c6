//! One node: the executable as a process, on an address that it keeps.

use std::{
    fs::OpenOptions,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use onsale_testbed::Port;
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(20);

/// How long anything may take that is only waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node that can be started, stopped and killed again and again. Killed when dropped.
pub(crate) struct Node {
    port: Port,
    data: PathBuf,
    log: PathBuf,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    child: Mutex<Option<Child>>,
}

impl Node {
    /// A node that is not started yet, with settings as variables. Its files are in `folder`.
    pub(crate) fn new(folder: &Path, name: &str, variables: &[(&str, &str)]) -> Self {
        // Accounts are not what is tested here, and all calls come from one address.
        let usual = [
            ("ONSALE_ACCOUNTS_ARGON2_MEMORY_KIB", "64"),
            ("ONSALE_ACCOUNTS_ARGON2_PASSES", "1"),
            ("ONSALE_LIMITS_ENABLED", "false"),
            ("ONSALE_ACCOUNTS_POINTS_FROM", "anyone"),
        ];
        let variables = usual.iter().chain(variables);
        Self {
            port: Port::reserve(),
            data: folder.join(name),
            log: folder.join(format!("{name}.log")),
            variables: variables.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            arguments: Vec::new(),
            child: Mutex::default(),
        }
    }

    /// With more arguments to `serve`.
    pub(crate) fn with_arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The executable with this node's settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onsale"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ONSALE_") {
                command.env_remove(name);
            }
        }
        // Buyers of a test come from one address and book again and again.
        command.env("ONSALE_LIMITS_ENABLED", "false").env("ONSALE_ACCOUNTS_POINTS_FROM", "anyone");
        command.arg("--data").arg(&self.data).envs(self.variables.iter().cloned());
        command
    }

    pub(crate) fn start(&self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log file");
        let mut command = self.command();
        command.args(["serve", "--listen", &self.address().to_string()]).args(&self.arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let before = self.child.lock().replace(child.expect("the executable starts"));
        assert!(before.is_none(), "it is running already");
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&self) {
        let client = reqwest::Client::new();
        let begun = Instant::now();
        loop {
            let asked = client.get(format!("{}/readyz", self.url())).timeout(Duration::from_secs(5)).send();
            if asked.await.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            if let Some(child) = &mut *self.child.lock() {
                let ended = child.try_wait().expect("our child can be asked for");
                assert!(ended.is_none(), "the node ended: {ended:?}\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "the node is not ready:\n{}", self.log());
            sleep(POLL).await;
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.lock();
        let child = child.as_ref().expect("it is running");
        kill_process(Pid::from_child(child), signal).expect("our child can be signalled");
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            {
                let mut child = self.child.lock();
                let running = child.as_mut().expect("it was started");
                if let Some(status) = running.try_wait().expect("our child can be asked for") {
                    *child = None;
                    return status;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "the node does not end:\n{}", self.log());
            sleep(POLL).await;
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().take() {
            child.kill().expect("our child can be killed");
            child.wait().expect("our child can be waited for");
        }
    }

    /// The end of what it has logged.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
