//! The ports under events.

mod log;
mod notes;

use std::{
    collections::{HashMap, HashSet},
    iter,
};

use async_trait::async_trait;
use onsale_domain::{
    ids::{OrderId, ShowId},
    order::{Order, Payment},
    time::Timestamp,
};
use onsale_engine::ports::{Backlog, OutboxEvent, OutboxOrder, OutboxStore, OutboxSubject, StoreError};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

pub(crate) use self::notes::{item_told, performance_told, performances_told, show_told};
use crate::{
    SqlStore,
    catalogue::shows_of,
    entity::{order, outbox, payment},
    error::{broken, store_error},
    sales::{Batch, ORDERS_PER_OUTBOX_ROW, order_from_model, payment_from_model},
};

#[async_trait]
impl OutboxStore for SqlStore {
    async fn outbox(&self, limit: usize) -> Result<Vec<OutboxEvent>, StoreError> {
        let read = self.begin_read().await?;
        let told = first_told(&read, limit).await?;
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let about = Orders::load(&read, &told).await?;
        told.into_iter().map(|told| about.row(told)).collect()
    }

    async fn grows(&self) {
        self.options.outbox_grows.notified().await;
    }

    fn others_write(&self) -> bool {
        self.dialect.has_row_locks()
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

/// What is to be told: one event of a row, which may stand for those of several orders.
struct Told {
    seq: i64,
    kind: String,
    at: Timestamp,
    about: About,
}

enum About {
    /// An order, of this version then.
    Order(Uuid, i64),
    /// Another subject, and what there is to say of it.
    Other { subject: String, data: String },
}

/// Bytes that are told at once, about: whoever publishes them may write them in one transaction. A lock of
/// many seats is told in rows of many kilobytes.
const BYTES_AT_ONCE: usize = 256 * 1_024;

/// The events of the first rows; no further row once that is `limit` events or [`BYTES_AT_ONCE`].
async fn first_told(read: &impl ConnectionTrait, limit: usize) -> Result<Vec<Told>, StoreError> {
    let (mut told, mut bytes) = (Vec::new(), 0);
    let mut after = i64::MIN;
    // Rows may tell of one order or of many. Few are read at first, since much that is read in vain
    // would be read in vain again and again while a rush goes on.
    let mut rows_max = limit.div_ceil(ORDERS_PER_OUTBOX_ROW);
    loop {
        let models = outbox::Entity::find()
            .filter(outbox::Column::Seq.gt(after))
            .order_by_asc(outbox::Column::Seq)
            .limit(rows_max as u64)
            .all(read)
            .await
            .map_err(store_error)?;
        let is_all = models.len() < rows_max;
        for model in models {
            if told.len() >= limit || bytes >= BYTES_AT_ONCE {
                return Ok(told);
            }
            after = model.seq;
            bytes += model.subject.as_ref().and(model.data.as_ref()).map_or(0, String::len);
            told.extend(all_told(model)?);
        }
        if is_all || told.len() >= limit {
            return Ok(told);
        }
        rows_max *= 2;
    }
}

/// What one row tells.
fn all_told(model: outbox::Model) -> Result<Vec<Told>, StoreError> {
    let (seq, at) = (model.seq, Timestamp(model.created_at));
    let orders = if model.subject.is_none() { orders_told(&model)? } else { Vec::new() };
    let about = match (model.subject, model.data) {
        (Some(subject), data) => vec![About::Other { subject, data: data.unwrap_or_default() }],
        (None, _) => orders.into_iter().map(|(order, version)| About::Order(order, version)).collect(),
    };
    Ok(about.into_iter().map(|about| Told { seq, kind: model.kind.clone(), at, about }).collect())
}

/// The orders of which a row tells, with the version that each had then.
pub(crate) fn orders_told(model: &outbox::Model) -> Result<Vec<(Uuid, i64)>, StoreError> {
    let others: Vec<(Uuid, i64)> = serde_json::from_str(model.data.as_deref().unwrap_or("[]"))
        .map_err(|error| broken(format!("row {} of the outbox: {error}", model.seq)))?;
    Ok(iter::once((model.order_id, model.version)).chain(others).collect())
}

/// What events of orders need.
struct Orders {
    orders: HashMap<Uuid, Order>,
    payments: HashMap<Uuid, Payment>,
    shows: HashMap<i64, ShowId>,
}

impl Orders {
    async fn load(read: &impl ConnectionTrait, told: &[Told]) -> Result<Self, StoreError> {
        let about: HashSet<Uuid> = told
            .iter()
            .filter_map(|told| match told.about {
                About::Order(order, _) => Some(order),
                About::Other { .. } => None,
            })
            .collect();
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

    fn row(&self, told: Told) -> Result<OutboxEvent, StoreError> {
        let subject = match told.about {
            About::Other { subject, data } => OutboxSubject::Told { subject, data },
            About::Order(id, version) => {
                let order = self.orders.get(&id).cloned().ok_or_else(|| {
                    broken(format!("the outbox tells of order {}, which is missing", OrderId(id)))
                })?;
                OutboxSubject::Order(Box::new(OutboxOrder {
                    version,
                    payment: self.payments.get(&id).cloned(),
                    show: order.offer().performance().and_then(|id| self.shows.get(&id.0).copied()),
                    order,
                }))
            }
        };
        Ok(OutboxEvent { seq: told.seq, kind: told.kind, at: told.at, subject })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_names_no_others_is_of_one_order() {
        let row = |data: Option<&str>| outbox::Model {
            seq: 7,
            kind: "order.held".to_owned(),
            order_id: Uuid::from_u128(1),
            version: 1,
            created_at: 5,
            subject: None,
            data: data.map(str::to_owned),
        };
        // As rows were written before they could name others, and as they are now.
        for data in [None, Some("[]")] {
            let told = all_told(row(data)).unwrap();
            assert!(
                matches!(told[..], [Told { about: About::Order(order, 1), .. }] if order == Uuid::from_u128(1))
            );
        }
        let other = format!("[[\"{}\",3]]", Uuid::from_u128(2).simple());
        let told = all_told(row(Some(&other))).unwrap();
        assert!(matches!(told[1], Told { about: About::Order(order, 3), .. } if order == Uuid::from_u128(2)));
        assert!(all_told(row(Some("[7]"))).is_err_and(|error| error.to_string().contains("row 7")));
    }
}
