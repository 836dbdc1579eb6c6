//! The outbox, who works through it, and the log.

use std::sync::Arc;

use onsale_domain::{
    catalogue::{Performance, PriceLevel, ShowKind},
    decide::Outcome,
    ids::{ItemId, PerformanceId},
    item::Item,
    order::Order,
    time::Timestamp,
};
use onsale_engine::ports::{EventTask, LogEntry, NodeId, OutboxEvent, OutboxSubject, Store};

use super::fixture::{Fixture, HOLD_MS, OPENS, hall_plan, item, performance, show};

const MANY: usize = 1_000;

/// What a row says: its kind, its order's version, whether there is a payment.
fn about(row: &OutboxEvent, order: &Order) -> Option<(String, i64, bool)> {
    match &row.subject {
        OutboxSubject::Order(of) if of.order.id == order.id => {
            Some((row.kind.clone(), of.version, of.payment.is_some()))
        }
        _ => None,
    }
}

async fn told(store: &dyn Store, order: &Order) -> Vec<(String, i64, bool)> {
    let rows = store.outbox(MANY).await.unwrap();
    assert!(rows.windows(2).all(|pair| pair[0].seq <= pair[1].seq), "rows come by number");
    rows.iter().filter_map(|row| about(row, order)).collect()
}

pub async fn every_change_of_an_order_is_told_in_order(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let paid = world.held(1, None, &[0], OPENS).await;
    let lapsed = world.held(2, None, &[1], OPENS).await;
    world.accept(world.charge(1, None, 1_000_000, OPENS), OPENS).await;
    world.accept(world.pay(&paid, None, OPENS), OPENS.plus_ms(1)).await;
    world.accept(world.cancel(&paid, OPENS), OPENS.plus_ms(2)).await;
    world.accept(world.expire(&lapsed), OPENS.plus_ms(HOLD_MS)).await;
    let told_of = |kind: &str, version, payment| (kind.to_owned(), version, payment);
    let expected =
        [told_of("order.held", 1, true), told_of("order.paid", 2, true), told_of("order.cancelled", 3, true)];
    assert_eq!(told(&*store, &paid).await, expected);
    let expected = [told_of("order.held", 1, false), told_of("order.expired", 2, false)];
    assert_eq!(told(&*store, &lapsed).await, expected);

    let rows = store.outbox(MANY).await.unwrap();
    let of_paid = rows.iter().find(|row| about(row, &paid).is_some()).unwrap();
    let OutboxSubject::Order(of) = &of_paid.subject else { panic!("a row about something else") };
    assert_eq!((of_paid.at, of.show), (OPENS, Some(world.show)));
    assert_eq!((of.order.lines().to_vec(), of.order.amount), (paid.lines().to_vec(), paid.amount));
    assert_eq!(store.outbox(2).await.unwrap(), rows[..2]);

    let backlog = store.outbox_backlog().await.unwrap();
    assert_eq!((backlog.rows, backlog.oldest), (rows.len() as i64, Some(rows[0].at)));
    // Some from the middle: what is removed is what was named, and not what is before it.
    let removed: Vec<_> = rows.iter().filter(|row| about(row, &paid).is_some()).map(|row| row.seq).collect();
    store.remove_outbox(&removed).await.unwrap();
    store.remove_outbox(&removed).await.unwrap();
    assert!(told(&*store, &paid).await.is_empty());
    assert_eq!(told(&*store, &lapsed).await.len(), 2);
    let rest: Vec<_> = store.outbox(MANY).await.unwrap().iter().map(|row| row.seq).collect();
    store.remove_outbox(&rest).await.unwrap();
    assert_eq!(store.outbox_backlog().await.unwrap(), Default::default());
}

