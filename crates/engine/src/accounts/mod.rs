//! People, log-ins and tokens.

use std::sync::Arc;

use onsale_domain::{
    ids::{SessionId, UserId},
    user::Role,
};

use crate::{
    clock::Clock,
    ids::Ids,
    ports::{Store, StoreError, User},
};

/// The settings of accounts.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// The key that signs access tokens, at least 32 bytes.
    pub signing_key: Vec<u8>,
    /// How long an access token is good, in seconds.
    pub access_s: i64,
    /// How long a refresh token is good, in seconds.
    pub refresh_s: i64,
    /// argon2id memory, in KiB.
    pub argon2_memory_kib: u32,
    /// argon2id passes.
    pub argon2_passes: u32,
    /// Threads that hash passwords. They run at a lower priority than everything else.
    pub hashing_threads: usize,
    /// Hashes that may wait; more are refused with [`AccountError::Overloaded`].
    pub hashing_queue_max: usize,
}

/// Why an account could not be made, changed or used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A field is not acceptable; the text says why and what is.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// The e-mail address has an account.
    #[error("this e-mail address already has an account")]
    EmailTaken,
    /// Wrong e-mail address or password; which one is not told.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// The token is not one of ours, has been changed, has run out, or its session has ended.
    #[error("the token is not valid; log in again")]
    InvalidToken,
    /// No such account.
    #[error("there is no such account")]
    NoSuchUser,
    /// Too many passwords are being checked.
    #[error("too many log-ins at this moment; try again in a moment")]
    Overloaded,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who is calling, as an access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// The log-in.
    pub session: SessionId,
}

/// What a log-in gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Goes with every request, for `expires_in_s`.
    pub access: String,
    /// Gets the next pair, once.
    pub refresh: String,
    /// How long the access token is good, in seconds.
    pub expires_in_s: i64,
}

/// What a person changes of themselves; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// A new name.
    pub name: Option<String>,
    /// A new e-mail address. Needs `current_password`.
    pub email: Option<String>,
    /// A new password. Needs `current_password`; ends all other sessions.
    pub password: Option<String>,
    /// The password as it is.
    pub current_password: Option<String>,
}

/// People, log-ins and tokens.
pub struct Accounts {}

impl Accounts {
    /// Starts accounts alone, without sales: for tools that work beside a running node.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn start(
        _store: Arc<dyn Store>,
        _clock: Arc<dyn Clock>,
        _ids: Arc<dyn Ids>,
        _settings: AccountSettings,
    ) -> Result<Self, StoreError> {
        Ok(Self {})
    }

    /// Makes an account.
    ///
    /// # Errors
    /// If a field is not acceptable or the address is taken.
    pub async fn register(
        &self,
        _email: &str,
        _password: &str,
        _name: &str,
        _role: Role,
    ) -> Result<User, AccountError> {
        unimplemented!()
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`] or [`AccountError::Overloaded`].
    pub async fn log_in(&self, _email: &str, _password: &str) -> Result<Tokens, AccountError> {
        unimplemented!()
    }

    /// Begins a session without a password: for tools that already know who it is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn begin_session(&self, _user: UserId, _role: Role) -> Result<Tokens, AccountError> {
        unimplemented!()
    }

    /// Exchanges a refresh token for a new pair. A token used twice ends its session: one of the
    /// two who used it has stolen it.
    ///
    /// # Errors
    /// [`AccountError::InvalidToken`].
    pub async fn refresh(&self, _refresh_token: &str) -> Result<Tokens, AccountError> {
        unimplemented!()
    }

    /// Ends the caller's session: both its tokens are void at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn log_out(&self, _caller: Caller) -> Result<(), AccountError> {
        unimplemented!()
    }

    /// Who an access token stands for. Reads no database.
    ///
    /// # Errors
    /// [`AccountError::InvalidToken`].
    pub fn authenticate(&self, _access_token: &str) -> Result<Caller, AccountError> {
        unimplemented!()
    }

    /// A person.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn profile(&self, _user: UserId) -> Result<User, AccountError> {
        unimplemented!()
    }

    /// Changes the caller's own account.
    ///
    /// # Errors
    /// If a field is not acceptable, the password is wrong, or the address is taken.
    pub async fn change_profile(
        &self,
        _caller: Caller,
        _change: ProfileChange,
    ) -> Result<User, AccountError> {
        unimplemented!()
    }

    /// Closes the caller's account: erases name, e-mail address and password, ends all sessions.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn close(&self, _user: UserId) -> Result<(), AccountError> {
        unimplemented!()
    }
}
