//! The port under accounts.

use async_trait::async_trait;
use onsale_domain::{
    ids::{SessionId, UserId},
    time::Timestamp,
    user::Role,
};
use onsale_engine::ports::{
    AccountStore, NewUser, Replaced, Rotation, Session, StoreError, UnlessLastAdmin, User, UserChange,
    UserQuery,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    catalogue::anywhere,
    entity::{session, user},
    error::{broken, conflict_on, store_error},
};

#[async_trait]
impl AccountStore for SqlStore {
    async fn add_user(&self, user: NewUser) -> Result<User, StoreError> {
        let model = user::ActiveModel {
            id: NotSet,
            email: Set(Some(user.email.clone())),
            name: Set(user.name.clone()),
            role: Set(user.role.as_str().to_owned()),
            password_hash: Set(user.password_hash.clone()),
            created_at: Set(user.created_at.0),
            closed_at: Set(None),
            disabled_at: Set(None),
        };
        let inserted = user::Entity::insert(model)
            .exec(&self.writer)
            .await
            .map_err(conflict_on("an account with this e-mail address"))?;
        Ok(User {
            id: UserId(inserted.last_insert_id),
            email: user.email,
            name: user.name,
            role: user.role,
            password_hash: user.password_hash,
            created_at: user.created_at,
            disabled_at: None,
        })
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let model = user::Entity::find()
            .filter(user::Column::Email.eq(email.to_lowercase()))
            .filter(user::Column::ClosedAt.is_null())
            .one(&self.readers)
            .await
            .map_err(store_error)?;
        model.map(user_from_model).transpose()
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        open_user(&self.readers, id).await
    }

    async fn change_user(&self, id: UserId, change: UserChange) -> Result<Option<User>, StoreError> {
        let write = self.begin_write().await?;
        let user = change_in(&write, id, change).await?;
        write.commit().await.map_err(store_error)?;
        Ok(user)
    }

    async fn change_user_but_not_the_last_admin(
        &self,
        id: UserId,
        change: UserChange,
    ) -> Result<UnlessLastAdmin<User>, StoreError> {
        let write = self.begin_write().await?;
        if change.takes_admin_away() && is_last_admin(&write, id).await? {
            return Ok(UnlessLastAdmin::LastAdmin);
        }
        let user = change_in(&write, id, change).await?;
        write.commit().await.map_err(store_error)?;
        Ok(user.map_or(UnlessLastAdmin::NoSuchUser, UnlessLastAdmin::Done))
    }

    async fn close_user(
        &self,
        id: UserId,
        at: Timestamp,
    ) -> Result<UnlessLastAdmin<Vec<SessionId>>, StoreError> {
        let write = self.begin_write().await?;
        if is_last_admin(&write, id).await? {
            return Ok(UnlessLastAdmin::LastAdmin);
        }
        let erased = user::ActiveModel {
            email: Set(None),
            name: Set(String::new()),
            password_hash: Set(String::new()),
            closed_at: Set(Some(at.0)),
            ..Default::default()
        };
        let done = user::Entity::update_many()
            .set(erased)
            .filter(is_open(id))
            .exec(&write)
            .await
            .map_err(store_error)?;
        if done.rows_affected == 0 {
            return Ok(UnlessLastAdmin::NoSuchUser);
        }
        let ended = end_open_sessions(&write, open_sessions(id, None), at).await?;
        write.commit().await.map_err(store_error)?;
        Ok(UnlessLastAdmin::Done(ended))
    }

    async fn users(&self, query: UserQuery) -> Result<Vec<User>, StoreError> {
        let UserQuery { email, role, after, max } = query;
        let mut wanted = Condition::all().add(user::Column::ClosedAt.is_null());
        if let Some(after) = after {
            wanted = wanted.add(user::Column::Id.gt(after.0));
        }
        if let Some(role) = role {
            wanted = wanted.add(user::Column::Role.eq(role.as_str()));
        }
        if let Some(part) = email {
            wanted = wanted.add(user::Column::Email.like(anywhere(&part)));
        }
        let found = user::Entity::find()
            .filter(wanted)
            .order_by_asc(user::Column::Id)
            .limit(max)
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        found.into_iter().map(user_from_model).collect()
    }

    async fn add_session(&self, session: Session) -> Result<(), StoreError> {
        let model = session::ActiveModel {
            id: Set(session.id.0),
            user_id: Set(session.user.0),
            refresh_hash: Set(session.refresh_hash.to_vec()),
            created_at: Set(session.created_at.0),
            expires_at: Set(session.expires_at.0),
            ended_at: Set(session.ended_at.map(|at| at.0)),
            replaced_hash: Set(session.replaced.map(|replaced| replaced.hash.to_vec())),
            replaced_at: Set(session.replaced.map(|replaced| replaced.at.0)),
        };
        session::Entity::insert(model)
            .exec_without_returning(&self.writer)
            .await
            .map_err(conflict_on("a session with this id"))?;
        Ok(())
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let model = session::Entity::find_by_id(id.0).one(&self.readers).await.map_err(store_error)?;
        model.map(session_from_model).transpose()
    }

