//! Who may do what.

use std::{fmt, str::FromStr};

use crate::ids::UserId;

/// What an account may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Buys.
    User,
    /// Runs sales of their own: venues, halls, shows, performances, seat locks.
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

    /// Whether `user`, who has this role, may change what is `owner`'s: an administrator everything,
    /// an organiser what is theirs. What is nobody's is the administrators'.
    #[must_use]
    pub fn may_change(self, user: UserId, owner: Option<UserId>) -> bool {
        match self {
            Self::Admin => true,
            Self::Organiser => owner == Some(user),
            Self::User => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organiser_changes_what_is_theirs_and_an_administrator_everything() {
        let (own, others, nobodys) = (Some(UserId(1)), Some(UserId(2)), None);
        let may = |role: Role| [own, others, nobodys].map(|owner| role.may_change(UserId(1), owner));
        assert_eq!(may(Role::Admin), [true, true, true]);
        assert_eq!(may(Role::Organiser), [true, false, false]);
        assert_eq!(may(Role::User), [false, false, false], "an organiser who is one no more");
    }
}
