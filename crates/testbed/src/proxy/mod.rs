//! A proxy between a client and its database that can be told to fail.

mod connection;
mod mysql;
mod postgres;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::url::DatabaseUrl;

/// What the client and the server speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's, version 3. Encryption is declined.
    Postgres,
    /// That of MySQL and MariaDB, neither encrypted nor compressed.
    MySql,
}

/// Forwards connections to a server, faithfully until told otherwise.
///
/// What it is told holds for the connections there are and for those to come. Dropping it drops them all.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    faults: Arc<Faults>,
    acceptor: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start(upstream: SocketAddr, protocol: Protocol) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port of 127.0.0.1 for the proxy");
        let address = listener.local_addr().expect("a listener has an address");
        let faults = Arc::new(Faults::new(upstream));
        let acceptor = tokio::spawn(accept(listener, protocol, faults.clone()));
        Self { address, faults, acceptor }
    }

    /// As [`FaultProxy::start`], in front of the server that a URL names.
    ///
    /// # Panics
    /// When the URL names no server, or as [`FaultProxy::start`].
    pub async fn in_front_of(url: &str) -> Self {
        let protocol = if url.starts_with("postgres") { Protocol::Postgres } else { Protocol::MySql };
        Self::start(DatabaseUrl::parse(url).address(), protocol).await
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server's database, but through the proxy.
    #[must_use]
    pub fn url(&self, upstream: &str) -> String {
        DatabaseUrl::parse(upstream).with_address(self.address)
    }

    /// Drops all live connections, whatever they are doing.
    pub fn cut_all(&self) {
        self.faults.cut.send_replace(());
    }

    /// Leads new connections to another server, as a name or an address does that has moved. Those there
    /// are stay with theirs.
    pub fn lead_to(&self, upstream: SocketAddr) {
        *self.faults.upstream.lock().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// Closes new connections at once, or no longer does.
    pub fn refuse(&self, refuse: bool) {
        self.faults.refuse.store(refuse, SeqCst);
    }

    /// Holds back what the server answers to each request, from now on.
    pub fn delay(&self, delay: Duration) {
        *self.faults.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// For the next `count` commits: the server commits and answers, but the client finds its connection
    /// closed instead of the answer.
    ///
    /// A commit is a text whose last statement is `COMMIT` or `COMMIT AND CHAIN`, whether it is sent as it is
    /// or, to PostgreSQL, prepared. Answers to what the client sent before the commit without waiting are lost, too.
    pub fn drop_commit_replies(&self, count: u32) {
        self.faults.commit_replies_to_drop.store(count, SeqCst);
    }

    /// For the next `count` commits: the connection closes in place of the commit, which never happens.
    ///
    /// Goes before [`drop_commit_replies`](Self::drop_commit_replies).
    pub fn drop_commits(&self, count: u32) {
        self.faults.commits_to_drop.store(count, SeqCst);
    }

    /// How many commits the server has answered, be it with an error, and the client has not heard of.
    #[must_use]
    pub fn commit_replies_dropped(&self) -> u32 {
        self.faults.commit_replies_dropped.load(SeqCst)
    }

    /// How many commits never reached the server.
    #[must_use]
    pub fn commits_dropped(&self) -> u32 {
        self.faults.commits_dropped.load(SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// What is to go wrong, and what has.
#[derive(Debug)]
struct Faults {
    /// Where new connections lead.
    upstream: Mutex<SocketAddr>,
    cut: watch::Sender<()>,
    refuse: AtomicBool,
    delay: Mutex<Duration>,
    commits_to_drop: AtomicU32,
    commit_replies_to_drop: AtomicU32,
    commits_dropped: AtomicU32,
    commit_replies_dropped: AtomicU32,
}

impl Faults {
    fn new(upstream: SocketAddr) -> Self {
        Self {
            upstream: Mutex::new(upstream),
            cut: watch::Sender::default(),
            refuse: AtomicBool::default(),
            delay: Mutex::default(),
            commits_to_drop: AtomicU32::default(),
            commit_replies_to_drop: AtomicU32::default(),
            commits_dropped: AtomicU32::default(),
            commit_replies_dropped: AtomicU32::default(),
        }
    }

    fn upstream(&self) -> SocketAddr {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delay(&self) -> Duration {
        *self.delay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, protocol: Protocol, faults: Arc<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted && !faults.refuse.load(SeqCst) {
                    connections.spawn(connection::serve(client, faults.upstream(), protocol, faults.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What is understood of one connection. Both directions are taken apart into whole messages, so that
/// nothing is ever cut in the middle of one.
trait Session: Send {
    /// Takes the next whole message off what the client has sent.
    fn next_request(&mut self, received: &mut BytesMut) -> Option<Request>;

    /// The commit last returned by `next_request` is about to be sent; its answer is to be withheld.
    /// Returns what must be sent behind it.
    fn withhold_commit_reply(&mut self) -> &'static [u8];

    /// Takes the next whole message off what the server has sent.
    fn next_reply(&mut self, received: &mut BytesMut) -> Option<Reply>;
}

/// A message of the client.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    message: BytesMut,
    commits: bool,
}

/// A message of the server.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Forward(BytesMut),
    Withhold,
    /// The server is done with the commit.
    CommitAnswered,
}

/// Whether the last statement of a text is a commit.
fn ends_in_commit(text: &[u8]) -> bool {
    let mut statements = text.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let last = statements.rfind(|statement| !statement.is_empty());
    let commits = [&b"COMMIT"[..], b"COMMIT AND CHAIN"];
    last.is_some_and(|last| commits.iter().any(|commit| last.eq_ignore_ascii_case(commit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_the_last_statement() {
        let whole = "INSERT INTO t VALUES (1); COMMIT";
        for text in ["COMMIT", "commit;", " Commit ; \n", whole, "a;b;COMMIT;;", "COMMIT AND CHAIN"] {
            assert!(ends_in_commit(text.as_bytes()), "{text}");
        }
        for text in ["", ";", "COMMIT; SELECT 1", "COMMITTED", "SELECT 'x; COMMIT'", "ROLLBACK"] {
            assert!(!ends_in_commit(text.as_bytes()), "{text}");
        }
    }
}
