//! People, log-ins and tokens.
//!
//! Access tokens are checked without the database. So a session that ends must be known to each node;
//! `revocation.rs` says how soon. A change of an account that must count at once, its role or that it is
//! disabled, ends its sessions.

mod email;
mod hashing;
mod log_in;
mod manage;
mod password_rules;
mod profile;
mod provider;
mod revocation;
mod settings;
mod throttle;
mod tokens;

use std::sync::{Arc, OnceLock};

use moka::sync::Cache;
use onsale_domain::{
    ids::{SessionId, UserId},
    text::{composed, is_blank},
    user::Role,
};
use uuid::Uuid;

pub(crate) use self::email::user_by_email;
pub use self::{
    email::on_the_way,
    manage::{AccountChange, OnTheWordOf},
    profile::ProfileChange,
    provider::{IdentitySettings, TokenCheck},
    settings::AccountSettings,
    throttle::{LogInRules, TryRules},
};
use self::{
    hashing::Passwords,
    provider::Provider,
    revocation::Revocations,
    throttle::Throttle,
    tokens::{AccessTokens, RefreshTokens},
};
use crate::{
    FormerKey,
    clock::Clock,
    ids::Ids,
    ports::{Broadcast, Identity, IdentityKey, IdentityKeys, Limiter, Store, StoreError, User},
    vitals::{Supervised, Vitals},
};

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
    /// The account is disabled; told to nobody but who has its password.
    #[error("this account is disabled; an administrator can enable it")]
    Disabled,
    /// It would leave nobody who can run the installation.
    #[error("this is the last administrator who is not disabled; make another one first")]
    LastAdmin,
    /// More than the rules allow.
    #[error("too many {of}; try again in {} s", (wait_ms.saturating_add(999)) / 1_000)]
    TooMany {
        /// Of what.
        of: &'static str,
        /// How long to wait, in milliseconds.
        wait_ms: i64,
    },
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

/// People, log-ins and tokens.
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    refresh_ms: i64,
    refresh_grace_ms: i64,
    passwords: Passwords,
    access_tokens: AccessTokens,
    refresh_tokens: RefreshTokens,
    revocations: Arc<Revocations>,
    _refresher: Supervised,
    throttle: OnceLock<Throttle>,
    provider: Option<Provider>,
    /// Accounts of the provider's subjects, as far as they are known.
    subjects: Cache<IdentityKey, Identity>,
    told: OnceLock<Told>,
    vitals: Vitals,
}

/// How other nodes are told, and heard.
struct Told {
    broadcast: Arc<dyn Broadcast>,
    _listener: Supervised,
}

