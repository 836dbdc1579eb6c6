//! The port under accounts: people and their sessions.

use async_trait::async_trait;
use onsale_domain::{
    ids::{SessionId, UserId},
    time::Timestamp,
    user::Role,
};

use super::error::StoreError;

/// Keeps people and sessions.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Adds a person. [`StoreError::Conflict`] if the e-mail address is taken.
    async fn add_user(&self, user: NewUser) -> Result<User, StoreError>;

    /// The person with an e-mail address (compared in lower case), unless the account is closed; also one
    /// who is disabled.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// The person with an id, unless the account is closed; also one who is disabled.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Changes a person. `None` if there is no open account with this id.
    async fn change_user(&self, id: UserId, change: UserChange) -> Result<Option<User>, StoreError>;

    /// Changes a person as [`AccountStore::change_user`] does, unless it would leave no administrator
    /// who is not disabled. Two who change each other at the same moment do not both.
    async fn change_user_but_not_the_last_admin(
        &self,
        id: UserId,
        change: UserChange,
    ) -> Result<UnlessLastAdmin<User>, StoreError>;

    /// Closes an account, unless it would leave no administrator who is not disabled: name, e-mail
    /// address and password are erased; the id stays, because orders and the ledger refer to it. All its
    /// sessions end; returns those that were open.
    async fn close_user(
        &self,
        id: UserId,
        at: Timestamp,
    ) -> Result<UnlessLastAdmin<Vec<SessionId>>, StoreError>;

    /// People in the order of their ids, unless their accounts are closed.
    async fn users(&self, query: UserQuery) -> Result<Vec<User>, StoreError>;

    /// Begins a session.
    async fn add_session(&self, session: Session) -> Result<(), StoreError>;

    /// A session, ended or not.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Replaces a session's refresh token, if the old one is still the current one and the session
    /// has not ended. `false` otherwise.
    async fn rotate_session(&self, id: SessionId, rotation: Rotation) -> Result<bool, StoreError>;

    /// Ends a session. `true` if it was open.
    async fn end_session(&self, id: SessionId, at: Timestamp) -> Result<bool, StoreError>;

    /// Ends all sessions of a person except `keep`; returns those that were open.
    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Sessions that ended at or after `since`: their access tokens may still be about.
    async fn sessions_ended_since(&self, since: Timestamp)
    -> Result<Vec<(SessionId, Timestamp)>, StoreError>;
}

/// A person to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// In lower case.
    pub email: String,
    /// As they want to be called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The password's hash, in PHC string format.
    pub password_hash: String,
    /// When.
    pub created_at: Timestamp,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// In lower case; empty if none is known.
    pub email: String,
    /// As they want to be called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The password's hash, in PHC string format; empty if there is no password.
    pub password_hash: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when they may not log in, if so.
    pub disabled_at: Option<Timestamp>,
}

/// Which people are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserQuery {
    /// Only those whose e-mail address has this in it, in lower case.
    pub email: Option<String>,
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only those after this one.
    pub after: Option<UserId>,
    /// At most so many.
    pub max: u64,
}

/// The outcome of a change that must leave an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnlessLastAdmin<T> {
    /// It was made.
    Done(T),
    /// There is no open account with this id.
    NoSuchUser,
    /// It would have left no administrator; nothing was changed.
    LastAdmin,
}

/// What to change of a person; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// A new name.
    pub name: Option<String>,
    /// A new e-mail address, in lower case.
    pub email: Option<String>,
    /// A new password's hash.
    pub password_hash: Option<String>,
    /// A new role.
    pub role: Option<Role>,
    /// Since when they may not log in; `Some(None)`: they may again.
    pub disabled_at: Option<Option<Timestamp>>,
}

impl UserChange {
    /// Whether an administrator is none any more afterwards, or disabled.
    #[must_use]
    pub fn takes_admin_away(&self) -> bool {
        self.role.is_some_and(|role| role != Role::Admin) || matches!(self.disabled_at, Some(Some(_)))
    }
}

/// A log-in and its current refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// SHA-256 of the current refresh token.
    pub refresh_hash: [u8; 32],
    /// Since when.
    pub created_at: Timestamp,
    /// Until when the refresh token is good.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// The refresh token before the current one, if there was one.
    pub replaced: Option<Replaced>,
}

/// A refresh token that was exchanged for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// When.
    pub at: Timestamp,
}

/// A refresh token that takes the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// SHA-256 of the token as it is.
    pub old_hash: [u8; 32],
    /// SHA-256 of the next one.
    pub new_hash: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// Until when the next one is good.
    pub expires_at: Timestamp,
}
