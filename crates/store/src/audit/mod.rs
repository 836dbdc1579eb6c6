//! The port under the audit.

mod counts;
mod offers;
mod promises;
mod rows;

use std::fmt::Display;

use async_trait::async_trait;
use onsale_domain::{
    ids::{ItemId, OrderId, PerformanceId, SeatId, TransferId, UserId},
    money::Currency,
    offer::Offer,
    order::{Order, Payment},
};
use onsale_engine::ports::{
    AuditStore, BrokenPromise, ClaimRow, CountRow, FrozenStore, KeyRow, LedgerRow, OfferFacts, OutboxRow,
    Page, StockRow, StoreError, TermsRow, TitleRow, WalletRow,
};
use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, EntityTrait, IsolationLevel, PaginatorTrait, QueryResult,
    TransactionOptions, TransactionTrait,
};

use crate::{
    SqlStore,
    connect::connect_auditor,
    currency,
    dialect::Dialect,
    entity::{claim, idempotency_key, ledger_entry, order, payment, stock, wallet},
    error::store_error,
};
use promises::Promise;

#[async_trait]
impl AuditStore for SqlStore {
    async fn freeze(&self) -> Result<Box<dyn FrozenStore>, StoreError> {
        // Said in the transaction itself: what its session was told may have been lost on the way.
        let (home, options) = match self.dialect {
            Dialect::Sqlite => (connect_auditor(&self.readers).await?, self.dialect.read_transaction()),
            Dialect::Postgres | Dialect::MySql => {
                let options = TransactionOptions {
                    isolation_level: Some(IsolationLevel::RepeatableRead),
                    access_mode: Some(AccessMode::ReadOnly),
                    sqlite_transaction_mode: None,
                };
                (self.readers.clone(), options)
            }
        };
        let read = home.begin_with_options(options).await.map_err(store_error)?;
        // The state is fixed by the first read, not by BEGIN.
        wallet::Entity::find().one(&read).await.map_err(store_error)?;
        let is_one_moment = is_one_moment(&read, self.dialect).await?;
        Ok(Box::new(SqlFrozenStore::new(read, self.dialect, is_one_moment)))
    }
}

/// Whether the transaction sees one moment, as the database itself says.
async fn is_one_moment(read: &impl ConnectionTrait, dialect: Dialect) -> Result<bool, StoreError> {
    let sql = match dialect {
        Dialect::Sqlite => return Ok(true),
        Dialect::Postgres => "SELECT 'level', current_setting('transaction_isolation')",
        // MariaDB's name of it, and MySQL's.
        Dialect::MySql => {
            "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')"
        }
    };
    let rows = read.query_all_raw(dialect.statement(sql, [])).await.map_err(store_error)?;
    let levels: Vec<String> =
        rows.iter().map(|row| row.try_get_by_index(1)).collect::<Result<_, _>>().map_err(store_error)?;
    let is_enough = |level: &String| {
        let level = level.to_lowercase().replace('-', " ");
        level == "repeatable read" || level == "serializable"
    };
    Ok(!levels.is_empty() && levels.iter().all(is_enough))
}

/// One transaction that only reads; or, for negative controls, a connection without one.
pub(crate) struct SqlFrozenStore<C> {
    read: C,
    dialect: Dialect,
    is_one_moment: bool,
    promises: Vec<Promise>,
}

