//! The proxy's faults, between real clients and real servers.

use std::{fs, process::Output, time::Duration};

use onsale_testbed::{FaultProxy, Protocol, SharedServer, mariadb, postgres};
use tokio::{
    net::TcpStream,
    process::Command,
    time::{Instant, timeout},
};

/// Commits a row and prints `sold`, each statement a message of its own.
const ONE_BY_ONE: &str = "BEGIN; INSERT INTO seats VALUES (1); COMMIT; SELECT 'sold'";
/// The same as one message that ends in the commit; `SELECT` first, to have more than one answer.
const AT_ONCE: &str = "BEGIN; SELECT 'selling'; INSERT INTO seats VALUES (1); COMMIT";

/// A database with an empty table of seats, and a proxy in front of its server.
struct Bed {
    protocol: Protocol,
    direct: String,
    proxied: String,
    proxy: FaultProxy,
}

impl Bed {
    async fn postgres() -> Self {
        Self::new(postgres(), Protocol::Postgres).await
    }

    async fn mariadb() -> Self {
        Self::new(mariadb(), Protocol::MySql).await
    }

    async fn new(server: &'static SharedServer, protocol: Protocol) -> Self {
        let direct = server.fresh_database().await;
        let proxy = FaultProxy::start(server.address(), protocol).await;
        let bed = Self { protocol, proxied: proxy.url(&direct), direct, proxy };
        assert_eq!(bed.ask("CREATE TABLE seats (id int)").await, "");
        bed
    }

    /// How many rows there are, asked without the proxy.
    async fn rows(&self) -> u32 {
        self.ask("SELECT count(*) FROM seats").await.parse().expect("a count is a number")
    }

    async fn ask(&self, sql: &str) -> String {
        let output = self.run(&self.direct, sql, Messages::AtOnce).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    async fn sell(&self, how: Messages) -> Output {
        let sql = match how {
            Messages::OneByOne => ONE_BY_ONE,
            Messages::AtOnce => AT_ONCE,
        };
        self.run(&self.proxied, sql, how).await
    }

    async fn run(&self, url: &str, sql: &str, how: Messages) -> Output {
        let mut client = match self.protocol {
            Protocol::Postgres => psql(url, sql, how),
            Protocol::MySql => mariadb_client(url, sql, how),
        };
        output(&mut client).await
    }
}

#[derive(Debug, Clone, Copy)]
enum Messages {
    OneByOne,
    AtOnce,
}

fn psql(url: &str, sql: &str, how: Messages) -> Command {
    let mut psql = Command::new("psql");
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
        "--dbname",
        url,
    ]);
    match how {
        Messages::OneByOne => psql.args(sql.split("; ").flat_map(|statement| ["--command", statement])),
        Messages::AtOnce => psql.args(["--command", sql]),
    };
    psql
}

fn mariadb_client(url: &str, sql: &str, how: Messages) -> Command {
    let (address, database) = url
        .strip_prefix("mysql://root@")
        .and_then(|url| url.split_once('/'))
        .expect("a URL of our own server");
    let (host, port) = address.split_once(':').expect("an address with a port");
    let mut client = Command::new("mariadb");
    client.args(["--no-defaults", "--batch", "--skip-column-names", "--skip-reconnect", "--protocol=tcp"]);
    client.args(["--host", host, "--port", port, "--user=root", "--database", database]);
    if let Messages::AtOnce = how {
        // The client cuts at the delimiter.
        client.arg("--delimiter=//");
    }
    client.args(["--execute", sql]);
    client
}

/// A client that is left without an answer and without a connection's end would wait for ever.
async fn output(client: &mut Command) -> Output {
    let output = timeout(Duration::from_secs(60), client.kill_on_drop(true).output()).await;
    output.expect("the client is not left waiting").expect("the database's client programs are installed")
}

#[track_caller]
fn assert_lost_connection(output: &Output) {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(
        ["server closed the connection", "Lost connection", "Connection reset"]
            .iter()
            .any(|lost| complaint.contains(lost)),
        "{output:?}"
    );
}

#[tokio::test]
async fn without_faults_it_changes_nothing() {
    for bed in [Bed::postgres().await, Bed::mariadb().await] {
        let output = bed.sell(Messages::OneByOne).await;
        assert!(output.status.success() && output.stdout == b"sold\n", "{output:?}");
        let output = bed.sell(Messages::AtOnce).await;
        assert!(output.status.success() && output.stdout == b"selling\n", "{output:?}");
        assert_eq!(bed.rows().await, 2);
        assert_eq!((bed.proxy.commits_dropped(), bed.proxy.commit_replies_dropped()), (0, 0));
    }
}

