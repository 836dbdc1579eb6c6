//! One connection through the proxy: two pumps, and the faults that stop them.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

use super::{Faults, Protocol, Reply, Session, mysql, postgres};

/// Forwards until either side or a fault ends it.
pub(super) async fn serve(client: TcpStream, upstream: SocketAddr, protocol: Protocol, faults: Arc<Faults>) {
    let mut cut = faults.cut.subscribe();
    tokio::select! {
        _ = cut.changed() => {}
        // How it ended concerns the two sides only: both find their connection closed.
        _ = forward(client, upstream, protocol, &faults) => {}
    }
}

async fn forward(
    mut client: TcpStream,
    upstream: SocketAddr,
    protocol: Protocol,
    faults: &Faults,
) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (received, session): (_, Box<dyn Session>) = match protocol {
        Protocol::Postgres => {
            (postgres::decline_encryption(&mut client).await?, Box::<postgres::PostgresSession>::default())
        }
        Protocol::MySql => (BytesMut::new(), Box::<mysql::MySqlSession>::default()),
    };
    let connection = Connection { session: Mutex::new(session), asked: AtomicBool::new(false), faults };
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        connection.forward_requests(received, from_client, to_server),
        connection.forward_replies(from_server, to_client),
    )?;
    Ok(())
}

struct Connection<'a> {
    session: Mutex<Box<dyn Session>>,
    /// The client waits for an answer that has not begun to arrive.
    asked: AtomicBool,
    faults: &'a Faults,
}

impl Connection<'_> {
    /// Ends well when the client has nothing more to say; the server may still have.
    async fn forward_requests(
        &self,
        mut received: BytesMut,
        mut client: ReadHalf<'_>,
        mut server: WriteHalf<'_>,
    ) -> io::Result<()> {
        loop {
            let Requests { messages, then_close } = self.take_requests(&mut received);
            if !messages.is_empty() {
                self.asked.store(true, SeqCst);
                server.write_all(&messages).await?;
            }
            if then_close {
                self.faults.commits_dropped.fetch_add(1, SeqCst);
                return closed();
            }
            if client.read_buf(&mut received).await? == 0 {
                return server.shutdown().await;
            }
        }
    }

    fn take_requests(&self, received: &mut BytesMut) -> Requests {
        let mut session = self.session();
        let mut messages = Vec::new();
        while let Some(request) = session.next_request(received) {
            if request.commits && take_one(&self.faults.commits_to_drop) {
                return Requests { messages, then_close: true };
            }
            messages.extend_from_slice(&request.message);
            if request.commits && take_one(&self.faults.commit_replies_to_drop) {
                messages.extend_from_slice(session.withhold_commit_reply());
            }
        }
        Requests { messages, then_close: false }
    }

    async fn forward_replies(&self, mut server: ReadHalf<'_>, mut client: WriteHalf<'_>) -> io::Result<()> {
        let mut received = BytesMut::new();
        while server.read_buf(&mut received).await? > 0 {
            let Some(messages) = self.take_replies(&mut received) else {
                self.faults.commit_replies_dropped.fetch_add(1, SeqCst);
                return closed();
            };
            if messages.is_empty() {
                continue;
            }
            let delay = self.faults.delay();
            if self.asked.swap(false, SeqCst) && delay > Duration::ZERO {
                tokio::time::sleep(delay).await;
            }
            client.write_all(&messages).await?;
        }
        closed()
    }

    /// What to forward; `None` once the commit whose reply is withheld has been answered.
    fn take_replies(&self, received: &mut BytesMut) -> Option<Vec<u8>> {
        let mut session = self.session();
        let mut messages = Vec::new();
        while let Some(reply) = session.next_reply(received) {
            match reply {
                Reply::Forward(message) => messages.extend_from_slice(&message),
                Reply::Withhold => {}
                Reply::CommitAnswered => return None,
            }
        }
        Some(messages)
    }

    fn session(&self) -> MutexGuard<'_, Box<dyn Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Requests {
    messages: Vec<u8>,
    /// The next message is a commit that must not arrive.
    then_close: bool,
}

/// An error, as it stops the other direction, too.
fn closed() -> io::Result<()> {
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// Whether there was one left to take.
fn take_one(left: &AtomicU32) -> bool {
    left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
}
