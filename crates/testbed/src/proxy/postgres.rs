//! As much of PostgreSQL's protocol as it takes to find commits and their answers.
//!
//! Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Flow" and "Message Formats".

use std::{collections::HashSet, io};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Reply, Request, Session, ends_in_commit};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENCRYPTION_REQUEST: u32 = 80_877_104;

/// Says no to encryption as often as the client asks for it, so that what follows can be read. Returns the
/// first eight bytes that follow.
pub(super) async fn decline_encryption(client: &mut TcpStream) -> io::Result<BytesMut> {
    loop {
        // Every first message begins with its length and a code.
        let length = client.read_u32().await?;
        let code = client.read_u32().await?;
        if !matches!(code, SSL_REQUEST | GSS_ENCRYPTION_REQUEST) {
            let begin = [length.to_be_bytes(), code.to_be_bytes()].concat();
            return Ok(BytesMut::from(begin.as_slice()));
        }
        client.write_all(b"N").await?;
    }
}

#[derive(Debug, Default)]
pub(super) struct PostgresSession {
    started: bool,
    /// The prepared statements and the portals that are a commit. The unnamed ones have empty names.
    commit_statements: HashSet<Box<[u8]>>,
    commit_portals: HashSet<Box<[u8]>>,
    /// The server says "ready for query" once for the start, each simple query and each sync.
    ready_expected: u64,
    ready_seen: u64,
    /// The "ready for query" that comes with the answer to the last commit.
    commit_ready: u64,
    withhold_until: Option<u64>,
}

impl Session for PostgresSession {
    fn next_request(&mut self, received: &mut BytesMut) -> Option<Request> {
        if !self.started {
            // The only message without a type.
            let message = take_message(received, 0)?;
            self.started = true;
            self.ready_expected = 1;
            return Some(Request { message, commits: false });
        }
        let message = take_message(received, 1)?;
        let commits = self.note_request(message[0], &message[5..]);
        Some(Request { message, commits })
    }

    fn withhold_commit_reply(&mut self) -> &'static [u8] {
        self.withhold_until = Some(self.commit_ready);
        b""
    }

    fn next_reply(&mut self, received: &mut BytesMut) -> Option<Reply> {
        let message = take_message(received, 1)?;
        if message[0] == b'Z' {
            self.ready_seen += 1;
        }
        Some(match self.withhold_until {
            None => Reply::Forward(message),
            Some(ready) if self.ready_seen < ready => Reply::Withhold,
            Some(_) => Reply::CommitAnswered,
        })
    }
}

impl PostgresSession {
    /// Whether the message executes a commit.
    fn note_request(&mut self, kind: u8, body: &[u8]) -> bool {
        let mut strings = body.split(|byte| *byte == 0);
        let mut next_string = || strings.next().unwrap_or_default();
        match kind {
            b'Q' => {
                self.ready_expected += 1;
                self.commit_ready = self.ready_expected;
                return ends_in_commit(next_string());
            }
            b'P' => {
                let statement = next_string();
                note(&mut self.commit_statements, statement, ends_in_commit(next_string()));
            }
            b'B' => {
                let portal = next_string();
                let commits = self.commit_statements.contains(next_string());
                note(&mut self.commit_portals, portal, commits);
            }
            b'E' => {
                // Answered together with the sync that follows.
                self.commit_ready = self.ready_expected + 1;
                return self.commit_portals.contains(next_string());
            }
            // Sync and function call.
            b'S' | b'F' => self.ready_expected += 1,
            _ => {}
        }
        false
    }
}

/// A name may be given anew to something that is no commit.
fn note(commits: &mut HashSet<Box<[u8]>>, name: &[u8], is_commit: bool) {
    if is_commit {
        commits.insert(name.into());
    } else {
        commits.remove(name);
    }
}

/// Takes a whole message: a type of so many bytes, a length that counts itself, the rest.
fn take_message(received: &mut BytesMut, type_length: usize) -> Option<BytesMut> {
    let length = received.get(type_length..type_length + 4)?;
    let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
    let length = type_length + usize::try_from(length).ok()?.max(4);
    (received.len() >= length).then(|| received.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &[u8] = b"\x00\x00\x00\x09\x00\x03\x00\x00\x00";

    fn message(kind: u8, body: &str) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a short message");
        [&[kind], length.to_be_bytes().as_slice(), body.as_bytes()].concat()
    }

    fn started() -> PostgresSession {
        let mut session = PostgresSession::default();
        session.next_request(&mut BytesMut::from(START)).expect("a whole message");
        session
    }

    fn commits(session: &mut PostgresSession, kind: u8, body: &str) -> bool {
        let mut received = BytesMut::from(message(kind, body).as_slice());
        session.next_request(&mut received).expect("a whole message").commits
    }

    fn reply(session: &mut PostgresSession, kind: u8) -> Reply {
        let mut received = BytesMut::from(message(kind, "").as_slice());
        session.next_reply(&mut received).expect("a whole message")
    }

    #[test]
    fn messages_are_whole_however_they_arrive() {
        let mut session = PostgresSession::default();
        let query = message(b'Q', "COMMIT\0");
        let mut received = BytesMut::new();
        let mut taken = Vec::new();
        for byte in [START, &query].concat() {
            received.extend_from_slice(&[byte]);
            taken.extend(session.next_request(&mut received));
        }
        let expected = [(START, false), (&query, true)]
            .map(|(message, commits)| Request { message: BytesMut::from(message), commits });
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_prepared_commit_commits_when_it_is_executed() {
        let mut session = started();
        assert!(!commits(&mut session, b'P', "end\0COMMIT\0\0\0"));
        assert!(!commits(&mut session, b'P', "\0SELECT 1\0\0\0"));
        assert!(!commits(&mut session, b'B', "\0end\0"));
        assert!(commits(&mut session, b'E', "\0\0\0\0\0"));
        assert!(!commits(&mut session, b'B', "\0\0"));
        assert!(!commits(&mut session, b'E', "\0\0\0\0\0"), "the portal is another statement now");
    }

    #[test]
    fn the_answer_to_a_commit_is_told_from_earlier_ones() {
        let mut session = started();
        commits(&mut session, b'Q', "SELECT 1\0");
        assert!(commits(&mut session, b'Q', "COMMIT\0"));
        assert_eq!(session.withhold_commit_reply(), b"");
        // The start's, the first query's, the commit's own.
        for kind in [b'Z', b'D', b'Z', b'C'] {
            assert_eq!(reply(&mut session, kind), Reply::Withhold);
        }
        assert_eq!(reply(&mut session, b'Z'), Reply::CommitAnswered);
    }
}
