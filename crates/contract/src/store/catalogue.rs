//! Shows, venues, halls and performances.

use std::{collections::HashSet, sync::Arc};

use onsale_domain::{
    catalogue::{Hall, Performance, PerformanceDetails, PriceLevel, Show, ShowDetails, ShowKind, Venue},
    hall::{Plan, PlannedSeat, Row, SectionSpec},
    ids::{HallId, PerformanceId, SeatId, ShowId, VenueId},
    sale::{Price, SaleRules, SaleTerms},
    time::Timestamp,
};
use onsale_engine::ports::{ImportOutcome, Imported, MovieQuery, SeatSelector, Store, StoreError};

use super::fixture::{Fixture, OPENS, hall_plan, performance, show};

fn film() -> ShowDetails {
    ShowDetails {
        grade: Some("15세 이상 관람가".to_owned()),
        genre: Some("Drama \"noir\"".to_owned()),
        release_date: Some("2019-05-30".parse().expect("a date")),
        thumbnail_image: Some("https://example.org/기생충.jpg".to_owned()),
        running_time_min: Some(132),
        description: Some("Two families.\nOne house.".to_owned()),
        creator: Some("Bong Joon-ho".to_owned()),
        source_key: Some("films/1".to_owned()),
        ..show(ShowKind::Movie, "기생충 'Parasite' \\ 100%")
    }
}

pub async fn an_empty_store_is_empty(store: Arc<dyn Store>) {
    assert!(store.is_empty().await.unwrap(), "nothing is in it");
    store.ping().await.expect("it answers");
    assert!(store.lanes() >= 1, "at least one batch can be in flight");
    store.add_venue("Grand", "Asia/Seoul", None).await.unwrap();
    assert!(!store.is_empty().await.unwrap(), "now there is a venue");
}

pub async fn shows_are_kept_as_they_were_written(store: Arc<dyn Store>) {
    let id = store.add_show(film(), None).await.unwrap();
    assert_eq!(store.show(id).await.unwrap(), Some(Show { id, details: film() }));
    assert!(!store.is_empty().await.unwrap());

    let changed = show(ShowKind::Concert, "Spring");
    store.change_show(id, changed.clone()).await.unwrap();
    assert_eq!(store.show(id).await.unwrap(), Some(Show { id, details: changed }));

    let kept = store.add_show(film(), None).await.unwrap();
    let again = store.add_show(film(), None).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "a source is imported once: {again:?}");
    let changed = store.change_show(id, film()).await;
    assert!(matches!(changed, Err(StoreError::Conflict(_))), "{kept} has this source: {changed:?}");
    assert_eq!(store.show(id).await.unwrap().unwrap().details.title, "Spring", "a refusal changes nothing");
}

pub async fn importing_twice_changes_nothing(store: Arc<dyn Store>) {
    let other = ShowDetails { source_key: Some("films/2".to_owned()), ..show(ShowKind::Movie, "1776") };
    let first = store.import_shows(&[film(), other.clone(), other.clone()], None).await.unwrap();
    assert_eq!(outcomes(&first), [ImportOutcome::Added, ImportOutcome::Added, ImportOutcome::Unchanged]);
    let [a, b] = [first[0].id, first[1].id];
    assert!(a != b && b == first[2].id, "the third is the second again: {first:?}");
    let again = store.import_shows(&[other.clone(), film()], None).await.unwrap();
    assert_eq!(outcomes(&again), [ImportOutcome::Unchanged, ImportOutcome::Unchanged]);
    assert_eq!((again[0].id, again[1].id), (b, a));
    let longer = ShowDetails { running_time_min: Some(142), ..other };
    let changed = store.import_shows(&[film(), longer.clone()], None).await.unwrap();
    assert_eq!(outcomes(&changed), [ImportOutcome::Unchanged, ImportOutcome::Changed]);
    assert_eq!(store.show(b).await.unwrap().unwrap().details, longer);
}