/// The orders of a batch share rows, and each is told of all the same, in the order of what happened.
pub async fn every_order_of_a_batch_is_told_of(store: Arc<dyn Store>) {
    let world = Fixture::with_plan(store.clone(), &hall_plan("Floor", 30, 50)).await;
    let returned = world.held(1, None, &[0], OPENS).await;
    let before: Vec<_> = store.outbox(MANY).await.unwrap().iter().map(|event| event.seq).collect();
    store.remove_outbox(&before).await.unwrap();

    // The seat given back in the middle goes to the next buyer.
    let mut requests: Vec<_> = (1..=60).map(|n| world.hold(n as i64 + 1, None, &[n], OPENS)).collect();
    requests.push(world.cancel(&returned, OPENS));
    requests.push(world.hold(100, None, &[0], OPENS));
    requests.extend((61..=99).map(|n| world.hold(n as i64 + 100, None, &[n], OPENS)));
    let answers = world.run(&requests, OPENS).await;
    let happened: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(Outcome::Held { order, .. }) => ("order.held", order.id, 1),
            Ok(Outcome::Cancelled { order, .. }) => ("order.cancelled", order.id, 2),
            other => panic!("{other:?}"),
        })
        .collect();

    let events = store.outbox(MANY).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| match &event.subject {
            OutboxSubject::Order(of) => (event.kind.as_str(), of.order.id, of.version),
            OutboxSubject::Told { .. } => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(told, happened);
    assert!(events.iter().all(|event| event.at == OPENS));
    let mut rows: Vec<_> = events.iter().map(|event| event.seq).collect();
    rows.dedup();
    assert_eq!(rows.len(), 4, "a row is short, and of one kind of event");
    // Whole rows only: who removes one has been given all that it tells.
    let first: Vec<_> = events.iter().filter(|event| event.seq == rows[0]).cloned().collect();
    assert_eq!(store.outbox(1).await.unwrap(), first);
    assert!(first.len() > 1);
    store.remove_outbox(&rows[..1]).await.unwrap();
    assert_eq!(store.outbox(MANY).await.unwrap(), events[first.len()..]);
}

pub async fn what_organisers_change_is_told(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    store.change_show(world.show, show(ShowKind::Movie, "Burning")).await.unwrap();
    let prices = [PriceLevel { category: 0, grade: "A".to_owned(), price: 7 }];
    store.set_prices(world.performance, &prices).await.unwrap();
    let mut changed =
        Performance { id: world.performance, details: performance(world.show, world.hall), cancelled: false };
    store.change_performance(&changed).await.unwrap();
    changed.cancelled = true;
    store.change_performance(&changed).await.unwrap();
    let item_id = store.add_item(&item("Poster"), 5, None).await.unwrap();
    store.change_item(&Item { id: item_id, details: item("Print") }).await.unwrap();
    // A change that is refused tells nothing.
    store.change_item(&Item { id: ItemId(999), details: item("None") }).await.unwrap_err();
    changed.id = PerformanceId(999);
    store.change_performance(&changed).await.unwrap_err();

    let rows = store.outbox(MANY).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| match &row.subject {
            OutboxSubject::Told { subject, data } => (row.kind.as_str(), subject.as_str(), data.as_str()),
            OutboxSubject::Order(_) => panic!("nobody has ordered"),
        })
        .collect();
    let (of_show, of_performance) =
        (format!("shows/{}", world.show), format!("performances/{}", world.performance));
    let of_item = format!("items/{item_id}");
    let kinds: Vec<_> = told.iter().map(|(kind, subject, _)| (*kind, *subject)).collect();
    let expected = [
        ("show.added", of_show.as_str()),
        ("performance.added", of_performance.as_str()),
        ("show.changed", of_show.as_str()),
        ("performance.changed", of_performance.as_str()),
        ("performance.changed", of_performance.as_str()),
        ("performance.cancelled", of_performance.as_str()),
        ("item.added", of_item.as_str()),
        ("item.changed", of_item.as_str()),
    ];
    assert_eq!(kinds, expected);
    // As it was then, not as it is now.
    assert!(told[0].2.contains("Parasite") && told[2].2.contains("Burning"));
    assert!(told[3].2.contains("\"price\":7") && !told[4].2.contains("\"price\":7"));
    assert!(told[4].2.contains("\"cancelled\":false") && told[5].2.contains("\"cancelled\":true"));
    assert!(told[6].2.contains("Poster") && told[7].2.contains("Print"));
}

