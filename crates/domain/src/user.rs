//! Who may do what.

use std::{fmt, str::FromStr};

/// What an account may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Buys.
    User,
    /// Runs sales: venues, halls, shows, performances, seat locks.
    Organiser,
    /// Runs the installation.
    Admin,
}

/// A text that names no role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a role; the roles are user, organiser and admin")]
pub struct NotARole(String);

impl Role {
    /// The role's name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organiser => "organiser",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        match text {
            "user" => Ok(Self::User),
            "organiser" => Ok(Self::Organiser),
            "admin" => Ok(Self::Admin),
            _ => Err(NotARole(text.to_owned())),
        }
    }
}
