//! Orders that are paid and given back, as events tell of them, are counted once.

use std::sync::Arc;

use onsale_domain::{
    money::Currency,
    popularity::{Period, SubjectKind},
    time::Timestamp,
};
use onsale_engine::{
    clock::ManualClock,
    rankings::{LocalRankings, RankingSettings, Rankings},
};
use onsale_events::{Consumer, Event, EventType, Popularity};
use onsale_store::{SqlStore, StoreOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

/// 2026-11-21T10:00:00Z
const NOW: Timestamp = Timestamp(1_795_255_200_000);

struct World {
    rankings: Rankings,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let store = Arc::new(SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap());
        let clock = Arc::new(ManualClock::new(NOW.plus_ms(86_400_000)));
        let cache = Arc::new(LocalRankings::default());
        let rankings = Rankings::new(store, clock.clone(), cache, RankingSettings::default());
        Self { rankings, clock, _folder: folder }
    }

    /// What has been counted for the item.
    async fn counted(&self) -> Option<f64> {
        // Past what is kept of the answer before.
        self.clock.advance_ms(60_000);
        let day = jiff::civil::date(2026, 11, 21);
        let chart = self.rankings.chart(SubjectKind::Item, Period::Day, Some(day)).await.unwrap();
        chart.places.first().map(|place| place.count)
    }
}

fn event(id: &str, event_type: EventType, data: Value) -> Event {
    let (source, subject, key) = ("/onsale".to_owned(), "order".to_owned(), "order".to_owned());
    Event { id: id.to_owned(), event_type, source, subject, key, time: NOW, data }
}

fn order(payment: bool) -> Value {
    let mut data = json!({"orderId": "order", "itemId": 7, "count": 3, "amount": 9, "new": "field"});
    if payment {
        data["payment"] = json!({"amount": 9, "paidAt": "2026-11-21T10:00:00Z"});
    }
    data
}

#[tokio::test]
async fn an_order_counts_from_its_payment_until_it_is_given_back() {
    let world = World::new().await;
    let consumer = Popularity::new(world.rankings.clone());
    let consume = async |id: &str, event_type, data| {
        consumer.consume(&event(id, event_type, data)).await.unwrap();
        consumer.flush().await.unwrap();
    };
    consume("a.1", EventType::OrderHeld, order(false)).await;
    assert_eq!(world.counted().await, None);
    consume("a.2", EventType::OrderPaid, order(true)).await;
    assert_eq!(world.counted().await, Some(3.0));
    consume("a.2", EventType::OrderPaid, order(true)).await;
    // A consumer that was started anew remembers nothing; the database does.
    let restarted = Popularity::new(world.rankings.clone());
    for _ in 0..2 {
        restarted.consume(&event("a.2", EventType::OrderPaid, order(true))).await.unwrap();
    }
    restarted.flush().await.unwrap();
    assert_eq!(world.counted().await, Some(3.0), "told five times");
    consume("b.2", EventType::OrderCancelled, order(false)).await;
    assert_eq!(world.counted().await, Some(3.0), "that one was never paid");
    consume("a.3", EventType::OrderCancelled, order(true)).await;
    consume("a.3", EventType::OrderCancelled, order(true)).await;
    assert_eq!(world.counted().await, None);
}

#[tokio::test]
async fn nothing_is_counted_before_it_lasts_and_many_are_counted_together() {
    let world = World::new().await;
    let consumer = Popularity::new(world.rankings.clone());
    for number in 0..1_203 {
        let paid = event(&format!("{number}.2"), EventType::OrderPaid, order(true));
        consumer.consume(&paid).await.unwrap();
    }
    assert_eq!(world.counted().await, Some(3_000.0), "full batches");
    consumer.flush().await.unwrap();
    assert_eq!(world.counted().await, Some(3_609.0), "the rest");
}

#[tokio::test]
async fn what_cannot_be_understood_is_said() {
    let world = World::new().await;
    let consumer = Popularity::new(world.rankings.clone());
    for data in [
        json!({"payment": {"paidAt": "2026-11-21T10:00:00Z"}}),
        json!({"itemId": 7, "count": 1, "payment": {"paidAt": "yesterday"}}),
        json!({"itemId": 7, "count": -1, "payment": {"paidAt": "2026-11-21T10:00:00Z"}}),
        json!([]),
    ] {
        let refused = consumer.consume(&event("a.2", EventType::OrderPaid, data.clone())).await;
        assert!(refused.is_err(), "{data}");
    }
    consumer.flush().await.unwrap();
    assert_eq!(world.counted().await, None);
}
