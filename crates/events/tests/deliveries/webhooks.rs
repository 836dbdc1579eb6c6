//! What receivers may rely on: signature, retries, order, rotation, isolation.

use std::{slice::from_ref, sync::Arc, time::Duration};

use onsale_domain::{ids::ShowId, time::Timestamp, user::Role};
use onsale_engine::{
    accounts::Caller,
    clock::Clock as _,
    ports::DeliveryState,
    webhooks::{ROTATION, WebhookDetails, WebhookEdit},
};
use onsale_events::{
    Event,
    deliveries::{ANSWER_CHARS_MAX, CourierSettings},
    webhooks::{BODY_BYTES_MAX, Judged, SystemLookup, VerifyError, WINDOW_MS, verify},
};

use crate::{
    receiver::{Answer, Receiver},
    stage::{START, Stage, a_few_looks, event, settings},
};

/// A receiver that is subscribed to everything and knows the secret.
async fn subscribed(stage: &Stage) -> (Receiver, onsale_engine::ports::Webhook) {
    let receiver = Receiver::start(stage.clock.clone()).await;
    let webhook = stage.subscribe(&receiver.url()).await;
    receiver.set_secret(&webhook.secret);
    (receiver, webhook)
}

#[tokio::test]
async fn an_event_arrives_once_signed_and_whole() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    let sent = event("a", 1);
    stage.consume(from_ref(&sent)).await;
    // The relay brings it again: after a crash, or to two nodes.
    stage.consume(&[sent.clone(), sent.clone()]).await;
    let courier = stage.courier();
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(received.verified, Ok(()));
    assert_eq!((received.id.as_str(), received.content_type.as_str()), ("a.1", Event::MEDIA_TYPE));
    assert_eq!(String::from_utf8(received.body.clone()).unwrap().parse::<Event>().unwrap(), sent);
    let delivery = stage.wait_for(&webhook, |delivery| delivery.state == DeliveryState::Delivered).await;
    assert_eq!((delivery.attempts, delivery.answer_status), (1, Some(204)));
    a_few_looks().await;
    assert_eq!(receiver.count(), 1, "its id is delivered once");
    courier.stop().await;

    // Somebody who recorded it sends it again.
    let again = |now: Timestamp| {
        let (id, timestamp, signature) = (&received.id, &received.timestamp, &received.signature);
        verify(&webhook.secret, id, timestamp, signature, &received.body, now)
    };
    assert_eq!(again(START.plus_ms(WINDOW_MS)), Ok(()));
    assert_eq!(again(START.plus_ms(WINDOW_MS + 1_000)), Err(VerifyError::Window));
}

#[tokio::test]
async fn a_failing_receiver_is_tried_for_a_day_with_growing_delays_then_parked_and_sent_again() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    receiver.answer([Answer::Status(500)]);
    stage.consume(&[event("a", 1)]).await;
    let courier = stage.courier();
    let mut delays = Vec::new();
    let parked = loop {
        let tries = delays.len() as u32 + 1;
        let delivery = stage.wait_for(&webhook, |delivery| delivery.attempts == tries).await;
        assert_eq!((delivery.answer_status, delivery.answer.as_deref()), (Some(500), Some("not now ")));
        let last = receiver.received().pop().unwrap();
        assert_eq!(last.verified, Ok(()), "each attempt is signed anew");
        assert_eq!(last.timestamp, (stage.clock.now().0 / 1_000).to_string());
        if delivery.state == DeliveryState::Parked {
            break delivery;
        }
        assert_eq!(delivery.state, DeliveryState::Waiting);
        delays.push(delivery.due_at.since_ms(stage.clock.now()));
        stage.clock.set(delivery.due_at.plus_ms(-1));
        // Waiting each time would be slow; the first and the last few tell.
        if tries <= 2 || tries >= 9 {
            a_few_looks().await;
            assert_eq!(receiver.count(), tries as usize, "not before its time");
        }
        stage.clock.set(delivery.due_at);
    };
    assert_eq!(delays.len(), 10);
    assert!(delays[..9].windows(2).all(|pair| pair[0] < pair[1]), "{delays:?}");
    let hours = parked.due_at.since_ms(START) as f64 / 3_600_000.0;
    assert!((21.0..27.0).contains(&hours), "a day, not {hours} hours");
    let listed = stage.webhooks.deliveries(stage.organiser, webhook.id, Some(DeliveryState::Parked), None, 9);
    assert_eq!(listed.await.unwrap(), from_ref(&parked));

    receiver.answer([Answer::Ok]);
    a_few_looks().await;
    assert_eq!(receiver.count(), 11, "nothing is sent by itself any more");
    let again = stage.webhooks.deliver_again(stage.organiser, webhook.id, Some(parked.id)).await;
    assert_eq!(again.unwrap(), 1);
    let delivered = stage.wait_for(&webhook, |delivery| delivery.state == DeliveryState::Delivered).await;
    assert_eq!((delivered.attempts, receiver.count()), (1, 12));
    let again = stage.webhooks.deliver_again(stage.organiser, webhook.id, Some(parked.id)).await;
    assert!(again.is_err(), "it is parked no more");
    courier.stop().await;
}

