//! Where requests begin on a connection, followed beside the parser, to spoil the heads that it would
//! let through or leave without an answer: it refuses what is spoiled as it refuses whatever else is
//! malformed, with 400 and the end of the connection.
//!
//! A head with both `Content-Length` and `Transfer-Encoding` is how a request is smuggled past a proxy
//! that believes the other one of the two (RFC 9112, 6.1 lets a server refuse it; hyper takes it, by
//! the coding). The preface of HTTP/2 is answered with nothing by hyper.

use memchr::memchr;

/// As many bytes of a line as are looked at: a name and a length.
const LINE_MAX: usize = 64;

const HTTP_2: &[u8] = b"PRI * HTTP/2.0";

/// What has been read of a connection.
#[derive(Debug)]
pub(super) struct Heads {
    at: At,
    line: Line,
}

/// Where in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Head(Head),
    /// So many bytes of a body are left.
    Body(u64),
    /// The line that says how long the next chunk is.
    ChunkSize,
    /// So many bytes of a chunk are left, with its end.
    Chunk(u64),
    Trailers,
    /// Something that the parser does not let through, either.
    Lost,
}

/// What has been seen of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    begun: bool,
    length: Option<u64>,
    coded: bool,
    http_2: bool,
}

/// The beginning of a line.
#[derive(Debug)]
struct Line {
    bytes: [u8; LINE_MAX],
    length: usize,
    too_long: bool,
}

impl Line {
    fn add(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(LINE_MAX - self.length);
        self.bytes[self.length..self.length + fits].copy_from_slice(&bytes[..fits]);
        self.length += fits;
        self.too_long |= fits < bytes.len();
    }

    /// What was added, without its end.
    fn known(&self) -> &[u8] {
        let bytes = &self.bytes[..self.length];
        if self.too_long { bytes } else { bytes.strip_suffix(b"\r").unwrap_or(bytes) }
    }

    fn clear(&mut self) {
        (self.length, self.too_long) = (0, false);
    }
}

impl Default for Heads {
    fn default() -> Self {
        let line = Line { bytes: [0; LINE_MAX], length: 0, too_long: false };
        Self { at: At::Head(Head::default()), line }
    }
}

impl Heads {
    /// Follows what was read next, and spoils in it what must not go on.
    pub(super) fn follow(&mut self, bytes: &mut [u8]) {
        let mut from = 0;
        while from < bytes.len() {
            let rest = &bytes[from..];
            match &mut self.at {
                At::Lost => return,
                At::Body(left) | At::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    from += taken;
                    *left -= taken as u64;
                    if *left == 0 {
                        self.at = match self.at {
                            At::Chunk(_) => At::ChunkSize,
                            _ => At::Head(Head::default()),
                        };
                    }
                }
                At::Head(_) | At::ChunkSize | At::Trailers => match memchr(b'\n', rest) {
                    None => {
                        self.line.add(rest);
                        return;
                    }
                    Some(end) => {
                        self.line.add(&rest[..end]);
                        from += end + 1;
                        if !self.take_line() {
                            // No line ends with this.
                            bytes[from - 1] = 0;
                            self.at = At::Lost;
                            return;
                        }
                        self.line.clear();
                    }
                },
            }
        }
    }

    /// Whether it may go on after this line.
    fn take_line(&mut self) -> bool {
        let line = self.line.known();
        self.at = match self.at {
            At::Head(head) if line.is_empty() => {
                let doubtful = head.http_2 || head.coded && head.length.is_some();
                if doubtful {
                    return false;
                }
                head.body()
            }
            At::Head(mut head) => {
                if head.note(line, self.line.too_long) {
                    At::Head(head)
                } else {
                    At::Lost
                }
            }
            At::ChunkSize => chunk(line),
            At::Trailers if line.is_empty() => At::Head(Head::default()),
            other => other,
        };
        true
    }
}

impl Head {
    /// Notes a line. `false` if it cannot be followed from here on.
    fn note(&mut self, line: &[u8], too_long: bool) -> bool {
        if !self.begun {
            self.begun = true;
            self.http_2 = line.starts_with(HTTP_2);
            return true;
        }
        let Some(colon) = memchr(b':', line) else { return true };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.coded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let Some(length) = number(value, 10).filter(|_| !too_long) else { return false };
            self.length = Some(length);
        }
        true
    }

    /// What comes after this head.
    const fn body(self) -> At {
        match (self.coded, self.length) {
            // Empty lines before a request.
            _ if !self.begun => At::Head(self),
            (true, _) => At::ChunkSize,
            (false, Some(length)) if length > 0 => At::Body(length),
            (false, _) => At::Head(Head { begun: false, length: None, coded: false, http_2: false }),
        }
    }
}

