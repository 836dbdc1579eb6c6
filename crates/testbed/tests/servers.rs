//! Each server starts, answers, keeps what was committed through a crash, and leaves nothing behind.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use onsale_testbed::{MariaDbServer, PostgresReplica, PostgresServer};
use tempfile::TempDir;

const CREATE: &str = "CREATE TABLE seats (id int PRIMARY KEY)";
const COUNT: &str = "SELECT count(*) FROM seats";

#[test]
fn postgres_keeps_what_was_committed_and_leaves_nothing() {
    let server = PostgresServer::new();
    let database = server.create_database();
    server.query(&database, CREATE);
    server.query(&database, "INSERT INTO seats VALUES (1), (2)");
    for (setting, value) in [("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "127.0.0.1")]
    {
        assert_eq!(server.query(&database, &format!("SHOW {setting}")), value, "{setting}");
    }

    let url = server.url(&database);
    server.restart_immediate();
    assert_eq!(server.url(&database), url, "it comes back where it was");
    assert_eq!(server.query(&database, COUNT), "2");

    server.stop();
    assert!(!answers(&url), "a stopped server does not answer");
    server.start();
    assert_eq!(server.query(&database, COUNT), "2");

    let folder = PathBuf::from(server.query(&database, "SHOW data_directory"));
    assert!(folder.exists());
    drop(server);
    assert!(!answers(&url) && is_gone(&folder), "it is gone with its folder");
}

#[test]
fn mariadb_keeps_what_was_committed_and_leaves_nothing() {
    let server = MariaDbServer::new();
    let database = server.create_database();
    server.query(&database, CREATE);
    server.query(&database, "INSERT INTO seats VALUES (1), (2)");
    assert_eq!(server.query(&database, "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin"), "1\t0");

    let url = server.url(&database);
    server.restart_immediate();
    assert_eq!(server.url(&database), url, "it comes back where it was");
    assert_eq!(server.query(&database, COUNT), "2");

    let folder = PathBuf::from(server.query(&database, "SELECT @@datadir"));
    assert!(folder.exists());
    drop(server);
    assert!(!answers(&url) && is_gone(&folder), "it is gone with its folder");
}

#[test]
fn a_replica_follows_pauses_and_lags() {
    let primary = PostgresServer::new();
    let database = primary.create_database();
    primary.query(&database, CREATE);
    let replica = PostgresReplica::of(&primary);
    replica.wait_until_caught_up(&primary);
    assert_eq!(replica.query(&database, COUNT), "0");

    replica.pause_replay();
    primary.query(&database, "INSERT INTO seats VALUES (1)");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(replica.query(&database, COUNT), "0", "it stands still");
    replica.resume_replay();
    replica.wait_until_caught_up(&primary);
    assert_eq!(replica.query(&database, COUNT), "1");

    replica.set_apply_delay(600_000);
    primary.query(&database, "INSERT INTO seats VALUES (2)");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(replica.query(&database, COUNT), "1", "it lags");
    replica.set_apply_delay(0);
    replica.wait_until_caught_up(&primary);
    assert_eq!(replica.query(&database, COUNT), "2");

    replica.stop();
    primary.restart_immediate();
    primary.query(&database, "INSERT INTO seats VALUES (3)");
    replica.start();
    replica.wait_until_caught_up(&primary);
    assert_eq!(replica.query(&database, COUNT), "3", "it catches up after both were away");
}

#[tokio::test]
async fn tests_share_a_server_and_have_databases_of_their_own() {
    for server in [onsale_testbed::postgres(), onsale_testbed::mariadb()] {
        let (one, other) = tokio::join!(server.fresh_database(), server.fresh_database());
        assert_ne!(one, other);
        let address = |url: &str| url.rsplit_once('/').expect("a URL with a path").0.to_owned();
        assert_eq!(address(&one), address(&other), "one server");
        assert!(answers(&one));
    }
}

/// Runs the test above once more, in a process that is told of a server.
#[test]
fn a_server_that_runs_already_is_used() {
    let (postgres, mariadb) = (PostgresServer::new(), MariaDbServer::new());
    let again = Command::new(env::current_exe().expect("this test has a file"))
        .args(["--exact", "tests_share_a_server_and_have_databases_of_their_own"])
        .env(onsale_testbed::postgres().variable(), postgres.url("postgres"))
        .env(onsale_testbed::mariadb().variable(), mariadb.url("mysql"))
        .output()
        .expect("this test can be started");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
    let made = "SELECT count(*) FROM pg_database WHERE datname LIKE 'onsale_test_%'";
    assert_eq!(postgres.query("postgres", made), "2");
    let made = "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'onsale_test_%'";
    assert_eq!(mariadb.query("mysql", made), "2");
}

/// `kill -9` of the process that started the servers takes them with it, and their folders.
#[test]
fn servers_end_with_the_process_that_started_them() {
    let mut testbed = Testbed::serve();
    assert!(testbed.urls.iter().all(|url| answers(url)));
    assert_eq!(testbed.folders(), 2);

    testbed.process.kill().expect("our child can be killed");
    testbed.process.wait().expect("our child can be waited for");
    // The watchdogs need a moment.
    let ended = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(50));
        testbed.folders() == 0
    });
    assert!(ended, "folders are left in {}", testbed.folder.path().display());
    assert!(!testbed.urls.iter().any(|url| answers(url)), "a server is left");
}

#[test]
fn serving_ends_with_its_input() {
    let mut testbed = Testbed::serve();
    assert!(testbed.urls.iter().all(|url| answers(url)));
    drop(testbed.process.stdin.take());
    assert!(testbed.process.wait().expect("our child can be waited for").success());
    assert_eq!(testbed.folders(), 0);
    assert!(!testbed.urls.iter().any(|url| answers(url)), "a server is left");
}

/// `onsale-testbed postgres mariadb`, with a folder for its temporary folders.
struct Testbed {
    process: Child,
    urls: [String; 2],
    folder: TempDir,
}

impl Testbed {
    fn serve() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The servers run as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let mut process = Command::new(env!("CARGO_BIN_EXE_onsale-testbed"))
            .args(["postgres", "mariadb"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the testbed starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is ours")).lines();
        let urls = ["ONSALE_TEST_POSTGRES=postgres://", "ONSALE_TEST_MARIADB=mysql://"].map(|begin| {
            let line = lines.next().expect("a line for each server").expect("it prints text");
            assert!(line.starts_with(begin), "{line}");
            line
        });
        Self { process, urls, folder }
    }

    fn folders(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("it can be listed").count()
    }
}

fn is_gone(data: &Path) -> bool {
    !data.parent().expect("the data is in a folder").exists()
}

fn answers(url: &str) -> bool {
    let address =
        url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a URL with an address");
    TcpStream::connect(address).is_ok()
}
