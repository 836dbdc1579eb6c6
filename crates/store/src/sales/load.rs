//! Load: the facts behind a batch, in one statement for each kind that it needs.

use onsale_domain::{
    decide::{FactKeys, KeyTarget},
    ids::{OrderId, PerformanceId, SeatId, UserId},
    order::Claim,
    wallet::Wallet,
};
use onsale_engine::ports::{LoadedFacts, StoreError};
use sea_orm::{ConnectionTrait, QueryResult};
use uuid::Uuid;

use super::{
    json::{Json, push},
    rows::{claim_of, get, key_record, order_from_row, payment_from_row},
};
use crate::{dialect::Dialect, error::store_error};

/// Loads the facts behind `keys`.
pub(super) async fn load(
    connection: &impl ConnectionTrait,
    dialect: Dialect,
    keys: &FactKeys,
) -> Result<LoadedFacts, StoreError> {
    let mut loader = Loader { connection, dialect, facts: LoadedFacts::default() };
    loader.performances(keys).await?;
    loader.keys(keys).await?;
    loader.claims(keys).await?;
    loader.buyers(keys).await?;
    loader.orders(keys).await?;
    loader.wallets(keys).await?;
    Ok(loader.facts)
}

struct Loader<'a, C> {
    connection: &'a C,
    dialect: Dialect,
    facts: LoadedFacts,
}

impl<C: ConnectionTrait> Loader<'_, C> {
    async fn performances(&mut self, keys: &FactKeys) -> Result<(), StoreError> {
        if keys.performances.is_empty() {
            return Ok(());
        }
        let batch = Json::integers(keys.performances.iter().map(|performance| performance.0));
        for row in self.query(self.dialect.hot().load_performances, batch).await? {
            self.facts.performances.insert(PerformanceId(get(&row, 0)?), (get(&row, 1)?, get(&row, 2)?));
        }
        Ok(())
    }

    async fn keys(&mut self, keys: &FactKeys) -> Result<(), StoreError> {
        if keys.keys.is_empty() {
            return Ok(());
        }
        let batch = Json::list(&keys.keys, |text, (user, key)| {
            text.push('"');
            text.push_str(Uuid::from_u128(*key).simple().encode_lower(&mut Uuid::encode_buffer()));
            push(text, user);
            text.push('"');
        });
        for row in self.query(self.dialect.hot().load_keys, batch).await? {
            let key: Uuid = get(&row, 1)?;
            let record = key_record(get(&row, 2)?, get(&row, 3)?, get(&row, 4)?, get(&row, 5)?)?;
            self.facts.keys.insert((UserId(get(&row, 0)?), key.as_u128()), record);
        }
        Ok(())
    }

    async fn claims(&mut self, keys: &FactKeys) -> Result<(), StoreError> {
        if keys.seats.is_empty() {
            return Ok(());
        }
        let batch = Json::groups(keys.seats.iter().map(|(performance, seat)| (performance.0, seat.0)));
        for row in self.query(self.dialect.hot().load_claims, batch).await? {
            let claim = claim_of(get(&row, 2)?);
            self.facts.claims.insert((PerformanceId(get(&row, 0)?), SeatId(get(&row, 1)?)), claim);
            if let Claim::Order(id) = claim
                && !self.facts.orders.contains_key(&id)
            {
                self.facts.orders.insert(id, order_from_row(&row, 3)?);
            }
        }
        Ok(())
    }

    async fn buyers(&mut self, keys: &FactKeys) -> Result<(), StoreError> {
        if keys.buyers.is_empty() {
            return Ok(());
        }
        let mut buyers: Vec<(i64, i64)> =
            keys.buyers.iter().map(|(user, performance)| (performance.0, user.0)).collect();
        buyers.sort_unstable();
        for row in self.query(self.dialect.hot().load_buyers, Json::groups(buyers)).await? {
            let order = order_from_row(&row, 0)?;
            self.facts.buyers.entry((order.user, order.performance)).or_default().push(order.id);
            self.facts.orders.insert(order.id, order);
        }
        Ok(())
    }

    /// The orders asked for and those behind keys, with their payments.
    async fn orders(&mut self, keys: &FactKeys) -> Result<(), StoreError> {
        let mut asked: Vec<OrderId> = keys.orders.iter().copied().collect();
        asked.extend(self.facts.keys.values().filter_map(|record| match record.target {
            KeyTarget::Hold(order) | KeyTarget::Pay(order) => Some(order),
            KeyTarget::Charge { .. } => None,
        }));
        if asked.is_empty() {
            return Ok(());
        }
        asked.sort_unstable();
        asked.dedup();
        let batch = || Json::uuids(asked.iter().map(|order| order.0));
        for row in self.query(self.dialect.hot().load_orders, batch()).await? {
            let order = order_from_row(&row, 0)?;
            self.facts.orders.insert(order.id, order);
        }
        for row in self.query(self.dialect.hot().load_payments, batch()).await? {
            let payment = payment_from_row(&row)?;
            self.facts.payments.insert(payment.order, payment);
        }
        Ok(())
    }

    async fn wallets(&mut self, keys: &FactKeys) -> Result<(), StoreError> {
        if keys.wallets.is_empty() {
            return Ok(());
        }
        let batch = Json::integers(keys.wallets.iter().map(|user| user.0));
        for row in self.query(self.dialect.hot().load_wallets, batch).await? {
            let wallet = Wallet { balance: get(&row, 1)?, version: get(&row, 2)? };
            self.facts.wallets.insert(UserId(get(&row, 0)?), wallet);
        }
        Ok(())
    }

    async fn query(&self, sql: &'static str, batch: Json) -> Result<Vec<QueryResult>, StoreError> {
        let statement = self.dialect.statement(sql, [batch.into()]);
        self.connection.query_all_raw(statement).await.map_err(store_error)
    }
}