pub async fn what_people_have_edited_stays_when_its_source_is_imported_again(store: Arc<dyn Store>) {
    let said = ShowDetails { thumbnail_image: None, description: None, ..film() };
    let id = store.import_shows(std::slice::from_ref(&said), None).await.unwrap()[0].id;
    let edited = ShowDetails {
        genre: Some("Thriller".to_owned()),
        description: Some("Two families 🎬".to_owned()),
        thumbnail_image: Some("/media/1.jpg".to_owned()),
        ..said.clone()
    };
    store.change_show(id, edited.clone()).await.unwrap();

    let same = store.import_shows(std::slice::from_ref(&said), None).await.unwrap().remove(0);
    assert_eq!(same.outcome, ImportOutcome::Unchanged);
    let fields: Vec<_> = same.kept.iter().map(|kept| kept.field).collect();
    assert_eq!(fields, ["genre"], "the source speaks of neither description nor picture");
    assert_eq!(store.show(id).await.unwrap().unwrap().details, edited);

    let longer = ShowDetails { running_time_min: Some(142), ..said };
    let changed = store.import_shows(&[longer], None).await.unwrap().remove(0);
    assert_eq!((changed.id, changed.outcome), (id, ImportOutcome::Changed));
    let expected = ShowDetails { running_time_min: Some(142), ..edited };
    assert_eq!(store.show(id).await.unwrap().unwrap().details, expected, "what the source has changed");
}

fn outcomes(imported: &[Imported]) -> Vec<ImportOutcome> {
    imported.iter().map(|imported| imported.outcome).collect()
}

/// Texts that a database may take for others, or not take at all.
pub async fn titles_are_found_however_they_are_written(store: Arc<dyn Store>) {
    for (title, query) in [
        ("기생충", "\u{1100}\u{1175}\u{1109}\u{1162}\u{11bc}"),
        ("Ame\u{301}lie", "amelie"),
        ("ＡＫＩＲＡ", "akira"),
        ("ΟΔΟΣ", "οδός"),
        ("İstanbul", "istanbul"),
        ("Emoji 🎬 Night", "🎬"),
        ("\u{fdfa}", "الله"),
        ("100% _real_!", "% _"),
    ] {
        let show = ShowDetails { genre: Some(title.to_owned()), ..show(ShowKind::Movie, title) };
        let id = store.add_show(show, None).await.unwrap();
        for (by_title, by_genre) in [(Some(query), None), (None, Some(title))] {
            let query = MovieQuery {
                title: by_title.map(str::to_owned),
                genre: by_genre.map(str::to_uppercase),
                showing_only: false,
                now: OPENS,
                page: 0,
                size: 10,
            };
            let found: Vec<_> = store.movies(&query).await.unwrap().iter().map(|film| film.show.id).collect();
            assert!(found.contains(&id), "{title} by {query:?}");
        }
    }
    for longest in ["İ".repeat(100), "\u{fdfa}".repeat(100), "🎬".repeat(100)] {
        let genre = Some(longest.clone());
        let show = ShowDetails { genre: genre.clone(), ..show(ShowKind::Movie, &longest.repeat(5)) };
        let id = store.add_show(show, None).await.expect("bounded after folding");
        assert_eq!(store.show(id).await.unwrap().unwrap().details.genre, genre);
    }
}

pub async fn an_import_with_a_show_without_a_source_leaves_nothing(store: Arc<dyn Store>) {
    let refused = store.import_shows(&[film(), show(ShowKind::Movie, "1776")], None).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    assert!(store.is_empty().await.unwrap(), "not even the first is there");
}

pub async fn venues_and_halls_are_listed(store: Arc<dyn Store>) {
    let mut venues = Vec::new();
    for name in ["Grand", "대극장", "Arena"] {
        let id = store.add_venue(name, "Asia/Seoul", None).await.unwrap();
        venues.push(Venue { id, name: name.to_owned(), time_zone: "Asia/Seoul".to_owned() });
    }
    assert_eq!(store.venues(None, 10).await.unwrap(), venues);
    assert_eq!(store.venues(Some(venues[0].id), 1).await.unwrap(), venues[1..2]);
    let moved = Venue { time_zone: "Europe/Vienna".to_owned(), ..venues[1].clone() };
    store.change_venue(&moved).await.unwrap();
    assert_eq!(store.venues(Some(venues[0].id), 1).await.unwrap(), [moved]);

    let first = store.add_hall(venues[0].id, "1", &hall_plan("A", 2, 3)).await.unwrap();
    let second = store.add_hall(venues[0].id, "2", &hall_plan("A", 1, 4)).await.unwrap();
    let hall = |id, name: &str, seats| Hall {
        id,
        venue: venues[0].id,
        name: name.to_owned(),
        seats,
        categories: vec!["Standard".to_owned()],
    };
    assert_eq!(store.halls(venues[0].id).await.unwrap(), [hall(first, "1", 6), hall(second, "2", 4)]);
    assert_eq!(store.halls(venues[2].id).await.unwrap(), []);
    assert_eq!(store.hall(second).await.unwrap(), Some(hall(second, "2", 4)));
}

