//! A server process with its folder and port, and the watchdog that outlives us.

use std::{
    fs::{self, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};

use crate::programs::run;

const POLL: Duration = Duration::from_millis(20);
/// How many polls a server may take to be ready or to end: a minute.
const POLLS_MAX: usize = 3_000;

/// Below the ports that the system hands out by itself, so that nothing takes a port while its server is
/// down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Waits until the other end of its input is gone, which is when our process has ended, however it ended;
/// then ends the server and removes the folder.
///
/// The kernel's own parent-death signal would not do: it comes when the *thread* ends that started the
/// server, and each test has a thread of its own.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
cat
if read -r pid <"$1/pid"; then
    kill -s "$2" "$pid"
    for _ in $(seq 100); do
        kill -s 0 "$pid" || break
        sleep 0.1
    done
    kill -s KILL -- "-$pid"
fi
rm -rf -- "$1"
"#;

/// Notes its process id where the watchdog looks for it, before it becomes the server.
const LAUNCHER: &str = r#"echo $$ >"$0/pid" && exec "$@""#;

/// A server that can be started and stopped again and again, on one port and in one folder.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    folder: PathBuf,
    port: Port,
    /// Whom the server runs as. `None`: as ourselves.
    user: Option<User>,
    /// Ends the server at once, as a crash would.
    end: Signal,
    child: Mutex<Option<Child>>,
    watchdog: Child,
}

impl ServerProcess {
    /// A folder and a port for a server that is not started yet.
    ///
    /// Database servers refuse to run as root. If we are root, the first of `users` that exists takes our
    /// place.
    pub(crate) fn prepare(name: &str, users: &[&str], end: Signal) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("onsale-{name}-"))
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .expect("a temporary folder can be made")
            .keep();
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&folder)
            .arg(end.as_raw().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("`sh` can be started");
        let user = geteuid().is_root().then(|| User::first_of(users));
        if let Some(user) = &user {
            chown(&folder, Some(user.id), Some(user.group)).expect("root may give its folder away");
        }
        Self { folder, port: Port::reserve(), user, end, child: Mutex::new(None), watchdog }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A command that runs as the server's user in the server's folder.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // Its user may have no access to our own.
        command.current_dir(&self.folder).env("HOME", &self.folder).env("TMPDIR", &self.folder);
        if let Some(user) = &self.user {
            command.uid(user.id).gid(user.group);
        }
        command
    }

    /// Starts the server and waits until `is_ready`.
    ///
    /// # Panics
    /// When it is started already, ends at once, or is not ready after a minute.
    pub(crate) fn start(
        &self,
        program: &Path,
        arguments: &[String],
        is_ready: impl Fn() -> Result<(), String>,
    ) {
        let mut child = self.child();
        assert!(child.is_none(), "{} is running already", program.display());
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("the server's log can be opened");
        let started = self
            .command(Path::new("sh"))
            .args(["-c", LAUNCHER])
            .arg(&self.folder)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("`sh` can be started");
        let started = child.insert(started);
        let mut answer = String::new();
        for _ in 0..POLLS_MAX {
            if let Some(status) = started.try_wait().expect("our child can be asked for") {
                *child = None;
                self.forget_pid();
                panic!("{} ended with {status}:\n{}", program.display(), self.log_tail());
            }
            match is_ready() {
                Ok(()) => return,
                Err(error) => answer = error,
            }
            thread::sleep(POLL);
        }
        panic!("{} is not ready after a minute: {answer}\n{}", program.display(), self.log_tail());
    }

    /// Sends `signal` and goes on. Nothing happens when the server is not running.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = &*self.child() {
            kill_process(Pid::from_child(child), signal).expect("our child can be signalled");
        }
    }

    /// Sends `signal` and waits until the server is gone. Nothing happens when it is not running.
    pub(crate) fn stop(&self, signal: Signal) {
        let mut slot = self.child();
        let Some(mut child) = slot.take() else { return };
        let pid = Pid::from_child(&child);
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
        for _ in 0..POLLS_MAX {
            if child.try_wait().expect("our child can be asked for").is_some() {
                self.forget_pid();
                return;
            }
            thread::sleep(POLL);
        }
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = child.wait();
        self.forget_pid();
    }

    /// The number of a process that is gone may soon be another's, which the watchdog must not end.
    fn forget_pid(&self) {
        let _ = fs::remove_file(self.folder.join("pid"));
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        // A panic in `start` leaves nothing half done.
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log_tail(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop(self.end);
        // Closing its input sends the watchdog to work; what is left is the folder.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// A port of 127.0.0.1 that no other server of ours takes while this lives.
#[derive(Debug)]
pub struct Port {
    pub(crate) number: u16,
    /// The UDP port of the same number, which the server does not use: the sign that the number is taken,
    /// for every process on this machine, also while the server is down.
    _taken: UdpSocket,
}

impl Port {
    /// Takes a free one.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn reserve() -> Self {
        let count = usize::from(PORTS.end - PORTS.start);
        let start = usize::try_from(random() % count as u64).expect("less than the number of ports");
        PORTS
            .cycle()
            .skip(start)
            .take(count)
            .find_map(|number| {
                let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                Some(Self { number, _taken: taken })
            })
            .unwrap_or_else(|| panic!("no free port of 127.0.0.1 in {PORTS:?}"))
    }

    /// The address for a server to listen on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

/// Of the system's accounts.
#[derive(Debug)]
struct User {
    id: u32,
    group: u32,
}

impl User {
    fn first_of(names: &[&str]) -> Self {
        let ask = |name: &str, what: &str| run(Command::new("id").args([what, name])).ok()?.parse().ok();
        names
            .iter()
            .find_map(|name| Some(Self { id: ask(name, "-u")?, group: ask(name, "-g")? }))
            .unwrap_or_else(|| {
                panic!("the server must not run as root, and there is none of the users {names:?}")
            })
    }
}

/// A database name that no other test has.
pub(crate) fn unique_database_name() -> String {
    format!("onsale_test_{:016x}", random())
}

/// Different in each process and at each call; enough for names and ports.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
