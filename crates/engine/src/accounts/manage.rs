//! Changes that administrators and operators make to other people's accounts.

use onsale_domain::{ids::UserId, user::Role};

use super::{
    AccountError, Accounts,
    email::{folded, user_by_email},
    hashing::Purpose,
    log_in::OPERATOR,
    password_hash,
    password_rules::checked_password,
};
use crate::ports::{UnlessLastAdmin, User, UserChange, UserQuery};

/// On whose word an account is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTheWordOf {
    /// An administrator's, who must leave one administrator who can log in.
    Admin(UserId),
    /// Whoever works on the database itself, who can always get in again.
    Operator,
}

/// Changes to somebody's account; fields that are `None` stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The role, which says what they may do.
    pub role: Option<Role>,
    /// Whether they may not log in.
    pub is_disabled: Option<bool>,
}

impl Accounts {
    /// People in the order of their ids, by a part of the e-mail address and by role.
    ///
    /// # Errors
    /// If the part cannot be one of an address.
    pub async fn list(&self, query: UserQuery) -> Result<Vec<User>, AccountError> {
        let email = query.email.map(|part| folded(part.trim())).filter(|part| !part.is_empty());
        if email.iter().any(|part| part.chars().any(char::is_control)) {
            let reason = "must not contain control characters";
            return Err(AccountError::Invalid { field: "email", reason });
        }
        Ok(self.store.users(UserQuery { email, ..query }).await?)
    }

    /// The person whom somebody calls by the e-mail address or the account's number.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn find(&self, name: &str) -> Result<User, AccountError> {
        let found = match name.parse() {
            Ok(id) => self.store.user(UserId(id)).await?,
            Err(_) => user_by_email(&*self.store, name).await?,
        };
        found.ok_or(AccountError::NoSuchUser)
    }

    /// Changes the role of somebody's account, or whether it is disabled. What differs ends their
    /// sessions, so that it counts at once.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`] or [`AccountError::LastAdmin`]; [`AccountError::Invalid`] if the
    /// role is the identity provider's to say.
    pub async fn change_account(
        &self,
        by: OnTheWordOf,
        user: UserId,
        change: AccountChange,
    ) -> Result<User, AccountError> {
        let before = self.profile(user).await?;
        let role = change.role.filter(|role| *role != before.role);
        let says_roles = self.provider.as_ref().is_some_and(|provider| provider.says_roles());
        if role.is_some() && says_roles && password_hash(&before).is_none() {
            let reason = "is what the identity provider says that this account logs in with";
            return Err(AccountError::Invalid { field: "role", reason });
        }
        let is_disabled = change.is_disabled.filter(|to_be| *to_be != before.disabled_at.is_some());
        let disabled_at = is_disabled.map(|is_disabled| is_disabled.then(|| self.clock.now()));
        if role.is_none() && disabled_at.is_none() {
            if before.disabled_at.is_some() {
                // An earlier try may have broken off before it had ended them.
                self.end_sessions_of(user, None).await?;
            }
            return Ok(before);
        }
        let changed =
            self.change_unless_last(by, user, UserChange { role, disabled_at, ..UserChange::default() });
        let changed = changed.await?;
        let ended = self.end_sessions_of(user, None).await?;
        let (role, is_disabled) = (changed.role, changed.disabled_at.is_some());
        tracing::info!(user = user.0, %role, is_disabled, ended, ?by, "an account has been changed");
        Ok(changed)
    }

    async fn change_unless_last(
        &self,
        by: OnTheWordOf,
        user: UserId,
        change: UserChange,
    ) -> Result<User, AccountError> {
        if by == OnTheWordOf::Operator {
            return self.store.change_user(user, change).await?.ok_or(AccountError::NoSuchUser);
        }
        match self.store.change_user_but_not_the_last_admin(user, change).await? {
            UnlessLastAdmin::Done(changed) => Ok(changed),
            UnlessLastAdmin::NoSuchUser => Err(AccountError::NoSuchUser),
            UnlessLastAdmin::LastAdmin => Err(AccountError::LastAdmin),
        }
    }

    /// Ends all sessions of somebody; how many there were.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`].
    pub async fn end_sessions(&self, by: OnTheWordOf, user: UserId) -> Result<usize, AccountError> {
        self.profile(user).await?;
        let ended = self.end_sessions_of(user, None).await?;
        tracing::info!(user = user.0, ended, ?by, "an account's sessions have been ended");
        Ok(ended)
    }

    /// Gives somebody a new password and ends their sessions: for operators, when it was forgotten.
    ///
    /// # Errors
    /// If the password is not acceptable, or the account logs in with the identity provider.
    pub async fn reset_password(&self, user: &User, password: &str) -> Result<(), AccountError> {
        if password_hash(user).is_none() {
            let reason = "belongs to the identity provider that this account logs in with";
            return Err(AccountError::Invalid { field: "password", reason });
        }
        let password = checked_password(password, &user.email)?;
        let hash = self.passwords.hash(Purpose::LogIn, OPERATOR, password).await?;
        let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
        self.store.change_user(user.id, change).await?.ok_or(AccountError::NoSuchUser)?;
        self.end_sessions_of(user.id, None).await?;
        Ok(())
    }
}
