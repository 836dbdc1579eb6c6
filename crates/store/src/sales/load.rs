//! Load: the facts behind a batch, in one statement for each kind that it needs, all in one trip
//! to the database; in two, if keys turn out to have been used or orders are asked for.

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
    script::Script,
};
use crate::{dialect::Dialect, error::broken};

/// Loads the facts behind `keys`.
pub(super) async fn load(
    connection: &impl ConnectionTrait,
    dialect: Dialect,
    keys: &FactKeys,
) -> Result<LoadedFacts, StoreError> {
    let mut facts = LoadedFacts::default();
    for row in by_key(dialect, keys).query(connection).await? {
        add(&mut facts, &row)?;
    }
    for row in orders(dialect, keys, &facts).query(connection).await? {
        add(&mut facts, &row)?;
    }
    Ok(facts)
}

/// What is found by the keys themselves.
fn by_key(dialect: Dialect, keys: &FactKeys) -> Script {
    let hot = dialect.hot();
    let mut script = Script::new(dialect);
    script.add(hot.load_performances, keys.performances.len(), || {
        Json::integers(keys.performances.iter().map(|performance| performance.0))
    });
    script.add(hot.load_keys, keys.keys.len(), || Json::list(&keys.keys, push_key));
    script.add(hot.load_claims, keys.seats.len(), || {
        Json::groups(keys.seats.iter().map(|(performance, seat)| (performance.0, seat.0)))
    });
    script.add(hot.load_buyers, keys.buyers.len(), || {
        let mut buyers: Vec<(i64, i64)> =
            keys.buyers.iter().map(|(user, performance)| (performance.0, user.0)).collect();
        buyers.sort_unstable();
        Json::groups(buyers)
    });
    script
        .add(hot.load_wallets, keys.wallets.len(), || Json::integers(keys.wallets.iter().map(|user| user.0)));
    script
}

fn push_key(text: &mut String, (user, key): &(UserId, u128)) {
    text.push('"');
    text.push_str(Uuid::from_u128(*key).simple().encode_lower(&mut Uuid::encode_buffer()));
    push(text, user);
    text.push('"');
}

/// The orders asked for and those behind keys, with their payments.
fn orders(dialect: Dialect, keys: &FactKeys, facts: &LoadedFacts) -> Script {
    let mut asked: Vec<OrderId> = keys.orders.iter().copied().collect();
    asked.extend(facts.keys.values().filter_map(|record| match record.target {
        KeyTarget::Hold(order) | KeyTarget::Pay(order) => Some(order),
        KeyTarget::Charge { .. } => None,
    }));
    asked.sort_unstable();
    asked.dedup();
    let batch = || Json::uuids(asked.iter().map(|order| order.0));
    let hot = dialect.hot();
    let mut script = Script::new(dialect);
    script.add(hot.load_orders, asked.len(), batch);
    script.add(hot.load_payments, asked.len(), batch);
    script
}

/// Adds what a row of one of the load statements says.
fn add(facts: &mut LoadedFacts, row: &QueryResult) -> Result<(), StoreError> {
    match get::<i64>(row, 0)? {
        0 => {
            facts.performances.insert(PerformanceId(get(row, 1)?), (get(row, 2)?, get(row, 3)?));
        }
        1 => {
            let claim = claim_of(get(row, 3)?);
            facts.claims.insert((PerformanceId(get(row, 1)?), SeatId(get(row, 2)?)), claim);
            if let Claim::Order(id) = claim
                && !facts.orders.contains_key(&id)
            {
                facts.orders.insert(id, order_from_row(row, 4)?);
            }
        }
        2 => {
            let order = order_from_row(row, 1)?;
            facts.buyers.entry((order.user, order.performance)).or_default().push(order.id);
            facts.orders.insert(order.id, order);
        }
        3 => {
            let order = order_from_row(row, 1)?;
            facts.orders.insert(order.id, order);
        }
        4 => {
            let payment = payment_from_row(row, 1)?;
            facts.payments.insert(payment.order, payment);
        }
        5 => {
            let wallet = Wallet { balance: get(row, 2)?, version: get(row, 3)? };
            facts.wallets.insert(UserId(get(row, 1)?), wallet);
        }
        6 => {
            let key: Uuid = get(row, 2)?;
            let record = key_record(get(row, 3)?, get(row, 4)?, get(row, 5)?, get(row, 6)?)?;
            facts.keys.insert((UserId(get(row, 1)?), key.as_u128()), record);
        }
        other => return Err(broken(format!("a row of a load statement begins with {other}"))),
    }
    Ok(())
}
