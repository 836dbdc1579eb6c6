//! The port under log-ins with an identity provider.

use async_trait::async_trait;
use onsale_domain::{ids::UserId, time::Timestamp};
use onsale_engine::ports::{
    Identity, IdentityEmail, IdentityKey, IdentityStore, NewIdentity, StoreError, User,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, SqlErr,
    sea_query::Expr,
};

use crate::{
    SqlStore,
    entity::{identity, user},
    error::{broken, is_lost_race, store_error},
};

#[async_trait]
impl IdentityStore for SqlStore {
    async fn identity(&self, key: &IdentityKey) -> Result<Option<Identity>, StoreError> {
        let found = identity::Entity::find_by_id(key.0.to_vec()).one(&self.readers).await;
        let Some(found) = found.map_err(store_error)? else { return Ok(None) };
        let user = user::Entity::find_by_id(found.user_id).one(&self.readers).await.map_err(store_error)?;
        let user = user.ok_or_else(|| broken(format!("there is no account {}", found.user_id)))?;
        Ok(Some(Identity {
            user: UserId(user.id),
            role: user.role.parse().map_err(broken)?,
            email: user.email.unwrap_or_default(),
            email_as_of: found.email_as_of.map(Timestamp),
            is_disabled: user.disabled_at.is_some(),
            closed_at: user.closed_at.map(Timestamp),
        }))
    }

    async fn add_identity(&self, new: NewIdentity) -> Result<User, StoreError> {
        let write = self.begin_write().await?;
        let email_as_of = new.email.as_ref().map(|email| email.as_of);
        let email = match new.email {
            Some(email) if owner_of(&write, &email.address).await?.is_none() => Some(email.address),
            _ => None,
        };
        let model = user::ActiveModel {
            id: NotSet,
            email: Set(email.clone()),
            name: Set(new.name.clone()),
            role: Set(new.role.as_str().to_owned()),
            password_hash: Set(String::new()),
            created_at: Set(new.created_at.0),
            closed_at: Set(None),
            disabled_at: Set(None),
        };
        let id = user::Entity::insert(model).exec(&write).await.map_err(faster)?.last_insert_id;
        match new.replaces {
            Some(closed) => replace(&write, &new.key, closed, (id, email_as_of), new.created_at).await?,
            None => {
                let model = identity::ActiveModel {
                    digest: Set(new.key.0.to_vec()),
                    user_id: Set(id),
                    created_at: Set(new.created_at.0),
                    email_as_of: Set(email_as_of.map(|as_of| as_of.0)),
                };
                identity::Entity::insert(model).exec_without_returning(&write).await.map_err(faster)?;
            }
        }
        write.commit().await.map_err(faster)?;
        Ok(User {
            id: UserId(id),
            email: email.unwrap_or_default(),
            name: new.name,
            role: new.role,
            password_hash: String::new(),
            created_at: new.created_at,
            disabled_at: None,
        })
    }

    async fn take_email(&self, key: &IdentityKey, email: IdentityEmail) -> Result<bool, StoreError> {
        let IdentityEmail { address, as_of } = email;
        let write = self.begin_write().await?;
        let is_newer = Condition::any()
            .add(identity::Column::EmailAsOf.is_null())
            .add(identity::Column::EmailAsOf.lt(as_of.0));
        let newer = identity::Entity::update_many()
            .col_expr(identity::Column::EmailAsOf, Expr::val(as_of.0))
            .filter(identity::Column::Digest.eq(key.0.to_vec()))
            .filter(is_newer)
            .exec(&write)
            .await
            .map_err(faster)?;
        if newer.rows_affected == 0 {
            return Ok(false);
        }
        let subject = identity::Entity::find_by_id(key.0.to_vec()).one(&write).await.map_err(faster)?;
        let user = subject.ok_or(StoreError::Missing("subject"))?.user_id;
        let is_free = owner_of(&write, &address).await?.is_none_or(|owner| owner == user);
        if is_free {
            user::Entity::update_many()
                .col_expr(user::Column::Email, Expr::val(address))
                .filter(user::Column::Id.eq(user))
                .filter(user::Column::ClosedAt.is_null())
                .exec(&write)
                .await
                .map_err(faster)?;
        }
        // That it was said is kept either way.
        write.commit().await.map_err(faster)?;
        Ok(is_free)
    }
}

/// The account that has an e-mail address.
async fn owner_of(write: &DatabaseTransaction, email: &str) -> Result<Option<i64>, StoreError> {
    let owner = user::Entity::find().filter(user::Column::Email.eq(email)).one(write).await;
    Ok(owner.map_err(faster)?.map(|owner| owner.id))
}

/// Gives a subject a new account in place of the closed one.
async fn replace(
    write: &DatabaseTransaction,
    key: &IdentityKey,
    closed: UserId,
    (id, email_as_of): (i64, Option<Timestamp>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let replaced = identity::Entity::update_many()
        .col_expr(identity::Column::UserId, Expr::val(id))
        .col_expr(identity::Column::CreatedAt, Expr::val(now.0))
        .col_expr(identity::Column::EmailAsOf, Expr::val(email_as_of.map(|as_of| as_of.0)))
        .filter(identity::Column::Digest.eq(key.0.to_vec()))
        .filter(identity::Column::UserId.eq(closed.0))
        .exec(write)
        .await
        .map_err(faster)?;
    if replaced.rows_affected == 0 { Err(StoreError::Conflict(WHAT)) } else { Ok(()) }
}

const WHAT: &str = "an account of this subject";

/// As for an insert that somebody else may have been faster with.
fn faster(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Conflict(WHAT),
        _ if is_lost_race(&error) => StoreError::Conflict(WHAT),
        _ => store_error(error),
    }
}
