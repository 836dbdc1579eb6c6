//! The `Forwarded` header, as RFC 7239, section 4, has it.
//!
//! A value may be a quoted string, in which commas, semicolons and escapes stand for themselves: a client
//! that sends half of one must not be able to hide what a proxy adds behind it. A line that does not follow
//! the grammar from its first byte to its last says nothing at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// For whom each hop of a line asked, in the line's order. One that is unknown, obfuscated or not said is
/// `None`, and so is a line that does not follow the grammar.
pub(super) fn hops(line: &[u8]) -> Vec<Option<IpAddr>> {
    elements(line).unwrap_or_else(|| vec![None])
}

/// The elements of a line; `None` if it is malformed.
fn elements(line: &[u8]) -> Option<Vec<Option<IpAddr>>> {
    let mut reader = Reader { rest: line };
    let mut hops = Vec::new();
    loop {
        reader.blanks();
        // Empty elements of a list are skipped.
        if !reader.is_at(b",") && !reader.rest.is_empty() {
            hops.push(element(&mut reader)?);
        }
        match reader.byte() {
            None => return Some(hops),
            Some(b',') => {}
            Some(_) => return None,
        }
    }
}

/// Pairs up to the next comma or the end; the address behind `for`. The outer `None`: malformed.
#[expect(clippy::option_option, reason = "malformed, and without an address")]
fn element(reader: &mut Reader<'_>) -> Option<Option<IpAddr>> {
    let mut node: Option<Vec<u8>> = None;
    loop {
        reader.blanks();
        if !reader.is_at(b";,") && !reader.rest.is_empty() {
            let name = reader.token()?;
            reader.expect(b'=')?;
            let value = reader.value()?;
            // A name stands in an element at most once.
            if name.eq_ignore_ascii_case(b"for") && node.replace(value).is_some() {
                return None;
            }
            reader.blanks();
        }
        if !reader.is_at(b";") {
            return Some(node.and_then(|node| address(std::str::from_utf8(&node).ok()?)));
        }
        reader.byte();
    }
}

/// The address of a node: IPv4, or IPv6 in brackets, with or without a port.
fn address(node: &str) -> Option<IpAddr> {
    let (address, port) = match node.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (address, port) = node.split_at(node.find(':').unwrap_or(node.len()));
            (address.parse::<Ipv4Addr>().ok()?.into(), port)
        }
    };
    is_port(port).then(|| IpAddr::to_canonical(&address))
}

/// Nothing, or a colon and a port, which may be obfuscated.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    match port.strip_prefix('_') {
        Some(name) => {
            !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
        }
        None => (1..=5).contains(&port.len()) && port.bytes().all(|c| c.is_ascii_digit()),
    }
}