#[tokio::test]
async fn a_busy_receiver_is_left_alone_as_long_as_it_asks() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    receiver.answer([Answer::Busy { retry_after_s: 600 }, Answer::Ok]);
    stage.consume(&[event("a", 1)]).await;
    let courier = stage.courier();
    let delivery = stage.wait_for(&webhook, |delivery| delivery.attempts == 1).await;
    assert_eq!(delivery.due_at.since_ms(START), 600_000);
    courier.stop().await;
}

#[tokio::test]
async fn a_busy_receiver_may_name_a_date() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    receiver.answer([Answer::BusyUntil { seconds: 600 }, Answer::BusyUntil { seconds: 86_400 }]);
    stage.consume(&[event("a", 1)]).await;
    let courier = stage.courier();
    let delivery = stage.wait_for(&webhook, |delivery| delivery.attempts == 1).await;
    let pause = delivery.due_at.since_ms(START);
    assert!((598_000..=600_000).contains(&pause), "a date has no fractions: {pause}");
    stage.clock.set(delivery.due_at);
    let delivery = stage.wait_for(&webhook, |delivery| delivery.attempts == 2).await;
    assert_eq!(delivery.due_at.since_ms(stage.clock.now()), 3_600_000, "no longer than an hour");
    courier.stop().await;
}

/// Fails eight times: the ninth attempt is hours away.
async fn failed_eight_times(stage: &Stage, receiver: &Receiver, webhook: &onsale_engine::ports::Webhook) {
    receiver.answer([Answer::Status(500)]);
    stage.consume(&[event("a", 1)]).await;
    for tries in 1..=8 {
        let delivery = stage.wait_for(webhook, |delivery| delivery.attempts == tries).await;
        if tries < 8 {
            stage.clock.set(delivery.due_at);
        }
    }
}

#[tokio::test]
async fn a_repaired_receiver_is_pinged_at_once_and_sent_what_waits() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    let courier = stage.courier();
    failed_eight_times(&stage, &receiver, &webhook).await;
    let broken = stage.webhooks.ping(stage.organiser, webhook.id).await.unwrap();
    receiver.wait_for(9).await;
    stage.wait_for(&webhook, |delivery| delivery.event_id == broken && delivery.attempts == 1).await;

    // The clock stands still from here on.
    receiver.answer([Answer::Ok]);
    let ping = stage.webhooks.ping(stage.organiser, webhook.id).await.unwrap();
    let delivered = stage.wait_for(&webhook, |delivery| delivery.state == DeliveryState::Delivered).await;
    assert_eq!(delivered.event_id, ping, "neither the event nor the ping before holds it up");
    a_few_looks().await;
    assert_eq!(receiver.count(), 10, "these wait");
    let asked = stage.webhooks.deliver_again(stage.organiser, webhook.id, None).await.unwrap();
    assert_eq!(asked, 2);
    stage.drained(&webhook).await;
    let ids: Vec<_> = receiver.received().into_iter().skip(10).map(|received| received.id).collect();
    assert!(ids.contains(&broken) && ids.contains(&"a.1".to_owned()), "{ids:?}");
    courier.stop().await;
}