/// What comes after the line with a chunk's size.
fn chunk(line: &[u8]) -> At {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    match number(size.trim_ascii_end(), 16) {
        Some(0) => At::Trailers,
        // With the end of its line.
        Some(size) => size.checked_add(2).map_or(At::Lost, At::Chunk),
        None => At::Lost,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use hyper::{Response, server::conn::http1, service::service_fn};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What is left of bytes that come in pieces of so many.
    fn followed(text: &str, piece: usize) -> Vec<u8> {
        let mut heads = Heads::default();
        let mut bytes = text.as_bytes().to_vec();
        bytes.chunks_mut(piece).for_each(|bytes| heads.follow(bytes));
        bytes
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const SIZED: &str = "POST / HTTP/1.1\r\ncontent-LENGTH:  4 \r\n\r\n\r\n\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                           1b;x=\"y\"\r\nContent-Length: 1\r\nX: y\r\n\r\n\r\n0\r\nTrailer: x\r\n\r\n";

    #[test]
    fn what_is_clear_passes_as_it_is_in_whatever_pieces_it_comes() {
        let lengths = "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}";
        let bare = "GET / HTTP/1.1\nHost: x\n\n";
        let long =
            format!("GET /{} HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(500), "transfer-encoding: ".repeat(50));
        let all = [GET, SIZED, CHUNKED, "\r\n", SIZED, CHUNKED, lengths, bare, GET, &long, GET].concat();
        for piece in [1, 2, 3, 7, 64, 65, 100, 10_000] {
            assert_eq!(followed(&all, piece), all.as_bytes(), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_head_with_two_ways_to_end_is_spoiled_wherever_it_stands() {
        let both = [
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 4\r\nX: y\r\ntransfer-encoding:chunked\r\n\r\n",
            "POST / HTTP/1.1\nContent-Length: 4\nTRANSFER-ENCODING: \tchunked\n\n",
            "PRI * HTTP/2.0\r\n\r\n",
        ];
        for both in both {
            for before in [String::new(), GET.to_owned(), SIZED.repeat(2), [SIZED, CHUNKED, GET].concat()] {
                for piece in [1, 2, 5, 64, 10_000] {
                    let left = followed(&[&before, both, "0\r\n\r\n", GET].concat(), piece);
                    let end = before.len() + both.len() - 1;
                    assert_eq!((left[end], left[end - 1]), (0, both.as_bytes()[both.len() - 2]), "{both:?}");
                    assert_eq!(left.iter().filter(|byte| **byte == 0).count(), 1, "one byte is enough");
                }
            }
        }
    }

    #[test]
    fn what_the_parser_refuses_is_left_to_it() {
        for odd in ["Content-Length: +4", "Content-Length: 4, 4", "Content-Length: x"] {
            let text = format!("POST / HTTP/1.1\r\n{odd}\r\nTransfer-Encoding: chunked\r\n\r\n");
            assert_eq!(followed(&text, 10_000), text.as_bytes());
        }
        let text = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned() + GET;
        assert_eq!(followed(&text, 10_000), text.as_bytes());
    }

    /// What hyper answers, with nothing in front of it.
    async fn answered_by_hyper(text: &str) -> String {
        let (mut client, server) = tokio::io::duplex(4_096);
        let fine = service_fn(async |_| Ok::<_, Infallible>(Response::new(Body::empty())));
        let serving = async {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(server), fine).await;
        };
        let asking = async {
            client.write_all(text.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::join!(serving, asking).1
    }

    /// The negative control, and that a spoiled head is refused.
    #[tokio::test]
    async fn hyper_takes_what_is_spoiled_here_or_says_nothing_and_refuses_it_spoiled() {
        let post = "POST / HTTP/1.1\r\nHost: x\r\n";
        let both = format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        let turned = format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
        let http_2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for (text, without) in [(&*both, "HTTP/1.1 200"), (&turned, "HTTP/1.1 200"), (http_2, "")] {
            let answer = answered_by_hyper(text).await;
            assert!(answer.starts_with(without) && answer.is_empty() == without.is_empty(), "{answer}");
            let spoiled = String::from_utf8(followed(text, 10_000)).unwrap();
            let answer = answered_by_hyper(&spoiled).await;
            assert!(answer.starts_with("HTTP/1.1 400") && answer.matches("HTTP/").count() == 1, "{answer}");
        }
    }
}
