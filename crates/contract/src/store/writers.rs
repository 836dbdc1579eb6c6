//! Batches that load nothing: a writer proves what they rest on, or writes nothing.

use std::{sync::Arc, time::Duration};

use onsale_domain::{
    decide::{Changes, FactKeys, StockChange, VersionChange},
    ids::{OrderId, UserId},
    item::Stock,
    order::SeatStatus,
    time::Timestamp,
};
use onsale_engine::ports::{CommitError, Guard, SaleWriter, Store, TransactionError};
use tokio::time::timeout;

use super::fixture::{Fixture, OPENS, hall_plan, item};

/// What a hold of one free seat changes, decided on the database as it is.
async fn hold(world: &Fixture, buyer: i64, key: u128, seat: usize) -> Changes {
    let mut transaction = world.begin().await;
    let request = world.hold(buyer, Some(key), &[seat], OPENS);
    let (answers, changes) = world.decide(&mut *transaction, &[request], OPENS).await;
    answers[0].as_ref().expect("the seat is free");
    changes
}

/// Writes changes and commits them.
async fn write(writer: &mut dyn SaleWriter, guard: Guard, changes: &Changes) -> Result<(), CommitError> {
    let transaction = writer.write(guard, changes).await.map_err(CommitError::NotCommitted)?;
    transaction.commit().await
}

/// Writes changes that must be refused as a conflict, and sees that nothing of them stays and that the
/// writer goes on.
async fn conflicts(world: &Fixture, writer: &mut dyn SaleWriter, changes: &Changes) {
    let before = world.store.claims(world.performance).await.unwrap();
    let written = write(writer, Guard::default(), changes).await;
    assert!(
        matches!(written, Err(CommitError::NotCommitted(TransactionError::Conflict))),
        "{written:?} of {changes:?}"
    );
    let after = world.store.claims(world.performance).await.unwrap();
    assert_eq!((before.version, before.taken, before.buyers), (after.version, after.taken, after.buyers));
    for order in &changes.orders_new {
        assert_eq!(world.store.order(order.id).await.unwrap(), None);
    }
}

pub async fn what_is_written_whole_is_kept_in_every_part(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let changes = hold(&world, 1, 7, 0).await;
    let mut writer = store.sale_writer();
    write(&mut *writer, Guard::default(), &changes).await.unwrap();
    let claims = store.claims(world.performance).await.unwrap();
    assert_eq!((claims.version, claims.taken.len(), claims.buyers), (1, 1, vec![UserId(1)]));
    assert_eq!(claims.taken[0].status, SeatStatus::Held);
    let order = &changes.orders_new[0];
    assert_eq!(store.order(order.id).await.unwrap().as_ref(), Some(order));
    writer.rest();
    let facts = world.load(&FactKeys { keys: [(UserId(1), 7)].into(), ..FactKeys::default() }).await;
    assert_eq!(facts.keys[&(UserId(1), 7)], changes.keys_new[0].record);
}

/// The longest batch there is: its statements do not fit into one message.
pub async fn a_large_batch_is_written_whole(store: Arc<dyn Store>) {
    let plan = hall_plan("Stalls", 20, 100);
    let world = Fixture::with_plan(store.clone(), &plan).await;
    let request =
        |number: u16| world.hold(1 + i64::from(number), Some(number.into()), &[number.into()], OPENS);
    let requests: Vec<_> = (0..1_500).map(request).collect();
    let mut transaction = world.begin().await;
    let (answers, changes) = world.decide(&mut *transaction, &requests, OPENS).await;
    drop(transaction);
    assert!(answers.iter().all(Result::is_ok));
    write(&mut *store.sale_writer(), Guard::default(), &changes).await.unwrap();
    let claims = store.claims(world.performance).await.unwrap();
    assert_eq!((claims.version, claims.taken.len(), claims.buyers.len()), (1, 1_500, 1_500));
    let again = write(&mut *store.sale_writer(), Guard::default(), &changes).await;
    assert!(matches!(again, Err(CommitError::NotCommitted(TransactionError::Conflict))), "{again:?}");
}

pub async fn what_rests_on_an_old_version_is_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let late = hold(&world, 1, 1, 0).await;
    world.held(2, None, &[1], OPENS).await;
    let mut writer = store.sale_writer();
    conflicts(&world, &mut *writer, &late).await;
    for version in [1, 3] {
        let versions = vec![VersionChange { version, ..late.versions[0] }];
        conflicts(&world, &mut *writer, &Changes { versions, ..late.clone() }).await;
    }
    write(&mut *writer, Guard::default(), &hold(&world, 1, 1, 0).await).await.expect("the writer goes on");
    assert_eq!(store.claims(world.performance).await.unwrap().version, 2);
}