#[tokio::test]
async fn a_ping_goes_before_a_thousand_that_wait() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    let events: Vec<_> = (0..1_000).map(|order| event(&format!("o{order}"), 1)).collect();
    stage.consume(&events).await;
    let ping = stage.webhooks.ping(stage.organiser, webhook.id).await.unwrap();
    let courier = stage.courier();
    let first: Vec<_> = receiver.wait_for(4).await.into_iter().take(4).map(|received| received.id).collect();
    assert!(first.contains(&ping), "{first:?}");
    courier.stop().await;
}

#[tokio::test]
async fn another_address_and_switching_on_try_at_once() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    let courier = stage.courier();
    failed_eight_times(&stage, &receiver, &webhook).await;
    let repaired = Receiver::start(stage.clock.clone()).await;
    repaired.set_secret(&webhook.secret);
    // What changes nothing about where it goes does not hurry.
    let types = WebhookEdit { event_types: Some(Vec::new()), ..WebhookEdit::default() };
    stage.webhooks.change(stage.organiser, webhook.id, types).await.unwrap();
    a_few_looks().await;
    assert_eq!((receiver.count(), repaired.count()), (8, 0));
    let moved = WebhookEdit { url: Some(repaired.url()), ..WebhookEdit::default() };
    stage.webhooks.change(stage.organiser, webhook.id, moved).await.unwrap();
    repaired.wait_for(1).await;
    stage.drained(&webhook).await;

    repaired.answer([Answer::Status(500)]);
    stage.consume(&[event("b", 1)]).await;
    stage.wait_for(&webhook, |delivery| delivery.attempts == 1 && delivery.answer_status == Some(500)).await;
    repaired.answer([Answer::Ok]);
    for active in [false, true] {
        let switched = WebhookEdit { active: Some(active), ..WebhookEdit::default() };
        stage.webhooks.change(stage.organiser, webhook.id, switched).await.unwrap();
    }
    repaired.wait_for(3).await;
    stage.drained(&webhook).await;
    courier.stop().await;
}

/// How the ids of `subject` came in.
fn order_of(receiver: &Receiver, subject: &str) -> Vec<String> {
    let received = receiver.received();
    received.into_iter().filter(|one| one.subject == subject).map(|one| one.id).collect()
}

#[tokio::test]
async fn events_of_one_order_wait_for_each_other_and_other_orders_do_not() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    // Whatever comes first fails.
    receiver.answer([Answer::Status(503), Answer::Ok]);
    let mut events = vec![event("a", 1), event("a", 2), event("a", 3)];
    events
        .extend((1..=20).flat_map(|order| (1..=3).map(move |version| event(&format!("b{order}"), version))));
    stage.consume(&events).await;
    let one_at_a_time = CourierSettings { under_way_per_channel_max: 1, ..settings() };
    let courier = stage.courier_with(Arc::new(SystemLookup), Judged::AtTheConnection, one_at_a_time);
    receiver.wait_for(61).await;
    a_few_looks().await;
    assert_eq!(order_of(&receiver, "a"), ["a.1"], "the others of the order wait for its next attempt");
    stage.clock.advance_ms(6_000);
    stage.drained(&webhook).await;
    courier.stop().await;
    assert_eq!(order_of(&receiver, "a"), ["a.1", "a.1", "a.2", "a.3"]);
    for order in 1..=20 {
        let name = format!("b{order}");
        assert_eq!(order_of(&receiver, &name), [1, 2, 3].map(|version| format!("{name}.{version}")));
    }
}

/// The negative control: without a common key, later events do overtake one that failed.
#[tokio::test]
async fn events_without_a_common_key_overtake_each_other() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    receiver.answer([Answer::Status(503), Answer::Ok]);
    let events = [1, 2, 3].map(|version| {
        let event = event("a", version);
        Event { key: event.id.clone(), ..event }
    });
    stage.consume(&events).await;
    let one_at_a_time = CourierSettings { under_way_per_channel_max: 1, ..settings() };
    let courier = stage.courier_with(Arc::new(SystemLookup), Judged::AtTheConnection, one_at_a_time);
    receiver.wait_for(3).await;
    stage.clock.advance_ms(6_000);
    stage.drained(&webhook).await;
    courier.stop().await;
    assert_eq!(order_of(&receiver, "a"), ["a.1", "a.2", "a.3", "a.1"]);
}

