//! Transactions: all or nothing, and one after the other.

use std::{sync::Arc, time::Duration};

use onsale_domain::{
    decide::{
        Changes, ClaimChange, FactKeys, KeyRecord, KeyTarget, NewKey, OrderChange, VersionChange,
        WalletChange,
    },
    ids::{OrderId, UserId},
    offer::OfferKind,
    order::{Claim, Order, OrderStatus},
    wallet::Wallet,
};
use onsale_engine::ports::{Store, TransactionError};

use super::fixture::{Fixture, OPENS};

/// Writes changes that must be refused as a conflict, and sees that nothing of them stays.
async fn conflicts(world: &Fixture, changes: &Changes) {
    let before = world.store.claims(world.performance).await.unwrap();
    let mut transaction = world.begin().await;
    let written = transaction.write(changes).await;
    assert!(matches!(written, Err(TransactionError::Conflict)), "{written:?}");
    drop(transaction);
    let after = world.store.claims(world.performance).await.unwrap();
    assert_eq!((before.version, before.taken, before.buyers), (after.version, after.taken, after.buyers));
}

fn another(world: &Fixture, order: &Order, user: i64) -> Order {
    Order { id: OrderId(world.id(OPENS)), user: UserId(user), ..order.clone() }
}

pub async fn dropping_a_transaction_undoes_it(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let mut transaction = world.begin().await;
    let (_, changes) = world.decide(&mut *transaction, &[world.hold(1, Some(1), &[0], OPENS)], OPENS).await;
    transaction.write(&changes).await.unwrap();
    drop(transaction);
    let claims = store.claims(world.performance).await.unwrap();
    assert_eq!((claims.version, claims.taken, claims.buyers), (0, vec![], vec![]));
    assert_eq!(store.order(changes.orders_new[0].id).await.unwrap(), None);
    let facts = world.load(&FactKeys { keys: [(UserId(1), 1)].into(), ..FactKeys::default() }).await;
    assert!(facts.keys.is_empty());
    world.held(2, None, &[0], OPENS).await;
}

pub async fn a_transaction_sees_what_it_wrote(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let hold = world.hold(1, None, &[0], OPENS);
    let mut transaction = world.begin().await;
    let (_, changes) = world.decide(&mut *transaction, std::slice::from_ref(&hold), OPENS).await;
    transaction.write(&changes).await.unwrap();
    let facts = transaction.load(&FactKeys::of([&hold])).await.unwrap();
    assert_eq!(facts.claims.len(), 1);
    assert_eq!(store.claims(world.performance).await.unwrap().taken, [], "nobody else does");
    transaction.commit().await.unwrap();
    assert_eq!(store.claims(world.performance).await.unwrap().taken.len(), 1);
}

pub async fn writers_wait_for_each_other(store: Arc<dyn Store>) {
    let world = Arc::new(Fixture::new(store.clone()).await);
    let mut tasks = Vec::new();
    for buyer in 0..8 {
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            for seat in 0..5 {
                world.held(buyer + 1, None, &[buyer as usize * 5 + seat], OPENS).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("no writer is refused");
    }
    let claims = store.claims(world.performance).await.unwrap();
    assert_eq!((claims.taken.len(), claims.version), (40, 40));
}

pub async fn readers_do_not_wait_for_a_writer(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let order = world.held(1, None, &[0], OPENS).await;
    let mut transaction = world.begin().await;
    let (_, changes) = world.decide(&mut *transaction, &[world.hold(1, None, &[1], OPENS)], OPENS).await;
    transaction.write(&changes).await.unwrap();
    let read = async {
        assert_eq!(store.order(order.id).await.unwrap(), Some(order.clone()));
        assert_eq!(
            store.orders_of(UserId(1), OfferKind::Performance, None, 10).await.unwrap().orders.len(),
            1
        );
        assert_eq!(store.wallet(UserId(1)).await.unwrap(), Wallet::default());
        store.ping().await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(3), read).await.expect("reading does not wait");
    transaction.commit().await.unwrap();
    assert_eq!(store.orders_of(UserId(1), OfferKind::Performance, None, 10).await.unwrap().orders.len(), 2);
}

pub async fn an_old_order_version_is_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let order = world.held(1, None, &[0], OPENS).await;
    let change =
        |id, version_before| OrderChange { id, version_before, version: 9, status: OrderStatus::Paid };
    let known = Changes { orders_changed: vec![change(order.id, 2)], ..Changes::default() };
    conflicts(&world, &known).await;
    let unknown = change(OrderId(world.id(OPENS)), 1);
    conflicts(&world, &Changes { orders_changed: vec![change(order.id, 1), unknown], ..Changes::default() })
        .await;
    assert_eq!(store.order(order.id).await.unwrap(), Some(order));
}

