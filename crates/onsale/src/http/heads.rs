//! Where requests begin on a connection, followed beside the parser, to spoil the heads that it would
//! let through or leave without an answer: it refuses what is spoiled as it refuses whatever else is
//! malformed, with 400 and the end of the connection.
//!
//! A head that two programs can read in two ways is how a request is smuggled past a proxy (RFC 9112, 6.3
//! and 11.2). Refused are:
//!
//! - `Content-Length` beside `Transfer-Encoding`, whatever the length says (6.1 lets a server refuse it;
//!   hyper takes it, by the coding), lengths that differ, and a length that is no number or so padded that
//!   its line has more than [`LINE_MAX`] bytes;
//! - `Transfer-Encoding` that is not `chunked`, is there twice, or is in a request of HTTP/1.0;
//! - a request of HTTP/1.1 without `Host`, two `Host`, and a `Host` that is none (3.2);
//! - a line that is folded, or whose name is followed by a blank (5.1, 5.2).
//!
//! A target in absolute form goes before `Host` (3.2.2), and nothing here asks for either. The preface of
//! HTTP/2 is answered with nothing by hyper.

use memchr::memchr;

/// As many bytes of a line as are looked at: a name and a length, and the version in [`TAIL`].
const LINE_MAX: usize = 64;

/// As many bytes of a line's end as are looked at: a version, and the end of the line.
const TAIL: usize = 10;

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
    version: Version,
    length: Option<u64>,
    coded: bool,
    hosts: u8,
    /// It is to be refused.
    faulty: bool,
}

/// The version of a request, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Version {
    One,
    OnePointOne,
    /// None that the parser lets through.
    #[default]
    Other,
}

/// The beginning of a line.
#[derive(Debug)]
struct Line {
    bytes: [u8; LINE_MAX],
    length: usize,
    too_long: bool,
    tail: [u8; TAIL],
}

impl Line {
    fn add(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(TAIL)..];
        self.tail.rotate_left(last.len());
        self.tail[TAIL - last.len()..].copy_from_slice(last);
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

    /// Whether it ends with this, which is at most [`TAIL`] bytes with the end of a line.
    fn ends_with(&self, end: &[u8]) -> bool {
        self.tail.strip_suffix(b"\r").unwrap_or(&self.tail).ends_with(end)
    }

    fn clear(&mut self) {
        (self.length, self.too_long, self.tail) = (0, false, [0; TAIL]);
    }
}

impl Default for Heads {
    fn default() -> Self {
        let line = Line { bytes: [0; LINE_MAX], length: 0, too_long: false, tail: [0; TAIL] };
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
                if head.is_doubtful() {
                    return false;
                }
                head.body()
            }
            At::Head(mut head) => {
                head.note(&self.line);
                At::Head(head)
            }
            // A size that is not wholly seen, as after very many zeros, could be taken for another one.
            At::ChunkSize if self.line.too_long && !line.contains(&b';') => return false,
            At::ChunkSize => chunk(line),
            At::Trailers if line.is_empty() => At::Head(Head::default()),
            other => other,
        };
        true
    }
}

