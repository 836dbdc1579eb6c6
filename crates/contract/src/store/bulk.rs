//! Large changes of the catalogue: in portions, with others in between.

use std::{sync::Arc, time::Duration};

use onsale_domain::{
    catalogue::{ShowDetails, ShowKind},
    hall::{Plan, SectionSpec},
    ids::{HallId, PerformanceId, SeatId, VenueId},
    time::Timestamp,
};
use onsale_engine::ports::{ImportOutcome, SeatSelector, Store, StoreError};
use tokio::{task::JoinHandle, time::sleep};

use super::fixture::{Fixture, hall_plan, performance, show};

/// More than any time at which something was kept.
const LATER: Timestamp = Timestamp(i64::MAX);

/// Sections of 6,000 seats in rows of 100: a portion ends in the middle of them.
fn large_plan(sections: u32) -> Plan {
    let section = |index: u32| SectionSpec {
        name: format!("Block {index}"),
        rows: 60,
        seats_per_row: 100,
        category: format!("Category {}", index % 3),
    };
    Plan::generate(&(0..sections).map(section).collect::<Vec<_>>()).expect("the plan is sound")
}

async fn venue(store: &dyn Store) -> VenueId {
    store.add_venue("Stadium", "Asia/Seoul", None).await.expect("a venue is added")
}

fn begin_to_add(
    store: &Arc<dyn Store>,
    venue: VenueId,
    plan: Plan,
) -> JoinHandle<Result<HallId, StoreError>> {
    let store = store.clone();
    tokio::spawn(async move { store.add_hall(venue, "Field", &plan).await })
}

/// Adds venues until something else has ended; how many.
async fn add_venues_beside<T>(store: &dyn Store, other: &JoinHandle<T>) -> usize {
    let mut added = 0;
    while !other.is_finished() {
        venue(store).await;
        added += 1;
    }
    added
}

async fn names(store: &dyn Store, venue: VenueId) -> Vec<String> {
    let halls = store.halls(venue).await.expect("the halls are listed");
    halls.into_iter().map(|hall| hall.name).collect()
}

pub async fn others_write_while_a_large_hall_is_added(store: Arc<dyn Store>) {
    let stadium = venue(&*store).await;
    let plan = large_plan(10);
    let adding = begin_to_add(&store, stadium, plan.clone());
    let mut beside = 0;
    while !adding.is_finished() {
        venue(&*store).await;
        beside += 1;
        if !adding.is_finished() {
            let seen = names(&*store, stadium).await;
            assert!(seen.is_empty() || seen == ["Field"], "it cannot be seen, or is complete: {seen:?}");
        }
    }
    assert!(beside > 2, "others wait for the whole hall");
    let id = adding.await.unwrap().expect("the hall is added");
    let hall = store.hall(id).await.unwrap().expect("it is there");
    assert_eq!((hall.seats, hall.categories.len()), (60_000, 3));
    let map = store.seat_map(id).await.unwrap().expect("it has seats");
    assert_eq!(map.rows(), plan.rows);
    for (seat, planned) in map.seats().iter().zip(&plan.seats) {
        assert_eq!((seat.row, seat.place, &seat.number), (planned.row, planned.place, &planned.number));
        assert_eq!((seat.category, seat.x, seat.y), (planned.category, planned.x, planned.y));
    }
    assert_eq!(store.hall_of_seat(map.seats()[59_999].id).await.unwrap(), Some(id));
    assert!(!store.tidy_halls(LATER).await.unwrap(), "nothing is left over");
}

/// As after a crash: dropping what adds a hall stops it anywhere.
pub async fn a_hall_that_was_never_completed_is_removed(store: Arc<dyn Store>) {
    let stadium = venue(&*store).await;
    let adding = begin_to_add(&store, stadium, large_plan(40));
    let mut small = 0;
    loop {
        let hall = store.add_hall(stadium, "Small", &hall_plan("Stalls", 1, 1)).await.expect("it is added");
        small += 1;
        // Its ids are taken first, and then it takes long.
        if store.seat_map(hall).await.unwrap().unwrap().seats()[0].id > SeatId(240_000) {
            break;
        }
    }
    adding.abort();
    assert!(adding.await.is_err(), "it was stopped half-way");

    assert_eq!(names(&*store, stadium).await, vec!["Small"; small]);
    assert!(!store.tidy_halls(Timestamp(0)).await.unwrap(), "it may still be going on");
    let mut portions = 0;
    while store.tidy_halls(LATER).await.unwrap() {
        portions += 1;
    }
    assert!(portions >= 2, "it was given up and removed");
    let again = store.add_hall(stadium, "Field", &large_plan(1)).await.expect("it is added again");
    assert_eq!(store.seat_map(again).await.unwrap().expect("it has seats").seats().len(), 6_000);
}

