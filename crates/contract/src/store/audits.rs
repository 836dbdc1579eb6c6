//! Reading everything at one moment.

use std::{collections::BTreeMap, sync::Arc};

use onsale_domain::{decide::Outcome, offer::Offer, order::Order};
use onsale_engine::{
    audit::audit,
    ports::{FrozenStore, LedgerRow, Store},
};

use super::fixture::{Fixture, HOLD_MS, OPENS, PRICE, item};

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

/// Reads all rows of one kind in pages.
macro_rules! in_pages {
    ($frozen:ident.$read:ident, $limit:expr) => {{
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = $frozen.$read(after, $limit).await.expect("a page is read");
            assert!(page.unreadable.is_empty(), "{:?}", page.unreadable);
            let Some(last) = page.last else { break all };
            after = Some(last);
            all.extend(page.rows);
            assert!(all.len() < 1_000, "the pages of {} do not end", stringify!($read));
        }
    }};
}

async fn ledger(frozen: &mut dyn FrozenStore, limit: usize) -> Vec<LedgerRow> {
    in_pages!(frozen.ledger, limit)
}

pub async fn everything_is_read_in_pages(store: Arc<dyn Store>) {
    let (world, orders) = some_of_everything(&store).await;
    let mut frozen = store.freeze().await.unwrap();
    let mut rows = 0;
    for limit in [1, 3, 7, 1_000] {
        let read = in_pages!(frozen.orders, limit);
        assert_eq!(read, orders);

        let claims = in_pages!(frozen.claims, limit);
        assert_eq!(claims.len(), 22);
        let keys: Vec<_> = claims.iter().map(|row| (row.performance, row.seat)).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "in ascending order");
        assert_eq!(claims.iter().filter(|row| row.performance == world.performance).count(), 20);

        let payments = in_pages!(frozen.payments, limit);
        assert_eq!(payments.len(), 5);
        assert!(payments.iter().all(|payment| payment.amount == 2 * PRICE && !payment.refunded));

        let entries = ledger(&mut *frozen, limit).await;
        assert_eq!(entries.len(), 30);
        let mut transfers: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for entry in &entries {
            transfers.entry(entry.transfer).or_default().push(entry.amount);
        }
        assert!(transfers.values().all(|amounts| amounts.len() == 2 && amounts.iter().sum::<i64>() == 0));

        let wallets = in_pages!(frozen.wallets, limit);
        assert_eq!(wallets.iter().map(|row| row.balance).sum::<i64>(), 10 * 50_000 - 5 * 2 * PRICE);

        let keys = in_pages!(frozen.keys, limit);
        assert_eq!(keys.len(), 15);
        rows = read.len() + claims.len() + payments.len() + entries.len() + wallets.len() + keys.len();
    }
    assert_eq!(frozen.rows().await.unwrap(), rows as u64);
    // A transfer is whole even if one row is asked for.
    assert_eq!(frozen.ledger(None, 1).await.unwrap().rows.len(), 2);
}

/// The terms of each offer are kept with each of their revisions, and each transfer knows its place.
pub async fn orders_are_compared_with_the_terms_they_were_made_on(store: Arc<dyn Store>) {
    let (world, _) = some_of_everything(&store).await;
    let mut changed = store.performance(world.performance).await.unwrap().unwrap();
    changed.details.rules.hold_ms += 60_000;
    store.change_performance(&changed).await.unwrap();
    store.set_prices(world.performance, &[]).await.unwrap();
    let item = store.add_item(&item("Cola"), 9, None).await.unwrap();
    world.held_units(3, item, 2, OPENS).await;

    let mut frozen = store.freeze().await.unwrap();
    assert!(frozen.is_one_moment());
    let facts = frozen.offers(&[world.performance.into(), item.into()]).await.unwrap();
    let facts = |offer: Offer| facts.iter().find(|facts| facts.offer == offer).expect("the offer is known");
    let seats = facts(world.performance.into());
    assert_eq!(seats.seats, Some((world.seats[0], 100)));
    let held: Vec<(i64, i64)> = seats.revisions.iter().map(|kept| (kept.revision, kept.hold_ms)).collect();
    assert_eq!(held, [(1, HOLD_MS), (2, HOLD_MS + 60_000), (3, HOLD_MS + 60_000)]);
    let prices: Vec<_> = seats.revisions.iter().map(|kept| kept.prices.clone()).collect();
    assert_eq!(prices, [Some(vec![PRICE]), Some(vec![PRICE]), Some(vec![])]);
    assert_eq!((facts(item.into()).revision, facts(item.into()).revisions.len()), (1, 1));
    for terms in in_pages!(frozen.terms, 1) {
        assert_eq!(terms.kept, Some((terms.revision, terms.digest)), "{terms:?}");
    }
    for transfer in ledger(&mut *frozen, 100).await.chunk_by(|a, b| a.transfer == b.transfer) {
        let positions: Vec<_> = transfer.iter().map(|entry| (entry.account > 0, entry.position)).collect();
        let number = positions.iter().find_map(|(_, position)| *position).expect("the wallet's side has one");
        assert!(positions.contains(&(false, None)), "{positions:?}");
        assert_eq!(number, if transfer[0].order.is_some() { 2 } else { 1 });
    }
    drop(frozen);
    let report = audit(&*store, |_, _| {}).await.unwrap().without_accounts();
    assert!(report.is_clean(), "{:#?}", report.violations);
}

pub async fn a_frozen_store_stands_still(store: Arc<dyn Store>) {
    let (world, orders) = some_of_everything(&store).await;
    let mut frozen = store.freeze().await.unwrap();
    world.accept(world.cancel(&orders[0], OPENS), OPENS).await;
    world.held(77, Some(1), &[90], OPENS).await;
    assert_eq!(frozen.orders(None, 100).await.unwrap().rows, orders);
    assert_eq!(frozen.claims(None, 100).await.unwrap().rows.len(), 22);
    let mut later = store.freeze().await.unwrap();
    assert_eq!(later.orders(None, 100).await.unwrap().rows.len(), 11);
    assert_eq!(later.claims(None, 100).await.unwrap().rows.len(), 21);
}
