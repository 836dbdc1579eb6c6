//! The port under the sale pipeline.

mod batch;
mod load;
mod rows;
mod script;
mod terms;
mod under_way;
mod write;
mod writer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hashbrown::HashMap;
use onsale_domain::{
    decide::{Changes, FactKeys},
    ids::{OrderId, PerformanceId, SeatId, UserId},
    offer::{Offer, OfferKind},
    order::{Order, OrderStatus, SeatStatus},
    sale::SaleTerms,
    time::Timestamp,
    wallet::Wallet,
};
use onsale_engine::ports::{
    ClaimsSnapshot, CommitError, DueHold, Guard, LoadedFacts, OrderPage, ReplicaHealth, SaleStore,
    SaleTransaction, SaleWriter, StoreError, TakenSeat, TransactionError,
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::timeout;

use crate::{
    IDS_PER_STATEMENT, SqlStore, connect, damage,
    dialect::Dialect,
    entity::{claim, idempotency_key, order, performance, wallet},
    error::{broken, store_error},
    replicas,
};

use under_way::{Connections, UnderWay};
use writer::SqlSaleWriter;

pub(crate) use batch::{Batch, Column, Encoding, Parameter, Row};
pub(crate) use rows::{
    claim_of, key_record, order_from_model, order_status, payment_from_model, status_code,
};
pub(crate) use write::ORDERS_PER_OUTBOX_ROW;

/// Claims that are read in one statement, so that those of a large hall take little memory on the way and do not
/// keep a thread from other work.
const CLAIMS_AT_ONCE: usize = 10_000;
/// How long a free connection is waited for to ask whether the database is read-only.
const READ_ONLY_ASKED_MAX: Duration = Duration::from_millis(500);

/// A transaction of the pipeline on a SQL database.
struct SqlSaleTransaction {
    under_way: UnderWay,
    guard: Guard,
}

impl SqlSaleTransaction {
    async fn begin(connections: &Arc<Connections>, guard: Guard) -> Result<Self, StoreError> {
        connections.check_files()?;
        let under_way = if connections.dialect.is_embedded() {
            connections.begin_later().await.map_err(store_error)?
        } else {
            // At once, to find out whether the connection is good.
            connections.begin_now("").await.map_err(store_error)?.0
        };
        Ok(Self { under_way, guard })
    }
}

#[async_trait]
impl SaleTransaction for SqlSaleTransaction {
    async fn load(&mut self, keys: &FactKeys) -> Result<LoadedFacts, TransactionError> {
        load::load(&mut self.under_way, self.guard, keys).await
    }

    async fn write(&mut self, changes: &Changes) -> Result<(), TransactionError> {
        let Connections { dialect, options, .. } = &*self.under_way.home;
        let script = write::script(*dialect, self.guard, options.currency, changes);
        script.execute(&mut self.under_way, self.guard != Guard::None).await
    }

    async fn commit(self: Box<Self>) -> Result<(), CommitError> {
        self.under_way.commit().await
    }
}

#[async_trait]
impl SaleStore for SqlStore {
    fn lanes(&self) -> usize {
        if self.dialect.has_row_locks() { self.options.lanes as usize } else { 1 }
    }

    fn is_shared(&self) -> bool {
        self.dialect.has_row_locks()
    }

    async fn begin(&self, guard: Guard) -> Result<Box<dyn SaleTransaction>, StoreError> {
        Ok(Box::new(SqlSaleTransaction::begin(&self.sale_connections(), guard).await?))
    }

    fn sale_writer(&self) -> Box<dyn SaleWriter> {
        Box::new(SqlSaleWriter(self.sale_connections()))
    }

    async fn sale_terms(&self, performance: PerformanceId) -> Result<Option<SaleTerms>, StoreError> {
        let read = self.begin_read().await?;
        terms::sale_terms(&read, performance, self.options.currency, &self.seat_maps).await
    }

    async fn versions(
        &self,
        performances: &[PerformanceId],
    ) -> Result<HashMap<PerformanceId, (i64, i64)>, StoreError> {
        use performance::Column;
        let mut versions = HashMap::with_capacity(performances.len());
        for chunk in performances.chunks(IDS_PER_STATEMENT) {
            let rows: Vec<(i64, i64, i64)> = performance::Entity::find()
                .select_only()
                .columns([Column::Id, Column::Revision, Column::Version])
                .filter(Column::Id.is_in(chunk.iter().map(|performance| performance.0)))
                .into_tuple()
                .all(&self.readers)
                .await
                .map_err(store_error)?;
            versions.extend(
                rows.into_iter().map(|(id, revision, version)| (PerformanceId(id), (revision, version))),
            );
        }
        Ok(versions)
    }

    async fn claims(&self, performance: PerformanceId) -> Result<ClaimsSnapshot, StoreError> {
        let read = self.begin_read().await?;
        claims_snapshot(&read, performance).await
    }

    async fn due_holds(
        &self,
        until: Timestamp,
        after: Option<DueHold>,
        limit: usize,
    ) -> Result<Vec<DueHold>, StoreError> {
        use order::Column;
        let later = after.map(|after| {
            Condition::any().add(Column::ExpiresAt.gt(after.expires_at.0)).add(
                Condition::all()
                    .add(Column::ExpiresAt.eq(after.expires_at.0))
                    .add(Column::Id.gt(after.order.0)),
            )
        });
        let rows: Vec<(uuid::Uuid, i64, i64, i64)> = order::Entity::find()
            .select_only()
            .columns([Column::Id, Column::PerformanceId, Column::ExpiresAt, Column::CreatedAt])
            .filter(Column::Status.eq(status_code(OrderStatus::Held)))
            .filter(Column::ExpiresAt.lt(until.0))
            // Bounds the index's range; the condition below then takes out what is left of it.
            .filter(Column::ExpiresAt.gte(after.map_or(i64::MIN, |after| after.expires_at.0)))
            .filter(later.unwrap_or_else(Condition::all))
            .order_by_asc(Column::ExpiresAt)
            .order_by_asc(Column::Id)
            .limit(limit as u64)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let due = |(id, offer, expires_at, created_at)| DueHold {
            expires_at: Timestamp(expires_at),
            order: OrderId(id),
            offer: Offer::from_code(offer),
            made_at: Timestamp(created_at),
        };
        Ok(rows.into_iter().map(due).collect())
    }

    async fn order(&self, order: OrderId) -> Result<Option<Order>, StoreError> {
        // A payment begins with this, and waits for a database that is being restarted as the sale does.
        let find = || order::Entity::find_by_id(order.0).one(&self.readers);
        let model = connect::patiently(&self.options, find).await?;
        model.as_ref().map(order_from_model).transpose()
    }

    async fn orders_of(
        &self,
        user: UserId,
        kind: OfferKind,
        before: Option<OrderId>,
        limit: usize,
    ) -> Result<OrderPage, StoreError> {
        let mut query = order::Entity::find()
            .filter(order::Column::UserId.eq(user.0))
            .filter(match kind {
                OfferKind::Performance => order::Column::PerformanceId.gte(0),
                OfferKind::Item => order::Column::PerformanceId.lt(0),
            })
            .order_by_desc(order::Column::Id)
            .limit(limit as u64 + 1);
        if let Some(before) = before {
            query = query.filter(order::Column::Id.lt(before.0));
        }
        let mut models = query.all(&self.readers).await.map_err(store_error)?;
        let more = models.len() > limit;
        models.truncate(limit);
        let orders = models.iter().map(order_from_model).collect::<Result<_, _>>()?;
        Ok(OrderPage { orders, more })
    }

    async fn wallet(&self, user: UserId) -> Result<Wallet, StoreError> {
        let model = wallet::Entity::find_by_id(user.0).one(&self.readers).await.map_err(store_error)?;
        Ok(model
            .map_or_else(Wallet::default, |model| Wallet { balance: model.balance, version: model.version }))
    }

    async fn prune_keys(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        use idempotency_key::{Column, Entity};
        // The oldest keys are the first, so no index over the time is needed.
        let oldest: Vec<(i64, i64)> = Entity::find()
            .select_only()
            .columns([Column::Seq, Column::CreatedAt])
            .order_by_asc(Column::Seq)
            .limit(limit as u64)
            .into_tuple()
            .all(&self.readers)
            .await
            .map_err(store_error)?;
        let last = oldest.iter().take_while(|(_, created_at)| *created_at < before.0).last();
        let Some((last, _)) = last else { return Ok(0) };
        let deleted = Entity::delete_many()
            .filter(Column::Seq.lte(*last))
            .exec(&self.writer)
            .await
            .map_err(store_error)?;
        usize::try_from(deleted.rows_affected).map_err(broken)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        damage::check()?;
        let select = self.dialect.statement("SELECT 1", []);
        self.readers.query_one_raw(select).await.map_err(store_error)?;
        self.says_it_takes_writes().await
    }

    async fn try_write(&self) -> Result<(), StoreError> {
        if let Some(files) = &self.files {
            files.check()?;
        }
        replicas::raise_beat(&self.writer, self.dialect, &self.options).await
    }

    fn replicas(&self) -> Vec<ReplicaHealth> {
        self.replicas.health()
    }
}

impl SqlStore {
    /// Whether the database says that it takes writes: not one that has become a standby, or was made
    /// read-only.
    async fn says_it_takes_writes(&self) -> Result<(), StoreError> {
        let Some(asks) = self.dialect.asks_whether_read_only() else { return Ok(()) };
        let asked = self.writer.query_one_raw(self.dialect.statement(asks, []));
        // Where all connections that write are busy, it takes writes.
        let Ok(answer) = timeout(READ_ONLY_ASKED_MAX, asked).await else { return Ok(()) };
        let says = answer.map_err(store_error)?.and_then(|row| row.try_get_by_index::<String>(0).ok());
        if says.is_none_or(|says| says == "off") {
            return Ok(());
        }
        // Somebody who may write all the same is not kept from it.
        match self.dialect {
            Dialect::MySql if self.try_write().await.is_ok() => Ok(()),
            _ => Err(StoreError::Rejected("is read-only".to_owned())),
        }
    }

    fn sale_connections(&self) -> Arc<Connections> {
        Connections::new(
            self.sale.clone(),
            self.dialect,
            self.options.clone(),
            self.message_bytes_max,
            self.files.clone(),
        )
    }
}

async fn claims_snapshot(
    read: &impl ConnectionTrait,
    performance: PerformanceId,
) -> Result<ClaimsSnapshot, StoreError> {
    let version: Option<i64> = performance::Entity::find_by_id(performance.0)
        .select_only()
        .column(performance::Column::Version)
        .into_tuple()
        .one(read)
        .await
        .map_err(store_error)?;
    let mut taken: Vec<TakenSeat> = Vec::new();
    loop {
        let after = taken.last().map_or(i64::MIN, |taken| taken.seat.0);
        let rows: Vec<(i64, Option<uuid::Uuid>, Option<i16>)> = claim::Entity::find()
            .select_only()
            .column(claim::Column::SeatId)
            .column(claim::Column::OrderId)
            .column(order::Column::Status)
            .left_join(order::Entity)
            .filter(claim::Column::PerformanceId.eq(performance.0))
            .filter(claim::Column::SeatId.gt(after))
            .order_by_asc(claim::Column::SeatId)
            .limit(CLAIMS_AT_ONCE as u64)
            .into_tuple()
            .all(read)
            .await
            .map_err(store_error)?;
        let is_last = rows.len() < CLAIMS_AT_ONCE;
        for (seat, order, status) in rows {
            taken.push(TakenSeat { seat: SeatId(seat), status: seat_status(order.is_some(), status)? });
        }
        if is_last {
            break;
        }
    }
    let buyers: Vec<i64> = order::Entity::find()
        .select_only()
        .column(order::Column::UserId)
        .distinct()
        .filter(order::Column::PerformanceId.eq(performance.0))
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    let buyers = buyers.into_iter().map(UserId).collect();
    Ok(ClaimsSnapshot { version: version.unwrap_or(0), taken, buyers })
}

fn seat_status(has_order: bool, status: Option<i16>) -> Result<SeatStatus, StoreError> {
    Ok(match (has_order, status.map(order_status).transpose()?) {
        (false, _) => SeatStatus::Locked,
        (true, Some(OrderStatus::Paid)) => SeatStatus::Sold,
        // A claim whose order is missing is the audit's business; nobody may take the seat.
        (true, _) => SeatStatus::Held,
    })
}