#[tokio::test]
async fn a_commit_whose_reply_is_dropped_has_happened() {
    for bed in [Bed::postgres().await, Bed::mariadb().await] {
        bed.proxy.drop_commit_replies(2);
        for (how, so_far) in [(Messages::OneByOne, 1), (Messages::AtOnce, 2)] {
            assert_lost_connection(&bed.sell(how).await);
            assert_eq!(bed.rows().await, so_far, "{how:?}");
            assert_eq!(bed.proxy.commit_replies_dropped(), so_far, "{how:?}");
        }
        assert!(bed.sell(Messages::OneByOne).await.status.success(), "the third is not dropped");
        assert_eq!(bed.rows().await, 3);
        assert_eq!((bed.proxy.commits_dropped(), bed.proxy.commit_replies_dropped()), (0, 2));
    }
}

#[tokio::test]
async fn a_commit_that_is_dropped_has_not_happened() {
    for bed in [Bed::postgres().await, Bed::mariadb().await] {
        bed.proxy.drop_commits(2);
        for (how, so_far) in [(Messages::OneByOne, 1), (Messages::AtOnce, 2)] {
            assert_lost_connection(&bed.sell(how).await);
            assert_eq!(bed.rows().await, 0, "{how:?}");
            assert_eq!(bed.proxy.commits_dropped(), so_far, "{how:?}");
        }
        assert!(bed.sell(Messages::OneByOne).await.status.success(), "the third is not dropped");
        assert_eq!(bed.rows().await, 1);
        assert_eq!((bed.proxy.commits_dropped(), bed.proxy.commit_replies_dropped()), (2, 0));
    }
}

/// `pgbench` sends every statement parsed, bound and executed, or prepared once under a name.
#[tokio::test]
async fn commits_of_the_extended_protocol_are_seen() {
    for mode in ["extended", "prepared"] {
        let bed = Bed::postgres().await;
        assert!(pgbench(&bed, mode).await.status.success());
        assert_eq!(bed.rows().await, 1);

        bed.proxy.drop_commit_replies(1);
        pgbench(&bed, mode).await;
        assert_eq!((bed.rows().await, bed.proxy.commit_replies_dropped()), (2, 1), "{mode}");

        bed.proxy.drop_commits(1);
        pgbench(&bed, mode).await;
        assert_eq!((bed.rows().await, bed.proxy.commits_dropped()), (2, 1), "{mode}");
    }
}

async fn pgbench(bed: &Bed, mode: &str) -> Output {
    let script = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(script.path(), "BEGIN;\nINSERT INTO seats VALUES (1);\nCOMMIT;\n").expect("it can be written");
    let mut pgbench = Command::new("pgbench");
    pgbench.args(["--no-vacuum", "--transactions=1", "--protocol", mode, "--file"]).arg(script.path());
    output(pgbench.arg(&bed.proxied)).await
}

#[tokio::test]
async fn live_connections_are_cut() {
    for (bed, sleep) in
        [(Bed::postgres().await, "SELECT pg_sleep(600)"), (Bed::mariadb().await, "SELECT sleep(600)")]
    {
        let asleep = match bed.protocol {
            Protocol::Postgres => {
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'
                AND datname = current_database()"
            }
            Protocol::MySql => {
                "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT sleep%'
                AND db = database()"
            }
        };
        let cut = async {
            while bed.ask(asleep).await != "1" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            bed.proxy.cut_all();
        };
        let (output, ()) = tokio::join!(bed.run(&bed.proxied, sleep, Messages::AtOnce), cut);
        assert_lost_connection(&output);
        assert!(bed.sell(Messages::AtOnce).await.status.success(), "new connections are served");
    }
}

#[tokio::test]
async fn new_connections_are_refused_until_they_no_longer_are() {
    for bed in [Bed::postgres().await, Bed::mariadb().await] {
        bed.proxy.refuse(true);
        assert_lost_connection(&bed.sell(Messages::AtOnce).await);
        bed.proxy.refuse(false);
        assert!(bed.sell(Messages::AtOnce).await.status.success());
        assert_eq!(bed.rows().await, 1);
    }
}

#[tokio::test]
async fn every_reply_is_delayed() {
    for bed in [Bed::postgres().await, Bed::mariadb().await] {
        let delay = Duration::from_millis(250);
        bed.proxy.delay(delay);
        let start = Instant::now();
        assert!(bed.sell(Messages::OneByOne).await.status.success());
        // The log-in and four statements.
        assert!(start.elapsed() >= 5 * delay, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_dropped_proxy_is_gone() {
    let bed = Bed::postgres().await;
    drop(bed.proxy);
    let address = bed.proxied.split(['@', '/']).nth(3).expect("a URL with an address");
    // Its task ends when the runtime gets to it.
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
