//! Reading everything at one moment.

use std::{collections::BTreeMap, sync::Arc};

use onsale_domain::{decide::Outcome, order::Order};
use onsale_engine::ports::{ClaimRow, FrozenStore, KeyRow, LedgerRow, Store};

use super::fixture::{Fixture, OPENS, PRICE};

/// Some of everything: ten buyers with points, a hold and a key each, every other one has paid.
async fn some_of_everything(store: &Arc<dyn Store>) -> (Fixture, Vec<Order>) {
    let world = Fixture::new(store.clone()).await;
    let second = world.another_performance().await;
    let mut orders = Vec::new();
    for buyer in 1..=10 {
        world.accept(world.charge(buyer, None, 50_000, OPENS), OPENS).await;
        let at = OPENS.plus_ms(buyer);
        let order = world.held(buyer, Some(buyer as u128), &[buyer as usize, 20 + buyer as usize], at).await;
        if buyer % 2 == 0 {
            let paid = world.accept(world.pay(&order, Some(100), at), at).await;
            assert!(matches!(paid, Outcome::Paid { .. }));
        }
        orders.push(store.order(order.id).await.unwrap().unwrap());
    }
    let mut lock = world.lock(&[1, 50], true);
    if let onsale_domain::decide::Command::LockSeats(lock) = &mut lock.command {
        lock.performance = second;
    }
    world.accept(lock, OPENS).await;
    (world, orders)
}

/// Reads all rows of one kind in chunks.
macro_rules! in_chunks {
    ($frozen:ident.$read:ident, $limit:expr, $key:expr) => {{
        let mut all = Vec::new();
        loop {
            let after = all.last().map($key);
            let chunk = $frozen.$read(after, $limit).await.expect("a chunk is read");
            if chunk.is_empty() {
                break all;
            }
            all.extend(chunk);
            assert!(all.len() < 1_000, "the chunks of {} do not end", stringify!($read));
        }
    }};
}

async fn ledger(frozen: &mut dyn FrozenStore, limit: usize) -> Vec<LedgerRow> {
    in_chunks!(frozen.ledger, limit, |row: &LedgerRow| row.transfer)
}

pub async fn everything_is_read_in_chunks(store: Arc<dyn Store>) {
    let (world, orders) = some_of_everything(&store).await;
    let mut frozen = store.freeze().await.unwrap();
    let mut rows = 0;
    for limit in [1, 3, 7, 1_000] {
        let read = in_chunks!(frozen.orders, limit, |order: &Order| order.id);
        assert_eq!(read, orders);

        let claims = in_chunks!(frozen.claims, limit, |row: &ClaimRow| (row.performance, row.seat));
        assert_eq!(claims.len(), 22);
        let keys: Vec<_> = claims.iter().map(|row| (row.performance, row.seat)).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "in ascending order");
        assert_eq!(claims.iter().filter(|row| row.performance == world.performance).count(), 20);

        let payments =
            in_chunks!(frozen.payments, limit, |payment: &onsale_domain::order::Payment| payment.order);
        assert_eq!(payments.len(), 5);
        assert!(payments.iter().all(|payment| payment.amount == 2 * PRICE && !payment.refunded));

        let entries = ledger(&mut *frozen, limit).await;
        assert_eq!(entries.len(), 30);
        let mut transfers: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for entry in &entries {
            transfers.entry(entry.transfer).or_default().push(entry.amount);
        }
        assert!(transfers.values().all(|amounts| amounts.len() == 2 && amounts.iter().sum::<i64>() == 0));

        let wallets = in_chunks!(frozen.wallets, limit, |row: &(_, i64)| row.0);
        assert_eq!(wallets.iter().map(|(_, balance)| balance).sum::<i64>(), 10 * 50_000 - 5 * 2 * PRICE);

        let keys = in_chunks!(frozen.keys, limit, |row: &KeyRow| (row.user, row.key));
        assert_eq!(keys.len(), 15);
        rows = read.len() + claims.len() + payments.len() + entries.len() + wallets.len() + keys.len();
    }
    assert_eq!(frozen.rows().await.unwrap(), rows as u64);
    // A transfer is whole even if one row is asked for.
    assert_eq!(frozen.ledger(None, 1).await.unwrap().len(), 2);
}

pub async fn a_frozen_store_stands_still(store: Arc<dyn Store>) {
    let (world, orders) = some_of_everything(&store).await;
    let mut frozen = store.freeze().await.unwrap();
    world.accept(world.cancel(&orders[0], OPENS), OPENS).await;
    world.held(77, Some(1), &[90], OPENS).await;
    assert_eq!(frozen.orders(None, 100).await.unwrap(), orders);
    assert_eq!(frozen.claims(None, 100).await.unwrap().len(), 22);
    let mut later = store.freeze().await.unwrap();
    assert_eq!(later.orders(None, 100).await.unwrap().len(), 11);
    assert_eq!(later.claims(None, 100).await.unwrap().len(), 21);
}
