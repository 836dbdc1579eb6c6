//! Deliveries: once for each event, in order for each subject, by one node at a time.

use std::sync::Arc;

use onsale_domain::{ids::WebhookId, time::Timestamp};
use onsale_engine::ports::{
    Again, Attempt, AttemptOutcome, Channel, Delivery, DeliveryBacklog, DeliveryState, Lease, NewDelivery,
    Store,
};
use uuid::Uuid;

const HOOK: Channel = Channel::Webhook(WebhookId(7));
const NOW: Timestamp = Timestamp(1_000);

fn new_delivery(channel: Channel, event: &str, subject: &str) -> NewDelivery {
    NewDelivery {
        channel,
        event_id: event.to_owned(),
        event_type: "onsale.order.paid.v1".to_owned(),
        subject: subject.to_owned(),
        body: format!("{{\"é\": \"{event}\"}}"),
        added_at: Timestamp(900),
        due_at: NOW,
    }
}

async fn add(store: &Arc<dyn Store>, channel: Channel, events: &[(&str, &str)]) {
    let new: Vec<_> = events.iter().map(|(event, subject)| new_delivery(channel, event, subject)).collect();
    store.add_deliveries(&new).await.unwrap();
}

/// A lease from `now` that lasts 100 ms.
fn lease(number: u128, now: Timestamp) -> Lease {
    Lease { id: Uuid::from_u128(number), now, until: now.plus_ms(100) }
}

async fn leased(store: &Arc<dyn Store>, channel: Channel, lease: Lease, limit: usize) -> Vec<Delivery> {
    store.lease_deliveries(channel, lease, limit).await.unwrap()
}

fn events(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event_id.as_str()).collect()
}

fn attempt(delivery: &Delivery, lease: Lease, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        delivery: delivery.id,
        lease: lease.id,
        since: delivery.since,
        at: lease.now,
        outcome,
        answer_status: Some(503),
        answer: "später".to_owned(),
    }
}

async fn all(store: &Arc<dyn Store>) -> Vec<Delivery> {
    store.deliveries(HOOK, None, None, 1_000).await.unwrap()
}

pub async fn a_channel_gets_each_event_once(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("e1", "a"), ("e2", "b")]).await;
    add(&store, HOOK, &[("e2", "b"), ("e3", "a"), ("e3", "a")]).await;
    add(&store, Channel::Notifications, &[("e1", "a")]).await;
    store.add_deliveries(&[]).await.unwrap();
    let kept = all(&store).await;
    assert_eq!(events(&kept), ["e3", "e2", "e1"]);
    let expected = Delivery {
        id: kept[2].id,
        channel: HOOK,
        event_id: "e1".to_owned(),
        event_type: "onsale.order.paid.v1".to_owned(),
        subject: "a".to_owned(),
        body: "{\"é\": \"e1\"}".to_owned(),
        state: DeliveryState::Waiting,
        attempts: 0,
        added_at: Timestamp(900),
        since: NOW,
        due_at: NOW,
        answer_status: None,
        answer: None,
    };
    assert_eq!(kept[2], expected);
    let many: Vec<_> = (0..1_234).map(|event| new_delivery(HOOK, &format!("m{event}"), "m")).collect();
    store.add_deliveries(&many).await.unwrap();
    store.add_deliveries(&many).await.unwrap();
    let waiting = store.backlogs().await.unwrap();
    assert_eq!(waiting.iter().map(|backlog| backlog.waiting).collect::<Vec<_>>(), [1, 1_237]);
}

pub async fn only_the_first_of_each_subject_is_leased(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")]).await;
    let first = lease(1, NOW);
    let heads = leased(&store, HOOK, first, 10).await;
    assert_eq!(events(&heads), ["a1", "b1"]);
    assert_eq!(events(&leased(&store, HOOK, lease(2, NOW), 10).await), [] as [&str; 0], "they are leased");
    // a1 is to be tried again later, b1 has arrived: b goes on and a waits.
    let noted = [
        attempt(&heads[0], first, AttemptOutcome::Retry(NOW.plus_ms(50))),
        attempt(&heads[1], first, AttemptOutcome::Delivered),
    ];
    assert_eq!(store.note_attempts(&noted).await.unwrap(), 2);
    assert_eq!(events(&leased(&store, HOOK, lease(3, NOW), 10).await), ["b2"]);
    let again = lease(4, NOW.plus_ms(50));
    let heads = leased(&store, HOOK, again, 10).await;
    assert_eq!(events(&heads), ["a1"]);
    assert_eq!((heads[0].attempts, heads[0].answer_status), (1, Some(503)));
    assert_eq!(heads[0].answer.as_deref(), Some("später"));
    // What is given up does not hold up the others.
    store.note_attempts(&[attempt(&heads[0], again, AttemptOutcome::Parked)]).await.unwrap();
    assert_eq!(events(&leased(&store, HOOK, lease(5, NOW.plus_ms(50)), 10).await), ["a2"]);
}

