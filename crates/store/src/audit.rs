//! The port under the audit.

use async_trait::async_trait;
use onsale_domain::{
    ids::{ItemId, OrderId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    order::{Order, Payment},
    wallet::TransferKind,
};
use onsale_engine::ports::{AuditStore, ClaimRow, FrozenStore, KeyRow, LedgerRow, StockRow, StoreError};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    entity::{claim, idempotency_key, ledger_entry, order, payment, stock, wallet},
    error::{broken, store_error},
    sales::{claim_of, key_record, order_from_model, payment_from_model},
};

#[async_trait]
impl AuditStore for SqlStore {
    async fn freeze(&self) -> Result<Box<dyn FrozenStore>, StoreError> {
        let read = self.begin_read().await?;
        // The state is fixed by the first read, not by BEGIN.
        wallet::Entity::find().one(&read).await.map_err(store_error)?;
        Ok(Box::new(SqlFrozenStore { read }))
    }
}

/// One transaction that only reads.
struct SqlFrozenStore {
    read: DatabaseTransaction,
}

#[async_trait]
impl FrozenStore for SqlFrozenStore {
    async fn rows(&mut self) -> Result<u64, StoreError> {
        let counts = [
            order::Entity::find().count(&self.read).await,
            claim::Entity::find().count(&self.read).await,
            payment::Entity::find().count(&self.read).await,
            ledger_entry::Entity::find().count(&self.read).await,
            wallet::Entity::find().count(&self.read).await,
            idempotency_key::Entity::find().count(&self.read).await,
            stock::Entity::find().count(&self.read).await,
        ];
        counts.into_iter().sum::<Result<u64, _>>().map_err(store_error)
    }

    async fn orders(&mut self, after: Option<OrderId>, limit: usize) -> Result<Vec<Order>, StoreError> {
        let mut query = order::Entity::find().order_by_asc(order::Column::Id).limit(limit as u64);
        if let Some(after) = after {
            query = query.filter(order::Column::Id.gt(after.0));
        }
        let models = query.all(&self.read).await.map_err(store_error)?;
        models.iter().map(order_from_model).collect()
    }

    async fn claims(
        &mut self,
        after: Option<(PerformanceId, SeatId)>,
        limit: usize,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        use claim::Column;
        let mut query = claims().limit(limit as u64);
        if let Some((performance, seat)) = after {
            // The first condition bounds the key's range, the second says the rest.
            query = query.filter(Column::PerformanceId.gte(performance.0)).filter(
                Condition::any().add(Column::PerformanceId.gt(performance.0)).add(Column::SeatId.gt(seat.0)),
            );
        }
        let mut rows: Vec<(i64, i64, Option<Uuid>)> =
            query.into_tuple().all(&self.read).await.map_err(store_error)?;
        if rows.len() == limit
            && let Some((performance, seat, _)) = rows.last().copied()
        {
            rows.retain(|row| (row.0, row.1) != (performance, seat));
            let last = claims()
                .filter(Column::PerformanceId.eq(performance))
                .filter(Column::SeatId.eq(seat))
                .into_tuple()
                .all(&self.read)
                .await
                .map_err(store_error)?;
            rows.extend::<Vec<(i64, i64, Option<Uuid>)>>(last);
        }
        let claim = |(performance, seat, order)| ClaimRow {
            performance: PerformanceId(performance),
            seat: SeatId(seat),
            claim: claim_of(order),
        };
        Ok(rows.into_iter().map(claim).collect())
    }

    async fn payments(&mut self, after: Option<OrderId>, limit: usize) -> Result<Vec<Payment>, StoreError> {
        let mut query = payment::Entity::find().order_by_asc(payment::Column::OrderId).limit(limit as u64);
        if let Some(after) = after {
            query = query.filter(payment::Column::OrderId.gt(after.0));
        }
        let models = query.all(&self.read).await.map_err(store_error)?;
        models.iter().map(payment_from_model).collect()
    }

