//! The PROXY protocol, versions 1 and 2: a proxy says at the beginning of a connection whose it is.
//! After the specification that comes with HAProxy, `doc/proxy-protocol.txt`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE_2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, with its end.
const LINE_BYTES_MAX: usize = 107;

/// The most bytes of addresses and extensions of version 2 that are read; the specification lets
/// receivers choose, and 536 always fit into one segment.
const REST_BYTES_MAX: usize = 536;

/// Whose connection it is. `None`: the proxy's own, for example to see that we are well.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; SIGNATURE_2.len()];
    stream.read_exact(&mut start).await?;
    if &start == SIGNATURE_2 { read_2(stream).await } else { read_1(stream, &start).await }
}

/// `PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n`
async fn read_1(stream: &mut (impl AsyncRead + Unpin), start: &[u8]) -> io::Result<Option<SocketAddr>> {
    let mut line = start.to_vec();
    if !line.starts_with(b"PROXY ") {
        return Err(malformed("the connection does not begin with a PROXY header"));
    }
    // Not a byte more: what follows is the request.
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_BYTES_MAX {
            return Err(malformed("the PROXY line does not end"));
        }
        line.push(stream.read_u8().await?);
    }
    let text =
        std::str::from_utf8(&line[..line.len() - 2]).map_err(|_| malformed("the PROXY line is not text"))?;
    let mut words = text.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        return Ok(None);
    }
    let source: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
    let port: Option<u16> = words.nth(1).and_then(|word| word.parse().ok());
    match (family, source, port) {
        (Some("TCP4"), Some(source @ IpAddr::V4(_)), Some(port))
        | (Some("TCP6"), Some(source @ IpAddr::V6(_)), Some(port)) => Ok(Some(SocketAddr::new(source, port))),
        _ => Err(malformed("the PROXY line is not one")),
    }
}

async fn read_2(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let [version_command, family] = [stream.read_u8().await?, stream.read_u8().await?];
    let length = usize::from(stream.read_u16().await?);
    if length > REST_BYTES_MAX {
        return Err(malformed("the PROXY header is too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match version_command {
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(malformed("neither version nor command of the PROXY header are known")),
    }
    let port = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
    match (family, rest.len()) {
        (0x11, 12..) => {
            let source: [u8; 4] = rest[..4].try_into().expect("four bytes");
            Ok(Some(SocketAddr::new(Ipv4Addr::from(source).into(), port(&rest[8..]))))
        }
        (0x21, 36..) => {
            let source: [u8; 16] = rest[..16].try_into().expect("sixteen bytes");
            Ok(Some(SocketAddr::new(Ipv6Addr::from(source).into(), port(&rest[32..]))))
        }
        (0x11 | 0x21, _) => Err(malformed("the PROXY header is too short")),
        // Another family: the proxy cannot say it in terms that we know.
        _ => Ok(None),
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of it, and what is left.
    async fn read_all(bytes: &[u8]) -> (io::Result<Option<String>>, Vec<u8>) {
        let mut rest = bytes;
        let read = read(&mut rest).await.map(|source| source.map(|source| source.to_string()));
        (read, rest.to_vec())
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE_2.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[tokio::test]
    async fn both_versions_say_whose_connection_it_is_and_leave_the_request() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xBB];
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        v6[32..34].copy_from_slice(&4_711_u16.to_be_bytes());
        let with_extension = [v4.as_slice(), &[0x04, 0, 1, 0]].concat();
        for (header, source) in [
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".to_vec(), Some("192.0.2.7:4711")),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n".to_vec(), Some("[2001:db8::7]:4711")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (version_2(0x21, 0x11, &v4), Some("192.0.2.7:4711")),
            (version_2(0x21, 0x11, &with_extension), Some("192.0.2.7:4711")),
            (version_2(0x21, 0x21, &v6), Some("[2001:db8::7]:4711")),
            (version_2(0x20, 0x00, &[]), None),
            (version_2(0x21, 0x31, &[0; 216]), None),
        ] {
            let (read, rest) = read_all(&[header.as_slice(), b"GET / "].concat()).await;
            assert_eq!(read.unwrap().as_deref(), source, "{header:?}");
            assert_eq!(rest, b"GET / ");
        }
    }

    #[tokio::test]
    async fn whatever_else_is_refused() {
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"".to_vec(),
            b"PROXY TCP4 192.0.2.7\r\n".to_vec(),
            b"PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 192.0.2.8 99999 2\r\n".to_vec(),
            b"PROXY TCP4 \xFF 192.0.2.8 1 2\r\n".to_vec(),
            endless,
            version_2(0x31, 0x11, &[0; 12]),
            version_2(0x21, 0x11, &[0; 11]),
            version_2(0x21, 0x11, &[0; 600]),
            version_2(0x21, 0x21, &[0; 12])[..20].to_vec(),
        ] {
            let (read, _) = read_all(&bytes).await;
            assert!(read.is_err(), "{bytes:?}");
        }
    }
}