pub async fn a_lease_is_one_nodes_until_it_ends(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("a1", "a")]).await;
    assert_eq!(leased(&store, HOOK, lease(1, NOW.plus_ms(-1)), 10).await, [], "it is not due yet");
    let first = lease(1, NOW);
    let held = leased(&store, HOOK, first, 10).await;
    assert_eq!(held.len(), 1);
    assert_eq!(leased(&store, HOOK, lease(2, NOW.plus_ms(99)), 10).await, []);
    assert_eq!(store.due_channels(NOW.plus_ms(99), 10).await.unwrap(), []);
    let second = lease(3, NOW.plus_ms(100));
    assert_eq!(store.due_channels(second.now, 10).await.unwrap(), [HOOK]);
    assert_eq!(leased(&store, HOOK, second, 10).await.len(), 1, "the first node has died, it seems");
    let late = [attempt(&held[0], first, AttemptOutcome::Delivered)];
    assert_eq!(store.note_attempts(&late).await.unwrap(), 0, "it is the second's by now");
    assert_eq!(all(&store).await[0].state, DeliveryState::Waiting);
    let noted = [attempt(&held[0], second, AttemptOutcome::Delivered)];
    assert_eq!(store.note_attempts(&noted).await.unwrap(), 1);
    assert_eq!(store.note_attempts(&noted).await.unwrap(), 0, "once");
    let kept = all(&store).await.remove(0);
    assert_eq!((kept.state, kept.attempts, kept.due_at), (DeliveryState::Delivered, 1, second.now));
}

pub async fn nodes_that_lease_at_once_get_different_deliveries(store: Arc<dyn Store>) {
    let new: Vec<_> =
        (0..200).map(|event| new_delivery(HOOK, &format!("e{event}"), &format!("s{}", event % 50))).collect();
    store.add_deliveries(&new).await.unwrap();
    let nodes: Vec<_> = (0..4_u128)
        .map(|node| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for turn in 0..2_000 {
                    if store.due_channels(NOW, 1).await.unwrap().is_empty() {
                        break;
                    }
                    let lease = lease(node * 10_000 + turn + 1, NOW);
                    let batch = leased(&store, HOOK, lease, 5).await;
                    let done: Vec<_> =
                        batch.iter().map(|one| attempt(one, lease, AttemptOutcome::Delivered)).collect();
                    assert_eq!(store.note_attempts(&done).await.unwrap(), batch.len());
                    mine.extend(batch.into_iter().map(|one| one.event_id));
                }
                mine
            })
        })
        .collect();
    let mut delivered = Vec::new();
    for node in nodes {
        delivered.extend(node.await.unwrap());
    }
    let count = delivered.len();
    delivered.sort();
    delivered.dedup();
    assert_eq!((count, delivered.len()), (200, 200), "each once");
}

pub async fn channels_are_due_by_themselves(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("a1", "a")]).await;
    add(&store, Channel::Notifications, &[("a1", "a"), ("b1", "b")]).await;
    assert_eq!(store.due_channels(NOW, 10).await.unwrap(), [Channel::Notifications, HOOK]);
    assert_eq!(store.due_channels(NOW, 1).await.unwrap(), [Channel::Notifications]);
    assert_eq!(store.due_channels(NOW.plus_ms(-1), 10).await.unwrap(), []);
    assert_eq!(leased(&store, Channel::Notifications, lease(1, NOW), 1).await.len(), 1);
    assert_eq!(leased(&store, HOOK, lease(2, NOW), 10).await.len(), 1);
    assert_eq!(store.due_channels(NOW, 10).await.unwrap(), [Channel::Notifications], "one is left");
}

