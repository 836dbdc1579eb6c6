//! Log-ins with an OpenID provider: its tokens are taken beside our own.
//!
//! A token is checked here, with the provider's public keys, and asks nobody. The keys are read now and
//! then and when a token names one that is not known; while the provider is away the known ones go on
//! working.

mod keys;
mod refusal;
mod token;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use moka::sync::Cache;
use onsale_domain::{ids::SessionId, time::Timestamp, user::Role};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::{
    keys::KeySet,
    refusal::{Refusal, Refusals},
    token::{Claims, Token},
};
use super::{AccountError, Caller, checked_name, email::checked_email};
use crate::{
    clock::Clock,
    ports::{Identity, IdentityEmail, IdentityKey, IdentityKeys, NewIdentity, Store, StoreError, UserChange},
    vitals::{Supervised, Vitals},
};

/// How often the keys are read, so that one that was withdrawn is not taken for ever, in milliseconds.
const REFRESH_MS: i64 = 300_000;

/// How long after an attempt the keys are not read again because of an unknown one, in milliseconds.
/// Tokens that name keys which there are not cost the provider no more than that.
const REFETCH_AFTER_MS: i64 = 10_000;

/// How long what is known of a subject's account is believed: what another node changes is seen then.
const KNOWN_FOR: Duration = Duration::from_secs(3);

/// The most subjects of whom something is known.
const KNOWN_MAX: u64 = 100_000;

/// How often an account is tried to be made that somebody else makes at the same moment.
const ADD_TRIES_MAX: u32 = 5;

/// What somebody is called whose token says no name.
const NO_NAME: &str = "Guest";

/// The settings of log-ins with an OpenID provider.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// The provider, exactly as its tokens name it in `iss`.
    pub issuer: String,
    /// What its tokens for us name in `aud`.
    pub audience: String,
    /// The claim that says the role, or a path to it, with dots: `realm_access.roles`. If there is one,
    /// the token's word counts, and whoever has none buys. Otherwise an account keeps the role it has.
    pub role_claim: Option<String>,
    /// Checks to leave out. For negative controls only.
    #[doc(hidden)]
    pub unchecked: Vec<TokenCheck>,
}

/// What is checked of a provider's token.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCheck {
    /// That the key, not the token, says by which algorithm it is signed.
    Algorithm,
    /// That it is signed with the key that it names.
    Signature,
    /// That it is a token for us to read: its type, and no extension that we do not know.
    Header,
    Issuer,
    Audience,
    /// That it has not run out.
    Expiry,
    /// That it is good already.
    NotBefore,
}

/// Takes the tokens of one OpenID provider.
pub(super) struct Provider {
    settings: IdentitySettings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keys: Arc<Keys>,
    known: Cache<IdentityKey, Identity>,
    refusals: Refusals,
    _refresher: Supervised,
}

/// Room for what is known of subjects. Whoever changes an account empties it.
pub(super) fn subjects() -> Cache<IdentityKey, Identity> {
    Cache::builder().max_capacity(KNOWN_MAX).time_to_live(KNOWN_FOR).build()
}

impl Provider {
    /// Begins to read the keys. Must be called inside a Tokio runtime.
    pub(super) fn start(
        vitals: &Vitals,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        keys: Arc<dyn IdentityKeys>,
        known: Cache<IdentityKey, Identity>,
        settings: IdentitySettings,
    ) -> Self {
        let keys = Arc::new(Keys {
            source: keys,
            clock: clock.clone(),
            known: ArcSwap::default(),
            fetched: Mutex::default(),
        });
        let reading = keys.clone();
        let refresher = vitals
            .supervise("the reader of the identity provider's keys", move || reading.clone().keep_fresh());
        Self { settings, store, clock, keys, known, refusals: Refusals::default(), _refresher: refresher }
    }

    /// Whether the provider's tokens say what somebody may do.
    pub(super) fn says_roles(&self) -> bool {
        self.settings.role_claim.is_some()
    }