#[tokio::test]
async fn two_nodes_deliver_in_order_and_each_event_once() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    let events: Vec<_> =
        (1..=4).flat_map(|version| (0..25).map(move |order| event(&format!("o{order}"), version))).collect();
    stage.consume(&events).await;
    let nodes = [stage.courier(), stage.courier()];
    stage.drained(&webhook).await;
    for node in nodes {
        node.stop().await;
    }
    assert_eq!(receiver.count(), 100);
    for order in 0..25 {
        let name = format!("o{order}");
        assert_eq!(order_of(&receiver, &name), [1, 2, 3, 4].map(|version| format!("{name}.{version}")));
    }
}

#[tokio::test]
async fn what_was_under_way_when_a_node_died_is_delivered_by_the_next() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    receiver.answer([Answer::Hang, Answer::Ok]);
    stage.consume(&[event("a", 1), event("a", 2)]).await;
    let dying = stage.courier();
    receiver.wait_for(1).await;
    drop(dying);
    // The lease outlives the node: nobody else begins before it ends.
    let next = stage.courier();
    a_few_looks().await;
    assert_eq!(receiver.count(), 1);
    stage.clock.advance_ms(60_000);
    stage.drained(&webhook).await;
    next.stop().await;
    assert_eq!(order_of(&receiver, "a"), ["a.1", "a.1", "a.2"]);
}

#[tokio::test]
async fn while_secrets_are_changed_over_both_sign() {
    let stage = Stage::new().await;
    let (receiver, before) = subscribed(&stage).await;
    let after = stage.webhooks.rotate(stage.organiser, before.id).await.unwrap();
    assert_ne!(before.secret, after.secret);
    let courier = stage.courier();
    stage.consume(&[event("a", 1)]).await;
    let first = receiver.wait_for(1).await.remove(0);
    assert_eq!(first.verified, Ok(()), "the receiver still has the old secret");
    assert_eq!(first.signature.split(' ').count(), 2);
    receiver.set_secret(&after.secret);
    stage.consume(&[event("a", 2)]).await;
    assert_eq!(receiver.wait_for(2).await[1].verified, Ok(()), "it has the new one");
    receiver.set_secret(&before.secret);
    stage.clock.advance_ms(ROTATION.as_millis() as i64);
    stage.consume(&[event("a", 3)]).await;
    let last = receiver.wait_for(3).await.remove(2);
    assert_eq!(last.verified, Err(VerifyError::Signature), "the old one is void");
    assert_eq!(last.signature.split(' ').count(), 1);
    courier.stop().await;
}

#[tokio::test]
async fn a_slow_receiver_does_not_hold_up_the_others() {
    let stage = Stage::new().await;
    let (slow, _) = subscribed(&stage).await;
    let (quick, quick_webhook) = subscribed(&stage).await;
    slow.answer([Answer::Hang]);
    let events: Vec<_> = (0..40).map(|order| event(&format!("o{order}"), 1)).collect();
    stage.consume(&events).await;
    let isolated = CourierSettings { under_way_max: 8, under_way_per_channel_max: 4, ..settings() };
    let courier = stage.courier_with(Arc::new(SystemLookup), Judged::AtTheConnection, isolated);
    stage.drained(&quick_webhook).await;
    assert_eq!(quick.count(), 40);
    assert!(slow.count() < 40, "it is still slow");
    courier.stop().await;
}