pub async fn an_old_wallet_version_is_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    world.accept(world.charge(1, None, 10, OPENS), OPENS).await;
    let change = |user, version_before| WalletChange {
        user: UserId(user),
        version_before,
        wallet: Wallet { balance: 99, version: version_before + 1 },
    };
    conflicts(&world, &Changes { wallets: vec![change(1, 0)], ..Changes::default() }).await;
    conflicts(&world, &Changes { wallets: vec![change(1, 2)], ..Changes::default() }).await;
    conflicts(&world, &Changes { wallets: vec![change(2, 1)], ..Changes::default() }).await;
    assert_eq!(store.wallet(UserId(1)).await.unwrap(), Wallet { balance: 10, version: 1 });

    let below_zero = WalletChange { wallet: Wallet { balance: -1, version: 2 }, ..change(1, 1) };
    let mut transaction = world.begin().await;
    let refused = transaction.write(&Changes { wallets: vec![below_zero], ..Changes::default() }).await;
    assert!(
        matches!(refused, Err(TransactionError::Store(_))),
        "a wallet never goes below zero: {refused:?}"
    );
}

pub async fn an_old_performance_version_is_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    world.held(1, None, &[0], OPENS).await;
    for (revision, version) in [(1, 1), (1, 3), (2, 2)] {
        let versions = vec![VersionChange { performance: world.performance, revision, version }];
        conflicts(&world, &Changes { versions, ..Changes::default() }).await;
    }
    assert_eq!(store.claims(world.performance).await.unwrap().version, 1);
}

/// The primary key of the claims is the last guard: two transactions that both believe that a
/// seat is free cannot both have it.
pub async fn a_seat_cannot_be_claimed_twice(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let mut first = world.begin().await;
    let (_, mine) = world.decide(&mut *first, &[world.hold(1, None, &[0, 1], OPENS)], OPENS).await;
    drop(first);
    let mut second = world.begin().await;
    let (_, theirs) = world.decide(&mut *second, &[world.hold(2, None, &[1, 2], OPENS)], OPENS).await;
    second.write(&theirs).await.unwrap();
    second.commit().await.unwrap();
    // Even with the version as it is now, so that nothing but the key stands in the way.
    let late = Changes { versions: vec![VersionChange { version: 2, ..mine.versions[0] }], ..mine };
    conflicts(&world, &late).await;
    assert_eq!(store.order(late.orders_new[0].id).await.unwrap(), None);
}

pub async fn a_claim_of_another_order_is_not_deleted(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let order = world.held(1, None, &[0], OPENS).await;
    world.accept(world.lock(&[1], true), OPENS).await;
    let gone = |ordinal: usize, claim| {
        let claim = ClaimChange { performance: world.performance, seat: world.seats[ordinal], claim };
        Changes { claims_gone: vec![claim], ..Changes::default() }
    };
    conflicts(&world, &gone(0, Claim::Order(OrderId(world.id(OPENS))))).await;
    conflicts(&world, &gone(0, Claim::Locked)).await;
    conflicts(&world, &gone(1, Claim::Order(order.id))).await;
    conflicts(&world, &gone(2, Claim::Locked)).await;

    // Deleting comes before inserting: a seat goes from one order to the next in one batch.
    let next = another(&world, &order, 2);
    let claim = |order: &Order| ClaimChange {
        performance: world.performance,
        seat: world.seats[0],
        claim: Claim::Order(order.id),
    };
    let swap = Changes {
        orders_new: vec![next.clone()],
        claims_gone: vec![claim(&order)],
        claims_new: vec![claim(&next)],
        ..Changes::default()
    };
    let mut transaction = world.begin().await;
    transaction.write(&swap).await.unwrap();
    transaction.commit().await.unwrap();
}

pub async fn a_key_cannot_be_used_twice(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let order = world.held(1, Some(5), &[0], OPENS).await;
    let key = |user| NewKey {
        user: UserId(user),
        key: 5,
        record: KeyRecord { fingerprint: u64::MAX, target: KeyTarget::Hold(order.id) },
        created_at: OPENS,
    };
    conflicts(&world, &Changes { keys_new: vec![key(2), key(1)], ..Changes::default() }).await;
    let mut transaction = world.begin().await;
    transaction.write(&Changes { keys_new: vec![key(2)], ..Changes::default() }).await.unwrap();
    transaction.commit().await.expect("another user's key is another key");
    let facts = world.load(&FactKeys { keys: [(UserId(2), 5)].into(), ..FactKeys::default() }).await;
    assert_eq!(facts.keys[&(UserId(2), 5)], key(2).record);
}

pub async fn an_order_cannot_be_inserted_twice(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let order = world.held(1, None, &[0], OPENS).await;
    let new = another(&world, &order, 2);
    conflicts(&world, &Changes { orders_new: vec![new.clone(), order], ..Changes::default() }).await;
    assert_eq!(store.order(new.id).await.unwrap(), None);
}

pub async fn a_refused_batch_leaves_nothing(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    world.accept(world.charge(1, None, 1, OPENS), OPENS).await;
    let poor = world.held(1, None, &[0], OPENS).await;
    let batch = [
        world.hold(2, Some(1), &[0], OPENS),
        world.pay(&poor, Some(2), OPENS),
        world.hold(2, Some(3), &[100 - 1, 0], OPENS),
    ];
    let mut transaction = world.begin().await;
    let (answers, changes) = world.decide(&mut *transaction, &batch, OPENS).await;
    assert!(answers.iter().all(Result::is_err));
    assert!(changes.is_empty());
    transaction.write(&changes).await.expect("writing nothing is no error");
    transaction.commit().await.unwrap();
    assert_eq!(store.claims(world.performance).await.unwrap().version, 1);
}
