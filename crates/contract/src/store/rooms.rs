//! Waiting rooms: what is kept of them, and who may write it.

use std::sync::Arc;

use onsale_domain::{
    ids::{ItemId, PerformanceId, RoomId},
    line::{Mode, Phase, PollPolicy, RoomChange, RoomRecord, RoomSettings, Schedule},
    offer::Offer,
    time::Timestamp,
};
use onsale_engine::ports::{Admits, LOG_ROW_BYTES_MAX, NewRoom, NodeId, Store, StoreError, StoredRoom};

use super::fixture::{Fixture, item};

const NODE: NodeId = NodeId(i64::MAX);
const OTHER_NODE: NodeId = NodeId(7);

/// Records that differ in everything.
fn records() -> Vec<RoomRecord> {
    let modes = [
        Mode::ThemePark { admissions: 500, interval_ms: 60_000 },
        Mode::BankWindow { inside_max: 1_000_000 },
        Mode::Adaptive { floor: 1, ceiling: u32::MAX },
    ];
    let phases = [Phase::Scheduled, Phase::PreQueue, Phase::Open, Phase::Paused, Phase::Closed];
    let numbers = [0, 1, 4_096, u32::MAX, 70_000];
    let mut records = Vec::new();
    for (index, phase) in phases.into_iter().enumerate() {
        let mut settings = RoomSettings::new(modes[index % modes.len()]);
        settings.poll = PollPolicy { min_ms: 500 + index as i64, max_ms: 9_000 };
        let at = |ms| (index % 2 == 0).then_some(Timestamp(ms));
        let schedule = Schedule { pre_queue_at: at(1), opens_at: at(i64::MAX), closes_at: at(3) };
        records.push(RoomRecord {
            phase,
            public_randomness: vec![0xFF; index * 256],
            cohort: numbers[index] / 2,
            numbers: numbers[index],
            cursor: numbers[index] / 3,
            revision: index as u32,
            ..RoomRecord::new(settings, schedule, [index as u8 * 63; 32])
        });
    }
    records
}

fn new_room(offers: &[Offer]) -> NewRoom {
    NewRoom {
        name: "대기실 \"A\"".to_owned(),
        owner: None,
        admits: Admits::Accounts,
        offers: offers.to_vec(),
        record: records().remove(0),
    }
}

pub async fn a_log_is_read_back_in_order_and_written_by_one_node(store: Arc<dyn Store>) {
    let (id, other) =
        (store.add_room(&new_room(&[])).await.unwrap(), store.add_room(&new_room(&[])).await.unwrap());
    let bytes = |number: usize| (0..LOG_ROW_BYTES_MAX).map(|at| (at * 7 + number) as u8).collect::<Vec<_>>();
    assert_eq!(store.room_log(id, 0).await.unwrap(), []);
    let refused = store.append_room_log(id, NODE, vec![bytes(0)]).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "nobody runs it: {refused:?}");
    store.run_room(id, NODE, false).await.unwrap();
    store.run_room(other, NODE, false).await.unwrap();
    for number in 0..15 {
        store.append_room_log(other, NODE, vec![vec![number]]).await.unwrap();
        let rows = (0..15).map(|row| bytes(usize::from(number) * 15 + row)).collect();
        store.append_room_log(id, NODE, rows).await.unwrap();
    }
    let (mut after, mut rows) = (0, Vec::new());
    loop {
        let some = store.room_log(id, after).await.unwrap();
        assert!(some.len() <= 100);
        let Some((last, _)) = some.last() else { break };
        after = *last;
        rows.extend(some.into_iter().map(|(_, row)| row));
    }
    assert_eq!(rows.len(), 225);
    assert!(rows.iter().enumerate().all(|(number, row)| *row == bytes(number)));
    assert_eq!(store.room_log(other, 0).await.unwrap().len(), 15);
    // Another node takes the room: the one before is not listened to any more.
    store.run_room(id, OTHER_NODE, true).await.unwrap();
    let refused = store.append_room_log(id, NODE, vec![vec![1]]).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    store.append_room_log(id, OTHER_NODE, vec![vec![2]]).await.unwrap();
    assert_eq!(store.room_log(id, after).await.unwrap().len(), 1);
}

pub async fn a_record_read_back_is_the_one_written(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let room = NewRoom { admits: Admits::Anybody, ..new_room(&[world.performance.into()]) };
    let id = store.add_room(&room).await.unwrap();
    let mut expected = StoredRoom {
        id,
        name: room.name.clone(),
        admits: Admits::Anybody,
        offers: vec![world.performance.into()],
        run_by: None,
        record: room.record.clone(),
    };
    assert_eq!(store.rooms().await.unwrap(), [expected.clone()]);
    assert_eq!(store.run_room(id, NODE, false).await.unwrap(), Some(room.record));
    expected.run_by = Some(NODE);
    for record in records() {
        store.record_room(id, NODE, &record).await.unwrap();
        // Writing the same again is not a failure.
        store.record_room(id, NODE, &record).await.unwrap();
        expected.record = record;
        assert_eq!(store.room(id).await.unwrap().as_ref(), Some(&expected));
    }
    let other = store.add_room(&new_room(&[])).await.unwrap();
    assert_ne!(other, id);
    let rooms = store.rooms().await.unwrap();
    assert_eq!(rooms[0], expected, "the other room's record is its own");
    assert_eq!(rooms[1].record, records()[0]);
}

