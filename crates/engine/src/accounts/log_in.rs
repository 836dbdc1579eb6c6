//! Signing up, logging in, going on with a session, logging out.

use std::net::{IpAddr, Ipv4Addr};

use onsale_domain::{
    ids::{SessionId, UserId},
    time::Timestamp,
    user::Role,
};

use super::{
    AccountError, Accounts, Caller, Tokens, checked_name,
    email::{checked_email, user_by_email},
    hashing::Purpose,
    password_hash,
    password_rules::{checked_password, ways_to_write},
    taken,
    tokens::RefreshToken,
};
use crate::ports::{NewUser, Replaced, Rotation, Session, User};

/// Where tools that work beside a node come from: in the queue of hashes they are one address.
pub(super) const OPERATOR: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl Accounts {
    /// Makes an account of any role: for tools, which nothing limits.
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
        self.make_account(email, password, name, role, OPERATOR).await
    }

    /// Makes an account that may buy, for somebody at an address.
    ///
    /// # Errors
    /// If a field is not acceptable or the address is taken; [`AccountError::TooMany`] or
    /// [`AccountError::Overloaded`].
    pub async fn sign_up(
        &self,
        email: &str,
        password: &str,
        name: &str,
        from: IpAddr,
    ) -> Result<User, AccountError> {
        let make = self.make_account(email, password, name, Role::User, from);
        match self.throttle.get() {
            Some(throttle) => throttle.sign_up(from, make).await,
            None => make.await,
        }
    }

    async fn make_account(
        &self,
        email: &str,
        password: &str,
        name: &str,
        role: Role,
        from: IpAddr,
    ) -> Result<User, AccountError> {
        let email = checked_email(email)?;
        let password = checked_password(password, &email)?;
        let name = checked_name(name)?;
        // Asked first, because hashing is dear; the database has the last word.
        if user_by_email(&*self.store, &email).await?.is_some() {
            return Err(AccountError::EmailTaken);
        }
        let password_hash = self.passwords.hash(Purpose::SignUp, from, password).await?;
        let created_at = self.clock.now();
        let user = NewUser { email, name, role, password_hash, created_at };
        self.store.add_user(user).await.map_err(taken)
    }

    /// Logs in from an address.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`], [`AccountError::Disabled`], [`AccountError::TooMany`] or
    /// [`AccountError::Overloaded`].
    pub async fn log_in(&self, email: &str, password: &str, from: IpAddr) -> Result<Tokens, AccountError> {
        let check = self.check_and_begin(email, password, from);
        match self.throttle.get() {
            Some(throttle) => throttle.log_in(email, from, check).await,
            None => check.await,
        }
    }

    async fn check_and_begin(
        &self,
        email: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<Tokens, AccountError> {
        let ways = ways_to_write(password);
        if ways.is_empty() {
            return Err(AccountError::WrongCredentials);
        }
        let user = user_by_email(&*self.store, email).await?;
        let hash = user.as_ref().and_then(password_hash);
        let right = self.passwords.verify(from, ways, hash).await?;
        let user = user.filter(|_| right).ok_or(AccountError::WrongCredentials)?;
        if user.disabled_at.is_some() {
            return Err(AccountError::Disabled);
        }

        let now = self.clock.now();
        let (session, refresh) = self.add_session(user.id, now).await?;
        // The password may have been changed, or the account closed or disabled, while it was being
        // checked; ending the person's sessions then came too early for this one.
        let again = self.store.user(user.id).await?;
        let is_same = |again: &User| again.password_hash == user.password_hash && again.disabled_at.is_none();
        let Some(again) = again.filter(is_same) else {
            self.end_session(session).await?;
            return Err(AccountError::WrongCredentials);
        };
        Ok(self.tokens(Caller { user: user.id, role: again.role, session }, &refresh, now))
    }

    /// Begins a session without a password: for tools that already know who it is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn begin_session(&self, user: UserId, role: Role) -> Result<Tokens, AccountError> {
        let now = self.clock.now();
        let (session, refresh) = self.add_session(user, now).await?;
        Ok(self.tokens(Caller { user, role, session }, &refresh, now))
    }

    /// Exchanges a refresh token for a new pair. Within a short grace the same token gets the same
    /// refresh token again, on every node: two tabs, or a lost answer. After that it ends its session: one
    /// of the two who used it has stolen it.
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
        let user = self.store.user(session.user).await?.filter(|user| user.disabled_at.is_none());
        let user = user.ok_or(AccountError::InvalidToken)?;

        let next = self.refresh_tokens.after(&old);
        let expires_at = now.plus_ms(self.refresh_ms);
        let rotation = Rotation { old_hash: old.hash(), new_hash: next.hash(), at: now, expires_at };
        let goes_on = self.store.rotate_session(session.id, rotation).await?
            || self.was_just_exchanged(session.id, &old, &next, now).await?;
        if !goes_on {
            self.end_session(session.id).await?;
            return Err(AccountError::InvalidToken);
        }
        let caller = Caller { user: user.id, role: user.role, session: session.id };
        Ok(self.tokens(caller, &next, now))
    }

    /// Whether the old token was exchanged for the next one within the grace, and that one not yet used.
    async fn was_just_exchanged(
        &self,
        session: SessionId,
        old: &RefreshToken,
        next: &RefreshToken,
        now: Timestamp,
    ) -> Result<bool, AccountError> {
        let Some(session) = self.store.session(session).await? else { return Ok(false) };
        let in_grace = |replaced: Replaced| {
            // Either way: nodes' clocks differ a little.
            replaced.hash == old.hash() && now.since_ms(replaced.at).abs() <= self.refresh_grace_ms
        };
        Ok(self.refresh_grace_ms > 0
            && session.ended_at.is_none()
            && session.refresh_hash == next.hash()
            && session.replaced.is_some_and(in_grace))
    }

    /// Ends the caller's session: both its tokens are void at once here, and soon on the other nodes.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn log_out(&self, caller: Caller) -> Result<(), AccountError> {
        self.end_session(caller.session).await
    }

    async fn add_session(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<(SessionId, RefreshToken), AccountError> {
        let id = SessionId(self.ids.next(now));
        let refresh = RefreshToken::new(id);
        let session = Session {
            id,
            user,
            refresh_hash: refresh.hash(),
            created_at: now,
            expires_at: now.plus_ms(self.refresh_ms),
            ended_at: None,
            replaced: None,
        };
        self.store.add_session(session).await?;
        Ok((id, refresh))
    }

    fn tokens(&self, caller: Caller, refresh: &RefreshToken, now: Timestamp) -> Tokens {
        Tokens {
            access: self.access_tokens.issue(caller, now),
            refresh: refresh.text(),
            expires_in_s: self.access_tokens.lifetime_s(),
        }
    }
}
