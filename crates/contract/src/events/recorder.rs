//! What consumers have seen, and whether it is what it must be.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use onsale_domain::time::Timestamp;
use onsale_events::{ConsumeError, Consumer, Event, EventType};
use serde_json::json;

/// How long everything may take: a group's members have to notice that one of them has died.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the members of a group have seen, together, in the order in which they saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<(usize, String)>>>);

impl Seen {
    fn add(&self, member: usize, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((member, id.to_owned()));
    }

    pub(super) fn all(&self) -> Vec<(usize, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many different events were seen.
    pub(super) async fn until(&self, different: usize) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.all().iter().map(|(_, id)| id).collect::<HashSet<_>>().len() < different {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "only {} of {different} events came", self.all().len());
    }

    /// Checks that all was seen, each key in its order. Whatever came before may have come again.
    pub(super) fn check(&self, published: &[Event]) {
        check(published, self.all().iter().map(|(_, id)| id.as_str()));
    }
}

fn check<'a>(published: &[Event], seen: impl Iterator<Item = &'a str>) {
    let by_id: HashMap<_, _> = published.iter().map(|event| (event.id.as_str(), event)).collect();
    let mut first_seen: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut known = HashSet::new();
    for id in seen {
        let event = by_id.get(id).unwrap_or_else(|| panic!("nobody has published {id}"));
        if known.insert(id) {
            first_seen.entry(&event.key).or_default().push(id);
        }
    }
    let mut expected: HashMap<&str, Vec<&str>> = HashMap::new();
    for event in published {
        expected.entry(&event.key).or_default().push(&event.id);
    }
    for (key, expected) in &expected {
        let seen = first_seen.get(key).cloned().unwrap_or_default();
        assert_eq!(&seen, expected, "key {key}: an event was lost, or came before an earlier one");
    }
}

/// A consumer that writes down what it sees.
pub(super) struct Recorder {
    pub(super) name: &'static str,
    pub(super) member: usize,
    pub(super) seen: Seen,
    /// Events that it refuses, so many times each.
    pub(super) refuses: Mutex<HashMap<String, usize>>,
}

impl Recorder {
    pub(super) fn new(name: &'static str, member: usize, seen: &Seen) -> Arc<Self> {
        Arc::new(Self { name, member, seen: seen.clone(), refuses: Mutex::default() })
    }
}

#[async_trait]
impl Consumer for Recorder {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn consume(&self, event: &Event) -> Result<(), ConsumeError> {
        if let Some(left @ 1..) = self.refuses.lock().unwrap().get_mut(&event.id) {
            *left -= 1;
            return Err(ConsumeError::new("not yet"));
        }
        self.seen.add(self.member, &event.id);
        Ok(())
    }
}

/// Events of several keys, in turn.
pub(super) fn events(keys: usize, of_each: usize) -> Vec<Event> {
    let event = |number: usize, key: usize| Event {
        id: format!("key-{key}.{number}"),
        event_type: EventType::OrderHeld,
        source: "/test".to_owned(),
        subject: format!("key-{key}"),
        key: format!("key-{key}"),
        time: Timestamp(1_780_000_000_000),
        data: json!({"number": number, "text": "é \"quoted\""}),
    };
    (0..of_each).flat_map(|number| (0..keys).map(move |key| event(number, key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids of two keys with three events each, in their order.
    fn ids() -> Vec<String> {
        events(2, 3).into_iter().map(|event| event.id).collect()
    }

    #[test]
    fn what_comes_again_is_allowed() {
        let mut seen = ids();
        seen.insert(3, seen[1].clone());
        check(&events(2, 3), seen.iter().map(String::as_str));
    }

    #[test]
    #[should_panic(expected = "an event was lost")]
    fn a_lost_event_is_noticed() {
        let mut seen = ids();
        seen.remove(2);
        check(&events(2, 3), seen.iter().map(String::as_str));
    }

    #[test]
    #[should_panic(expected = "came before an earlier one")]
    fn a_swapped_event_is_noticed() {
        let mut seen = ids();
        seen.swap(0, 2);
        check(&events(2, 3), seen.iter().map(String::as_str));
    }
}