impl Head {
    /// Notes a line.
    fn note(&mut self, line: &Line) {
        let known = line.known();
        if !self.begun {
            self.begun = true;
            self.faulty = known.starts_with(HTTP_2);
            self.version = match () {
                () if line.ends_with(b"HTTP/1.1") => Version::OnePointOne,
                () if line.ends_with(b"HTTP/1.0") => Version::One,
                () => Version::Other,
            };
            return;
        }
        // Folded; or the name goes on where the line is no longer looked at.
        let Some(colon) =
            memchr(b':', known).filter(|_| !known.starts_with(b" ") && !known.starts_with(b"\t"))
        else {
            self.faulty |= !line.too_long || is_blank(known[0]);
            return;
        };
        let (name, value) = (&known[..colon], trim(&known[colon + 1..]));
        self.faulty |= name.last().is_none_or(|byte| is_blank(*byte));
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.faulty |= self.coded || !value.eq_ignore_ascii_case(b"chunked") || line.too_long;
            self.coded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value, 10).filter(|_| !line.too_long);
            self.faulty |= length.is_none() || self.length.is_some_and(|before| length != Some(before));
            self.length = length.or(self.length).or(Some(0));
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts = self.hosts.saturating_add(1);
            self.faulty |= !value.iter().all(|byte| is_of_host(*byte));
        }
    }

    /// Whether it can be read in two ways, now that it has ended.
    const fn is_doubtful(self) -> bool {
        let hosts_wrong = self.hosts > 1 || matches!(self.version, Version::OnePointOne) && self.hosts == 0;
        let coding_wrong = self.coded && (self.length.is_some() || matches!(self.version, Version::One));
        self.begun && (self.faulty || hosts_wrong || coding_wrong)
    }

    /// What comes after this head.
    const fn body(self) -> At {
        match (self.coded, self.length) {
            // Empty lines before a request.
            _ if !self.begun => At::Head(self),
            (true, _) => At::ChunkSize,
            (false, Some(length)) if length > 0 => At::Body(length),
            (false, _) => At::Head(Head {
                begun: false,
                version: Version::Other,
                length: None,
                coded: false,
                hosts: 0,
                faulty: false,
            }),
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

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Without the blanks around it.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether a host and its port may have this (RFC 3986, 3.2.2).
const fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']')
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
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
    const SIZED: &str = "POST / HTTP/1.1\r\nHOST:\tx:80 \r\ncontent-LENGTH:  4 \r\n\r\n\r\n\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n\
                           1b;x=\"y\"\r\nContent-Length: 1\r\nX: y\r\n\r\n\r\n0\r\nTrailer: x\r\n\r\n";

    #[test]
    fn what_is_clear_passes_as_it_is_in_whatever_pieces_it_comes() {
        let lengths = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}";
        let old = "GET / HTTP/1.0\r\n\r\nGET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n";
        let bare = "GET / HTTP/1.1\nHost: x\n\n";
        let long = format!(
            "GET /{} HTTP/1.1\r\nHost:\r\nX: {}\r\n{}: y\r\n\r\n",
            "y".repeat(500),
            "transfer-encoding: ".repeat(50),
            "Z".repeat(99)
        );
        let all = [GET, SIZED, CHUNKED, "\r\n", SIZED, CHUNKED, lengths, bare, old, &long, GET].concat();
        for piece in [1, 2, 3, 7, 64, 65, 100, 10_000] {
            assert_eq!(followed(&all, piece), all.as_bytes(), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_head_with_two_ways_to_end_is_spoiled_wherever_it_stands() {
        let both = [
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 4\r\nHost: x\r\ntransfer-encoding:chunked\r\n\r\n",
            "POST / HTTP/1.1\nHost: x\nContent-Length: 4\nTRANSFER-ENCODING: \tchunked\n\n",
            "PRI * HTTP/2.0\r\n\r\n",
        ];
        let padded = format!("Transfer-Encoding: chunked\r\nContent-Length:{}4", " ".repeat(200));
        let long_coding = format!("Transfer-Encoding: chunked{}", " ".repeat(200));
        let odd = [
            "Transfer-Encoding: chunked\r\nContent-Length: x",
            "Content-Length: +4\r\nTransfer-Encoding: chunked",
            "Content-Length:\r\nTransfer-Encoding: chunked",
            &padded,
            &long_coding,
            "Content-Length: x",
            "Content-Length: 4, 4",
            "Content-Length: 4\r\nContent-Length: 5",
            "Content-Length: -1",
            "Content-Length: 99999999999999999999",
            "Content-Length : 4",
            "Content-Length\t: 4",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: \x0bchunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding:",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding:\r\n chunked",
            "X: y\r\n\tz",
            ": y",
            "no colon",
            "Host: y",
            "Host: x",
        ];
        let odd = odd.map(|odd| format!("POST / HTTP/1.1\r\nHost: x\r\n{odd}\r\n\r\n"));
        let hosts = [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\nX: y\n\n",
            "GET http://x/ HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        ];
        let both = both.into_iter().chain(odd.iter().map(|odd| &**odd)).chain(hosts);
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
    fn a_chunk_whose_size_is_not_wholly_seen_is_spoiled() {
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let size = format!("{}40\r\n", "0".repeat(LINE_MAX));
        for piece in [1, 7, 64, 10_000] {
            let left = followed(&[head, &size, GET].concat(), piece);
            assert_eq!(left.iter().filter(|byte| **byte == 0).count(), 1, "in pieces of {piece}");
            let long_extension = format!("1b;x=\"{}\"\r\n{}\r\n0\r\n\r\n", "y".repeat(99), "z".repeat(0x1b));
            let clear = [head, &long_extension, GET].concat();
            assert_eq!(followed(&clear, piece), clear.as_bytes(), "an extension may be long");
        }
    }

    #[test]
    fn what_the_parser_refuses_is_left_to_it() {
        let text = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned() + GET;
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
        let malformed = format!("{post}Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n");
        let hosts = format!("{post}Host: y\r\nConnection: close\r\n\r\n");
        let no_host = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        let http_2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let served = [&*both, &turned, &malformed, &hosts, no_host].map(|text| (text, "HTTP/1.1 200"));
        for (text, without) in served.into_iter().chain([(http_2, "")]) {
            let answer = answered_by_hyper(text).await;
            assert!(answer.starts_with(without) && answer.is_empty() == without.is_empty(), "{answer}");
            let spoiled = String::from_utf8(followed(text, 10_000)).unwrap();
            let answer = answered_by_hyper(&spoiled).await;
            assert!(answer.starts_with("HTTP/1.1 400") && answer.matches("HTTP/").count() == 1, "{answer}");
        }
    }
}
