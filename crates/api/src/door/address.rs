//! Which address a request came from.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};

use super::forwarded;

/// The header in which proxies say for whom they ask. Only one is read: a proxy that sets one of
/// them passes the other on as the client wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: client, proxy`
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239)
    Forwarded,
}

pub(super) static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl ForwardedHeader {
    /// Its name.
    pub(super) fn name(self) -> &'static HeaderName {
        match self {
            Self::XForwardedFor => &X_FORWARDED_FOR,
            Self::Forwarded => &FORWARDED,
        }
    }
}

/// The rightmost address that is not a trusted proxy's: what lies to the left of it is hearsay.
pub(super) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    header: ForwardedHeader,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let mut client = peer;
    if !is_trusted(peer) {
        return client;
    }
    let name = match header {
        ForwardedHeader::XForwardedFor => &X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => &FORWARDED,
    };
    // Several lines of one header are one list.
    for line in headers.get_all(name).iter().rev() {
        let hops = match header {
            ForwardedHeader::XForwardedFor => hops_of_x_forwarded_for(line.as_bytes()),
            ForwardedHeader::Forwarded => forwarded::hops(line.as_bytes()),
        };
        for hop in hops.into_iter().rev() {
            // Not an address: whoever wrote it is the last one known.
            let Some(hop) = hop else { return client };
            client = hop;
            if !is_trusted(hop) {
                return client;
            }
        }
    }
    client
}

/// The hops of a line, in its order; what is not an address is `None`.
fn hops_of_x_forwarded_for(line: &[u8]) -> Vec<Option<IpAddr>> {
    let hop = |hop| std::str::from_utf8(hop).ok().and_then(address);
    line.split(|byte| *byte == b',').map(hop).collect()
}

/// An address, with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, header: ForwardedHeader, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        let name = match header {
            ForwardedHeader::XForwardedFor => &X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => &FORWARDED,
        };
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        let trusted = |hop: IpAddr| hop.to_string().starts_with("10.0.0.");
        client(peer.parse().unwrap(), &headers, header, trusted).to_string()
    }

    #[test]
    fn the_rightmost_hop_that_is_not_a_proxy_of_ours_counts() {
        let x = ForwardedHeader::XForwardedFor;
        assert_eq!(of("192.0.2.1", x, &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(of("10.0.0.1", x, &[]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", x, &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("10.0.0.1", x, &["forged, 1.1.1.1, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(of("10.0.0.1", x, &["1.1.1.1", "198.51.100.7:4711", "10.0.0.2"]), "198.51.100.7");
        assert_eq!(of("10.0.0.1", x, &["1.1.1.1, junk, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(of("10.0.0.1", x, &["1.1.1.1,,"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", x, &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(of("10.0.0.1", x, &["::ffff:198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("10.0.0.1", x, &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn forwarded_is_read_if_it_is_the_header() {
        let forwarded = ForwardedHeader::Forwarded;
        let line = "for=1.1.1.1;proto=http, For=\"[2001:db8::7]:4711\";by=10.0.0.1, for=10.0.0.2";
        assert_eq!(of("10.0.0.1", forwarded, &[line]), "2001:db8::7");
        assert_eq!(of("10.0.0.1", forwarded, &["for=1.1.1.1, for=_hidden"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", forwarded, &["for=1.1.1.1, proto=http"]), "10.0.0.1");
        assert_eq!(of("192.0.2.1", forwarded, &[line]), "192.0.2.1");
    }
}
