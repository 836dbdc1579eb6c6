//! Load: the facts behind a batch, in one statement for each kind that it needs, all in one trip
//! to the database; in two, if keys turn out to have been used or orders are asked for. What is locked
//! is loaded by the locks instead, in one trip for each kind of them.

use onsale_domain::{
    decide::{FactKeys, KeyTarget},
    ids::{ItemId, OrderId, PerformanceId, SeatId, UserId},
    item::Stock,
    offer::Offer,
    order::{Claim, Payment},
    wallet::Wallet,
};
use onsale_engine::ports::{Guard, LoadedFacts, StoreError, TransactionError};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::{
    batch::Batch,
    rows::{claim_of, get, key_record, order_from_row, payment_from_model},
    script::{Packed, Script},
    under_way::UnderWay,
};
use crate::{
    dialect::Dialect,
    entity::payment,
    error::{broken, transaction_error},
    hot::HotStatements,
};

/// Loads the facts behind `keys`.
pub(super) async fn load(
    under_way: &mut UnderWay,
    guard: Guard,
    keys: &FactKeys,
) -> Result<LoadedFacts, TransactionError> {
    let dialect = under_way.home.dialect;
    let mut facts = LoadedFacts::default();
    let locks = guard == Guard::Pessimistic && dialect.has_row_locks();
    if locks {
        lock(under_way, dialect, keys, &mut facts).await?;
    }
    for row in by_key(dialect, keys, locks).query(under_way).await? {
        add(&mut facts, &row)?;
    }
    for row in orders(dialect, keys, &facts).query(under_way).await? {
        add(&mut facts, &row)?;
    }
    Ok(facts)
}

/// Locks what else hangs on, and loads it. The rest by itself, because it must be as of a moment after
/// the locks were granted, not after they were asked for.
async fn lock(
    under_way: &mut UnderWay,
    dialect: Dialect,
    keys: &FactKeys,
    facts: &mut LoadedFacts,
) -> Result<(), TransactionError> {
    let hot = dialect.hot();
    for (sql, _, ids) in lockable(hot, keys).into_iter().filter(|(_, _, ids)| !ids.is_empty()) {
        let packed = Packed { text: sql.to_owned(), batches: vec![Batch::integers(hot.encoding, ids)] };
        for row in under_way.query(packed).await.map_err(transaction_error)? {
            add(facts, &row)?;
        }
    }
    Ok(())
}

/// What can be locked: for each kind the statement that locks and loads, the one that only loads, and
/// the ids.
fn lockable(hot: &HotStatements, keys: &FactKeys) -> [(&'static str, &'static str, Vec<i64>); 3] {
    [
        (hot.lock_performances, hot.load_performances, keys.performances.iter().map(|id| id.0).collect()),
        (hot.lock_stocks, hot.load_stocks, keys.items.iter().map(|id| id.0).collect()),
        (hot.lock_wallets, hot.load_wallets, keys.wallets.iter().map(|id| id.0).collect()),
    ]
}

/// What is found by the keys themselves, without what has been `locked`.
fn by_key(dialect: Dialect, keys: &FactKeys, locked: bool) -> Script {
    let hot = dialect.hot();
    let mut script = Script::new(dialect);
    if !locked {
        for (_, sql, ids) in lockable(hot, keys) {
            script.add(sql, ids.len(), |to| Batch::integers(to, ids));
        }
    }
    if let Some(now) = keys.lapsed_by {
        script.add(hot.load_lapsed, keys.items.len(), |to| {
            let items = keys.items.iter().map(|item| Offer::Item(*item).code());
            Batch::integer_and_integers(to, now.0, items)
        });
    }
    script.add(hot.load_keys, keys.keys.len(), |to| {
        Batch::keys(to, keys.keys.iter().map(|(user, key)| (Uuid::from_u128(*key), user.0)))
    });
    script.add(hot.load_claims, keys.seats.len(), |to| {
        Batch::groups(to, keys.seats.iter().map(|(performance, seat)| (performance.0, seat.0)))
    });
    script.add(hot.load_buyers, keys.buyers.len(), |to| {
        let mut buyers: Vec<(i64, i64)> =
            keys.buyers.iter().map(|(user, offer)| (offer.code(), user.0)).collect();
        buyers.sort_unstable();
        Batch::groups(to, buyers)
    });
    script
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
    let batch = |to| Batch::uuids(to, asked.iter().map(|order| order.0));
    let hot = dialect.hot();
    let mut script = Script::new(dialect);
    script.add(hot.load_orders, asked.len(), batch);
    script.add(hot.load_payments, asked.len(), batch);
    script
}