pub async fn what_is_done_to_stock_seats_and_wallets_is_told(store: Arc<dyn Store>) {
    let world = Fixture::with_plan(store.clone(), &hall_plan("Floor", 30, 50)).await;
    let poster = store.add_item(&item("Poster"), 5, None).await.unwrap();
    world.held_units(3, poster, 2, OPENS).await;
    world.held(4, None, &[0], OPENS).await;
    let before: Vec<_> = store.outbox(MANY).await.unwrap().iter().map(|row| row.seq).collect();
    store.remove_outbox(&before).await.unwrap();

    let all: Vec<usize> = (0..1_500).collect();
    let done = [
        world.charge(1, Some(7), 500, OPENS),
        // What changes nothing, is refused, or was done by an earlier request, is not told.
        world.charge(1, Some(7), 500, OPENS),
        world.charge(1, None, 0, OPENS),
        world.set_stock(poster, 9),
        world.set_stock(poster, 9),
        world.set_stock(poster, 1),
        world.lock(&all, true),
        world.lock(&[1], true),
        world.lock(&[0, 1, 2], false),
    ];
    let answers = world.run(&done, OPENS.plus_ms(5)).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 2, "{answers:?}");

    let rows = store.outbox(MANY).await.unwrap();
    assert!(rows.iter().all(|row| row.at == OPENS.plus_ms(5)));
    let told: Vec<(&str, &str, serde_json::Value)> = rows
        .iter()
        .map(|row| match &row.subject {
            OutboxSubject::Told { subject, data } => {
                (row.kind.as_str(), subject.as_str(), serde_json::from_str(data).expect("data is JSON"))
            }
            OutboxSubject::Order(_) => panic!("no order has changed"),
        })
        .collect();
    let (of_item, of_seats) = (format!("items/{poster}"), format!("performances/{}", world.performance));
    let kinds: Vec<_> = told.iter().map(|(kind, subject, _)| (*kind, *subject)).collect();
    let expected = [
        ("points.charged", "users/1"),
        ("stock.changed", of_item.as_str()),
        ("seats.locked", of_seats.as_str()),
        ("seats.locked", of_seats.as_str()),
        ("seats.unlocked", of_seats.as_str()),
    ];
    assert_eq!(kinds, expected);
    let data: Vec<_> = told.iter().map(|(_, _, data)| data).collect();
    assert_eq!((&data[0]["amount"], &data[0]["balance"]), (&500.into(), &500.into()));
    let stock = serde_json::json!({"itemId": poster.0, "totalBefore": 5, "total": 9, "left": 7});
    assert_eq!(*data[1], stock);
    let seats = |data: &serde_json::Value| -> Vec<i64> {
        assert_eq!(data["showId"], world.show.0);
        data["seatIds"].as_array().unwrap().iter().map(|seat| seat.as_i64().unwrap()).collect()
    };
    // An event names so many at the most; one seat is somebody's, and stays so.
    assert_eq!([seats(data[2]).len(), seats(data[3]).len()], [1_000, 499]);
    let locked: Vec<i64> = data[2..4].iter().flat_map(|data| seats(data)).collect();
    assert_eq!(locked, world.seats[1..].iter().map(|seat| seat.0).collect::<Vec<_>>());
    assert_eq!(seats(data[4]), [world.seats[1].0, world.seats[2].0]);
}

/// A transaction that writes first and commits last: its row has a lower number than one that was
/// published before it could be seen. Whoever passed rows by a mark would never publish it.
pub async fn a_row_that_becomes_visible_late_is_not_passed_over(store: Arc<dyn Store>) {
    if !store.is_shared() {
        // One writer at a time: nothing can overtake.
        return;
    }
    let world = Fixture::new(store.clone()).await;
    let before: Vec<_> = store.outbox(MANY).await.unwrap().iter().map(|row| row.seq).collect();
    store.remove_outbox(&before).await.unwrap();

    let mut slow = world.begin().await;
    let (_, changes) = world.decide(&mut *slow, &[world.hold(1, None, &[0], OPENS)], OPENS).await;
    slow.write(&changes).await.unwrap();
    store.change_show(world.show, show(ShowKind::Movie, "Burning")).await.unwrap();
    let seen = store.outbox(MANY).await.unwrap();
    assert_eq!(seen.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), ["show.changed"]);
    store.remove_outbox(&[seen[0].seq]).await.unwrap();
    slow.commit().await.unwrap();

    let late = store.outbox(MANY).await.unwrap();
    assert_eq!(late.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), ["order.held"]);
    assert!(late[0].seq < seen[0].seq, "it was not late: this case proves nothing");
}

