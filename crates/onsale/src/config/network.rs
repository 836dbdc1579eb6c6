//! Lists of networks, as they are written: an address is a network of one.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, de::Error};

/// The bits in front of an IPv4 address in IPv6.
const MAPPED_BITS: u8 = 96;

/// The network that a text names: an address, or an address with the length of its prefix.
pub(super) fn parse(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>(),
    };
    network.map(canonical).map_err(|_| {
        format!(
            "`{text}` is neither an address such as 10.0.0.7 nor a network such as 10.0.0.0/8 or fd00::/8"
        )
    })
}

/// Addresses of IPv4 that come as IPv6 are compared as what they are, so networks are, too.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = |address: Ipv6Addr| address.to_ipv4_mapped();
    match (mapped(v6.addr()), v6.prefix_len().checked_sub(MAPPED_BITS)) {
        (Some(address), Some(bits)) => Ipv4Net::new(address, bits).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// Reads a list of networks.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| parse(text).map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_of_one() {
        for (text, network) in [
            ("127.0.0.9", "127.0.0.9/32"),
            (" 10.0.0.7 ", "10.0.0.7/32"),
            ("::1", "::1/128"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("fd00::/8", "fd00::/8"),
            ("::ffff:10.0.0.7", "10.0.0.7/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), network, "{text}");
        }
        for text in ["", "proxy", "10.0.0", "10.0.0.0/33", "10.0.0.7:80", "10.0.0.0/255.0.0.0"] {
            assert!(parse(text).unwrap_err().contains("10.0.0.0/8"), "{text}");
        }
    }
}
