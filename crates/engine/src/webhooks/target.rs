//! Where webhooks may go.
//!
//! A subscriber names an address, and the server calls it from inside: without care that is a way
//! into the network behind it (server-side request forgery). So only public addresses are called,
//! unless the installation allows a network. A name is judged by the addresses it stands for at the
//! moment of the connection; see `onsale_events::webhooks`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use url::{Host, Url};

/// The longest address of a receiver, in bytes.
pub const URL_BYTES_MAX: usize = 2_000;

/// Which addresses may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPolicy {
    /// Whether `http:` will do.
    pub allow_http: bool,
    /// The ports. None: any.
    pub ports: Vec<u16>,
    /// Networks that may be called although they are not public.
    pub allow_networks: Vec<Network>,
}

impl Default for TargetPolicy {
    fn default() -> Self {
        Self { allow_http: false, ports: vec![443, 8443], allow_networks: Vec::new() }
    }
}

/// Why an address is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no URL.
    #[error("not a URL: {0}")]
    NotAUrl(String),
    /// It is too long.
    #[error("longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Its scheme is not allowed.
    #[error("begins with `{0}:`; only https is called, or http where `webhooks.allow_http` says so")]
    Scheme(String),
    /// It has a name or a password in it.
    #[error("has a user name or a password in it; receivers know the sender by the signature")]
    Credentials,
    /// Its port is not allowed.
    #[error("port {0} is not among `webhooks.ports`")]
    Port(u16),
    /// It has no host.
    #[error("has no host")]
    NoHost,
    /// It is an address inside.
    #[error("{0} is not a public address, and not among `webhooks.allow_networks`")]
    NotPublic(IpAddr),
}

impl TargetPolicy {
    /// Reads and judges a receiver's address, except for what its name stands for.
    ///
    /// # Errors
    /// If it may not be called.
    pub fn check_url(&self, text: &str) -> Result<Url, TargetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        let url = Url::parse(text).map_err(|error| TargetError::NotAUrl(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            scheme => return Err(TargetError::Scheme(scheme.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        let port = url.port_or_known_default().ok_or(TargetError::NoHost)?;
        if !self.ports.is_empty() && !self.ports.contains(&port) {
            return Err(TargetError::Port(port));
        }
        // The parser has made `0x7f.1`, `2130706433` and the like into the address they stand for.
        match url.host().ok_or(TargetError::NoHost)? {
            Host::Ipv4(address) => self.check_address(address.into())?,
            Host::Ipv6(address) => self.check_address(address.into())?,
            Host::Domain(_) => {}
        }
        Ok(url)
    }

    /// Judges an address that a connection is about to be made to.
    ///
    /// # Errors
    /// [`TargetError::NotPublic`].
    pub fn check_address(&self, address: IpAddr) -> Result<(), TargetError> {
        let meant = embedded_v4(address).map_or(address, IpAddr::V4);
        let allowed = self.allow_networks.iter().any(|network| network.contains(meant));
        if allowed || is_public(address) { Ok(()) } else { Err(TargetError::NotPublic(address)) }
    }
}

/// Whether an address is one of the public internet: neither reserved by the registries of special
/// addresses (RFC 6890 and its successors) nor a way to smuggle such a one through.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    if let Some(inner) = embedded_v4(address) {
        return is_public_v4(inner);
    }
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// What is not public among IPv4 addresses. Cloud providers' metadata services are link-local
/// (169.254.169.254) or in the shared space (100.100.100.200), with one exception.
const RESERVED_V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // carrier-grade NAT
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // a cloud provider's platform service, on a public number
    ([169, 254, 0, 0], 16),   // link-local
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 31, 196, 0], 24),  // AS112
    ([192, 52, 193, 0], 24),  // AMT
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([192, 175, 48, 0], 24),  // AS112
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, and broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let reserved =
        |&(network, bits): &([u8; 4], u8)| Network::new(network.into(), bits).contains(address.into());
    !RESERVED_V4.iter().any(reserved)
}

/// Public addresses are in 2000::/3, except for what is reserved in there.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global_unicast = first & 0xE000 == 0x2000;
    let protocol_assignments = first == 0x2001 && second < 0x0200; // Teredo and ORCHID among them
    let documentation = (first == 0x2001 && second == 0x0DB8) || (first == 0x3FFF && second < 0x1000);
    global_unicast && !protocol_assignments && !documentation
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, translated (RFC 6052, RFC
/// 8215, RFC 2765) or 6to4.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xFFFF, high, low]
        | [0, 0, 0, 0, 0xFFFF, 0, high, low]
        | [0x64, 0xFF9B, 0, 0, 0, 0, high, low]
        | [0x64, 0xFF9B, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

/// A network: an address and how many of its bits count, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network such as 10.0.0.0/8 or fd00::/8")]
pub struct NotANetwork(String);

impl Network {
    const fn new(address: IpAddr, bits: u8) -> Self {
        Self { address, bits }
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork(text.to_owned());
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), str::parse).map_err(|_| wrong())?;
        if bits > all { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests;
