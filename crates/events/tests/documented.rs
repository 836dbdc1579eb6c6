//! `docs/events.md` and the schemas beside it say what real events are.

use std::{collections::HashMap, fs, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use jsonschema::Validator;
use onsale_contract::store::fixture::{Fixture, HOLD_MS, OPENS, item, performance, show};
use onsale_domain::{
    catalogue::{Performance, ShowKind},
    item::Item,
    money::Currency,
};
use onsale_engine::{
    clock::SystemClock,
    ports::{CatalogueStore, ItemStore, NodeId},
};
use onsale_events::{Event, EventType, Events, Parts, Subscription, Transport, TransportError};
use onsale_store::{SqlStore, StoreOptions};
use serde_json::Value;
use tokio::sync::Mutex;

/// The schema of every type that has one.
fn schemas() -> HashMap<String, Validator> {
    let mut schemas = HashMap::new();
    for file in ["order", "performance", "show", "item", "stock", "seats", "points"] {
        let text = read(&format!("docs/events/{file}.schema.json"));
        let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
        for name in schema["properties"]["type"]["enum"].as_array().expect("a schema names its types") {
            let validator = jsonschema::options().should_validate_formats(true).build(&schema);
            schemas.insert(name.as_str().unwrap().to_owned(), validator.expect("a schema is sound"));
        }
    }
    schemas
}

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the root is two above");
    fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn check(schemas: &HashMap<String, Validator>, event: &Value) {
    let name = event["type"].as_str().expect("an event has a type");
    let schema = schemas.get(name).unwrap_or_else(|| panic!("{name} has no schema"));
    let errors: Vec<_> = schema.iter_errors(event).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {event:#}");
}

#[test]
fn every_type_has_a_schema_and_an_example() {
    let (schemas, page) = (schemas(), read("docs/events.md"));
    for known in EventType::KNOWN {
        let (_, section) = page.split_once(&format!("### `{known}`\n")).expect("every type has a section");
        let (_, example) = section.split_once("```json\n").expect("every section has an example");
        let (example, _) = example.split_once("```").expect("an example ends");
        let value: Value = serde_json::from_str(example).expect("an example is JSON");
        check(&schemas, &value);
        let event: Event = example.parse().expect("an example is an event");
        assert_eq!(&event.event_type, known);
    }
}

#[test]
fn a_schema_refuses_what_it_must() {
    let schemas = schemas();
    let page = read("docs/events.md");
    let (_, example) = page.split_once("### `onsale.order.paid.v1`").unwrap();
    let (example, _) = example.split_once("```json\n").unwrap().1.split_once("```").unwrap();
    let paid: Value = serde_json::from_str(example).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = paid.clone();
        change(&mut changed);
        !schemas["onsale.order.paid.v1"].is_valid(&changed)
    };
    assert!(refused(&|event| event["data"]["payment"]["refunded"] = true.into()));
    assert!(refused(&|event| event["data"]["amount"] = "1".into()));
    assert!(refused(&|event| event["time"] = "yesterday".into()));
    assert!(refused(&|event| _ = event["data"].as_object_mut().unwrap().remove("payment")));
    assert!(refused(&|event| event["type"] = "onsale.order.held.v1".into()));
}

/// Keeps what is published.
#[derive(Default)]
struct Kept(Mutex<Vec<Event>>);

#[async_trait]
impl Transport for Kept {
    async fn publish(&self, events: &[Event]) -> Result<(), TransportError> {
        self.0.lock().await.extend_from_slice(events);
        Ok(())
    }

    fn subscribe(&self, _: Arc<dyn onsale_events::Consumer>) -> Subscription {
        unreachable!("nobody subscribes here")
    }
}

/// How many events the following brings about.
const PUBLISHED: usize = 17;

#[tokio::test]
async fn real_events_are_as_their_schemas_say() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
    let store = Arc::new(SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap());
    let world = Fixture::new(store.clone()).await;
    let (paid, lapsed) = (world.held(1, None, &[0, 1], OPENS).await, world.held(2, None, &[2], OPENS).await);
    world.accept(world.charge(1, None, 1_000_000, OPENS), OPENS).await;
    world.accept(world.pay(&paid, None, OPENS), OPENS.plus_ms(1)).await;
    world.accept(world.cancel(&paid, OPENS), OPENS.plus_ms(2)).await;
    world.accept(world.expire(&lapsed), OPENS.plus_ms(HOLD_MS)).await;
    let poster = store.add_item(&item("Poster"), 5, None).await.unwrap();
    store.change_item(&Item { id: poster, details: item("Print") }).await.unwrap();
    world.held_units(3, poster, 2, OPENS).await;
    world.accept(world.set_stock(poster, 9), OPENS).await;
    world.accept(world.lock(&[5, 6], true), OPENS).await;
    world.accept(world.lock(&[6], false), OPENS).await;
    store.change_show(world.show, show(ShowKind::Concert, "Burning")).await.unwrap();
    let details = performance(world.show, world.hall);
    let mut changed = Performance { id: world.performance, details, cancelled: false };
    store.change_performance(&changed).await.unwrap();
    changed.cancelled = true;
    store.change_performance(&changed).await.unwrap();

    let kept = Arc::new(Kept::default());
    let parts = Parts {
        outbox: store.clone(),
        log: store.clone(),
        transport: kept.clone(),
        clock: Arc::new(SystemClock),
        node: NodeId(1),
        source: "/onsale".to_owned(),
        vitals: onsale_engine::vitals::Vitals::default(),
    };
    let events = Events::start(parts, Vec::new());
    for _ in 0..500 {
        if kept.0.lock().await.len() >= PUBLISHED {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    events.stop().await;
    let published = kept.0.lock().await;
    assert_eq!(published.len(), PUBLISHED);
    let schemas = schemas();
    for event in &*published {
        check(&schemas, &serde_json::from_str(&event.to_json()).unwrap());
    }
    for known in EventType::KNOWN {
        assert!(published.iter().any(|event| &event.event_type == known), "{known} did not happen here");
    }
    let mut ids: Vec<_> = published.iter().map(|event| &event.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), published.len(), "every event has an id of its own");
}
