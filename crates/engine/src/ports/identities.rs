//! The ports under log-ins with an identity provider: its keys, and whose account is whose.

use async_trait::async_trait;
use bytes::Bytes;
use onsale_domain::{ids::UserId, time::Timestamp, user::Role};

use super::{accounts::User, error::StoreError};

/// Gets the keys with which an OpenID provider signs.
#[async_trait]
pub trait IdentityKeys: Send + Sync + 'static {
    /// The provider's keys as they are now: a JWK Set (RFC 7517, section 5), as text.
    async fn fetch(&self) -> Result<Bytes, IdentityKeysError>;
}

/// The provider cannot be reached, or answers something else than its keys.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct IdentityKeysError(pub String);

/// Keeps which account belongs to a subject of an identity provider.
#[async_trait]
pub trait IdentityStore: Send + Sync + 'static {
    /// The account of a subject, also if it is closed.
    async fn identity(&self, key: &IdentityKey) -> Result<Option<Identity>, StoreError>;

    /// Makes an account for a subject that has none. If the e-mail address belongs to another account,
    /// it stays that one's and the new account has none. [`StoreError::Conflict`] if the subject, or
    /// another account at this very moment the address, was faster; then nothing was added.
    async fn add_identity(&self, new: NewIdentity) -> Result<User, StoreError>;

    /// Takes over an e-mail address that the provider has said later, or changed. Nothing is changed,
    /// and `false` returned, if the address belongs to another account, or a token as new has said one.
    async fn take_email(&self, key: &IdentityKey, email: IdentityEmail) -> Result<bool, StoreError>;
}

/// A subject of a provider: a SHA-256 digest of both names. As such it can be indexed on every database
/// however long they are, and says nothing of a person whose account is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdentityKey(pub [u8; 32]);

/// An e-mail address that a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityEmail {
    /// In lower case, and known to be the subject's.
    pub address: String,
    /// When the token was issued.
    pub as_of: Timestamp,
}

/// Whose account a subject has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub user: UserId,
    /// What it may do.
    pub role: Role,
    /// Its e-mail address; empty if none is known.
    pub email: String,
    /// The newest token that has said an address, whether or not it was taken.
    pub email_as_of: Option<Timestamp>,
    /// Whether it may not be used.
    pub is_disabled: bool,
    /// When it was closed, if it was.
    pub closed_at: Option<Timestamp>,
}

/// An account to make for a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdentity {
    /// The subject.
    pub key: IdentityKey,
    /// The closed account that the subject has so far.
    pub replaces: Option<UserId>,
    /// Known to be the subject's.
    pub email: Option<IdentityEmail>,
    /// As they want to be called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When.
    pub created_at: Timestamp,
}
