//! The program under `shim.c`.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::log::{self, Event};

/// How often the log is looked at, a millisecond or more apart, for a sync to be killed in.
const LOOKS_MAX: usize = 60_000;

/// A machine: its disk is a folder, and what processes do there is logged.
pub(crate) struct Machine {
    folder: TempDir,
    lives: usize,
}

impl Machine {
    /// Builds the shim. The C compiler is the one that builds the program.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_cut/shim.c");
        let built = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([folder.path().join("shim.so"), source])
            .status();
        assert!(built.expect("there is a C compiler").success(), "the shim is built");
        fs::create_dir(folder.path().join("disk")).expect("a folder can be made");
        Self { folder, lives: 0 }
    }

    /// The folder of which a power cut would leave a part.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    fn log(&self, life: usize) -> PathBuf {
        self.folder.path().join(format!("log.{life}"))
    }

    /// The logs, one for each life of the server.
    pub(crate) fn lives(&self) -> Vec<Vec<Event>> {
        (1..=self.lives).map(|life| log::read(&self.log(life))).collect()
    }

    /// The program, whose syncs take so long.
    fn command(&self, sync: Duration) -> Command {
        let mut command = onsale(&self.data());
        command
            .env("LD_PRELOAD", self.folder.path().join("shim.so"))
            .env("ONSALE_TEST_ROOT", self.root())
            .env("ONSALE_TEST_LOG", self.log(self.lives))
            .env("ONSALE_TEST_SYNC_MS", sync.as_millis().to_string());
        command
    }

    /// Starts a server with these settings, which begins a life.
    pub(crate) fn serve(&mut self, sync: Duration, settings: &[(&str, &str)]) -> Server {
        self.lives += 1;
        let mut command = self.command(sync);
        command.envs(settings.iter().copied());
        Server::start(command)
    }

    /// Adds an administrator beside the running server.
    pub(crate) fn add_admin(&self, email: &str, password: &str) {
        let mut command = self.command(Duration::ZERO);
        let mut add = command
            .args(["user", "add", email, "--role", "admin", "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        add.stdin.take().expect("its input is ours").write_all(password.as_bytes()).expect("it reads");
        assert!(add.wait().expect("it ends").success());
    }

    /// Kills a server in the middle of a sync of the database's log.
    pub(crate) fn kill_in_a_sync(&self, mut server: Server) {
        let mut log = Tail::new(self.log(self.lives));
        let is_syncing = (0..LOOKS_MAX).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            log.ends_in_a_sync_of("onsale.db-wal")
        });
        assert!(is_syncing, "the log of the database is never synced");
        server.process.kill().expect("it runs");
        server.process.wait().expect("it ends");
    }
}

/// The program with a data folder and no settings from outside.
pub(crate) fn onsale(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onsale"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ONSALE_") {
            command.env_remove(name);
        }
    }
    command
        .arg("--data")
        .arg(data)
        .env("ONSALE_EVENTS_JOURNAL", data.join("events.jsonl"))
        // Accounts and crowds are not what is tested here.
        .env("ONSALE_ACCOUNTS_ARGON2_MEMORY_KIB", "64")
        .env("ONSALE_ACCOUNTS_POINTS_FROM", "anyone")
        .env("ONSALE_LIMITS_ENABLED", "false");
    command
}

/// A running server. Killed when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is ours")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("the server says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }

    /// Ends it as a process manager does.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        assert!(self.process.wait().expect("it ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A log that grows.
struct Tail {
    log: PathBuf,
    begun: Option<usize>,
}

impl Tail {
    fn new(log: PathBuf) -> Self {
        Self { log, begun: None }
    }

    /// Whether a sync of a file is under way that was not when this was asked first: one that covers what
    /// has been written since.
    fn ends_in_a_sync_of(&mut self, name: &str) -> bool {
        let events = log::read(&self.log);
        let is = |path: &Path| path.file_name().is_some_and(|file| file == name);
        let begun = events.iter().filter(|event| matches!(event, Event::SyncBegin(path) if is(path))).count();
        let ended = events.iter().filter(|event| matches!(event, Event::SyncEnd(path) if is(path))).count();
        let first = *self.begun.get_or_insert(begun);
        begun > first && begun > ended
    }
}
