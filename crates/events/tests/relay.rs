//! The relay: nothing is lost when publishing fails half-way or a node dies, and a consumer whose effect is
//! kept by event id has it once.

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use onsale_contract::store::fixture::{Fixture, OPENS};
use onsale_domain::money::Currency;
use onsale_engine::{
    clock::SystemClock,
    ports::{NodeId, OutboxStore},
    vitals::Vitals,
};
use onsale_events::{
    ConsumeError, Consumer, Event, EventType, Events, Journal, LocalTransport, Parts, Subscription,
    Transport, TransportError,
};
use onsale_store::{SqlStore, StoreOptions};
use serde_json::json;
use tokio::sync::Mutex;

async fn open(folder: &Path) -> Arc<SqlStore> {
    let url = format!("sqlite:{}", folder.join("onsale.db").display());
    Arc::new(SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens"))
}

/// A node of its own at a store.
fn node(store: &Arc<SqlStore>, number: i64, transport: Option<Arc<dyn Transport>>) -> Parts {
    let clock = Arc::new(SystemClock);
    let node = NodeId(number);
    let transport =
        transport.unwrap_or_else(|| Arc::new(LocalTransport::new(store.clone(), clock.clone(), node)));
    let (source, vitals) = ("/test".to_owned(), Vitals::default());
    Parts { outbox: store.clone(), log: store.clone(), transport, clock, node, source, vitals }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

#[async_trait]
impl Consumer for Seen {
    fn name(&self) -> &'static str {
        "seen"
    }

    async fn consume(&self, event: &Event) -> Result<(), ConsumeError> {
        if event.event_type == EventType::OrderHeld {
            self.0.lock().await.push(event.id.clone());
        }
        Ok(())
    }
}

async fn wait_for(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..1_500 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not happen within half a minute");
}

/// Ten orders; the ids of their events.
async fn sell(world: &Fixture, round: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for seat in round * 10..round * 10 + 10 {
        let order = world.held(seat as i64 + 1, None, &[seat], OPENS).await;
        ids.push(format!("{}.1", order.id));
    }
    ids
}

/// Publishes half of what it is given, and fails, two times out of three.
struct Flaky {
    inner: Arc<dyn Transport>,
    calls: AtomicUsize,
}

#[async_trait]
impl Transport for Flaky {
    async fn publish(&self, events: &[Event]) -> Result<(), TransportError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            return self.inner.publish(events).await;
        }
        self.inner.publish(&events[..events.len().div_ceil(2)]).await?;
        Err(TransportError("the broker is gone".to_owned()))
    }

    fn subscribe(&self, consumer: Arc<dyn Consumer>) -> Subscription {
        self.inner.subscribe(consumer)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_that_fails_half_way_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let world = Fixture::new(store.clone()).await;
    let Parts { transport, .. } = node(&store, 1, None);
    let flaky = Arc::new(Flaky { inner: transport, calls: AtomicUsize::new(0) });
    let seen = Arc::new(Seen::default());
    let events = Events::start(node(&store, 1, Some(flaky.clone())), vec![seen.clone()]);
    let mut sold = Vec::new();
    for round in 0..3 {
        sold.extend(sell(&world, round).await);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    wait_for("publishing everything", async || {
        seen.0.lock().await.iter().collect::<HashSet<_>>().len() == sold.len()
    })
    .await;
    wait_for("removing what was published", async || store.outbox(1).await.unwrap().is_empty()).await;
    events.stop().await;
    assert!(flaky.calls.load(Ordering::Relaxed) >= 3, "publishing never failed");
    let seen = seen.0.lock().await;
    assert!(seen.len() > sold.len(), "what was published before a failure comes again");
    assert!(sold.iter().all(|id| seen.contains(id)), "an event was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_takes_over_from_one_that_died() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let world = Fixture::new(store.clone()).await;
    let seen = Arc::new(Seen::default());
    let first = Events::start(node(&store, 1, None), vec![seen.clone()]);
    let mut sold = sell(&world, 0).await;
    wait_for("the first node's work", async || seen.0.lock().await.len() >= 10).await;
    let second = Events::start(node(&store, 2, None), vec![seen.clone()]);
    // As if its process had been killed: it gives nothing up.
    drop(first);
    sold.extend(sell(&world, 1).await);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(seen.0.lock().await.len(), 10, "a node that may only be slow is given time");
    wait_for("taking over", async || seen.0.lock().await.iter().collect::<HashSet<_>>().len() == sold.len())
        .await;
    second.stop().await;
}

#[tokio::test]
async fn a_journal_has_each_event_once_whatever_it_is_brought() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let event = |number: usize| Event {
        id: format!("a.{number}"),
        event_type: EventType::OrderHeld,
        source: "/test".to_owned(),
        subject: "a".to_owned(),
        key: "a".to_owned(),
        time: OPENS,
        data: json!({}),
    };
    let journal = Journal::open(&path).await.unwrap();
    for number in [0, 1, 0, 1, 2] {
        journal.consume(&event(number)).await.unwrap();
    }
    journal.flush().await.unwrap();
    drop(journal);
    // A crash in the middle of a line.
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"id\":\"a.3\",\"sou")).unwrap();
    let journal = Journal::open(&path).await.unwrap();
    for number in 1..5 {
        journal.consume(&event(number)).await.unwrap();
    }
    // Not flushed: lost with the process, and brought again.
    drop(journal);
    let journal = Journal::open(&path).await.unwrap();
    for number in 1..5 {
        journal.consume(&event(number)).await.unwrap();
    }
    journal.flush().await.unwrap();
    journal.flush().await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let ids: Vec<_> = text.lines().map(|line| line.parse::<Event>().unwrap().id).collect();
    assert_eq!(ids, (0..5).map(|number| format!("a.{number}")).collect::<Vec<_>>());
}