    async fn ledger(
        &mut self,
        after: Option<TransferId>,
        limit: usize,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        use ledger_entry::Column;
        let mut query = ledger().limit(limit as u64);
        if let Some(after) = after {
            query = query.filter(Column::TransferId.gt(after.0));
        }
        let mut models = query.all(&self.read).await.map_err(store_error)?;
        if models.len() == limit
            && let Some(transfer) = models.last().map(|model| model.transfer_id)
        {
            models.retain(|model| model.transfer_id != transfer);
            let last = ledger().filter(Column::TransferId.eq(transfer));
            models.extend(last.all(&self.read).await.map_err(store_error)?);
        }
        models.iter().map(ledger_row).collect()
    }

    async fn wallets(
        &mut self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, i64)>, StoreError> {
        let mut query = wallet::Entity::find().order_by_asc(wallet::Column::UserId).limit(limit as u64);
        if let Some(after) = after {
            query = query.filter(wallet::Column::UserId.gt(after.0));
        }
        let models = query.all(&self.read).await.map_err(store_error)?;
        Ok(models.into_iter().map(|model| (UserId(model.user_id), model.balance)).collect())
    }

    async fn stocks(&mut self, after: Option<ItemId>, limit: usize) -> Result<Vec<StockRow>, StoreError> {
        let mut query = stock::Entity::find().order_by_asc(stock::Column::ItemId).limit(limit as u64);
        if let Some(after) = after {
            query = query.filter(stock::Column::ItemId.gt(after.0));
        }
        let models = query.all(&self.read).await.map_err(store_error)?;
        let row = |model: stock::Model| StockRow {
            item: ItemId(model.item_id),
            stock: Stock { total: model.units_total, left: model.units_left },
        };
        Ok(models.into_iter().map(row).collect())
    }

    async fn keys(&mut self, after: Option<(UserId, u128)>, limit: usize) -> Result<Vec<KeyRow>, StoreError> {
        use idempotency_key::Column;
        let mut query = idempotency_key::Entity::find()
            .order_by_asc(Column::UserId)
            .order_by_asc(Column::KeyId)
            .limit(limit as u64);
        if let Some((user, key)) = after {
            query = query.filter(Column::UserId.gte(user.0)).filter(
                Condition::any().add(Column::UserId.gt(user.0)).add(Column::KeyId.gt(Uuid::from_u128(key))),
            );
        }
        let models = query.all(&self.read).await.map_err(store_error)?;
        models.iter().map(key_row).collect()
    }
}

fn claims() -> sea_orm::Select<claim::Entity> {
    use claim::Column;
    claim::Entity::find()
        .select_only()
        .columns([Column::PerformanceId, Column::SeatId, Column::OrderId])
        .order_by_asc(Column::PerformanceId)
        .order_by_asc(Column::SeatId)
}

fn ledger() -> sea_orm::Select<ledger_entry::Entity> {
    use ledger_entry::Column;
    ledger_entry::Entity::find().order_by_asc(Column::TransferId).order_by_asc(Column::Account)
}

fn ledger_row(model: &ledger_entry::Model) -> Result<LedgerRow, StoreError> {
    let kind = [TransferKind::Charge, TransferKind::Payment, TransferKind::Refund]
        .into_iter()
        .find(|kind| kind.as_str() == model.kind)
        .ok_or_else(|| broken(format!("a transfer is of kind `{}`", model.kind)))?;
    Ok(LedgerRow {
        transfer: TransferId(model.transfer_id),
        account: model.account,
        amount: model.amount,
        kind,
        order: model.order_id.map(OrderId),
    })
}

fn key_row(model: &idempotency_key::Model) -> Result<KeyRow, StoreError> {
    Ok(KeyRow {
        user: UserId(model.user_id),
        key: model.key_id.as_u128(),
        record: key_record(model.fingerprint, model.target, model.order_id, model.balance_after)?,
    })
}
