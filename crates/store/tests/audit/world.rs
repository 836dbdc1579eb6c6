//! A lively database: a row of almost everything.

use std::sync::Arc;

use jiff::{civil::date, tz::TimeZone};
use onsale_contract::store::fixture::{Fixture, OPENS, item};
use onsale_domain::{
    decide::Outcome,
    ids::{PerformanceId, UserId},
    money::Currency,
    popularity::{Calendar, Period, SubjectKind},
    time::Timestamp,
};
use onsale_engine::ports::{Chart, ChartKey, CountedSale, Ranked, Sold, Store};
use onsale_store::{SqlStore, StoreOptions};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

/// Everything else there is, in SQL that every dialect understands but for the bytes.
const AROUND: &[&str] = &[
    "INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at)
     VALUES (randomblob(16), 1, randomblob(32), 5, 1000)",
    "INSERT INTO identities (digest, user_id, created_at) VALUES (randomblob(32), 2, 5)",
    "INSERT INTO media (name, used_at, removing) VALUES ('a.png', 5, 0)",
    "UPDATE shows SET thumbnail_image = '/media/a.png', genre = 'Drama', genre_folded = 'drama', owner_id = 1",
    "UPDATE venues SET owner_id = 1",
    "INSERT INTO rooms (name, admits, run_by, revision, record, owner_id)
     VALUES ('Opening', 'accounts', 0, 1, '{}', 1)",
    "INSERT INTO room_performances (performance_id, room_id) SELECT id, 1 FROM performances",
    "INSERT INTO room_changes (room_id, asked, asked_at, answered) VALUES (1, '{}', 5, 1)",
    "INSERT INTO event_log (event, created_at) VALUES ('{}', 5)",
    "INSERT INTO event_tasks (task, node, beat, position, kept_at) VALUES ('consume popularity', 1, 1, 1, 5)",
    "INSERT INTO webhooks (owner_id, url, event_types, show_ids, active, secret, previous_until, created_at)
     VALUES (1, 'https://example.org', '[]', '[]', 1, 'whsec', 0, 5)",
    "INSERT INTO deliveries (channel, event_id, event_type, subject, body, state, attempts, added_at, since, due_at,
        leased_until) VALUES (1, 'e1', 'order.paid', 'orders/1', '{}', 0, 0, 5, 5, 5, 0)",
];

pub(crate) async fn open(url: &str) -> SqlStore {
    SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens")
}

pub(crate) async fn raw(url: &str) -> DatabaseConnection {
    Database::connect(url).await.expect("the database can be reached")
}

/// Fills an empty database with people and what they bought.
pub(crate) async fn sell(url: &str) {
    let store: Arc<dyn Store> = Arc::new(open(url).await);
    let database = raw(url).await;
    for number in 1..=12 {
        let person = format!(
            "INSERT INTO users (id, email, name, role, password_hash, created_at)
             VALUES ({number}, 'buyer{number}@example.org', 'Ann', 'user', 'x', 5)"
        );
        database.execute_unprepared(&person).await.expect("an account is added");
    }
    database.close().await.expect("it can be closed");
    let world = Fixture::new(store.clone()).await;
    let cola = store.add_item(&item("Cola"), 100, Some(UserId(1))).await.expect("an item is added");
    for buyer in 1..=10 {
        let at = OPENS.plus_ms(10 * buyer);
        let after = |ms| at.plus_ms(ms);
        world.accept(world.charge(buyer, Some(buyer as u128), 50_000, at), at).await;
        let ordinals = [buyer as usize, 20 + buyer as usize];
        let order = world.held(buyer, Some(100 + buyer as u128), &ordinals, after(1)).await;
        match buyer % 5 {
            0 => {}
            1 => _ = world.accept(world.cancel(&order, after(2)), after(2)).await,
            paid => {
                let outcome =
                    world.accept(world.pay(&order, Some(200 + buyer as u128), after(3)), after(3)).await;
                assert!(matches!(outcome, Outcome::Paid { .. }));
                if paid == 2 {
                    world.accept(world.cancel(&order, after(5)), after(5)).await;
                }
            }
        }
        let units = world.held_units(buyer, cola, 2, after(6)).await;
        if buyer % 2 == 0 {
            world.accept(world.pay(&units, None, after(7)), after(7)).await;
        }
    }
    world.accept(world.lock(&[50, 51], true), OPENS).await;
}

/// As [`sell`], with everything that stands around a sale.
pub(crate) async fn build_on_sqlite(url: &str) {
    sell(url).await;
    count(&open(url).await).await;
    let database = raw(url).await;
    for statement in AROUND {
        let done = database.execute_unprepared(statement).await.expect(statement);
        assert!(done.rows_affected() > 0, "{statement}");
    }
    database.close().await.expect("it can be closed");
}

/// The rankings of the day.
async fn count(store: &dyn Store) {
    let utc = Calendar::new(TimeZone::UTC);
    let seats = [3, 4, 8, 9].map(|buyer| (buyer, Sold::Performance(PerformanceId(1))));
    let units = [2, 4, 6, 8, 10].map(|buyer| (buyer, Sold::Item(1)));
    let sales = seats.into_iter().chain(units).enumerate();
    let sold: Vec<CountedSale> = sales
        .map(|(number, (buyer, sold))| {
            let paid_at = OPENS.plus_ms(10 * buyer + 3);
            CountedSale { event: format!("sale {number}"), sold, units: 2, paid_at }
        })
        .collect();
    store.count_sales(&sold, &utc, OPENS).await.expect("sales are counted");
    let day = date(1970, 1, 1);
    assert!(store.claim_charts(day, OPENS, Timestamp(OPENS.0 + 1)).await.expect("charts are claimed"));
    let keys = SubjectKind::ALL.into_iter().flat_map(|kind| Period::ALL.map(|period| (kind, period)));
    let charts: Vec<Chart> = keys
        .map(|(kind, period)| Chart {
            key: ChartKey { kind, period, date: day },
            places: match kind {
                SubjectKind::Movie => vec![Ranked { id: 1, count: 8.0 }],
                SubjectKind::Concert | SubjectKind::Item => Vec::new(),
            },
            published_at: Some(OPENS),
        })
        .collect();
    store.publish_charts(day, &charts).await.expect("charts are published");
}