/// Reads forward.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn is_at(&self, any: &[u8]) -> bool {
        self.rest.first().is_some_and(|byte| any.contains(byte))
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.byte().filter(|read| *read == byte).map(drop)
    }

    fn blanks(&mut self) {
        while self.is_at(b" \t") {
            self.byte();
        }
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let length = self.rest.iter().position(|byte| !is_of_token(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        (length > 0).then_some(token)
    }

    /// A token, or a quoted string without its quotes and escapes.
    fn value(&mut self) -> Option<Vec<u8>> {
        if !self.is_at(b"\"") {
            return self.token().map(<[u8]>::to_vec);
        }
        self.byte();
        let mut value = Vec::new();
        loop {
            match self.byte()? {
                b'"' => return Some(value),
                b'\\' => value.push(self.byte().filter(|byte| is_text(*byte))?),
                byte if is_text(byte) => value.push(byte),
                _ => return None,
            }
        }
    }
}

const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn read(line: &str) -> String {
        let hop = |hop: Option<IpAddr>| hop.map_or("-".to_owned(), |hop| hop.to_string());
        hops(line.as_bytes()).into_iter().map(hop).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (line, hops) in [
            ("for=\"_gazonk\"", "-"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=192.0.2.43, for=198.51.100.17", "192.0.2.43 198.51.100.17"),
            ("for=_hidden, for=_SEVKISEK", "- -"),
            ("for=unknown", "-"),
            ("for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown", "192.0.2.43 2001:db8:cafe::17 -"),
            ("for=\"192.0.2.43:47011\"", "192.0.2.43"),
            ("for=\"192.0.2.43:_port.x-1\"", "192.0.2.43"),
        ] {
            assert_eq!(read(line), hops, "{line}");
        }
    }

    #[test]
    fn quotes_hide_nothing_and_what_is_malformed_says_nothing() {
        for (line, hops) in [
            ("for=\"1.2.3.4, for=5.6.7.8\"", "-"),
            ("for=\"1.2.3.4, for=5.6.7.8", "-"),
            ("by=\", for=1.2.3.4;x=\";for=5.6.7.8", "5.6.7.8"),
            ("for=1.2.3.4;by=\"a\\\", for=5.6.7.8\", for=9.9.9.9", "1.2.3.4 9.9.9.9"),
            ("for=\"\\1.2.3\\.4\"", "1.2.3.4"),
            ("for=1.2.3.4;for=5.6.7.8", "-"),
            ("for=\"1.2.3.4\"x, for=5.6.7.8", "-"),
            ("for = 1.2.3.4", "-"),
            ("for=1.2.3.4:80", "-"),
            ("for=2001:db8::1", "-"),
            ("for=\"2001:db8::1\"", "-"),
            ("for=[2001:db8::1]", "-"),
            ("for=\"[1.2.3.4]\"", "-"),
            ("for=\"[2001:db8::1]x\"", "-"),
            ("for=\"1.2.3.4:\"", "-"),
            ("for=\"1.2.3.4:123456\"", "-"),
            ("for=\"1.2.3.4:_\"", "-"),
            ("for=", "-"),
            ("for", "-"),
            ("proto=http", "-"),
            (", for=1.2.3.4 ,, ;for=5.6.7.8; ,", "1.2.3.4 5.6.7.8"),
            ("for=\"[::ffff:1.2.3.4]\"", "1.2.3.4"),
            ("", ""),
        ] {
            assert_eq!(read(line), hops, "{line}");
        }
    }

    /// An element as it is meant.
    #[derive(Clone, Debug)]
    struct Meant {
        node: Option<(String, Option<IpAddr>)>,
        others: Vec<(String, String)>,
    }

    fn node() -> impl Strategy<Value = (String, Option<IpAddr>)> {
        let port = || prop_oneof![Just(String::new()), "[0-9]{1,5}", "_[A-Za-z0-9._-]{1,6}"];
        let with_port = |address: String, port: String| match &*port {
            "" => address,
            port => format!("{address}:{port}"),
        };
        prop_oneof![
            (any::<Ipv4Addr>(), port())
                .prop_map(move |(ip, port)| (with_port(ip.to_string(), port), Some(ip.into()))),
            (any::<Ipv6Addr>(), port()).prop_map(move |(ip, port)| {
                (with_port(format!("[{ip}]"), port), Some(IpAddr::from(ip).to_canonical()))
            }),
            Just(("unknown".to_owned(), None)),
            "_[A-Za-z0-9._-]{1,8}".prop_map(|name| (name, None)),
            "[ -~]{0,12}"
                .prop_filter("no address", |text| address(text).is_none())
                .prop_map(|text| (text, None)),
        ]
    }

    fn meant() -> impl Strategy<Value = Meant> {
        let other = ("(by|host|proto|x-[a-z]{1,4})", "[ -~\t]{0,12}");
        (proptest::option::of(node()), vec(other, 0..3)).prop_map(|(node, others)| Meant { node, others })
    }

    /// A value as it may be written: as a token where it is one, else quoted, with escapes as `bits` say.
    fn written(value: &str, bits: u16) -> String {
        let is_token = Reader { rest: value.as_bytes() }.token() == Some(value.as_bytes());
        if is_token && bits & 1 == 0 {
            return value.to_owned();
        }
        let mut text = String::from('"');
        for (index, c) in value.chars().enumerate() {
            if matches!(c, '"' | '\\') || bits >> (index % 16) & 1 == 1 {
                text.push('\\');
            }
            text.push(c);
        }
        text + "\""
    }

    fn line(elements: &[(Meant, u16)]) -> String {
        let element = |(meant, bits): &(Meant, u16)| {
            let name = if bits & 2 == 0 { "for" } else { "FoR" };
            let node = meant.node.iter().map(|(node, _)| format!("{name}={}", written(node, *bits)));
            let mut pairs: Vec<String> = meant
                .others
                .iter()
                .map(|(name, value)| format!("{name}={}", written(value, *bits)))
                .collect();
            pairs.splice(pairs.len() / 2..pairs.len() / 2, node);
            pairs.join(if bits & 4 == 0 { ";" } else { " ; " })
        };
        let written: Vec<String> = elements.iter().map(element).collect();
        written.join(", ")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was_meant(elements in vec((meant(), any::<u16>()), 1..5)) {
            let is_there = |meant: &Meant| meant.node.is_some() || !meant.others.is_empty();
            let expected: Vec<Option<IpAddr>> = elements
                .iter()
                .filter(|(meant, _)| is_there(meant))
                .map(|(meant, _)| meant.node.as_ref().and_then(|(_, address)| *address))
                .collect();
            prop_assert_eq!(hops(line(&elements).as_bytes()), expected);
        }

        /// Whatever a client sends, behind it stands what the proxy saw, or nothing is believed.
        #[test]
        fn a_client_does_not_choose_its_address(
            sent in prop_oneof!["[ -~\t]{0,40}", "(for=|\"|\\\\|,|;|1\\.2\\.3\\.4| |\\[::1\\]){0,16}"],
            quoted in any::<bool>(),
        ) {
            let seen = if quoted { "for=\"[2001:db8::7]:4711\"" } else { "for=198.51.100.7" };
            let real: IpAddr = if quoted { "2001:db8::7" } else { "198.51.100.7" }.parse().unwrap();
            let last = *hops(format!("{sent}, {seen}").as_bytes()).last().unwrap();
            prop_assert!(last.is_none() || last == Some(real), "{:?}", last);
        }

        #[test]
        fn no_bytes_are_too_much(line in vec(any::<u8>(), 0..64)) {
            hops(&line);
        }
    }
}