pub async fn parked_deliveries_wait_again_when_asked(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("a", "a"), ("b", "b"), ("c", "c")]).await;
    let first = lease(1, NOW);
    let held = leased(&store, HOOK, first, 10).await;
    let outcomes = [AttemptOutcome::Parked, AttemptOutcome::Parked, AttemptOutcome::Dropped];
    let noted: Vec<_> =
        held.iter().zip(outcomes).map(|(one, outcome)| attempt(one, first, outcome)).collect();
    store.note_attempts(&noted).await.unwrap();
    let parked = store.deliveries(HOOK, Some(DeliveryState::Parked), None, 10).await.unwrap();
    assert_eq!(events(&parked), ["b", "a"]);
    let after_b = store.deliveries(HOOK, None, Some(parked[0].id), 10).await.unwrap();
    assert_eq!(events(&after_b), ["a"]);
    let backlogs = store.backlogs().await.unwrap();
    assert_eq!(backlogs, [DeliveryBacklog { channel: HOOK, waiting: 0, parked: 2, oldest_since: None }]);
    let later = NOW.plus_ms(500);
    let other = Channel::Webhook(WebhookId(8));
    let again = async |channel, which, at| store.deliver_again(channel, which, at, 10).await.unwrap();
    assert_eq!(again(other, Again::One(parked[0].id), later).await, 0, "not its own");
    assert_eq!(again(HOOK, Again::Waiting, later).await, 0, "parked ones do not wait");
    assert_eq!(again(HOOK, Again::One(parked[0].id), later).await, 1);
    assert_eq!(again(HOOK, Again::WaitingAndParked, later).await, 1, "the rest");
    assert_eq!(again(HOOK, Again::WaitingAndParked, later).await, 0, "dropped ones stay so");
    assert_eq!(again(HOOK, Again::One(parked[0].id), later).await, 1, "it waits");
    let waiting = store.deliveries(HOOK, Some(DeliveryState::Waiting), None, 10).await.unwrap();
    assert_eq!(events(&waiting), ["b", "a"]);
    assert!(waiting.iter().all(|one| one.attempts == 0 && one.since == one.due_at));
    let backlogs = store.backlogs().await.unwrap();
    assert_eq!(backlogs[0].oldest_since, Some(later));
}

pub async fn what_waits_for_another_attempt_is_due_when_asked_for(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("a", "a"), ("b", "b"), ("c", "c")]).await;
    let (first, hours) = (lease(1, NOW), NOW.plus_ms(8 * 3_600_000));
    let held = leased(&store, HOOK, first, 3).await;
    let noted = attempt(&held[0], first, AttemptOutcome::Retry(hours));
    store.note_attempts(&[noted]).await.unwrap();
    let later = NOW.plus_ms(50);
    assert_eq!(leased(&store, HOOK, lease(2, later), 10).await, [], "one waits, two are under way");
    assert_eq!(store.deliver_again(HOOK, Again::Waiting, later, 2).await.unwrap(), 2, "in portions");
    assert_eq!(store.deliver_again(HOOK, Again::Waiting, later, 2).await.unwrap(), 1);
    assert_eq!(store.deliver_again(HOOK, Again::Waiting, later, 2).await.unwrap(), 0);
    assert_eq!(events(&leased(&store, HOOK, lease(3, later), 10).await), ["a"]);
    // What was under way fails now, and would have been put off for hours or for good.
    let outcomes = [AttemptOutcome::Retry(hours), AttemptOutcome::Parked];
    let noted: Vec<_> =
        held[1..].iter().zip(outcomes).map(|(one, outcome)| attempt(one, first, outcome)).collect();
    assert_eq!(store.note_attempts(&noted).await.unwrap(), 2);
    let due = leased(&store, HOOK, lease(4, later), 10).await;
    assert_eq!(events(&due), ["b", "c"]);
    assert!(due.iter().all(|one| one.answer.is_some()), "and one sees what became of it: {due:?}");
}

pub async fn what_has_been_due_for_long_goes_first_and_is_as_old_as_it_is(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("a", "a"), ("b", "b")]).await;
    let urgent = NewDelivery { due_at: NOW.plus_ms(-1_000), ..new_delivery(HOOK, "c", "c") };
    store.add_deliveries(std::slice::from_ref(&urgent)).await.unwrap();
    let held = leased(&store, HOOK, lease(1, NOW), 1).await;
    assert_eq!((events(&held), held[0].since), (vec!["c"], urgent.added_at));
}

pub async fn what_is_over_is_forgotten_after_a_while(store: Arc<dyn Store>) {
    add(&store, HOOK, &[("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]).await;
    let first = lease(1, NOW);
    let held = leased(&store, HOOK, first, 3).await;
    let outcomes = [AttemptOutcome::Delivered, AttemptOutcome::Dropped, AttemptOutcome::Parked];
    let noted: Vec<_> =
        held.iter().zip(outcomes).map(|(one, outcome)| attempt(one, first, outcome)).collect();
    store.note_attempts(&noted).await.unwrap();
    let late = NOW.plus_ms(1);
    assert_eq!(store.prune_deliveries(NOW, NOW, 10).await.unwrap(), 0, "not yet");
    assert_eq!(store.prune_deliveries(late, NOW, 1).await.unwrap(), 1, "no more than asked for");
    assert_eq!(store.prune_deliveries(late, NOW, 10).await.unwrap(), 1);
    assert_eq!(events(&all(&store).await), ["d", "c"]);
    assert_eq!(store.prune_deliveries(late, late, 10).await.unwrap(), 1);
    assert_eq!(events(&all(&store).await), ["d"], "what waits is never forgotten");
    add(&store, Channel::Notifications, &[("d", "d")]).await;
    assert_eq!(store.forget_channel(HOOK, 10).await.unwrap(), 1);
    assert_eq!(all(&store).await, []);
    assert_eq!(store.backlogs().await.unwrap().len(), 1, "the other channel's stay");
}