    /// Who a token stands for. The first token of a subject makes an account.
    pub(super) async fn caller(&self, token: &str) -> Result<Caller, AccountError> {
        let claims = self.verified(token).await?;
        let key = identity_key(&self.settings.issuer, &claims.sub);
        let (known, is_fresh) = match self.known.get(&key) {
            Some(known) => (known, false),
            None => (self.account(key, &claims).await?, true),
        };
        if closed_for(&known, &claims) {
            return Err(self.refused(&Refusal::new(
                "iat",
                claims.issued_at().0,
                "after the account was closed",
            )));
        }
        if known.is_disabled {
            return Err(self.refused(&Refusal::new("sub", known.user.0, "an account that is not disabled")));
        }
        let before = (known.role, known.email_as_of);
        let known = self.with_role_of(known, &claims).await?;
        let known = self.with_email_of(known, key, &claims).await?;
        let caller = Caller { user: known.user, role: known.role, session: SessionId(Uuid::nil()) };
        // Only what has just been read is kept, so that nothing is known for longer than it may be, however
        // often somebody asks: an account that was disabled elsewhere would stay alive by asking.
        if is_fresh {
            self.known.insert(key, known);
        } else if before != (known.role, known.email_as_of) {
            self.known.invalidate(&key);
        }
        // The provider's log-in is not ours to end.
        Ok(caller)
    }

    fn refused(&self, refusal: &Refusal) -> AccountError {
        self.refusals.tell(refusal, self.clock.now());
        AccountError::InvalidToken
    }

    /// What a token says, if all of it is as it must be.
    async fn verified(&self, token: &str) -> Result<Claims, AccountError> {
        let refused = |refusal: Refusal| self.refused(&refusal);
        let token = Token::parse(token).map_err(refused)?;
        // First what costs nothing: only a token that would be good leads to the provider.
        token.check(&self.settings, self.clock.now()).map_err(refused)?;
        let keys = self.keys.with(&token).await?;
        let Some(key) = keys.find(&token) else {
            return Err(refused(Refusal::new("kid", token.key_id(), "one of the provider's keys")));
        };
        let checks = |check| !self.settings.unchecked.contains(&check);
        if checks(TokenCheck::Algorithm) && token.algorithm() != key.algorithm() {
            let expected = format!("{:?}, which its key is for", key.algorithm());
            return Err(refused(Refusal::new("alg", token.algorithm(), expected)));
        }
        if checks(TokenCheck::Signature) && !key.verifies(token.message(), token.signature()) {
            let key = token.key_id().unwrap_or("the only one");
            return Err(refused(Refusal::new("signature", "another one", format!("one by the key {key:?}"))));
        }
        Ok(token.into_claims())
    }