/// The negative control: where one receiver may take all there is, the other waits.
#[tokio::test]
async fn without_isolation_a_slow_receiver_holds_up_the_others() {
    let stage = Stage::new().await;
    let (slow, _) = subscribed(&stage).await;
    let (quick, _) = subscribed(&stage).await;
    slow.answer([Answer::Hang]);
    let events: Vec<_> = (0..40).map(|order| event(&format!("o{order}"), 1)).collect();
    stage.consume(&events).await;
    let shared = CourierSettings { under_way_max: 8, under_way_per_channel_max: 8, ..settings() };
    let courier = stage.courier_with(Arc::new(SystemLookup), Judged::AtTheConnection, shared);
    slow.wait_for(8).await;
    a_few_looks().await;
    assert_eq!(quick.count(), 0);
    courier.stop().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_has_failed() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    receiver.answer([Answer::Hang, Answer::Ok]);
    stage.consume(&[event("a", 1)]).await;
    let courier = stage.courier();
    let delivery = stage.wait_for(&webhook, |delivery| delivery.attempts == 1).await;
    assert_eq!((delivery.state, delivery.answer_status), (DeliveryState::Waiting, None));
    stage.clock.set(delivery.due_at);
    stage.wait_for(&webhook, |delivery| delivery.state == DeliveryState::Delivered).await;
    courier.stop().await;
}

#[tokio::test]
async fn answers_and_events_have_a_bound() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    receiver.answer([Answer::Long(30_000_000)]);
    let mut large = event("a", 1);
    large.data["seats"] = "x".repeat(BODY_BYTES_MAX).into();
    stage.consume(&[large]).await;
    let courier = stage.courier();
    let delivery = stage.wait_for(&webhook, |delivery| delivery.state == DeliveryState::Delivered).await;
    assert_eq!(delivery.answer, Some("x".repeat(ANSWER_CHARS_MAX)));
    let received = receiver.received().remove(0);
    assert!(received.body.len() < 1_000);
    let event: Event = String::from_utf8(received.body).unwrap().parse().unwrap();
    assert_eq!((event.data["omitted"].as_bool(), event.data["orderId"].as_str()), (Some(true), Some("a")));
    courier.stop().await;
}

#[tokio::test]
async fn only_what_was_subscribed_is_sent() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    let edit = WebhookEdit {
        event_types: Some(vec!["onsale.order.paid.v1".to_owned()]),
        shows: Some(vec![ShowId(1)]),
        ..WebhookEdit::default()
    };
    stage.webhooks.change(stage.organiser, webhook.id, edit).await.unwrap();
    let mut other_show = event("b", 1);
    other_show.data["showId"] = 2.into();
    let mut no_show = event("c", 1);
    no_show.data.as_object_mut().unwrap().remove("showId");
    let other_type = Event { event_type: onsale_events::EventType::OrderHeld, ..event("d", 1) };
    stage.consume(&[other_show, no_show, other_type, event("a", 1)]).await;
    let courier = stage.courier();
    receiver.wait_for(1).await;
    stage.drained(&webhook).await;
    assert_eq!(receiver.received().into_iter().map(|one| one.id).collect::<Vec<_>>(), ["a.1"]);
    courier.stop().await;
}

/// Whether a webhook of another organiser gets an event about the stage's show, and one of an
/// administrator does.
async fn others_get_it(stage: &Stage) -> (bool, bool) {
    let mut subscribed = Vec::new();
    for role in [Role::Organiser, Role::Admin] {
        let other = Caller { user: stage.account(role.as_str(), role).await, role, ..stage.organiser };
        let details = WebhookDetails {
            url: "https://127.0.0.1/".to_owned(),
            event_types: Vec::new(),
            shows: Vec::new(),
        };
        subscribed.push(stage.webhooks.add(other, details).await.expect("the address may be subscribed"));
    }
    let mut of_nobody = event("b", 1);
    of_nobody.data["showId"] = 99.into();
    stage.consume(&[event("a", 1), of_nobody]).await;
    let mut got = Vec::new();
    for webhook in &subscribed {
        got.push(stage.deliveries(webhook).await.len());
    }
    assert_eq!(got[1], 2, "an administrator follows everything");
    assert!(got[0] == 0 || got[0] == 2, "{got:?}");
    (got[0] > 0, got[1] > 0)
}

