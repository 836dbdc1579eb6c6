//! Pages of rows as they are written.

use onsale_domain::{
    ids::{ItemId, OrderId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    order::{Order, Payment},
    search::FOLD_VERSION,
    time::Timestamp,
    wallet::TransferKind,
};
use onsale_engine::ports::{
    ClaimRow, KeyRow, LedgerRow, OutboxRow, Page, StockRow, StoreError, TitleRow, WalletRow,
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::page;
use crate::{
    entity::{claim, idempotency_key, ledger_entry, order, outbox, payment, show, show_gram, stock, wallet},
    error::{broken, store_error},
    outbox::orders_told,
    sales::{claim_of, key_record, order_from_model, payment_from_model},
};

/// Shows of one page: each has hundreds of grams.
const TITLES: u64 = 100;

pub(super) async fn orders(
    read: &impl ConnectionTrait,
    after: Option<OrderId>,
    limit: usize,
) -> Result<Page<Order, OrderId>, StoreError> {
    let mut query = order::Entity::find().order_by_asc(order::Column::Id).limit(limit as u64);
    if let Some(after) = after {
        query = query.filter(order::Column::Id.gt(after.0));
    }
    let models = query.all(read).await.map_err(store_error)?;
    let name = |model: &order::Model| format!("order {}", model.id);
    Ok(page(&models, |model| OrderId(model.id), name, order_from_model))
}

pub(super) async fn claims(
    read: &impl ConnectionTrait,
    after: Option<(PerformanceId, SeatId)>,
    limit: usize,
) -> Result<Page<ClaimRow, (PerformanceId, SeatId)>, StoreError> {
    use claim::Column;
    let mut query = claims_in_order().limit(limit as u64);
    if let Some((performance, seat)) = after {
        // The first condition bounds the key's range, the second says the rest.
        query = query.filter(Column::PerformanceId.gte(performance.0)).filter(
            Condition::any().add(Column::PerformanceId.gt(performance.0)).add(Column::SeatId.gt(seat.0)),
        );
    }
    let mut rows: Vec<(i64, i64, Option<Uuid>)> = query.into_tuple().all(read).await.map_err(store_error)?;
    if rows.len() == limit
        && let Some((performance, seat, _)) = rows.last().copied()
    {
        rows.retain(|row| (row.0, row.1) != (performance, seat));
        let last = claims_in_order()
            .filter(Column::PerformanceId.eq(performance))
            .filter(Column::SeatId.eq(seat))
            .into_tuple()
            .all(read)
            .await
            .map_err(store_error)?;
        rows.extend::<Vec<(i64, i64, Option<Uuid>)>>(last);
    }
    let claim = |&(performance, seat, order): &(i64, i64, Option<Uuid>)| ClaimRow {
        performance: PerformanceId(performance),
        seat: SeatId(seat),
        claim: claim_of(order),
    };
    let rows: Vec<ClaimRow> = rows.iter().map(claim).collect();
    let last = rows.last().map(|row| (row.performance, row.seat));
    Ok(Page { rows, unreadable: Vec::new(), last })
}

fn claims_in_order() -> sea_orm::Select<claim::Entity> {
    use claim::Column;
    claim::Entity::find()
        .select_only()
        .columns([Column::PerformanceId, Column::SeatId, Column::OrderId])
        .order_by_asc(Column::PerformanceId)
        .order_by_asc(Column::SeatId)
}

pub(super) async fn payments(
    read: &impl ConnectionTrait,
    after: Option<OrderId>,
    limit: usize,
) -> Result<Page<Payment, OrderId>, StoreError> {
    let mut query = payment::Entity::find().order_by_asc(payment::Column::OrderId).limit(limit as u64);
    if let Some(after) = after {
        query = query.filter(payment::Column::OrderId.gt(after.0));
    }
    let models = query.all(read).await.map_err(store_error)?;
    let name = |model: &payment::Model| format!("payment {} of order {}", model.id, model.order_id);
    Ok(page(&models, |model| OrderId(model.order_id), name, payment_from_model))
}

pub(super) async fn ledger(
    read: &impl ConnectionTrait,
    after: Option<TransferId>,
    limit: usize,
) -> Result<Page<LedgerRow, TransferId>, StoreError> {
    use ledger_entry::Column;
    let in_order =
        || ledger_entry::Entity::find().order_by_asc(Column::TransferId).order_by_asc(Column::Account);
    let mut query = in_order().limit(limit as u64);
    if let Some(after) = after {
        query = query.filter(Column::TransferId.gt(after.0));
    }
    let mut models = query.all(read).await.map_err(store_error)?;
    if models.len() == limit
        && let Some(transfer) = models.last().map(|model| model.transfer_id)
    {
        models.retain(|model| model.transfer_id != transfer);
        let last = in_order().filter(Column::TransferId.eq(transfer));
        models.extend(last.all(read).await.map_err(store_error)?);
    }
    let name =
        |model: &ledger_entry::Model| format!("transfer {}, account {}", model.transfer_id, model.account);
    Ok(page(&models, |model| TransferId(model.transfer_id), name, ledger_row))
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
        position: model.position,
        created_at: Timestamp(model.created_at),
    })
}