impl Accounts {
    /// Starts accounts alone, without sales: for tools that work beside a running node.
    ///
    /// # Errors
    /// If a setting is out of bounds or the store cannot be read.
    pub async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: AccountSettings,
    ) -> Result<Self, StoreError> {
        Self::start_among(&Vitals::default(), store, clock, ids, settings).await
    }

    /// As [`Accounts::start`], among the parts of a node.
    pub(crate) async fn start_among(
        vitals: &Vitals,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: AccountSettings,
    ) -> Result<Self, StoreError> {
        settings.check().map_err(StoreError::Rejected)?;
        if settings.signing_key.len() < SIGNING_KEY_BYTES_MIN {
            return Err(StoreError::Rejected(format!(
                "the signing key must have at least {SIGNING_KEY_BYTES_MIN} bytes"
            )));
        }
        let passwords = Passwords::start(&settings, vitals)?;
        let revocations = Arc::new(Revocations::load(store.clone(), clock.clone(), settings.access_s).await?);
        Ok(Self {
            store,
            clock,
            ids,
            refresh_ms: settings.refresh_s.saturating_mul(1_000),
            refresh_grace_ms: settings.refresh_grace_s.saturating_mul(1_000),
            passwords,
            access_tokens: AccessTokens::new(&settings.signing_key, settings.access_s),
            refresh_tokens: RefreshTokens::new(&settings.signing_key),
            _refresher: revocations.keep_fresh(vitals),
            revocations,
            throttle: OnceLock::new(),
            provider: None,
            subjects: provider::subjects(),
            told: OnceLock::new(),
            vitals: vitals.clone(),
        })
    }

    /// Also reads access tokens that former keys signed.
    pub(crate) fn read_with(&mut self, former: &[FormerKey]) {
        self.access_tokens.read_with(former);
    }

    /// Takes the tokens of an OpenID provider, too.
    pub(crate) fn trust(&mut self, keys: Arc<dyn IdentityKeys>, settings: IdentitySettings) {
        let (store, clock, subjects) = (self.store.clone(), self.clock.clone(), self.subjects.clone());
        self.provider = Some(Provider::start(&self.vitals, store, clock, keys, subjects, settings));
    }

    /// Limits how often somebody may try a password, or sign up. To be called once, before the first
    /// request.
    pub(crate) fn limit_log_ins(&self, limiter: Arc<dyn Limiter>, rules: LogInRules) {
        let clock = self.clock.clone();
        let _ = self.throttle.set(Throttle { limiter, rules, clock });
    }

    /// The rules about log-ins, if there are any.
    #[must_use]
    pub fn log_in_rules(&self) -> Option<&LogInRules> {
        self.throttle.get().map(|throttle| &throttle.rules)
    }

    /// Tells other nodes of sessions that end, and hears them. To be called once, before the first
    /// request, inside a Tokio runtime.
    pub(crate) fn tell_changes(&self, broadcast: Arc<dyn Broadcast>) {
        let (revocations, subjects) = (self.revocations.clone(), self.subjects.clone());
        let heard = broadcast.clone();
        let listener = self.vitals.supervise("the listener for changed accounts", move || {
            let (revocations, subjects, heard) = (revocations.clone(), subjects.clone(), heard.clone());
            async move {
                loop {
                    heard.heard_accounts().await;
                    subjects.invalidate_all();
                    revocations.refresh_or_warn().await;
                }
            }
        });
        let _ = self.told.set(Told { broadcast, _listener: listener });
    }

    /// Who a token stands for: one of ours, or one of the identity provider's. The provider's first
    /// token of somebody makes an account.
    ///
    /// # Errors
    /// [`AccountError::InvalidToken`] or [`AccountError::ProviderAway`], or if the database fails.
    pub async fn caller(&self, token: &str) -> Result<Caller, AccountError> {
        match (self.authenticate(token), &self.provider) {
            // Apart, so that requests with our own tokens do not carry room for it.
            (Err(AccountError::InvalidToken), Some(provider)) if !self.access_tokens.is_like_ours(token) => {
                Box::pin(provider.caller(token)).await
            }
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

    /// The caller that a gateway has logged in. That log-in is not ours to end.
    ///
    /// # Errors
    /// [`AccountError::InvalidToken`] if the account is closed or disabled.
    pub async fn named(&self, user: UserId) -> Result<Caller, AccountError> {
        let user = self.store.user(user).await?.filter(|user| user.disabled_at.is_none());
        let user = user.ok_or(AccountError::InvalidToken)?;
        Ok(Caller { user: user.id, role: user.role, session: SessionId(Uuid::nil()) })
    }

    /// Notes sessions that have just ended in the store, here and on the nodes that hear us.
    fn have_ended(&self, sessions: impl IntoIterator<Item = SessionId>) {
        self.revocations.add(sessions);
        self.subjects.invalidate_all();
        if let Some(told) = self.told.get() {
            told.broadcast.tell_accounts();
        }
    }

    async fn end_session(&self, session: SessionId) -> Result<(), AccountError> {
        self.store.end_session(session, self.clock.now()).await?;
        self.have_ended([session]);
        Ok(())
    }

    /// Ends a person's sessions; how many there were.
    async fn end_sessions_of(&self, user: UserId, keep: Option<SessionId>) -> Result<usize, AccountError> {
        let ended = self.store.end_sessions_of(user, keep, self.clock.now()).await?;
        let count = ended.len();
        self.have_ended(ended);
        Ok(count)
    }
}

/// The shortest signing key: as long as the signature.
const SIGNING_KEY_BYTES_MIN: usize = 32;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

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
    fn names_have_bounds_in_characters() {
        assert_eq!(checked_name("  김민준 ").unwrap(), "김민준");
        for bad in ["", "   ", &"a".repeat(101), "a\u{0}b"] {
            assert!(checked_name(bad).is_err(), "{bad}");
        }
    }
}
