//! The port under deliveries.

use async_trait::async_trait;
use onsale_domain::{ids::WebhookId, time::Timestamp};
use onsale_engine::ports::{
    Again, Attempt, AttemptOutcome, Channel, Delivery, DeliveryBacklog, DeliveryState, DeliveryStore, Lease,
    NewDelivery, StoreError,
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    SqlErr,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};
use uuid::Uuid;

use crate::{
    SqlStore,
    entity::delivery::{ActiveModel, Column, Entity, Model},
    error::{broken, is_lost_race, store_error},
};

/// How often a transaction that gave way to another is begun again.
const RACES_MAX: u32 = 10;

/// Rows in one statement.
const ROWS_MAX: usize = 100;

const WAITING: i16 = 0;
const DELIVERED: i16 = 1;
const DROPPED: i16 = 2;
const PARKED: i16 = 3;

#[async_trait]
impl DeliveryStore for SqlStore {
    async fn add_deliveries(&self, deliveries: &[NewDelivery]) -> Result<(), StoreError> {
        for chunk in deliveries.chunks(ROWS_MAX) {
            if self.add_together(chunk).await? {
                continue;
            }
            // Some were there already. One that was refuses itself and no other.
            for new in chunk {
                self.add_together(std::slice::from_ref(new)).await?;
            }
        }
        Ok(())
    }

    async fn due_channels(&self, now: Timestamp, limit: usize) -> Result<Vec<Channel>, StoreError> {
        let channels: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Channel)
            .distinct()
            .filter(is_due(now))
            .order_by_asc(Column::Channel)
            .limit(limit as u64)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        Ok(channels.into_iter().map(channel_of).collect())
    }

    async fn lease_deliveries(
        &self,
        channel: Channel,
        lease: Lease,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let select = first_of_each_subject(number_of(channel), lease.now, limit);
        let rows = self.readers.query_all(&select).await.map_err(store_error)?;
        let ids: Vec<i64> =
            rows.iter().map(|row| row.try_get_by_index(0).map_err(store_error)).collect::<Result<_, _>>()?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Another node may have been faster; each row goes to one of them.
        let leased = Entity::update_many()
            .col_expr(Column::Lease, Expr::val(lease.id))
            .col_expr(Column::LeasedUntil, Expr::val(lease.until.0))
            .filter(Column::Id.is_in(ids.iter().copied()))
            .filter(is_due(lease.now))
            .exec(&self.writer)
            .await;
        let leased = match leased {
            // It had both nodes wait for each other, and this one gave way.
            Err(error) if is_lost_race(&error) => return Ok(Vec::new()),
            leased => leased.map_err(store_error)?,
        };
        if leased.rows_affected == 0 {
            return Ok(Vec::new());
        }
        let models = Entity::find()
            .filter(Column::Id.is_in(ids))
            .filter(Column::Lease.eq(lease.id))
            .order_by_asc(Column::DueAt)
            .order_by_asc(Column::Id)
            .all(&self.writer)
            .await
            .map_err(store_error)?;
        models.into_iter().map(from_model).collect()
    }

    async fn note_attempts(&self, attempts: &[Attempt]) -> Result<usize, StoreError> {
        let mut races = 0;
        loop {
            let write = self.begin_write().await?;
            let noted = match note(&write, attempts).await {
                // The transaction is undone.
                Err(error) if is_lost_race(&error) && races < RACES_MAX => {
                    races += 1;
                    continue;
                }
                noted => noted.map_err(store_error)?,
            };
            write.commit().await.map_err(store_error)?;
            return Ok(noted as usize);
        }
    }

    async fn deliveries(
        &self,
        channel: Channel,
        state: Option<DeliveryState>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut find = Entity::find()
            .filter(Column::Channel.eq(number_of(channel)))
            .order_by_desc(Column::Id)
            .limit(limit as u64);
        if let Some(state) = state {
            find = find.filter(Column::State.eq(state_number(state)));
        }
        if let Some(before) = before {
            find = find.filter(Column::Id.lt(before));
        }
        let models = find.all(&self.readers).await.map_err(store_error)?;
        models.into_iter().map(from_model).collect()
    }

    async fn deliver_again(
        &self,
        channel: Channel,
        which: Again,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut asked = Condition::all().add(Column::Channel.eq(number_of(channel)));
        asked = match which {
            Again::One(id) => asked.add(Column::Id.eq(id)).add(Column::State.is_in([WAITING, PARKED])),
            Again::Waiting => asked.add(Column::State.eq(WAITING)),
            Again::WaitingAndParked => asked.add(Column::State.is_in([WAITING, PARKED])),
        };
        // What is not yet as it is about to be.
        let not_yet = Condition::any()
            .add(Column::State.eq(PARKED))
            .add(Column::DueAt.gt(now.0))
            .add(Column::Since.ne(now.0));
        let asked = if matches!(which, Again::One(_)) { asked } else { asked.add(not_yet) };
        let ids = self.ids_of(asked.clone(), limit).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let update = Entity::update_many()
            .col_expr(Column::State, Expr::val(WAITING))
            .col_expr(Column::Attempts, Expr::val(0_i64))
            .col_expr(Column::Since, Expr::val(now.0))
            .col_expr(Column::DueAt, Expr::val(now.0))
            .filter(Column::Id.is_in(ids.iter().copied()))
            .filter(asked);
        update.exec(&self.writer).await.map_err(store_error)?;
        // Some may have been delivered meanwhile; asked for they were all.
        Ok(ids.len())
    }

    async fn backlogs(&self) -> Result<Vec<DeliveryBacklog>, StoreError> {
        let rows: Vec<(i64, i16, i64, i64)> = Entity::find()
            .select_only()
            .column(Column::Channel)
            .column(Column::State)
            .column_as(Column::Id.count(), "deliveries")
            .column_as(Column::Since.min(), "oldest")
            .filter(Column::State.is_in([WAITING, PARKED]))
            .group_by(Column::Channel)
            .group_by(Column::State)
            .order_by_asc(Column::Channel)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let mut backlogs: Vec<DeliveryBacklog> = Vec::new();
        for (number, state, count, oldest) in rows {
            let channel = channel_of(number);
            if backlogs.last().is_none_or(|last| last.channel != channel) {
                backlogs.push(DeliveryBacklog { channel, waiting: 0, parked: 0, oldest_since: None });
            }
            let backlog = backlogs.last_mut().expect("there is one by now");
            if state == WAITING {
                (backlog.waiting, backlog.oldest_since) = (count as u64, Some(Timestamp(oldest)));
            } else {
                backlog.parked = count as u64;
            }
        }
        Ok(backlogs)
    }

    async fn prune_deliveries(
        &self,
        ended_before: Timestamp,
        parked_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut left = limit;
        for (state, before) in [(DELIVERED, ended_before), (DROPPED, ended_before), (PARKED, parked_before)] {
            let over = Condition::all().add(Column::State.eq(state)).add(Column::DueAt.lt(before.0));
            left -= self.forget(over, left).await?;
        }
        Ok(limit - left)
    }

    async fn forget_channel(&self, channel: Channel, limit: usize) -> Result<usize, StoreError> {
        self.forget(Condition::all().add(Column::Channel.eq(number_of(channel))), limit).await
    }
}