pub async fn what_does_not_exist_is_missing(store: Arc<dyn Store>) {
    fn missing<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
        assert!(matches!(answer, Err(StoreError::Missing(_))), "{answer:?}");
    }
    let (show_id, hall, nobody) = (ShowId(9), HallId(9), PerformanceId(9));
    assert_eq!(store.show(show_id).await.unwrap(), None);
    assert_eq!(store.hall(hall).await.unwrap(), None);
    assert!(store.seat_map(hall).await.unwrap().is_none());
    assert_eq!(store.performance(nobody).await.unwrap(), None);
    assert!(store.sale_terms(nobody).await.unwrap().is_none());
    assert_eq!(store.hall_of_seat(SeatId(1)).await.unwrap(), None);
    assert_eq!(store.listing(ShowKind::Movie, show_id, OPENS).await.unwrap(), None);
    let venue = Venue { id: VenueId(9), name: "x".to_owned(), time_zone: "UTC".to_owned() };
    missing(&store.change_venue(&venue).await);
    missing(&store.change_show(show_id, film()).await);
    missing(&store.add_hall(VenueId(9), "1", &hall_plan("A", 1, 1)).await);
    missing(&store.set_category(hall, &SeatSelector::All, "VIP").await);

    let world = Fixture::new(store.clone()).await;
    missing(&store.add_performance(&performance(show_id, world.hall)).await);
    missing(&store.add_performance(&performance(world.show, hall)).await);
    let unknown = Performance { id: nobody, details: performance(world.show, world.hall), cancelled: false };
    missing(&store.change_performance(&unknown).await);
    missing(&store.set_category(world.hall, &SeatSelector::Section("Roof".to_owned()), "VIP").await);
    let row =
        SeatSelector::Rows { section: "Stalls".to_owned(), rows: vec!["A".to_owned(), "ZZ".to_owned()] };
    missing(&store.set_category(world.hall, &row, "VIP").await);
    let seats = SeatSelector::Seats(vec![world.seats[0], SeatId(world.seats[99].0 + 1)]);
    missing(&store.set_category(world.hall, &seats, "VIP").await);
    let hall = store.hall(world.hall).await.unwrap().unwrap();
    assert_eq!(hall.categories, ["Standard"], "a refusal adds no category");
    assert_eq!(store.listing(ShowKind::Concert, world.show, OPENS).await.unwrap(), None, "it is a film");
}

fn odd_plan() -> Plan {
    let seat = |row, place, number: &str, category| PlannedSeat {
        row,
        place,
        number: number.to_owned(),
        category,
        x: 1.5,
        y: -0.25,
        guid: (place == 3).then(|| "guid \"3\"".to_owned()),
    };
    Plan {
        rows: vec![
            Row { section: "Balcony, left".to_owned(), label: "가".to_owned() },
            Row { section: "Balcony, left".to_owned(), label: "가".to_owned() },
        ],
        categories: vec!["VIP".to_owned(), "Standard".to_owned()],
        seats: vec![seat(1, -4, "12a", 1), seat(0, 3, "12\"", 0), seat(1, -3, "13", 1)],
    }
}

pub async fn seat_maps_are_as_planned(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let hall = store.add_hall(world.venue, "Odd", &odd_plan()).await.unwrap();
    let map = store.seat_map(hall).await.unwrap().unwrap();
    let plan = odd_plan();
    assert_eq!(map.hall(), hall);
    assert_eq!(map.rows(), plan.rows);
    assert_eq!(map.categories(), plan.categories);
    assert_eq!(map.seats().len(), plan.seats.len());
    for (ordinal, (seat, planned)) in map.seats().iter().zip(&plan.seats).enumerate() {
        let read = PlannedSeat {
            row: seat.row,
            place: seat.place,
            number: seat.number.clone(),
            category: seat.category,
            x: seat.x,
            y: seat.y,
            guid: seat.guid.clone(),
        };
        assert_eq!(read, *planned, "seat {ordinal}");
        assert_eq!(map.ordinal(seat.id), Some(ordinal as u32));
        assert_eq!(store.hall_of_seat(seat.id).await.unwrap(), Some(hall));
    }
    let ids: HashSet<SeatId> = map.seats().iter().map(|seat| seat.id).chain(world.seats.clone()).collect();
    assert_eq!(ids.len(), 103, "no id is given to two seats");
    assert_eq!(store.hall_of_seat(world.seats[99]).await.unwrap(), Some(world.hall));
    assert_eq!(store.hall_of_seat(SeatId(map.seats()[2].id.0 + 1)).await.unwrap(), None);
    assert_eq!(store.hall_of_seat(SeatId(i64::MIN)).await.unwrap(), None);
}

