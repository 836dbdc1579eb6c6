//! Whoever holds something unpaid.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use crate::ids::UserId;

/// The bits of an IPv6 address that one customer has, and those that one site may have.
const CUSTOMER_BITS: u8 = 64;
const SITE_BITS: u8 = 48;

/// As many shares as the networks of one site have together.
const SHARES_OF_SITE: u32 = 4;

/// Whoever is counted together: as text `account-7`, `192.0.2.7` or `2001:db8:1:2::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// An account.
    Account(UserId),
    /// An IPv4 address, or an IPv6 network by its first address and the number of its bits.
    Network(IpAddr, u8),
}

impl Holder {
    /// The networks that an address is in, each with how many shares it may have. The smallest comes first.
    pub(super) fn networks(address: IpAddr) -> impl Iterator<Item = (Self, u32)> {
        let (first, site) = match address.to_canonical() {
            address @ IpAddr::V4(_) => (Self::Network(address, 32), None),
            IpAddr::V6(address) => {
                let network = |bits: u8| {
                    let mask = u128::MAX << (128 - u32::from(bits));
                    Self::Network(Ipv6Addr::from_bits(address.to_bits() & mask).into(), bits)
                };
                (network(CUSTOMER_BITS), Some((network(SITE_BITS), SHARES_OF_SITE)))
            }
        };
        [Some((first, 1)), site].into_iter().flatten()
    }

    /// The smallest network that an address is in.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        Self::networks(address).next().map_or(Self::Network(address, 32), |(first, _)| first)
    }

    /// Whether an address is in this network.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        Self::networks(address).any(|(network, _)| network == *self)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(user) => write!(f, "account-{user}"),
            Self::Network(address @ IpAddr::V4(_), _) => address.fmt(f),
            Self::Network(address, bits) => write!(f, "{address}/{bits}"),
        }
    }
}

/// A text that names no holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a holder such as account-7, 192.0.2.7 or 2001:db8:1:2::/64")]
pub struct NoHolder;

impl FromStr for Holder {
    type Err = NoHolder;

    fn from_str(text: &str) -> Result<Self, NoHolder> {
        if let Some(user) = text.strip_prefix("account-") {
            return user.parse().map(|user| Self::Account(UserId(user))).map_err(|_| NoHolder);
        }
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| NoHolder)?)),
        };
        let address: IpAddr = address.parse().map_err(|_| NoHolder)?;
        let mut networks = Self::networks(address).map(|(network, _)| network);
        let is_asked = |network: &Self| {
            bits.is_none_or(|asked| matches!(network, Self::Network(_, has) if *has == asked))
        };
        networks.find(is_asked).ok_or(NoHolder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holders_text_names_it() {
        let six: IpAddr = "2001:db8:1:2:3::4".parse().unwrap();
        let texts: Vec<_> =
            Holder::networks(six).map(|(network, shares)| (network.to_string(), shares)).collect();
        assert_eq!(texts, [("2001:db8:1:2::/64".to_owned(), 1), ("2001:db8:1::/48".to_owned(), 4)]);
        for text in ["account-7", "192.0.2.7", "2001:db8:1:2::/64", "2001:db8:1::/48"] {
            assert_eq!(text.parse::<Holder>().unwrap().to_string(), text);
        }
        assert_eq!("::ffff:192.0.2.7".parse(), Ok(Holder::of_address("192.0.2.7".parse().unwrap())));
        assert_eq!("2001:db8:1:2::9".parse(), Ok(Holder::of_address(six)));
        for text in ["", "account-", "account-x", "192.0.2.7/24", "2001:db8::/65", "7", "192.0.2"] {
            assert_eq!(text.parse::<Holder>(), Err(NoHolder), "{text}");
        }
    }
}
