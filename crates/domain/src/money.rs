//! Money: integer minor units and a currency.

use std::{fmt, str::FromStr};

/// The most that one amount or balance may be, in minor units: 10^15, far inside
/// what a 64-bit integer and a JSON number hold exactly.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// An ISO 4217 currency code, for example `KRW`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

/// A text that is not three capital letters.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a currency code; write three capital letters such as KRW or EUR")]
pub struct NotACurrency(String);

impl Currency {
    /// South Korean won, which has no minor unit.
    pub const KRW: Self = Self(*b"KRW");

    /// The three-letter code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is three ASCII letters")
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(NotACurrency(text.to_owned())),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
