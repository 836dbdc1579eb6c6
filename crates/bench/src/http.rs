//! As much of HTTP/1.1 as a loader needs: where an answer ends and what its status is.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The end of an answer in a buffer, and its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Where the body begins.
    pub(crate) body_at: usize,
    /// Where the answer ends.
    pub(crate) end: usize,
}

/// Reads an answer at the beginning of `bytes`. `None` if it has not all come yet.
///
/// # Errors
/// If this is not an answer with a status and a `Content-Length`.
pub(crate) fn parse(bytes: &[u8]) -> io::Result<Option<Answer>> {
    let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = &bytes[..head_end];
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status =
        status.filter(|_| head.starts_with(b"HTTP/1.1 ")).ok_or_else(|| broken("no status", head))?;
    let body_at = head_end + 4;
    let length = match content_length(head) {
        Some(length) => length,
        None if matches!(status, 204 | 304) => 0,
        None => return Err(broken("no Content-Length", head)),
    };
    let end = body_at + length;
    Ok((bytes.len() >= end).then_some(Answer { status, body_at, end }))
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let at = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME))? + NAME.len();
    let digits = head[at..].split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

fn broken(what: &str, head: &[u8]) -> io::Error {
    io::Error::other(format!("{what}: {}", String::from_utf8_lossy(head)))
}

/// An answer as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    /// The status.
    pub(crate) status: u16,
    /// All headers but those that the server itself adds to every answer.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Sends one request and waits for the answer.
///
/// # Errors
/// If the server does not answer as expected within 30 seconds.
pub(crate) fn capture(address: SocketAddr, request: &[u8]) -> io::Result<Captured> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(broken("the server hung up", &bytes));
        }
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(answer) = parse(&bytes)? {
            let headers = headers(&bytes[..answer.body_at]);
            return Ok(Captured {
                status: answer.status,
                headers,
                body: bytes[answer.body_at..answer.end].into(),
            });
        }
    }
}

fn headers(head: &[u8]) -> Vec<(String, String)> {
    String::from_utf8_lossy(head)
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| !matches!(name.as_str(), "content-length" | "date" | "connection"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let bytes = b"HTTP/1.1 409 Conflict\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabcHTTP";
        for cut in 0..bytes.len() - 4 {
            assert_eq!(parse(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let answer = parse(bytes).unwrap().unwrap();
        assert_eq!((answer.status, answer.end), (409, bytes.len() - 4));
        assert_eq!(&bytes[answer.body_at..answer.end], b"abc");
        assert_eq!(headers(&bytes[..answer.body_at]), [("content-type".to_owned(), "text/plain".to_owned())]);
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert_eq!(parse(b"HTTP/1.1 304 Not Modified\r\n\r\n").unwrap().unwrap().end, 29);
    }
}