pub async fn what_rests_on_old_terms_is_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let late = hold(&world, 1, 1, 0).await;
    let mut performance = store.performance(world.performance).await.unwrap().expect("it is there");
    performance.details.prices[0].price += 1;
    store.change_performance(&performance).await.expect("the price changes");
    conflicts(&world, &mut *store.sale_writer(), &late).await;
    let new = hold(&world, 1, 1, 0).await;
    assert_eq!(new.orders_new[0].amount, late.orders_new[0].amount + 1);
    write(&mut *store.sale_writer(), Guard::default(), &new).await.unwrap();
}

/// Of a batch that cannot be written in one part, nothing is.
pub async fn a_seat_or_a_key_that_is_taken_is_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let (seat_taken, key_used) = (hold(&world, 1, 1, 0).await, hold(&world, 2, 5, 2).await);
    world.held(3, None, &[0], OPENS).await;
    world.accept(world.charge(2, Some(5), 10, OPENS), OPENS).await;
    let now = |changes: Changes| {
        // Even with the version as it is now, so that nothing but the unique index stands in the way.
        let versions = vec![VersionChange { version: 2, ..changes.versions[0] }];
        Changes { versions, ..changes }
    };
    let mut writer = store.sale_writer();
    conflicts(&world, &mut *writer, &now(seat_taken)).await;
    conflicts(&world, &mut *writer, &now(key_used.clone())).await;
    let keys_new = Vec::new();
    write(&mut *writer, Guard::default(), &now(Changes { keys_new, ..key_used }))
        .await
        .expect("without the key");
}

pub async fn units_that_rest_on_an_old_stock_are_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 5, None).await.unwrap();
    world.held_units(1, soup, 1, OPENS).await;
    let stock = |left| Stock { total: 5, left };
    let change = StockChange { item: soup, before: stock(4), stock: stock(2), revision: 1, version: 2 };
    let mut writer = store.sale_writer();
    for wrong in [
        StockChange { version: 1, ..change },
        StockChange { version: 3, ..change },
        StockChange { revision: 2, ..change },
    ] {
        conflicts(&world, &mut *writer, &Changes { stocks: vec![wrong], ..Changes::default() }).await;
    }
    let fits = Changes { stocks: vec![change], ..Changes::default() };
    write(&mut *writer, Guard::default(), &fits).await.unwrap();
    let sale = store.item_sale(soup, OrderId::first_at(Timestamp(0))).await.unwrap().unwrap();
    assert_eq!((sale.stock, sale.version), (stock(2), 2));
}

/// The control: what nothing proves is written, however old it is.
pub async fn nothing_is_proved_without_a_guard(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let late = hold(&world, 1, 1, 0).await;
    world.held(2, None, &[1], OPENS).await;
    write(&mut *store.sale_writer(), Guard::None, &late).await.expect("nobody asks for the version");
    assert_eq!(store.claims(world.performance).await.unwrap().taken.len(), 2);
}

/// A busy lane may keep its connection, but not for so long that others never write.
pub async fn a_busy_writer_lets_others_write(store: Arc<dyn Store>) {
    const WRITES_MAX: i64 = 100;
    let world = Fixture::new(store.clone()).await;
    let mut writer = store.sale_writer();
    let versions = |version| VersionChange { performance: world.performance, revision: 1, version };
    let change = |version| Changes { versions: vec![versions(version)], ..Changes::default() };
    write(&mut *writer, Guard::default(), &change(1)).await.unwrap();
    let other = {
        let store = store.clone();
        tokio::spawn(async move { drop(store.begin(Guard::default()).await.expect("it has its turn")) })
    };
    let mut version = 1;
    while !other.is_finished() {
        version += 1;
        assert!(version <= WRITES_MAX, "nobody else has a turn");
        write(&mut *writer, Guard::default(), &change(version)).await.unwrap();
    }
    other.await.expect("nobody panics");
}

/// Whoever gives a write up in the middle leaves it done or undone, and keeps nobody from writing.
pub async fn a_write_that_is_given_up_is_whole_or_not_at_all(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    for round in 0..20_u32 {
        let (seat, buyer) = (round as usize, i64::from(round) + 1);
        let changes = hold(&world, buyer, u128::from(round), seat).await;
        let mut writer = store.sale_writer();
        let patience = Duration::from_micros(u64::from(round) * 100);
        let _ = timeout(patience, write(&mut *writer, Guard::default(), &changes)).await;
        drop(writer);
        // Waits for what is left of it.
        let others = [99 - seat];
        let other = timeout(Duration::from_secs(10), world.held(1_000 + buyer, None, &others, OPENS));
        other.await.expect("nobody is in the way");
        let order = store.order(changes.orders_new[0].id).await.unwrap();
        let claims = store.claims(world.performance).await.unwrap();
        let claimed = claims.taken.iter().any(|taken| taken.seat == world.seats[seat]);
        assert_eq!(order.is_some(), claimed);
    }
}