impl SqlStore {
    /// Adds all of these, or none if one of them is there already.
    async fn add_together(&self, deliveries: &[NewDelivery]) -> Result<bool, StoreError> {
        let insert = Entity::insert_many(deliveries.iter().map(to_model));
        match insert.exec_without_returning(&self.writer).await {
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(false),
            inserted => inserted.map(|_| true).map_err(store_error),
        }
    }

    async fn ids_of(&self, which: Condition, limit: usize) -> Result<Vec<i64>, StoreError> {
        let find = Entity::find().select_only().column(Column::Id).filter(which).limit(limit as u64);
        find.into_tuple().all(&self.readers).await.map_err(store_error)
    }

    async fn forget(&self, which: Condition, limit: usize) -> Result<usize, StoreError> {
        let ids = self.ids_of(which.clone(), limit).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        // What has been asked for again meanwhile stays.
        let delete = Entity::delete_many().filter(Column::Id.is_in(ids)).filter(which);
        Ok(delete.exec(&self.writer).await.map_err(store_error)?.rows_affected as usize)
    }
}

/// Notes the attempts whose leases still hold; how many.
async fn note(write: &impl ConnectionTrait, attempts: &[Attempt]) -> Result<u64, DbErr> {
    let mut noted = 0;
    for attempt in attempts {
        let (state, due_at) = match attempt.outcome {
            AttemptOutcome::Delivered => (DELIVERED, attempt.at),
            AttemptOutcome::Dropped => (DROPPED, attempt.at),
            AttemptOutcome::Retry(at) => (WAITING, at),
            AttemptOutcome::Parked => (PARKED, attempt.at),
        };
        let status = attempt.answer_status.and_then(|status| i16::try_from(status).ok());
        let answered = || {
            Entity::update_many()
                .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
                .col_expr(Column::Lease, Expr::val(None::<Uuid>))
                .col_expr(Column::LeasedUntil, Expr::val(0_i64))
                .col_expr(Column::AnswerStatus, Expr::val(status))
                .col_expr(Column::Answer, Expr::val(attempt.answer.clone()))
                .filter(Column::Id.eq(attempt.delivery))
                .filter(Column::State.eq(WAITING))
                .filter(Column::Lease.eq(attempt.lease))
        };
        let ended =
            answered().col_expr(Column::State, Expr::val(state)).col_expr(Column::DueAt, Expr::val(due_at.0));
        let failed = matches!(attempt.outcome, AttemptOutcome::Retry(_) | AttemptOutcome::Parked);
        let ended = if failed { ended.filter(Column::Since.eq(attempt.since.0)) } else { ended };
        let mut done = ended.exec(write).await?;
        if failed && done.rows_affected == 0 {
            // Somebody has asked for it again meanwhile: it stays due.
            done = answered().exec(write).await?;
        }
        noted += done.rows_affected;
    }
    Ok(noted)
}