pub async fn a_plan_that_contradicts_itself_is_rejected(store: Arc<dyn Store>) {
    let venue = store.add_venue("Grand", "Asia/Seoul", None).await.unwrap();
    let mut row = odd_plan();
    row.seats[0].row = 2;
    let mut category = odd_plan();
    category.seats[0].category = 2;
    let mut position = odd_plan();
    position.seats[0].x = f32::NAN;
    for plan in [row, category, position, Plan::default()] {
        let refused = store.add_hall(venue, "Odd", &plan).await;
        assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    }
    assert_eq!(store.halls(venue).await.unwrap(), []);
}

pub async fn categories_change_for_all_kinds_of_selections(store: Arc<dyn Store>) {
    let section = |name: &str| SectionSpec {
        name: name.to_owned(),
        rows: 4,
        seats_per_row: 5,
        category: "Standard".to_owned(),
    };
    let plan = Plan::generate(&[section("Stalls"), section("Balcony")]).unwrap();
    let world = Fixture::with_plan(store.clone(), &plan).await;
    let other = Fixture::with_plan(store.clone(), &plan).await;
    let second = world.another_performance().await;
    let affected = vec![world.performance, second];

    let set = |seats, category| {
        let store = store.clone();
        async move { store.set_category(world.hall, &seats, category).await.unwrap() }
    };
    assert_eq!(set(SeatSelector::Section("Balcony".to_owned()), "Upper").await, (20, affected.clone()));
    let rows =
        SeatSelector::Rows { section: "Stalls".to_owned(), rows: vec!["A".to_owned(), "C".to_owned()] };
    assert_eq!(set(rows.clone(), "VIP").await.0, 10);
    assert_eq!(set(rows, "VIP").await.0, 0, "they are VIP already");
    let chosen = SeatSelector::Seats(vec![world.seats[5], world.seats[39]]);
    assert_eq!(set(chosen, "VIP").await.0, 2);

    let map = store.seat_map(world.hall).await.unwrap().unwrap();
    assert_eq!(map.categories(), ["Standard", "Upper", "VIP"]);
    let found: Vec<u16> = map.seats().iter().map(|seat| seat.category).collect();
    let mut expected = [[2; 5], [0; 5], [2; 5], [0; 5], [1; 5], [1; 5], [1; 5], [1; 5]].concat();
    expected[5] = 2;
    expected[39] = 2;
    assert_eq!(found, expected);
    let untouched = store.seat_map(other.hall).await.unwrap().unwrap();
    assert!(untouched.seats().iter().all(|seat| seat.category == 0), "another hall is as it was");
    assert_eq!(store.sale_terms(other.performance).await.unwrap().unwrap().revision, 1);

    assert_eq!(set(SeatSelector::All, "Standard").await.0, 31);
    let terms = store.sale_terms(second).await.unwrap().unwrap();
    assert_eq!(terms.revision, 6, "each change raised it");
    assert!(terms.seats.seats().iter().all(|seat| seat.category == 0), "the terms have the new seats");
    assert_eq!(terms.prices.len(), 3);
}

