//! Whom a limit is about.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use crate::ids::{PerformanceId, UserId};

/// Whom a limit is about. As text, for example `ip-192.0.2.7`, `ip-2001:db8:1:2::`, `account-7`
/// or `account-7-performance-12`; fit for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An IPv4 address, or the first 64 bits of an IPv6 address: what one customer is given.
    Ip(IpAddr),
    /// An account.
    Account(UserId),
    /// An account at a performance.
    AccountAt(UserId, PerformanceId),
    /// The digest of the name somebody tries to log in with, from an address.
    LogIn(u64, IpAddr),
}

impl Subject {
    /// An address, IPv6 by its first 64 bits.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        Self::Ip(network(address))
    }

    /// Somebody who tries to log in, by the digest of the name and the address.
    #[must_use]
    pub fn log_in(name: u64, address: IpAddr) -> Self {
        Self::LogIn(name, network(address))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "ip-{address}"),
            Self::Account(user) => write!(f, "account-{user}"),
            Self::AccountAt(user, performance) => write!(f, "account-{user}-performance-{performance}"),
            Self::LogIn(name, address) => write!(f, "login-{name:016x}-ip-{address}"),
        }
    }
}

/// A text that names no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectError;

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a subject such as ip-192.0.2.7, ip-2001:db8:1:2::, account-7 or account-7-performance-12",
        )
    }
}

impl std::error::Error for SubjectError {}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        parse(text).ok_or(SubjectError)
    }
}

fn parse(text: &str) -> Option<Subject> {
    let (kind, rest) = text.split_once('-')?;
    match kind {
        "ip" => Some(Subject::ip(rest.parse().ok()?)),
        "account" => match rest.split_once("-performance-") {
            None => Some(Subject::Account(UserId(rest.parse().ok()?))),
            Some((user, performance)) => {
                Some(Subject::AccountAt(UserId(user.parse().ok()?), PerformanceId(performance.parse().ok()?)))
            }
        },
        "login" => {
            let (name, address) = rest.split_once("-ip-")?;
            Some(Subject::log_in(u64::from_str_radix(name, 16).ok()?, address.parse().ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Subject {
        Subject::ip(text.parse().unwrap())
    }

    #[test]
    fn one_customers_addresses_are_one_subject() {
        assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("::ffff:192.0.2.7"), ip("192.0.2.7"));
        assert_ne!(ip("192.0.2.7"), ip("192.0.2.8"));
    }

    #[test]
    fn a_subjects_text_names_it() {
        let subjects = [
            ip("192.0.2.7"),
            ip("2001:db8:1:2::"),
            Subject::Account(UserId(7)),
            Subject::AccountAt(UserId(7), PerformanceId(12)),
            Subject::log_in(0xab, "::1".parse().unwrap()),
        ];
        for subject in subjects {
            let text = subject.to_string();
            assert_eq!(text.parse(), Ok(subject), "{text}");
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-.:".contains(c)), "{text}");
        }
        for text in ["", "ip", "ip-", "ip-1", "account-x", "account-7-performance-", "login-x-ip-::1", "x-1"]
        {
            assert_eq!(text.parse::<Subject>(), Err(SubjectError), "{text}");
        }
    }
}
