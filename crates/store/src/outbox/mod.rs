//! The ports under events.

mod log;
mod notes;

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use onsale_domain::{
    ids::{OrderId, ShowId},
    order::{Order, Payment},
    time::Timestamp,
};
use onsale_engine::ports::{Backlog, OutboxOrder, OutboxRow, OutboxStore, OutboxSubject, StoreError};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub(crate) use self::notes::{item_told, performance_told, show_told};
use crate::{
    SqlStore,
    catalogue::shows_of,
    entity::{order, outbox, payment},
    error::{broken, store_error},
    sales::{Batch, order_from_model, payment_from_model},
};

#[async_trait]
impl OutboxStore for SqlStore {
    async fn outbox(&self, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        let read = self.begin_read().await?;
        let models = outbox::Entity::find()
            .order_by_asc(outbox::Column::Seq)
            .limit(limit as u64)
            .all(&read)
            .await
            .map_err(store_error)?;
        if models.is_empty() {
            return Ok(Vec::new());
        }
        let about = Orders::load(&read, &models).await?;
        models.into_iter().map(|model| about.row(model)).collect()
    }

    async fn remove_outbox(&self, rows: &[i64]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let batch = Batch::integers(self.dialect.hot().encoding, rows.iter().copied());
        let delete = self.dialect.statement(self.dialect.hot().delete_outbox, batch.into_values());
        self.writer.execute_raw(delete).await.map_err(store_error)?;
        Ok(())
    }

    async fn outbox_backlog(&self) -> Result<Backlog, StoreError> {
        use outbox::Column;
        // From both ends of the key: counting would take longer the more there is.
        let read = self.begin_read().await?;
        let end = |order| {
            outbox::Entity::find()
                .select_only()
                .columns([Column::Seq, Column::CreatedAt])
                .order_by(Column::Seq, order)
                .into_tuple::<(i64, i64)>()
        };
        let first = end(sea_orm::Order::Asc).one(&read).await.map_err(store_error)?;
        let last = end(sea_orm::Order::Desc).one(&read).await.map_err(store_error)?;
        Ok(match (first, last) {
            (Some((first, oldest)), Some((last, _))) => {
                Backlog { rows: last - first + 1, oldest: Some(Timestamp(oldest)) }
            }
            _ => Backlog::default(),
        })
    }
}

/// What rows about orders need.
struct Orders {
    orders: HashMap<Uuid, Order>,
    payments: HashMap<Uuid, Payment>,
    shows: HashMap<i64, ShowId>,
}

impl Orders {
    async fn load(read: &impl ConnectionTrait, rows: &[outbox::Model]) -> Result<Self, StoreError> {
        let about: HashSet<Uuid> =
            rows.iter().filter(|row| row.subject.is_none()).map(|row| row.order_id).collect();
        let found = order::Entity::find().filter(order::Column::Id.is_in(about.iter().copied()));
        let found = found.all(read).await.map_err(store_error)?;
        let paid = payment::Entity::find().filter(payment::Column::OrderId.is_in(about));
        let paid = paid.all(read).await.map_err(store_error)?;
        let performances: HashSet<i64> = found.iter().map(|order| order.performance_id).collect();
        let shows = shows_of(read, performances).await.map_err(store_error)?;
        Ok(Self {
            orders: found
                .iter()
                .map(|model| Ok((model.id, order_from_model(model)?)))
                .collect::<Result<_, StoreError>>()?,
            payments: paid
                .iter()
                .map(|model| Ok((model.order_id, payment_from_model(model)?)))
                .collect::<Result<_, StoreError>>()?,
            shows: shows.into_iter().map(|(performance, show)| (performance, ShowId(show))).collect(),
        })
    }

    fn row(&self, model: outbox::Model) -> Result<OutboxRow, StoreError> {
        let subject = match (model.subject, model.data) {
            (Some(subject), data) => OutboxSubject::Told { subject, data: data.unwrap_or_default() },
            (None, _) => {
                let order = self.orders.get(&model.order_id).cloned().ok_or_else(|| {
                    broken(format!("the outbox tells of order {}, which is missing", OrderId(model.order_id)))
                })?;
                OutboxSubject::Order(Box::new(OutboxOrder {
                    version: model.version,
                    payment: self.payments.get(&model.order_id).cloned(),
                    show: order.offer().performance().and_then(|id| self.shows.get(&id.0).copied()),
                    order,
                }))
            }
        };
        Ok(OutboxRow { seq: model.seq, kind: model.kind, at: Timestamp(model.created_at), subject })
    }
}