/// Where the columns of an order begin in what the load statements give, and the columns into
/// which other rows are put.
const ORDER: usize = 4;
const ID: usize = ORDER;
const USER: usize = ORDER + 1;
const STATUS: usize = ORDER + 3;
const AMOUNT: usize = ORDER + 5;
const TOTAL: usize = ORDER + 7;
const VERSION: usize = ORDER + 9;

/// Adds what a row of one of the load statements says.
fn add(facts: &mut LoadedFacts, row: &QueryResult) -> Result<(), StoreError> {
    match get::<i64>(row, 0)? {
        0 => {
            let performance = PerformanceId(get(row, 1)?);
            facts.performances.insert(performance, (get(row, 2)?, get(row, VERSION)?));
        }
        1 => {
            let claim = claim_of(get(row, 3)?);
            facts.claims.insert((PerformanceId(get(row, 1)?), SeatId(get(row, 2)?)), claim);
            if let Claim::Order(id) = claim
                && !facts.orders.contains_key(&id)
            {
                facts.orders.insert(id, order_from_row(row, ORDER)?);
            }
        }
        2 => {
            let order = order_from_row(row, ORDER)?;
            facts.buyers.entry((order.user, order.offer())).or_default().push(order.id);
            facts.orders.insert(order.id, order);
        }
        3 => {
            let order = order_from_row(row, ORDER)?;
            facts.orders.insert(order.id, order);
        }
        4 => {
            let payment = payment_from_row(row)?;
            facts.payments.insert(payment.order, payment);
        }
        5 => {
            let wallet = Wallet { balance: get(row, AMOUNT)?, version: get(row, VERSION)? };
            facts.wallets.insert(UserId(get(row, USER)?), wallet);
        }
        6 => {
            let key: Uuid = get(row, 3)?;
            let record = key_record(get(row, 1)?, get(row, STATUS)?, get(row, ID)?, get(row, AMOUNT)?)?;
            facts.keys.insert((UserId(get(row, USER)?), key.as_u128()), record);
        }
        7 => {
            let item = facts.items.entry(ItemId(get(row, 1)?)).or_default();
            item.revision = get(row, 2)?;
            item.version = get(row, VERSION)?;
            item.stock = Stock { total: get(row, TOTAL)?, left: get(row, AMOUNT)? };
        }
        8 => {
            let order = order_from_row(row, ORDER)?;
            if let Offer::Item(item) = order.offer() {
                facts.items.entry(item).or_default().lapsed.push(order.id);
            }
            facts.orders.insert(order.id, order);
        }
        other => return Err(broken(format!("a row of a load statement begins with {other}"))),
    }
    Ok(())
}

/// The payment in a row.
fn payment_from_row(row: &QueryResult) -> Result<Payment, StoreError> {
    payment_from_model(&payment::Model {
        order_id: get(row, ID)?,
        id: get(row, 3)?,
        user_id: get(row, USER)?,
        amount: get(row, AMOUNT)?,
        currency: get(row, ORDER + 6)?,
        balance_after: get(row, 1)?,
        refunded: get::<i64>(row, 2)? != 0,
        created_at: get(row, ORDER + 7)?,
    })
}
