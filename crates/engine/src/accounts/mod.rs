//! People, log-ins and tokens.

mod password;
mod provider;
mod revocation;
mod tokens;

use std::{fmt, sync::Arc};

use onsale_domain::{
    ids::{SessionId, UserId},
    text::{composed, is_blank},
    time::Timestamp,
    user::Role,
};
use tokio::task::JoinHandle;

pub use self::provider::{IdentitySettings, TokenCheck};
use self::{
    password::Passwords,
    provider::Provider,
    revocation::Revocations,
    tokens::{AccessTokens, RefreshToken},
};
use crate::{
    clock::Clock,
    ids::Ids,
    ports::{IdentityKeys, NewUser, Session, Store, StoreError, User, UserChange},
};

/// The settings of accounts.
#[derive(Clone)]
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

/// Without the key.
impl fmt::Debug for AccountSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountSettings").field("access_s", &self.access_s).finish_non_exhaustive()
    }
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
    /// The token is neither ours nor the identity provider's, has been changed, has run out, or its
    /// session has ended.
    #[error("the token is not valid; log in again")]
    InvalidToken,
    /// The token may be good, but its key is not known and the identity provider does not tell it.
    #[error(
        "the identity provider cannot be reached, and the token's key is not known; try again in a moment"
    )]
    ProviderAway,
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
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    refresh_ms: i64,
    passwords: Passwords,
    access_tokens: AccessTokens,
    revocations: Arc<Revocations>,
    refresher: JoinHandle<()>,
    provider: Option<Provider>,
}

impl Drop for Accounts {
    fn drop(&mut self) {
        self.refresher.abort();
    }
}

