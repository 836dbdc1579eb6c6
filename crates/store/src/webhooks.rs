//! The port under webhooks.

use async_trait::async_trait;
use onsale_domain::{
    ids::{ShowId, UserId, WebhookId},
    time::Timestamp,
};
use onsale_engine::ports::{NewWebhook, StoreError, Webhook, WebhookStore};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::{
    SqlStore,
    entity::webhook,
    error::{broken, store_error},
};

#[async_trait]
impl WebhookStore for SqlStore {
    async fn add_webhook(&self, new: &NewWebhook) -> Result<WebhookId, StoreError> {
        let model = webhook::ActiveModel {
            id: NotSet,
            owner_id: Set(new.owner.0),
            url: Set(new.url.clone()),
            event_types: Set(types_text(&new.event_types)),
            show_ids: Set(shows_text(&new.shows)),
            active: Set(true),
            secret: Set(new.secret.clone()),
            previous_secret: Set(None),
            previous_until: Set(0),
            created_at: Set(new.created_at.0),
        };
        let inserted = webhook::Entity::insert(model).exec(&self.writer).await.map_err(store_error)?;
        Ok(WebhookId(inserted.last_insert_id))
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let model = webhook::Entity::find_by_id(id.0).one(&self.readers).await.map_err(store_error)?;
        model.map(from_model).transpose()
    }

    async fn webhooks(
        &self,
        owner: Option<UserId>,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError> {
        let mut find = webhook::Entity::find().order_by_asc(webhook::Column::Id).limit(limit as u64);
        if let Some(owner) = owner {
            find = find.filter(webhook::Column::OwnerId.eq(owner.0));
        }
        if let Some(after) = after {
            find = find.filter(webhook::Column::Id.gt(after.0));
        }
        let models = find.all(&self.readers).await.map_err(store_error)?;
        models.into_iter().map(from_model).collect()
    }

    async fn active_webhooks(&self, limit: usize) -> Result<Vec<Webhook>, StoreError> {
        let models = webhook::Entity::find()
            .filter(webhook::Column::Active.eq(true))
            .order_by_asc(webhook::Column::Id)
            .limit(limit as u64)
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        models.into_iter().map(from_model).collect()
    }

    async fn change_webhook(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let write = self.begin_write().await?;
        let known = webhook::Entity::find_by_id(webhook.id.0).one(&write).await.map_err(store_error)?;
        known.ok_or(StoreError::Missing("webhook"))?;
        let values = webhook::ActiveModel {
            url: Set(webhook.url.clone()),
            event_types: Set(types_text(&webhook.event_types)),
            show_ids: Set(shows_text(&webhook.shows)),
            active: Set(webhook.active),
            ..Default::default()
        };
        webhook::Entity::update_many()
            .set(values)
            .filter(webhook::Column::Id.eq(webhook.id.0))
            .exec(&write)
            .await
            .map_err(store_error)?;
        write.commit().await.map_err(store_error)
    }

    async fn rotate_webhook(
        &self,
        id: WebhookId,
        before: &str,
        secret: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let values = webhook::ActiveModel {
            secret: Set(secret.to_owned()),
            previous_secret: Set(Some(before.to_owned())),
            previous_until: Set(until.0),
            ..Default::default()
        };
        let done = webhook::Entity::update_many()
            .set(values)
            .filter(webhook::Column::Id.eq(id.0))
            .filter(webhook::Column::Secret.eq(before))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        match done.rows_affected {
            0 => Err(StoreError::Rejected("somebody else has just changed the secret".to_owned())),
            _ => Ok(()),
        }
    }

    async fn remove_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        let done = webhook::Entity::delete_by_id(id.0).exec(&self.writer).await.map_err(store_error)?;
        Ok(done.rows_affected == 1)
    }
}

fn types_text(types: &[String]) -> String {
    serde_json::to_string(types).expect("texts can always be written")
}

fn shows_text(shows: &[ShowId]) -> String {
    let ids: Vec<i64> = shows.iter().map(|show| show.0).collect();
    serde_json::to_string(&ids).expect("integers can always be written")
}

fn from_model(model: webhook::Model) -> Result<Webhook, StoreError> {
    let shows: Vec<i64> = serde_json::from_str(&model.show_ids).map_err(broken)?;
    Ok(Webhook {
        id: WebhookId(model.id),
        owner: UserId(model.owner_id),
        url: model.url,
        event_types: serde_json::from_str(&model.event_types).map_err(broken)?,
        shows: shows.into_iter().map(ShowId).collect(),
        active: model.active,
        secret: model.secret,
        previous_secret: model.previous_secret.map(|secret| (secret, Timestamp(model.previous_until))),
        created_at: Timestamp(model.created_at),
    })
}