#[tokio::test]
async fn an_organiser_is_told_of_their_own_shows_and_an_administrator_of_all() {
    let stage = Stage::new().await;
    let own = stage.subscribe("https://127.0.0.1/").await;
    assert_eq!(others_get_it(&stage).await, (false, true));
    let delivered = stage.deliveries(&own).await.into_iter().map(|one| one.event_id).collect::<Vec<_>>();
    assert_eq!(delivered, ["a.1"], "the stage's organiser owns show 1");
}

#[tokio::test]
async fn without_owners_everybody_is_told_everything() {
    let stage = Stage::new().await.without_owners();
    assert_eq!(others_get_it(&stage).await, (true, true));
}

#[tokio::test]
async fn who_is_no_organiser_any_more_is_sent_nothing() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    stage.consume(&[event("a", 1)]).await;
    stage.make(stage.organiser.user, Role::User).await;
    let courier = stage.courier();
    let dropped = stage.wait_for(&webhook, |delivery| delivery.state == DeliveryState::Dropped).await;
    assert!(dropped.answer.unwrap().contains("no organiser"));
    stage.make(stage.organiser.user, Role::Organiser).await;
    let off = WebhookEdit { active: Some(false), ..WebhookEdit::default() };
    stage.webhooks.change(stage.organiser, webhook.id, off).await.unwrap();
    stage.webhooks.ping(stage.organiser, webhook.id).await.unwrap();
    let dropped =
        stage.wait_for(&webhook, |delivery| delivery.id > dropped.id && delivery.attempts == 1).await;
    assert!(dropped.answer.unwrap().contains("not active"));
    assert_eq!(receiver.count(), 0);
    courier.stop().await;
}

#[tokio::test]
async fn a_ping_is_an_event_as_any_other() {
    let stage = Stage::new().await;
    let (receiver, webhook) = subscribed(&stage).await;
    let courier = stage.courier();
    let id = stage.webhooks.ping(stage.organiser, webhook.id).await.unwrap();
    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!((received.verified, &received.id), (Ok(()), &id));
    let event: Event = String::from_utf8(received.body).unwrap().parse().unwrap();
    assert_eq!((event.id, event.event_type.as_str()), (id, onsale_engine::webhooks::PING));
    courier.stop().await;
    tokio::time::timeout(Duration::from_secs(5), async {
        stage.webhooks.remove(stage.organiser, webhook.id).await.unwrap();
    })
    .await
    .unwrap();
    assert!(stage.deliveries(&webhook).await.is_empty());
}

/// The receiver that `docs/webhooks.md` shows, as it stands there.
#[tokio::test]
async fn the_receiver_in_the_documentation_works() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/webhooks.md")).unwrap();
    let program = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let stage = Stage::new().await;
    // It looks at the real clock.
    stage.clock.set(onsale_engine::clock::SystemClock.now());
    let webhook = stage.subscribe(&format!("http://127.0.0.1:{port}/")).await;
    let mut receiver = tokio::process::Command::new("python3")
        .args(["-c", program, &port.to_string()])
        .env("SECRET", &webhook.secret)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is installed");
    for _ in 0..1_000 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let courier = stage.courier();
    let sent = event("a", 1);
    stage.consume(from_ref(&sent)).await;
    let delivery = stage.wait_for(&webhook, |delivery| delivery.attempts == 1).await;
    assert_eq!((delivery.state, delivery.answer_status), (DeliveryState::Delivered, Some(204)));
    let rotated = stage.webhooks.rotate(stage.organiser, webhook.id).await.unwrap();
    stage.consume(&[event("a", 2)]).await;
    stage.drained(&webhook).await;
    stage.clock.advance_ms(ROTATION.as_millis() as i64);
    stage.consume(&[event("a", 3)]).await;
    let refused =
        stage.wait_for(&webhook, |delivery| delivery.attempts == 1 && delivery.event_id == "a.3").await;
    assert_eq!(refused.answer_status, Some(401), "signed by {} alone, and from tomorrow", rotated.secret);
    courier.stop().await;
    receiver.start_kill().unwrap();
    let printed = receiver.wait_with_output().await.unwrap().stdout;
    let printed = String::from_utf8(printed).unwrap();
    let events: Vec<Event> = printed.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(events, [sent, event("a", 2)]);
}