pub async fn a_task_is_one_nodes_at_a_time(store: Arc<dyn Store>) {
    let (one, two, now) = (NodeId(1), NodeId(i64::MAX), Timestamp(5));
    let new = store.event_task("relay", now).await.unwrap();
    assert_eq!(new, EventTask { node: None, beat: 0, position: 0 });
    // Both have seen that it is free; one gets it.
    assert!(store.take_event_task("relay", one, new, now).await.unwrap());
    assert!(!store.take_event_task("relay", two, new, now).await.unwrap());
    assert!(!store.keep_event_task("relay", two, 9, now).await.unwrap());
    let taken = store.event_task("relay", now).await.unwrap();
    assert_eq!((taken.node, taken.position), (Some(one), 0), "who does not have it notes nothing");
    assert!(store.keep_event_task("relay", one, 7, now).await.unwrap());
    // A sign of life since it was looked at: it is not to be taken over.
    assert!(!store.take_event_task("relay", two, taken, now).await.unwrap());
    let silent = store.event_task("relay", now).await.unwrap();
    assert_eq!((silent.position, silent.beat), (7, taken.beat + 1));
    assert!(store.take_event_task("relay", two, silent, now).await.unwrap());
    assert!(!store.keep_event_task("relay", one, 8, now).await.unwrap(), "the first has lost it");
    store.leave_event_task("relay", one).await.unwrap();
    assert_eq!(store.event_task("relay", now).await.unwrap().node, Some(two));
    store.leave_event_task("relay", two).await.unwrap();
    let left = store.event_task("relay", now).await.unwrap();
    assert_eq!((left.node, left.position), (None, 7));
}

pub async fn the_log_is_kept_until_everybody_has_passed(store: Arc<dyn Store>) {
    let entries: Vec<_> = (0..10)
        .map(|number| LogEntry { text: format!("{{\"id\":\"é\\\"{number}\"}}"), at: Timestamp(number) })
        .collect();
    for half in entries.chunks(5) {
        store.append_events(half).await.unwrap();
    }
    let logged = store.logged_events(0, MANY).await.unwrap();
    assert!(logged.windows(2).all(|pair| pair[0].position < pair[1].position));
    let compact = |text: &str| text.replace(": ", ":");
    let texts: Vec<_> = logged.iter().map(|entry| compact(&entry.text)).collect();
    assert_eq!(texts, entries.iter().map(|entry| compact(&entry.text)).collect::<Vec<_>>());
    assert_eq!(store.logged_events(logged[3].position, 2).await.unwrap(), logged[4..6]);
    assert_eq!(store.log_end().await.unwrap(), logged[9].position);

    let (node, now) = (NodeId(1), Timestamp(100));
    for (task, position) in [("consume a", logged[7].position), ("consume b", logged[2].position)] {
        let new = store.event_task(task, now).await.unwrap();
        assert!(store.take_event_task(task, node, new, now).await.unwrap());
        assert!(store.keep_event_task(task, node, position, now).await.unwrap());
    }
    assert_eq!(store.prune_events(now, 2).await.unwrap(), 2, "at most as many as was said");
    assert_eq!(store.prune_events(now, MANY).await.unwrap(), 1);
    assert_eq!(store.logged_events(0, MANY).await.unwrap(), logged[3..]);
    // The slow one has not been seen for long and is forgotten.
    assert!(store.keep_event_task("consume a", node, logged[7].position, now.plus_ms(1)).await.unwrap());
    assert_eq!(store.prune_events(now.plus_ms(1), MANY).await.unwrap(), 5);
    assert_eq!(store.logged_events(0, MANY).await.unwrap(), logged[8..]);
    // Positions go on, however empty the log.
    assert!(store.keep_event_task("consume a", node, logged[9].position, now.plus_ms(1)).await.unwrap());
    assert_eq!(store.prune_events(now, MANY).await.unwrap(), 2);
    store.append_events(&entries[..1]).await.unwrap();
    assert!(store.logged_events(0, MANY).await.unwrap()[0].position > logged[9].position);
}