    /// The account of a subject, made if there is none.
    async fn account(&self, key: IdentityKey, claims: &Claims) -> Result<Identity, AccountError> {
        for _ in 0..ADD_TRIES_MAX {
            let found = self.store.identity(&key).await?;
            let replaces = match found {
                Some(closed) if closed.closed_at.is_some() && !closed_for(&closed, claims) => {
                    Some(closed.user)
                }
                Some(found) => return Ok(found),
                None => None,
            };
            let email = email_of(claims);
            let new = NewIdentity {
                key,
                replaces,
                email: email.clone(),
                name: claims.names().find_map(|name| checked_name(name).ok()).unwrap_or(NO_NAME.to_owned()),
                role: self.role(claims).unwrap_or(Role::User),
                created_at: self.clock.now(),
            };
            match self.store.add_identity(new).await {
                Ok(user) => {
                    tracing::info!(user = user.id.0, "the identity provider's token has made an account");
                    return Ok(Identity {
                        user: user.id,
                        role: user.role,
                        email: user.email,
                        email_as_of: email.map(|email| email.as_of),
                        is_disabled: false,
                        closed_at: None,
                    });
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let reason = "this account is being made by somebody else; try again in a moment";
        Err(StoreError::Unavailable(reason.to_owned()).into())
    }

    /// The account with the role that the token says, if tokens say it.
    async fn with_role_of(&self, known: Identity, claims: &Claims) -> Result<Identity, AccountError> {
        let Some(role) = self.role(claims).filter(|role| *role != known.role) else { return Ok(known) };
        // Written down for whoever asks without a token, such as the sender of webhooks.
        let change = UserChange { role: Some(role), ..UserChange::default() };
        self.store.change_user(known.user, change).await?.ok_or(AccountError::InvalidToken)?;
        Ok(Identity { role, ..known })
    }

    /// The account with the e-mail address that the token says, if it is news. One that another account has
    /// stays that one's.
    async fn with_email_of(
        &self,
        known: Identity,
        key: IdentityKey,
        claims: &Claims,
    ) -> Result<Identity, AccountError> {
        let is_news = |email: &IdentityEmail| {
            email.address != known.email && known.email_as_of.is_none_or(|before| before < email.as_of)
        };
        let Some(email) = email_of(claims).filter(is_news) else { return Ok(known) };
        let IdentityEmail { address, as_of } = email.clone();
        let is_taken_over = match self.store.take_email(&key, email).await {
            Ok(is_taken_over) => is_taken_over,
            // Somebody else is faster at this moment; the next request tells.
            Err(StoreError::Conflict(_)) => return Ok(known),
            Err(error) => return Err(error.into()),
        };
        let user = known.user.0;
        if is_taken_over {
            tracing::info!(user, "the identity provider's e-mail address was taken over");
            return Ok(Identity { email: address, email_as_of: Some(as_of), ..known });
        }
        tracing::info!(
            user,
            "the identity provider's e-mail address was not taken over: another account has it"
        );
        Ok(Identity { email_as_of: Some(as_of), ..known })
    }

    /// The role that a token says; `None` if tokens do not say it.
    fn role(&self, claims: &Claims) -> Option<Role> {
        let claim = self.settings.role_claim.as_deref()?;
        Some(claims.texts(claim).filter_map(|text| text.parse().ok()).max().unwrap_or(Role::User))
    }
}

/// The e-mail address that a token says, if the provider knows that it is the subject's.
fn email_of(claims: &Claims) -> Option<IdentityEmail> {
    let address = claims.verified_email().and_then(|email| checked_email(email).ok())?;
    Some(IdentityEmail { address, as_of: claims.issued_at() })
}

/// Whether an account is closed and the token from before: only a new log-in makes a new account.
fn closed_for(identity: &Identity, claims: &Claims) -> bool {
    identity.closed_at.is_some_and(|closed_at| claims.issued_at() <= closed_at)
}

/// An issuer is an address, so it has no zero byte, and two different pairs are two different texts.
fn identity_key(issuer: &str, subject: &str) -> IdentityKey {
    let digest = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize();
    IdentityKey(digest.into())
}

/// The provider's keys, as they were read last.
struct Keys {
    source: Arc<dyn IdentityKeys>,
    clock: Arc<dyn Clock>,
    known: ArcSwap<KeySet>,
    /// The last attempt to read them. Held while they are read: one at a time.
    fetched: Mutex<Option<Attempt>>,
}

/// An attempt to read the keys.
#[derive(Clone, Copy)]
struct Attempt {
    at: Timestamp,
    succeeded: bool,
}

impl Keys {
    /// The keys, read again if the token names one that is not among them.
    async fn with(&self, token: &Token) -> Result<Arc<KeySet>, AccountError> {
        let known = self.known.load_full();
        if known.find(token).is_some() {
            return Ok(known);
        }
        let mut fetched = self.fetched.lock().await;
        let is_recent = |attempt: &Attempt| self.clock.now().since_ms(attempt.at) < REFETCH_AFTER_MS;
        // While this one waited, somebody else may have read them.
        let attempt = match fetched.filter(is_recent) {
            Some(recent) => recent,
            None => self.fetch().await,
        };
        *fetched = Some(attempt);
        let known = self.known.load_full();
        // If the provider did not answer, nobody can tell whether it has such a key.
        if !attempt.succeeded && known.find(token).is_none() {
            return Err(AccountError::ProviderAway);
        }
        Ok(known)
    }

    /// Reads the keys. What is known stays if that fails.
    async fn fetch(&self) -> Attempt {
        let read = self.source.fetch().await.map_err(|error| error.to_string());
        let read = read.and_then(|text| KeySet::parse(&text));
        let succeeded = read.is_ok();
        match read {
            Ok(keys) => self.known.store(Arc::new(keys)),
            Err(error) => {
                tracing::warn!(%error, "cannot read the identity provider's keys; those known stay");
            }
        }
        Attempt { at: self.clock.now(), succeeded }
    }

    /// Reads them now and then until the task is aborted.
    async fn keep_fresh(self: Arc<Self>) {
        loop {
            {
                let mut fetched = self.fetched.lock().await;
                *fetched = Some(self.fetch().await);
            }
            self.clock.sleep(REFRESH_MS).await;
        }
    }
}