pub(super) async fn wallets(
    read: &impl ConnectionTrait,
    after: Option<UserId>,
    limit: usize,
) -> Result<Page<WalletRow, UserId>, StoreError> {
    let mut query = wallet::Entity::find().order_by_asc(wallet::Column::UserId).limit(limit as u64);
    if let Some(after) = after {
        query = query.filter(wallet::Column::UserId.gt(after.0));
    }
    let models = query.all(read).await.map_err(store_error)?;
    let row = |model: &wallet::Model| {
        Ok(WalletRow { user: UserId(model.user_id), balance: model.balance, version: model.version })
    };
    Ok(page(&models, |model| UserId(model.user_id), |model| format!("wallet of user {}", model.user_id), row))
}

pub(super) async fn stocks(
    read: &impl ConnectionTrait,
    after: Option<ItemId>,
    limit: usize,
) -> Result<Page<StockRow, ItemId>, StoreError> {
    let mut query = stock::Entity::find().order_by_asc(stock::Column::ItemId).limit(limit as u64);
    if let Some(after) = after {
        query = query.filter(stock::Column::ItemId.gt(after.0));
    }
    let models = query.all(read).await.map_err(store_error)?;
    let row = |model: &stock::Model| {
        let stock = Stock { total: model.units_total, left: model.units_left };
        Ok(StockRow { item: ItemId(model.item_id), stock })
    };
    Ok(page(&models, |model| ItemId(model.item_id), |model| format!("stock of item {}", model.item_id), row))
}

pub(super) async fn keys(
    read: &impl ConnectionTrait,
    after: Option<i64>,
    limit: usize,
) -> Result<Page<KeyRow, i64>, StoreError> {
    use idempotency_key::Column;
    let query = idempotency_key::Entity::find().order_by_asc(Column::Seq).limit(limit as u64);
    let models =
        query.filter(Column::Seq.gt(after.unwrap_or(i64::MIN))).all(read).await.map_err(store_error)?;
    let row = |model: &idempotency_key::Model| {
        Ok(KeyRow {
            seq: model.seq,
            user: UserId(model.user_id),
            key: model.key_id.as_u128(),
            record: key_record(model.fingerprint, model.target, model.order_id, model.balance_after)?,
            created_at: Timestamp(model.created_at),
        })
    };
    let name =
        |model: &idempotency_key::Model| format!("user {}, key {}", model.user_id, model.key_id.simple());
    Ok(page(&models, |model| model.seq, name, row))
}

pub(super) async fn outbox(
    read: &impl ConnectionTrait,
    after: Option<i64>,
    limit: usize,
) -> Result<Page<OutboxRow, i64>, StoreError> {
    use outbox::Column;
    let models = outbox::Entity::find()
        .filter(Column::Subject.is_null())
        .filter(Column::Seq.gt(after.unwrap_or(i64::MIN)))
        .order_by_asc(Column::Seq)
        .limit(limit as u64)
        .all(read)
        .await
        .map_err(store_error)?;
    let of_row = |model: &outbox::Model| {
        let (seq, kind) = (model.seq, model.kind.clone());
        let told = orders_told(model)?;
        let row =
            move |(order, version)| OutboxRow { seq, kind: kind.clone(), order: OrderId(order), version };
        Ok(told.into_iter().map(row).collect::<Vec<_>>())
    };
    let Page { rows, unreadable, last } =
        page(&models, |model| model.seq, |model| format!("row {} of the outbox", model.seq), of_row);
    Ok(Page { rows: rows.into_iter().flatten().collect(), unreadable, last })
}

/// A show's id, title and genre, and what they are folded to.
type Titled = (i64, String, String, Option<String>, Option<String>);

pub(super) async fn titles(
    read: &impl ConnectionTrait,
    after: Option<i64>,
) -> Result<Page<TitleRow, i64>, StoreError> {
    use show::Column;
    use show_gram::Column as Gram;
    let shows: Vec<Titled> = show::Entity::find()
        .select_only()
        .columns([Column::Id, Column::Title, Column::TitleFolded, Column::Genre, Column::GenreFolded])
        .filter(Column::Id.gt(after.unwrap_or(i64::MIN)))
        // Those that older rules have folded are folded again when the database is opened.
        .filter(Column::FoldedBy.eq(FOLD_VERSION))
        .order_by_asc(Column::Id)
        .limit(TITLES)
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    let (Some(first), Some(last)) = (shows.first(), shows.last()) else {
        return Ok(Page { rows: Vec::new(), unreadable: Vec::new(), last: None });
    };
    let grams: Vec<(i64, String)> = show_gram::Entity::find()
        .select_only()
        .columns([Gram::ShowId, Gram::Gram])
        .filter(Gram::ShowId.between(first.0, last.0))
        .order_by_asc(Gram::ShowId)
        .into_tuple()
        .all(read)
        .await
        .map_err(store_error)?;
    let last = last.0;
    let mut grams = grams.into_iter().peekable();
    let mut rows = Vec::with_capacity(shows.len());
    for (show, title, title_folded, genre, genre_folded) in shows {
        let mut its = Vec::new();
        while let Some((of, gram)) = grams.next_if(|(of, _)| *of <= show) {
            // Those of shows that do not exist are found by their references.
            if of == show {
                its.push(gram);
            }
        }
        rows.push(TitleRow { show, title, title_folded, genre, genre_folded, grams: its });
    }
    Ok(Page { rows, unreadable: Vec::new(), last: Some(last) })
}