pub async fn a_room_that_is_not_there_is_missing(store: Arc<dyn Store>) {
    assert_eq!(store.rooms().await.unwrap(), []);
    assert_eq!(store.room(RoomId(1)).await.unwrap(), None);
    assert_eq!(store.run_room(RoomId(1), NODE, true).await.unwrap(), None);
    let refused = store.record_room(RoomId(1), NODE, &records()[0]).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    let refused = store.change_room(RoomId(1), Some("x"), None).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))), "{refused:?}");
}

pub async fn one_node_at_a_time_runs_a_room(store: Arc<dyn Store>) {
    let [first, second, ..] = &records()[..] else { unreachable!() };
    let id = store.add_room(&new_room(&[])).await.unwrap();
    let refused = store.record_room(id, NODE, second).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "nobody runs it yet: {refused:?}");
    store.run_room(id, NODE, false).await.unwrap().unwrap();
    assert_eq!(store.run_room(id, OTHER_NODE, false).await.unwrap(), None, "somebody does");
    assert_eq!(store.run_room(id, NODE, false).await.unwrap().as_ref(), Some(first), "still");
    store.record_room(id, NODE, second).await.unwrap();
    assert_eq!(store.run_room(id, OTHER_NODE, true).await.unwrap().as_ref(), Some(second));
    let refused = store.record_room(id, NODE, first).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "it was taken over: {refused:?}");
    assert_eq!(store.room(id).await.unwrap().unwrap().record, *second);
    store.record_room(id, OTHER_NODE, first).await.unwrap();
}

pub async fn an_offer_is_behind_one_room_at_most(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let (first, second) = (world.performance.into(), world.another_performance().await.into());
    // The numbers of the items are those of the performances.
    let soup = store.add_item(&item("Soup"), 1, None).await.unwrap().into();
    let shoes = store.add_item(&item("Shoes"), 1, None).await.unwrap().into();
    let id = store.add_room(&new_room(&[soup, second, first])).await.unwrap();
    assert_eq!(store.room(id).await.unwrap().unwrap().offers, [first, second, soup]);
    assert_eq!(store.rooms().await.unwrap()[0].offers, [first, second, soup]);
    for taken in [second, soup] {
        let refused = store.add_room(&new_room(&[shoes, taken])).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    for missing in [PerformanceId(999), PerformanceId(-1)] {
        let refused = store.add_room(&new_room(&[missing.into()])).await;
        assert!(matches!(refused, Err(StoreError::Missing("performance"))), "{refused:?}");
    }
    for missing in [ItemId(999), ItemId(-1), ItemId(i64::MIN)] {
        let refused = store.add_room(&new_room(&[missing.into()])).await;
        assert!(matches!(refused, Err(StoreError::Missing("item"))), "{refused:?}");
    }
    assert_eq!(store.rooms().await.unwrap().len(), 1, "a refused room leaves nothing");
    store.change_room(id, None, Some(&[first, soup])).await.unwrap();
    let other = store.add_room(&new_room(&[second, shoes])).await.unwrap();
    let refused = store.change_room(id, Some("other"), Some(&[first, shoes])).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let kept = store.room(id).await.unwrap().unwrap();
    assert_eq!((kept.name, kept.offers), (new_room(&[]).name, vec![first, soup]), "all or nothing");
    store.change_room(other, Some("Other"), Some(&[])).await.unwrap();
    let changed = store.room(other).await.unwrap().unwrap();
    assert_eq!((changed.name.as_str(), changed.offers), ("Other", vec![]));
}

pub async fn changes_are_asked_for_and_answered_once(store: Arc<dyn Store>) {
    let id = store.add_room(&new_room(&[])).await.unwrap();
    let changes = [
        RoomChange::Settings(records()[1].settings),
        RoomChange::Schedule(records()[2].schedule),
        RoomChange::PublicRandomness(vec![0, 255]),
        RoomChange::PreQueue,
        RoomChange::Open,
        RoomChange::Pause,
        RoomChange::Close,
    ];
    let mut numbers = Vec::new();
    for change in &changes {
        numbers.push(store.ask_room_change(id, change, Timestamp(5)).await.unwrap());
    }
    let asked = store.asked_room_changes().await.unwrap();
    assert!(asked.iter().all(|asked| asked.room == id));
    assert_eq!(asked.iter().map(|asked| asked.number).collect::<Vec<_>>(), numbers);
    assert_eq!(asked.into_iter().map(|asked| asked.change).collect::<Vec<_>>(), changes);
    assert_eq!(store.take_room_answer(numbers[0]).await.unwrap(), None);
    store.answer_room_change(numbers[0], None).await.unwrap();
    store.answer_room_change(numbers[1], Some("not now")).await.unwrap();
    assert_eq!(store.asked_room_changes().await.unwrap().len(), changes.len() - 2);
    assert_eq!(store.take_room_answer(numbers[0]).await.unwrap(), Some(Ok(())));
    assert_eq!(store.take_room_answer(numbers[0]).await.unwrap(), None, "it is forgotten");
    store.prune_room_changes(Timestamp(5)).await.unwrap();
    assert_eq!(store.take_room_answer(numbers[1]).await.unwrap(), Some(Err("not now".to_owned())));
    store.answer_room_change(numbers[2], None).await.unwrap();
    store.prune_room_changes(Timestamp(6)).await.unwrap();
    assert_eq!(store.take_room_answer(numbers[2]).await.unwrap(), None);
    assert_eq!(store.asked_room_changes().await.unwrap().len(), changes.len() - 3, "the unanswered stay");
}