pub async fn nothing_is_added_to_a_hall_that_was_given_up(store: Arc<dyn Store>) {
    let stadium = venue(&*store).await;
    let adding = begin_to_add(&store, stadium, large_plan(10));
    while !adding.is_finished() {
        store.tidy_halls(LATER).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    let refused = adding.await.unwrap();
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    while store.tidy_halls(LATER).await.unwrap() {}
    assert!(names(&*store, stadium).await.is_empty());
}

async fn category_of_all(store: &dyn Store, hall: HallId) -> Vec<u16> {
    let map = store.seat_map(hall).await.unwrap().expect("the hall is there");
    map.seats().iter().map(|seat| seat.category).collect()
}

fn begin_to_categorise(store: &Arc<dyn Store>, hall: HallId) -> JoinHandle<Result<u64, StoreError>> {
    let store = store.clone();
    tokio::spawn(async move {
        let (changed, _) = store.set_category(hall, &SeatSelector::All, "VIP").await?;
        Ok(changed)
    })
}

pub async fn others_write_while_a_large_hall_changes_its_categories(store: Arc<dyn Store>) {
    let stadium = venue(&*store).await;
    let hall = store.add_hall(stadium, "Field", &large_plan(20)).await.expect("the hall is added");
    let changing = begin_to_categorise(&store, hall);
    let beside = add_venues_beside(&*store, &changing).await;
    // If they waited for all of it, one would have come before it and one after.
    assert!(beside > 2, "others wait for the whole change");
    assert_eq!(changing.await.unwrap().expect("the categories change"), 120_000);
    assert_eq!(category_of_all(&*store, hall).await, vec![3; 120_000]);
}

pub async fn categories_that_changed_half_way_change_when_asked_again(store: Arc<dyn Store>) {
    let world = Fixture::with_plan(store.clone(), &large_plan(10)).await;
    let revision = store.sale_terms(world.performance).await.unwrap().unwrap().revision;
    let changing = begin_to_categorise(&store, world.hall);
    store.add_hall(world.venue, "Small", &hall_plan("Stalls", 1, 1)).await.expect("a small hall is added");
    changing.abort();
    let _ = changing.await;

    let (changed, performances) =
        store.set_category(world.hall, &SeatSelector::All, "VIP").await.expect("the categories change");

    assert!(changed <= 60_000);
    assert_eq!(performances, [world.performance]);
    assert_eq!(category_of_all(&*store, world.hall).await, vec![3; 60_000]);
    assert!(store.sale_terms(world.performance).await.unwrap().unwrap().revision > revision);
    let (changed, _) = store.set_category(world.hall, &SeatSelector::All, "VIP").await.unwrap();
    assert_eq!(changed, 0);
}

/// Every kind of selection over the bounds of portions, against what is to come of it.
pub async fn portions_of_categories_do_what_one_change_does(store: Arc<dyn Store>) {
    let stadium = venue(&*store).await;
    let plan = large_plan(3);
    let hall = store.add_hall(stadium, "Field", &plan).await.expect("the hall is added");
    let first = store.seat_map(hall).await.unwrap().unwrap().seats()[0].id.0;
    let mut expected: Vec<u16> = plan.seats.iter().map(|seat| seat.category).collect();
    let section_of = |ordinal: usize| &plan.rows[plan.seats[ordinal].row as usize];
    type Wanted<'a> = Box<dyn Fn(usize) -> bool + 'a>;
    let every_other = |ordinal: usize| ordinal % 2 == 1;
    let named = (0..18_000).filter(|ordinal| every_other(*ordinal)).rev();
    // The last ones twice.
    let named = named.chain([1, 3]).map(|ordinal| SeatId(first + ordinal as i64)).collect();
    let rows = SeatSelector::Rows { section: "Block 1".into(), rows: vec!["A".into(), "BH".into()] };
    let changes: [(SeatSelector, &str, u16, Wanted<'_>); 4] = [
        (
            SeatSelector::Section("Block 1".into()),
            "VIP",
            3,
            Box::new(|at| section_of(at).section == "Block 1"),
        ),
        (SeatSelector::Seats(named), "Category 0", 0, Box::new(every_other)),
        (
            rows,
            "Balcony",
            4,
            Box::new(|at| {
                section_of(at).section == "Block 1" && ["A", "BH"].contains(&section_of(at).label.as_str())
            }),
        ),
        (SeatSelector::All, "Category 2", 2, Box::new(|_| true)),
    ];
    for (selector, name, category, is_meant) in changes {
        let meant: Vec<usize> =
            (0..expected.len()).filter(|at| is_meant(*at) && expected[*at] != category).collect();
        meant.iter().for_each(|at| expected[*at] = category);
        let (changed, _) = store.set_category(hall, &selector, name).await.expect("the category changes");
        assert_eq!(changed, meant.len() as u64, "{name}");
        assert_eq!(category_of_all(&*store, hall).await, expected, "{name}");
    }
}

/// The performances of a hall, more than one transaction changes.
pub async fn every_performance_of_a_hall_is_told_of(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let mut all = vec![world.performance];
    for _ in 0..120 {
        all.push(store.add_performance(&performance(world.show, world.hall)).await.expect("it is added"));
    }
    let rows: Vec<_> = store.outbox(10_000).await.unwrap().iter().map(|event| event.seq).collect();
    store.remove_outbox(&rows).await.unwrap();

    let (changed, affected) = store.set_category(world.hall, &SeatSelector::All, "VIP").await.unwrap();

    assert_eq!((changed, &affected), (100, &all));
    let told = store.outbox(10_000).await.unwrap();
    assert!(told.iter().all(|event| event.kind == "performance.changed"));
    assert_eq!(told.len(), all.len());
    let versions = store.versions(&all).await.unwrap();
    assert!(all.iter().all(|id| versions[id] == (2, 1)), "each has risen once: {versions:?}");
}

pub async fn a_long_import_is_complete(store: Arc<dyn Store>) {
    let film = |number: u32| ShowDetails {
        source_key: Some(format!("films/{number}")),
        ..show(ShowKind::Movie, &format!("Film {number}"))
    };
    let films: Vec<_> = (0..100).map(film).collect();
    let outcomes = store.import_shows(&films, None).await.expect("the films are imported");
    assert_eq!(outcomes.len(), 100);
    assert!(outcomes.iter().all(|outcome| outcome.outcome == ImportOutcome::Added));
    let again = store.import_shows(&films, None).await.expect("the films are imported again");
    assert!(again.iter().all(|outcome| outcome.outcome == ImportOutcome::Unchanged));
    let mut last_is_wrong = (200..300).map(film).collect::<Vec<_>>();
    last_is_wrong[99].source_key = None;
    let refused = store.import_shows(&last_is_wrong, None).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    let first = store.import_shows(&last_is_wrong[..1], None).await.expect("it is imported");
    assert_eq!(first[0].outcome, ImportOutcome::Added, "of the refused import nothing was there");
}

/// Whoever publishes what is told may write it in one transaction.
pub async fn what_is_told_at_once_is_bounded(store: Arc<dyn Store>) {
    let world = Fixture::with_plan(store.clone(), &large_plan(10)).await;
    let before: Vec<_> = store.outbox(10_000).await.unwrap().iter().map(|event| event.seq).collect();
    store.remove_outbox(&before).await.unwrap();
    let all: Vec<usize> = (0..60_000).collect();
    world.run(&[world.lock(&all, true)], Timestamp(0)).await;
    let (mut events, mut times) = (0, 0);
    loop {
        let told = store.outbox(10_000).await.unwrap();
        if told.is_empty() {
            break;
        }
        let bytes: usize = told.iter().map(|event| format!("{:?}", event.subject).len()).sum();
        assert!(bytes < 512 * 1_024, "{bytes} bytes at once");
        (events, times) = (events + told.len(), times + 1);
        store.remove_outbox(&told.iter().map(|event| event.seq).collect::<Vec<_>>()).await.unwrap();
    }
    assert_eq!(events, 60, "an event tells of 1,000 seats");
    assert!(times > 1);
}

/// A list without members is never the database's trouble.
pub async fn empty_lists_are_nothing_to_do(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let no_rows = SeatSelector::Rows { section: "Stalls".into(), rows: vec![] };
    for selector in [SeatSelector::Seats(vec![]), no_rows] {
        let (changed, _) = store.set_category(world.hall, &selector, "VIP").await.expect("no seat changes");
        assert_eq!(changed, 0);
    }
    assert_eq!(store.shows(&[]).await.unwrap(), []);
    assert_eq!(store.items_with_ids(&[]).await.unwrap(), []);
    assert!(store.versions(&[]).await.unwrap().is_empty());
    assert!(store.item_versions(&[]).await.unwrap().is_empty());
    assert_eq!(store.import_shows(&[], None).await.unwrap(), []);
    store.set_prices(world.performance, &[]).await.unwrap();
    store.remove_outbox(&[]).await.unwrap();
    store.append_events(&[]).await.unwrap();
    store.add_deliveries(&[]).await.unwrap();
    assert_eq!(store.note_attempts(&[]).await.unwrap(), 0);
    let nothing_asked = world.load(&onsale_domain::decide::FactKeys::default()).await;
    assert!(nothing_asked.performances.is_empty());
    world.run(&[], Timestamp(0)).await;
    world.run(&[world.lock(&[], true)], Timestamp(0)).await;
    // A title of which nothing can be found.
    store.add_show(show(ShowKind::Movie, " "), None).await.unwrap();
    assert_eq!(
        store.performance(PerformanceId(world.performance.0)).await.unwrap().unwrap().details.prices,
        []
    );
}