impl<C> SqlFrozenStore<C> {
    pub(crate) fn new(read: C, dialect: Dialect, is_one_moment: bool) -> Self {
        Self { read, dialect, is_one_moment, promises: promises::all() }
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> FrozenStore for SqlFrozenStore<C> {
    fn is_one_moment(&self) -> bool {
        self.is_one_moment
    }

    async fn damage(&mut self, limit: usize) -> Result<Vec<String>, StoreError> {
        if self.dialect != Dialect::Sqlite {
            // A server checks each page as it is read, and an audit reads them all.
            return Ok(Vec::new());
        }
        let check = self.dialect.statement(&format!("PRAGMA integrity_check({limit})"), []);
        let rows = match self.read.query_all_raw(check).await.map_err(store_error) {
            Err(StoreError::Damaged(why)) => return Ok(vec![why]),
            rows => rows?,
        };
        let said: Vec<String> =
            rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>().map_err(store_error)?;
        Ok(said.into_iter().filter(|text| text != "ok").map(|text| text.replace('\n', "; ")).collect())
    }

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

    async fn currency(&mut self) -> Result<Option<Currency>, StoreError> {
        currency::known(&self.read).await
    }

    async fn orders(
        &mut self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Page<Order, OrderId>, StoreError> {
        rows::orders(&self.read, after, limit).await
    }

    async fn claims(
        &mut self,
        after: Option<(PerformanceId, SeatId)>,
        limit: usize,
    ) -> Result<Page<ClaimRow, (PerformanceId, SeatId)>, StoreError> {
        rows::claims(&self.read, after, limit).await
    }

    async fn payments(
        &mut self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Page<Payment, OrderId>, StoreError> {
        rows::payments(&self.read, after, limit).await
    }

    async fn ledger(
        &mut self,
        after: Option<TransferId>,
        limit: usize,
    ) -> Result<Page<LedgerRow, TransferId>, StoreError> {
        rows::ledger(&self.read, after, limit).await
    }

    async fn wallets(
        &mut self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Page<WalletRow, UserId>, StoreError> {
        rows::wallets(&self.read, after, limit).await
    }

    async fn stocks(
        &mut self,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<Page<StockRow, ItemId>, StoreError> {
        rows::stocks(&self.read, after, limit).await
    }

    async fn keys(&mut self, after: Option<i64>, limit: usize) -> Result<Page<KeyRow, i64>, StoreError> {
        rows::keys(&self.read, after, limit).await
    }

    async fn outbox(&mut self, after: Option<i64>, limit: usize) -> Result<Page<OutboxRow, i64>, StoreError> {
        rows::outbox(&self.read, after, limit).await
    }

    async fn offers(&mut self, offers: &[Offer]) -> Result<Vec<OfferFacts>, StoreError> {
        offers::facts(&self.read, offers).await
    }

    async fn terms(&mut self, after: Option<i64>, _: usize) -> Result<Page<TermsRow, i64>, StoreError> {
        offers::terms(&self.read, after).await
    }

    async fn titles(&mut self, after: Option<i64>, _: usize) -> Result<Page<TitleRow, i64>, StoreError> {
        rows::titles(&self.read, after).await
    }

    async fn counts(
        &mut self,
        after: Option<[i64; 4]>,
        limit: usize,
    ) -> Result<Page<CountRow, [i64; 4]>, StoreError> {
        counts::counts(&self.read, after, limit).await
    }

    async fn is_all_counted(&mut self) -> Result<bool, StoreError> {
        counts::is_all_counted(&self.read).await
    }

    fn promises(&self) -> usize {
        self.promises.len()
    }

    async fn promise(&mut self, number: usize, limit: usize) -> Result<BrokenPromise, StoreError> {
        let Promise { what, of_nobody, sql, is_right } = &self.promises[number];
        let limited = format!("{sql} LIMIT {}", limit + 1);
        let statement = self.dialect.statement(if is_right.is_some() { sql } else { &limited }, []);
        let mut rows = self.read.query_all_raw(statement).await.map_err(store_error)?;
        if let Some(is_right) = is_right {
            rows.retain(|row| !row.try_get_by_index::<String>(0).is_ok_and(|text| is_right(&text)));
        }
        Ok(BrokenPromise { what, of_nobody: *of_nobody, rows: rows.iter().map(key_text).collect() })
    }
}

/// Rows to a page: each is read by itself, so that one that cannot be read leaves the others.
fn page<M, T, K>(
    models: &[M],
    key: impl Fn(&M) -> K,
    name: impl Fn(&M) -> String,
    read: impl Fn(&M) -> Result<T, StoreError>,
) -> Page<T, K> {
    let mut page = Page { rows: Vec::with_capacity(models.len()), unreadable: Vec::new(), last: None };
    page.last = models.last().map(key);
    for model in models {
        match read(model) {
            Ok(row) => page.rows.push(row),
            Err(error) => page.unreadable.push(format!("{}: {error}", name(model))),
        }
    }
    page
}

/// The rows after a key of several integers, in their order.
fn after_all<C: ColumnTrait>(columns: &[C], values: &[i64]) -> sea_orm::Condition {
    let mut after = sea_orm::Condition::any();
    for (index, (column, value)) in columns.iter().zip(values).enumerate() {
        let mut same = sea_orm::Condition::all();
        for (column, value) in columns.iter().zip(values).take(index) {
            same = same.add(column.eq(*value));
        }
        after = after.add(same.add(column.gt(*value)));
    }
    after
}

/// The columns of a row for people: its key, whatever types that has.
fn key_text(row: &QueryResult) -> String {
    let columns = row.column_names();
    let one = |(index, name): (usize, &String)| {
        let integer = row.try_get_by_index::<Option<i64>>(index).map(shown);
        let integer = integer
            .or_else(|_| row.try_get_by_index::<Option<i32>>(index).map(shown))
            .or_else(|_| row.try_get_by_index::<Option<i16>>(index).map(shown));
        let text = integer
            .or_else(|_| row.try_get_by_index::<Option<uuid::Uuid>>(index).map(shown))
            .or_else(|_| row.try_get_by_index::<Option<String>>(index).map(shown));
        format!("{name} {}", text.unwrap_or_else(|_| "?".to_owned()))
    };
    columns.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

fn shown(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}