impl Accounts {
    /// Starts accounts alone, without sales: for tools that work beside a running node.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: AccountSettings,
    ) -> Result<Self, StoreError> {
        if settings.signing_key.len() < SIGNING_KEY_BYTES_MIN {
            return Err(StoreError::Rejected(format!(
                "the signing key must have at least {SIGNING_KEY_BYTES_MIN} bytes"
            )));
        }
        let passwords = Passwords::start(&settings)?;
        let revocations = Arc::new(Revocations::load(store.clone(), clock.clone(), settings.access_s).await?);
        Ok(Self {
            store,
            clock,
            ids,
            refresh_ms: settings.refresh_s.saturating_mul(1_000),
            passwords,
            access_tokens: AccessTokens::new(&settings.signing_key, settings.access_s),
            refresher: revocations.keep_fresh(),
            revocations,
            provider: None,
        })
    }

    /// Takes the tokens of an OpenID provider, too.
    pub(crate) fn trust(&mut self, keys: Arc<dyn IdentityKeys>, settings: IdentitySettings) {
        self.provider = Some(Provider::start(self.store.clone(), self.clock.clone(), keys, settings));
    }

    /// Makes an account.
    ///
    /// # Errors
    /// If a field is not acceptable or the address is taken.
    pub async fn register(
        &self,
        email: &str,
        password: &str,
        name: &str,
        role: Role,
    ) -> Result<User, AccountError> {
        let email = checked_email(email)?;
        check_password(password)?;
        let name = checked_name(name)?;
        let password_hash = self.passwords.hash(password).await?;
        let created_at = self.clock.now();
        let user = NewUser { email, name, role, password_hash, created_at };
        self.store.add_user(user).await.map_err(taken)
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`] or [`AccountError::Overloaded`].
    pub async fn log_in(&self, email: &str, password: &str) -> Result<Tokens, AccountError> {
        if check_password(password).is_err() {
            return Err(AccountError::WrongCredentials);
        }
        let user = match checked_email(email) {
            Ok(email) => self.store.user_by_email(&email).await?,
            Err(_) => None,
        };
        let hash = user.as_ref().and_then(password_hash);
        let right = self.passwords.verify(password, hash).await?;
        let user = user.filter(|_| right).ok_or(AccountError::WrongCredentials)?;

        let (session, tokens) = self.new_session(user.id, user.role).await?;
        // The password may have been changed, or the account closed, while it was being checked;
        // ending the person's sessions then came too early for this one.
        let again = self.store.user(user.id).await?;
        if again.is_none_or(|again| again.password_hash != user.password_hash) {
            self.end_session(session).await?;
            return Err(AccountError::WrongCredentials);
        }
        Ok(tokens)
    }

    /// Begins a session without a password: for tools that already know who it is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn begin_session(&self, user: UserId, role: Role) -> Result<Tokens, AccountError> {
        Ok(self.new_session(user, role).await?.1)
    }

    /// Exchanges a refresh token for a new pair. A token used twice ends its session: one of the
    /// two who used it has stolen it.
    ///
    /// # Errors
    /// [`AccountError::InvalidToken`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, AccountError> {
        let old = RefreshToken::parse(refresh_token).ok_or(AccountError::InvalidToken)?;
        // Taken first: should the session end from now on, no token outlives its revocation.
        let now = self.clock.now();
        let session = self.store.session(old.session).await?.ok_or(AccountError::InvalidToken)?;
        if session.ended_at.is_some() || now >= session.expires_at {
            return Err(AccountError::InvalidToken);
        }
        let user = self.store.user(session.user).await?.ok_or(AccountError::InvalidToken)?;

        let new = RefreshToken::new(session.id);
        let expires_at = now.plus_ms(self.refresh_ms);
        if !self.store.rotate_session(session.id, old.hash(), new.hash(), expires_at).await? {
            self.end_session(session.id).await?;
            return Err(AccountError::InvalidToken);
        }
        let caller = Caller { user: user.id, role: user.role, session: session.id };
        Ok(self.tokens(caller, &new, now))
    }

    /// Ends the caller's session: both its tokens are void at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn log_out(&self, caller: Caller) -> Result<(), AccountError> {
        self.end_session(caller.session).await
    }

    /// Who a token stands for: one of ours, or one of the identity provider's. The provider's first
    /// token of somebody makes an account.
    ///
    /// # Errors
    /// [`AccountError::InvalidToken`] or [`AccountError::ProviderAway`], or if the database fails.
    pub async fn caller(&self, token: &str) -> Result<Caller, AccountError> {
        match (self.authenticate(token), &self.provider) {
            // Apart, so that requests with our own tokens do not carry room for it.
            (Err(AccountError::InvalidToken), Some(provider)) => Box::pin(provider.caller(token)).await,
            (ours, _) => ours,
        }
    }

    /// Who one of our own access tokens stands for. Reads no database.
    ///
    /// # Errors
    /// [`AccountError::InvalidToken`].
    pub fn authenticate(&self, access_token: &str) -> Result<Caller, AccountError> {
        self.access_tokens
            .caller(access_token, self.clock.now())
            .filter(|caller| !self.revocations.contains(caller.session))
            .ok_or(AccountError::InvalidToken)
    }

    /// A person.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn profile(&self, user: UserId) -> Result<User, AccountError> {
        self.store.user(user).await?.ok_or(AccountError::NoSuchUser)
    }

    /// Changes the caller's own account.
    ///
    /// # Errors
    /// If a field is not acceptable, the password is wrong, or the address is taken.
    pub async fn change_profile(&self, caller: Caller, change: ProfileChange) -> Result<User, AccountError> {
        let mut checked = UserChange {
            name: change.name.as_deref().map(checked_name).transpose()?,
            email: change.email.as_deref().map(checked_email).transpose()?,
            ..UserChange::default()
        };
        if let Some(password) = &change.password {
            check_password(password)?;
        }
        let user = self.profile(caller.user).await?;
        if change.email.is_some() || change.password.is_some() {
            let Some(hash) = password_hash(&user) else {
                let field = if change.email.is_some() { "email" } else { "password" };
                let reason = "belongs to the identity provider that this account logs in with";
                return Err(AccountError::Invalid { field, reason });
            };
            let current = change.current_password.as_deref().unwrap_or_default();
            if !self.passwords.verify(current, Some(hash)).await? {
                return Err(AccountError::WrongCredentials);
            }
        }
        if let Some(password) = &change.password {
            checked.password_hash = Some(self.passwords.hash(password).await?);
        }
        let changed = self.store.change_user(caller.user, checked).await.map_err(taken)?;
        if change.password.is_some() {
            self.end_other_sessions(caller).await?;
        }
        changed.ok_or(AccountError::NoSuchUser)
    }

    /// Closes the caller's account: erases name, e-mail address and password, ends all sessions.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn close(&self, user: UserId) -> Result<(), AccountError> {
        let now = self.clock.now();
        let ended = self.store.end_sessions_of(user, None, now).await?;
        self.revocations.add(ended);
        if !self.store.close_user(user, now).await? {
            return Err(AccountError::NoSuchUser);
        }
        if let Some(provider) = &self.provider {
            provider.forget();
        }
        // Closing also ended what began in between; the account is closed even if this fails.
        if let Err(error) = self.revocations.refresh().await {
            tracing::warn!(%error, "cannot read which sessions have ended; trying again in a moment");
        }
        Ok(())
    }

    async fn new_session(&self, user: UserId, role: Role) -> Result<(SessionId, Tokens), AccountError> {
        let now = self.clock.now();
        let id = SessionId(self.ids.next(now));
        let refresh = RefreshToken::new(id);
        let session = Session {
            id,
            user,
            refresh_hash: refresh.hash(),
            created_at: now,
            expires_at: now.plus_ms(self.refresh_ms),
            ended_at: None,
        };
        self.store.add_session(session).await?;
        Ok((id, self.tokens(Caller { user, role, session: id }, &refresh, now)))
    }

    fn tokens(&self, caller: Caller, refresh: &RefreshToken, now: Timestamp) -> Tokens {
        Tokens {
            access: self.access_tokens.issue(caller, now),
            refresh: refresh.text(),
            expires_in_s: self.access_tokens.lifetime_s(),
        }
    }

    async fn end_session(&self, session: SessionId) -> Result<(), AccountError> {
        self.store.end_session(session, self.clock.now()).await?;
        self.revocations.add([session]);
        Ok(())
    }

    async fn end_other_sessions(&self, caller: Caller) -> Result<(), AccountError> {
        let now = self.clock.now();
        let ended = self.store.end_sessions_of(caller.user, Some(caller.session), now).await?;
        self.revocations.add(ended);
        Ok(())
    }
}

/// The shortest signing key: as long as the signature.
const SIGNING_KEY_BYTES_MIN: usize = 32;

/// The longest e-mail address, as SMTP has it.
const EMAIL_BYTES_MAX: usize = 254;

/// Characters of a password.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// An e-mail address as it is kept. Whether it exists only a message could tell.
fn checked_email(email: &str) -> Result<String, AccountError> {
    let invalid = |reason| Err(AccountError::Invalid { field: "email", reason });
    if email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return invalid("must not contain blanks or control characters");
    }
    match email.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() && !host.contains('@') => {}
        _ => return invalid("must have one @ with something on both sides"),
    }
    let email = email.to_lowercase();
    if email.len() > EMAIL_BYTES_MAX {
        return invalid("must not be longer than 254 characters");
    }
    Ok(email)
}

fn check_password(password: &str) -> Result<(), AccountError> {
    // Four bytes are the longest character; counting the characters of megabytes is not needed.
    if password.len() > PASSWORD_CHARS.end() * 4 || !PASSWORD_CHARS.contains(&password.chars().count()) {
        return Err(AccountError::Invalid { field: "password", reason: "must have 8 to 128 characters" });
    }
    Ok(())
}

fn checked_name(name: &str) -> Result<String, AccountError> {
    let invalid = |reason| Err(AccountError::Invalid { field: "name", reason });
    let name = composed(name.trim());
    if is_blank(&name) || name.chars().count() > NAME_CHARS_MAX {
        return invalid("must have 1 to 100 characters");
    }
    if name.chars().any(char::is_control) {
        return invalid("must not contain control characters");
    }
    Ok(name.into_owned())
}

/// The hash of a person's password, if they have one: whoever logs in with an identity provider has none.
fn password_hash(user: &User) -> Option<&str> {
    Some(&*user.password_hash).filter(|hash| !hash.is_empty())
}

/// The only thing of a person that can be taken already is the e-mail address.
fn taken(error: StoreError) -> AccountError {
    match error {
        StoreError::Conflict(_) => AccountError::EmailTaken,
        error => AccountError::Store(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_in_lower_case_and_a_wrong_one_refused() {
        assert_eq!(checked_email("Kim@Example.COM").unwrap(), "kim@example.com");
        let long = format!("{}@example.com", "a".repeat(243));
        for bad in ["", "kim", "@", "kim@", "@x", "a@b@c", "kim lee@x", "kim@x\n", "kim@\u{7f}", &long] {
            assert!(matches!(checked_email(bad), Err(AccountError::Invalid { field: "email", .. })), "{bad}");
        }
    }

    #[test]
    fn passwords_and_names_have_bounds_in_characters() {
        assert!(check_password("비밀번호비밀번호").is_ok());
        assert!(check_password(&"한".repeat(128)).is_ok());
        for bad in ["", "1234567", &"a".repeat(129)] {
            assert!(check_password(bad).is_err(), "{bad}");
        }
        assert_eq!(checked_name("  김민준 ").unwrap(), "김민준");
        for bad in ["", "   ", &"a".repeat(101), "a\u{0}b"] {
            assert!(checked_name(bad).is_err(), "{bad}");
        }
    }
}
