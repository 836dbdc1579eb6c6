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

    /// The person with an e-mail address (compared in lower case), unless the account is closed.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// The person with an id, unless the account is closed.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Changes a person. `None` if there is no open account with this id.
    async fn change_user(&self, id: UserId, change: UserChange) -> Result<Option<User>, StoreError>;

    /// Closes an account: name, e-mail address and password are erased; the id stays, because
    /// orders and the ledger refer to it. All its sessions end. `false` if there was none.
    async fn close_user(&self, id: UserId, at: Timestamp) -> Result<bool, StoreError>;

    /// Begins a session.
    async fn add_session(&self, session: Session) -> Result<(), StoreError>;

    /// A session, ended or not.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Replaces a session's refresh token, if `old_hash` is still the current one and the session
    /// has not ended. `false` otherwise.
    async fn rotate_session(
        &self,
        id: SessionId,
        old_hash: [u8; 32],
        new_hash: [u8; 32],
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;

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
}
