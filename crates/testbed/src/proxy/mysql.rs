//! As much of MySQL's protocol as it takes to find commits and their answers.
//!
//! Source: MariaDB documentation, "Client/Server Protocol", packets and `COM_QUERY`.

use bytes::BytesMut;

use super::{Reply, Request, Session, ends_in_commit};

const COM_QUERY: u8 = 3;
/// A whole packet: one byte long, the first of its exchange, `COM_PING`.
const PING: &[u8] = &[1, 0, 0, 0, 14];

/// A text longer than a packet (16 MiB) is never seen as a commit.
#[derive(Debug, Default)]
pub(super) struct MySqlSession {
    withhold: bool,
    /// The number of the last packet withheld.
    last_withheld: Option<u8>,
}

impl Session for MySqlSession {
    fn next_request(&mut self, received: &mut BytesMut) -> Option<Request> {
        let message = take_packet(received)?;
        // Packets are numbered within an exchange; a command opens one.
        let commits = match message[3..] {
            [0, COM_QUERY, ref text @ ..] => ends_in_commit(text),
            _ => false,
        };
        Some(Request { message, commits })
    }

    /// A text of several statements has several answers, whose end is hard to see. The answer to a ping
    /// behind it says that they are complete.
    fn withhold_commit_reply(&mut self) -> &'static [u8] {
        self.withhold = true;
        PING
    }

    fn next_reply(&mut self, received: &mut BytesMut) -> Option<Reply> {
        let message = take_packet(received)?;
        if !self.withhold {
            return Some(Reply::Forward(message));
        }
        // Answers are numbered from 1. A second 1 is the ping's, unless the numbers went round.
        let number = message[3];
        let before = self.last_withheld.replace(number);
        let is_second = number == 1 && before.is_some_and(|before| before != 0);
        Some(if is_second { Reply::CommitAnswered } else { Reply::Withhold })
    }
}

/// Takes a whole packet: a length of three bytes, a number, so many bytes.
fn take_packet(received: &mut BytesMut) -> Option<BytesMut> {
    let &[low, middle, high, _number] = received.first_chunk()?;
    let length = 4 + usize::from(low) + (usize::from(middle) << 8) + (usize::from(high) << 16);
    (received.len() >= length).then(|| received.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).expect("a short packet");
        [&[length, 0, 0, number], body].concat()
    }

    #[test]
    fn packets_are_whole_however_they_arrive() {
        let mut session = MySqlSession::default();
        // What follows the greeting is numbered 1 and is no command, whatever its first byte.
        let packets =
            [(packet(1, b"\x03COMMIT"), false), (packet(0, b"\x03COMMIT"), true), (packet(0, b""), false)];
        let mut received = BytesMut::new();
        let mut taken = Vec::new();
        for byte in packets.iter().flat_map(|(packet, _)| packet) {
            received.extend_from_slice(&[*byte]);
            taken.extend(session.next_request(&mut received));
        }
        let expected =
            packets.map(|(packet, commits)| Request { message: BytesMut::from(packet.as_slice()), commits });
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_commit_is_answered_when_the_ping_behind_it_is() {
        let mut session = MySqlSession::default();
        let reply = |session: &mut MySqlSession, number| {
            session.next_reply(&mut BytesMut::from(packet(number, b"\0").as_slice())).expect("a whole packet")
        };
        assert_eq!(reply(&mut session, 1), Reply::Forward(BytesMut::from(packet(1, b"\0").as_slice())));
        assert_eq!(session.withhold_commit_reply(), PING);
        // A long answer, whose numbers go round.
        for number in (1..=255).chain(0..=2) {
            assert_eq!(reply(&mut session, number), Reply::Withhold);
        }
        assert_eq!(reply(&mut session, 1), Reply::CommitAnswered);
    }
}