    async fn rotate_session(&self, id: SessionId, rotation: Rotation) -> Result<bool, StoreError> {
        let Rotation { old_hash, new_hash, at, expires_at } = rotation;
        let done = session::Entity::update_many()
            .col_expr(session::Column::RefreshHash, Expr::val(new_hash.to_vec()))
            .col_expr(session::Column::ExpiresAt, Expr::val(expires_at.0))
            .col_expr(session::Column::ReplacedHash, Expr::val(old_hash.to_vec()))
            .col_expr(session::Column::ReplacedAt, Expr::val(at.0))
            .filter(session::Column::Id.eq(id.0))
            .filter(session::Column::RefreshHash.eq(old_hash.to_vec()))
            .filter(session::Column::EndedAt.is_null())
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected == 1)
    }

    async fn end_session(&self, id: SessionId, at: Timestamp) -> Result<bool, StoreError> {
        let done = session::Entity::update_many()
            .col_expr(session::Column::EndedAt, Expr::val(at.0))
            .filter(session::Column::Id.eq(id.0))
            .filter(session::Column::EndedAt.is_null())
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected == 1)
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let write = self.begin_write().await?;
        let ended = end_open_sessions(&write, open_sessions(user, keep), at).await?;
        write.commit().await.map_err(store_error)?;
        Ok(ended)
    }

    async fn sessions_ended_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(SessionId, Timestamp)>, StoreError> {
        let ended: Vec<(Uuid, i64)> = session::Entity::find()
            .select_only()
            .columns([session::Column::Id, session::Column::EndedAt])
            .filter(session::Column::EndedAt.gte(since.0))
            .order_by_asc(session::Column::EndedAt)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        Ok(ended.into_iter().map(|(id, at)| (SessionId(id), Timestamp(at))).collect())
    }
}

async fn change_in(
    write: &DatabaseTransaction,
    id: UserId,
    change: UserChange,
) -> Result<Option<User>, StoreError> {
    let values = user::ActiveModel {
        name: change.name.map_or(NotSet, Set),
        email: change.email.map_or(NotSet, |email| Set(Some(email))),
        password_hash: change.password_hash.map_or(NotSet, Set),
        role: change.role.map_or(NotSet, |role| Set(role.as_str().to_owned())),
        disabled_at: change.disabled_at.map_or(NotSet, |at| Set(at.map(|at| at.0))),
        ..Default::default()
    };
    if values != user::ActiveModel::default() {
        user::Entity::update_many()
            .set(values)
            .filter(is_open(id))
            .exec(write)
            .await
            .map_err(conflict_on("an account with this e-mail address"))?;
    }
    open_user(write, id).await
}

/// Whether nobody else is an administrator who is not disabled. Whoever asks at the same moment waits.
async fn is_last_admin(write: &DatabaseTransaction, id: UserId) -> Result<bool, StoreError> {
    let admins: Vec<i64> = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::Role.eq(Role::Admin.as_str()))
        .filter(user::Column::ClosedAt.is_null())
        .filter(user::Column::DisabledAt.is_null())
        .order_by_asc(user::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(write)
        .await
        .map_err(store_error)?;
    Ok(admins == [id.0])
}

fn open_sessions(user: UserId, keep: Option<SessionId>) -> Condition {
    let open =
        Condition::all().add(session::Column::UserId.eq(user.0)).add(session::Column::EndedAt.is_null());
    match keep {
        Some(keep) => open.add(session::Column::Id.ne(keep.0)),
        None => open,
    }
}

/// Ends sessions; returns them.
async fn end_open_sessions(
    write: &DatabaseTransaction,
    open: Condition,
    at: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let ids: Vec<Uuid> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(open.clone())
        .into_tuple()
        .all(write)
        .await
        .map_err(store_error)?;
    session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::val(at.0))
        .filter(open)
        .exec(write)
        .await
        .map_err(store_error)?;
    Ok(ids.into_iter().map(SessionId).collect())
}

fn is_open(id: UserId) -> Condition {
    Condition::all().add(user::Column::Id.eq(id.0)).add(user::Column::ClosedAt.is_null())
}

async fn open_user(connection: &impl ConnectionTrait, id: UserId) -> Result<Option<User>, StoreError> {
    let model = user::Entity::find().filter(is_open(id)).one(connection).await.map_err(store_error)?;
    model.map(user_from_model).transpose()
}

fn user_from_model(model: user::Model) -> Result<User, StoreError> {
    Ok(User {
        id: UserId(model.id),
        email: model.email.unwrap_or_default(),
        name: model.name,
        role: model.role.parse().map_err(broken)?,
        password_hash: model.password_hash,
        created_at: Timestamp(model.created_at),
        disabled_at: model.disabled_at.map(Timestamp),
    })
}

fn session_from_model(model: session::Model) -> Result<Session, StoreError> {
    let hash =
        |bytes: Vec<u8>| bytes.try_into().map_err(|_| broken("a refresh token's hash has not 32 bytes"));
    let replaced_hash = model.replaced_hash.map(hash).transpose()?;
    Ok(Session {
        id: SessionId(model.id),
        user: UserId(model.user_id),
        refresh_hash: hash(model.refresh_hash)?,
        created_at: Timestamp(model.created_at),
        expires_at: Timestamp(model.expires_at),
        ended_at: model.ended_at.map(Timestamp),
        replaced: replaced_hash.zip(model.replaced_at).map(|(hash, at)| Replaced { hash, at: Timestamp(at) }),
    })
}