pub async fn performances_are_kept_and_their_revisions_rise(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let mut read = store.performance(world.performance).await.unwrap().unwrap();
    let written = performance(world.show, world.hall);
    assert_eq!(read, Performance { id: world.performance, details: written, cancelled: false });

    store.set_category(world.hall, &SeatSelector::Seats(vec![world.seats[0]]), "VIP").await.unwrap();
    read.details.prices = vec![
        PriceLevel { category: 0, grade: "A".to_owned(), price: 0 },
        PriceLevel { category: 1, grade: "특".to_owned(), price: 99 },
    ];
    read.details.rules = SaleRules { hold_ms: 1_000, seats_per_buyer_max: 100, side_by_side: true };
    read.details.on_sale_at = Timestamp(-5);
    read.cancelled = true;
    store.change_performance(&read).await.unwrap();
    assert_eq!(store.performance(world.performance).await.unwrap().as_ref(), Some(&read));

    let terms = store.sale_terms(world.performance).await.unwrap().unwrap();
    assert_eq!((terms.performance, terms.revision), (world.performance, 3));
    assert_eq!((terms.on_sale_at, terms.starts_at), (Timestamp(-5), read.details.starts_at));
    assert_eq!((terms.rules, terms.cancelled), (read.details.rules, true));
    let price = |grade: &str, amount| Some(Price { grade: grade.to_owned(), amount });
    assert_eq!(terms.prices, [price("A", 0), price("특", 99)]);

    read.details.prices.clear();
    store.change_performance(&read).await.unwrap();
    let terms = store.sale_terms(world.performance).await.unwrap().unwrap();
    assert_eq!((terms.revision, terms.prices), (4, vec![None, None]));
}

pub async fn a_performance_stays_in_its_hall(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let other = store.add_hall(world.venue, "2", &hall_plan("A", 1, 1)).await.unwrap();
    let mut performance = store.performance(world.performance).await.unwrap().unwrap();
    performance.details.hall = other;
    let refused = store.change_performance(&performance).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
    assert_eq!(store.performance(world.performance).await.unwrap().unwrap().details.hall, world.hall);
}

/// New prices leave everything else as it is, and are noticed by whoever sells and watches.
pub async fn prices_are_set_alone(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let before = store.performance(world.performance).await.unwrap().unwrap();
    let versions = |terms: Option<SaleTerms>| terms.unwrap().revision;
    let revision = versions(store.sale_terms(world.performance).await.unwrap());
    let version = store.claims(world.performance).await.unwrap().version;
    let prices = vec![PriceLevel { category: 0, grade: "B".into(), price: 7 }];
    store.set_prices(world.performance, &prices).await.unwrap();
    let after = store.performance(world.performance).await.unwrap().unwrap();
    assert_eq!(after.details.prices, prices);
    assert_eq!(PerformanceDetails { prices: before.details.prices.clone(), ..after.details }, before.details);
    assert_eq!(versions(store.sale_terms(world.performance).await.unwrap()), revision + 1);
    assert_eq!(store.claims(world.performance).await.unwrap().version, version + 1);
    let missing = store.set_prices(PerformanceId(99), &prices).await;
    assert!(matches!(missing, Err(StoreError::Missing(_))), "{missing:?}");
}

pub async fn terms_of_one_hall_share_its_seats(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let second = world.another_performance().await;
    let first = store.sale_terms(world.performance).await.unwrap().unwrap();
    let second = store.sale_terms(second).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first.seats, &second.seats), "a hall's seats are in memory once");
    store.set_category(world.hall, &SeatSelector::All, "VIP").await.unwrap();
    let changed = store.sale_terms(world.performance).await.unwrap().unwrap();
    assert_eq!(changed.seats.seats()[0].category, 1, "but never an old state of them");
    assert_eq!(first.seats.seats()[0].category, 0);
}

pub async fn a_hundred_thousand_seats(store: Arc<dyn Store>) {
    let section = |index: u32| SectionSpec {
        name: format!("Block {index}"),
        rows: 100,
        seats_per_row: 100,
        category: format!("Category {}", index % 3),
    };
    let plan = Plan::generate(&(0..10).map(section).collect::<Vec<_>>()).unwrap();
    let venue = store.add_venue("Stadium", "Asia/Seoul", None).await.unwrap();
    let hall = store.add_hall(venue, "Field", &plan).await.unwrap();
    let map = store.seat_map(hall).await.unwrap().unwrap();
    assert_eq!((map.seats().len(), map.rows().len(), map.categories().len()), (100_000, 1_000, 3));
    assert_eq!(map.ordinal(map.seats()[99_999].id), Some(99_999));
    let (changed, _) = store.set_category(hall, &SeatSelector::All, "Category 0").await.unwrap();
    assert_eq!(changed, 60_000);
    let half: Vec<SeatId> = map.seats().iter().map(|seat| seat.id).step_by(2).collect();
    let (changed, _) = store.set_category(hall, &SeatSelector::Seats(half), "VIP").await.unwrap();
    assert_eq!(changed, 50_000);
    let map = store.seat_map(hall).await.unwrap().unwrap();
    assert_eq!(map.seats().iter().filter(|seat| seat.category == 3).count(), 50_000);
}
