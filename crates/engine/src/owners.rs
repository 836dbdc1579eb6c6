//! Who may change what: an organiser what is theirs, an administrator everything.
//!
//! The rule is [`Role::may_change`](onsale_domain::user::Role::may_change). Everything that organisers
//! do to what exists asks [`Owners::check`] first.

use std::sync::Arc;

use onsale_domain::{ids::UserId, user::Role};

use crate::{
    accounts::{Caller, user_by_email},
    ports::{Owned, Store, StoreError, StoredRoom, User},
};

/// Whether owners are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerCheck {
    /// As it should be.
    On,
    /// For negative controls only.
    Off,
}

/// Why somebody may not change something, or it was not given away.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// It is another organiser's, or nobody's.
    #[error("this {0} is not yours; its owner or an administrator can change it")]
    NotTheOwner(&'static str),
    /// Only organisers and administrators own things.
    #[error("{0} has no account here, or is no organiser")]
    NoOrganiser(String),
    /// The database failed, or there is no such thing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Owners of shows, items, venues and rooms. Cheap to clone.
#[derive(Clone)]
pub struct Owners {
    store: Arc<dyn Store>,
    check: OwnerCheck,
}

impl Owners {
    /// Owners over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, check: OwnerCheck) -> Self {
        Self { store, check }
    }

    /// Whether the caller may change something.
    ///
    /// # Errors
    /// [`OwnerError::NotTheOwner`] if not; [`StoreError::Missing`] if there is no such thing.
    pub async fn check(&self, caller: Caller, thing: impl Into<Owned>) -> Result<(), OwnerError> {
        let thing = thing.into();
        let owner = self.store.owner(thing).await?;
        if self.check == OwnerCheck::Off || caller.role.may_change(caller.user, owner) {
            return Ok(());
        }
        Err(OwnerError::NotTheOwner(thing.kind()))
    }

    /// Whether an account may be told of what happens to something, or to what is nobody's. What is not
    /// there any more is nobody's.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn may_follow(&self, user: UserId, thing: Option<Owned>) -> Result<bool, StoreError> {
        if self.check == OwnerCheck::Off {
            return Ok(true);
        }
        let user = self.store.user(user).await?.filter(|user| user.disabled_at.is_none());
        let Some(user) = user else { return Ok(false) };
        let owner = match thing {
            None => None,
            Some(thing) => match self.store.owner(thing).await {
                Err(StoreError::Missing(_)) => None,
                owner => owner?,
            },
        };
        Ok(user.role.may_change(user.id, owner))
    }

    /// Those of these rooms that the caller may change.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn own_rooms(
        &self,
        caller: Caller,
        mut rooms: Vec<StoredRoom>,
    ) -> Result<Vec<StoredRoom>, OwnerError> {
        if self.check == OwnerCheck::On && caller.role < Role::Admin {
            let own = self.store.own_rooms(caller.user).await?;
            rooms.retain(|room| own.contains(&room.id));
        }
        Ok(rooms)
    }

    /// Gives a show, an item or a venue to an organiser; who that is. For administrators.
    ///
    /// # Errors
    /// [`OwnerError::NoOrganiser`] if the e-mail address is no organiser's; [`StoreError::Missing`] if
    /// there is no such thing.
    pub async fn give(&self, thing: impl Into<Owned>, email: &str) -> Result<User, OwnerError> {
        let organiser = self.organiser(email).await?;
        self.store.give(thing.into(), organiser.id).await?;
        Ok(organiser)
    }

    /// The organiser with an e-mail address.
    ///
    /// # Errors
    /// [`OwnerError::NoOrganiser`] if there is none.
    pub async fn organiser(&self, email: &str) -> Result<User, OwnerError> {
        let user = user_by_email(&*self.store, email.trim()).await?;
        let user = user.filter(|user| user.role >= Role::Organiser && user.disabled_at.is_none());
        user.ok_or_else(|| OwnerError::NoOrganiser(email.to_owned()))
    }
}