/// To be made at `now`, and nobody is at it.
fn is_due(now: Timestamp) -> Condition {
    Condition::all()
        .add(Column::State.eq(WAITING))
        .add(Column::DueAt.lte(now.0))
        .add(Column::LeasedUntil.lte(now.0))
}

/// The ids of a channel's deliveries that are due and that no other of their subject stands before.
fn first_of_each_subject(channel: i64, now: Timestamp, limit: usize) -> SelectStatement {
    let earlier = Query::select()
        .expr(Expr::val(1))
        .from_as("deliveries", "earlier")
        .and_where(Expr::col(("earlier", Column::Channel)).equals(("later", Column::Channel)))
        .and_where(Expr::col(("earlier", Column::Subject)).equals(("later", Column::Subject)))
        .and_where(Expr::col(("earlier", Column::State)).eq(WAITING))
        .and_where(Expr::col(("earlier", Column::Id)).lt(Expr::col(("later", Column::Id))))
        .take();
    Query::select()
        .column(("later", Column::Id))
        .from_as("deliveries", "later")
        .and_where(Expr::col(("later", Column::Channel)).eq(channel))
        .and_where(Expr::col(("later", Column::State)).eq(WAITING))
        .and_where(Expr::col(("later", Column::DueAt)).lte(now.0))
        .and_where(Expr::col(("later", Column::LeasedUntil)).lte(now.0))
        .and_where(Expr::exists(earlier).not())
        .order_by(("later", Column::DueAt), sea_orm::Order::Asc)
        .order_by(("later", Column::Id), sea_orm::Order::Asc)
        .limit(limit as u64)
        .take()
}

fn to_model(new: &NewDelivery) -> ActiveModel {
    ActiveModel {
        id: NotSet,
        channel: Set(number_of(new.channel)),
        event_id: Set(new.event_id.clone()),
        event_type: Set(new.event_type.clone()),
        subject: Set(new.subject.clone()),
        body: Set(new.body.clone()),
        state: Set(WAITING),
        attempts: Set(0),
        added_at: Set(new.added_at.0),
        since: Set(new.due_at.max(new.added_at).0),
        due_at: Set(new.due_at.0),
        lease: Set(None),
        leased_until: Set(0),
        answer_status: Set(None),
        answer: Set(None),
    }
}

fn from_model(model: Model) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: model.id,
        channel: channel_of(model.channel),
        event_id: model.event_id,
        event_type: model.event_type,
        subject: model.subject,
        body: model.body,
        state: state_of(model.state)?,
        attempts: u32::try_from(model.attempts).map_err(broken)?,
        added_at: Timestamp(model.added_at),
        since: Timestamp(model.since),
        due_at: Timestamp(model.due_at),
        answer_status: model.answer_status.and_then(|status| u16::try_from(status).ok()),
        answer: model.answer,
    })
}

const fn number_of(channel: Channel) -> i64 {
    match channel {
        Channel::Notifications => 0,
        Channel::Webhook(WebhookId(id)) => id,
    }
}

const fn channel_of(number: i64) -> Channel {
    match number {
        0 => Channel::Notifications,
        id => Channel::Webhook(WebhookId(id)),
    }
}

const fn state_number(state: DeliveryState) -> i16 {
    match state {
        DeliveryState::Waiting => WAITING,
        DeliveryState::Delivered => DELIVERED,
        DeliveryState::Dropped => DROPPED,
        DeliveryState::Parked => PARKED,
    }
}

fn state_of(number: i16) -> Result<DeliveryState, StoreError> {
    match number {
        WAITING => Ok(DeliveryState::Waiting),
        DELIVERED => Ok(DeliveryState::Delivered),
        DROPPED => Ok(DeliveryState::Dropped),
        PARKED => Ok(DeliveryState::Parked),
        other => Err(broken(format!("a delivery is in state {other}"))),
    }
}
