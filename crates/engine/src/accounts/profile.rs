//! Changes that a person makes to their own account.

use std::net::IpAddr;

use onsale_domain::ids::UserId;

use super::{
    AccountError, Accounts, Caller, checked_name,
    email::checked_email,
    hashing::Purpose,
    password_hash,
    password_rules::{checked_password, ways_to_write},
    taken,
};
use crate::ports::{UnlessLastAdmin, User, UserChange};

/// Changes that a person makes to their profile; fields that are `None` stay.
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

impl Accounts {
    /// A person.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn profile(&self, user: UserId) -> Result<User, AccountError> {
        self.store.user(user).await?.ok_or(AccountError::NoSuchUser)
    }

    /// Changes the caller's own account, from an address. Wrong passwords count as those of log-ins do.
    ///
    /// # Errors
    /// If a field is not acceptable, the password is wrong, or the address is taken;
    /// [`AccountError::TooMany`] or [`AccountError::Overloaded`].
    pub async fn change_profile(
        &self,
        caller: Caller,
        change: ProfileChange,
        from: IpAddr,
    ) -> Result<User, AccountError> {
        let mut checked = UserChange {
            name: change.name.as_deref().map(checked_name).transpose()?,
            email: change.email.as_deref().map(checked_email).transpose()?,
            ..UserChange::default()
        };
        let user = self.profile(caller.user).await?;
        let email = checked.email.as_ref().unwrap_or(&user.email);
        let password = change.password.map(|password| checked_password(&password, email)).transpose()?;
        if change.email.is_some() || password.is_some() {
            if password_hash(&user).is_none() {
                let field = if change.email.is_some() { "email" } else { "password" };
                let reason = "belongs to the identity provider that this account logs in with";
                return Err(AccountError::Invalid { field, reason });
            }
            self.prove(&user, change.current_password.as_deref(), from).await?;
        }
        let is_new_password = password.is_some();
        if let Some(password) = password {
            checked.password_hash = Some(self.passwords.hash(Purpose::LogIn, from, password).await?);
        }
        let changed = self.store.change_user(caller.user, checked).await.map_err(taken)?;
        if is_new_password {
            self.end_sessions_of(caller.user, Some(caller.session)).await?;
        }
        changed.ok_or(AccountError::NoSuchUser)
    }

    /// Checks that somebody knows the password of an account.
    async fn prove(&self, user: &User, password: Option<&str>, from: IpAddr) -> Result<(), AccountError> {
        // Without any there is nothing to count.
        let password = password.ok_or(AccountError::WrongCredentials)?;
        let check = async {
            let right = self.passwords.verify(from, ways_to_write(password), password_hash(user)).await?;
            if right { Ok(()) } else { Err(AccountError::WrongCredentials) }
        };
        match self.throttle.get() {
            Some(throttle) => throttle.log_in(&user.email, from, check).await,
            None => check.await,
        }
    }

    /// Closes the caller's account: erases name, e-mail address and password, ends all sessions.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`] or [`AccountError::LastAdmin`].
    pub async fn close(&self, user: UserId) -> Result<(), AccountError> {
        match self.store.close_user(user, self.clock.now()).await? {
            UnlessLastAdmin::Done(ended) => self.have_ended(ended),
            UnlessLastAdmin::NoSuchUser => return Err(AccountError::NoSuchUser),
            UnlessLastAdmin::LastAdmin => return Err(AccountError::LastAdmin),
        }
        // What began in between.
        self.end_sessions_of(user, None).await?;
        Ok(())
    }
}
