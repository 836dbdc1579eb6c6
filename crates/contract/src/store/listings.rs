//! Lists of shows, and searching them.

use std::sync::Arc;

use onsale_domain::{
    catalogue::{PerformanceDetails, PriceLevel, ShowDetails, ShowKind},
    ids::{PerformanceId, ShowId},
    time::Timestamp,
};
use onsale_engine::ports::{MovieQuery, PerformanceSummary, Store};

use super::fixture::{Fixture, OPENS, STARTS, performance, show};

fn all() -> MovieQuery {
    MovieQuery { title: None, genre: None, showing_only: false, now: OPENS, page: 0, size: 100 }
}

async fn titles(store: &dyn Store, query: MovieQuery) -> Vec<String> {
    let found = store.movies(&query).await.unwrap();
    found.into_iter().map(|listing| listing.show.details.title).collect()
}

pub async fn titles_are_found_by_any_part_in_any_script(store: Arc<dyn Store>) {
    let all_titles = [
        "1776",
        "17 Again",
        "The  Land Girls",
        "기생충",
        "千と千尋の神隠し",
        "100% Wolf",
        "a_b",
        "axb",
        "Ünïted 93",
    ];
    for title in all_titles {
        store.add_show(show(ShowKind::Movie, title), None).await.unwrap();
    }
    store.add_show(show(ShowKind::Concert, "1776 live"), None).await.unwrap();
    let expected: [(&str, &[&str]); 17] = [
        ("1776", &["1776"]),
        ("17", &["17 Again", "1776"]),
        ("7", &["17 Again", "1776"]),
        ("생", &["기생충"]),
        ("생충", &["기생충"]),
        ("기생충", &["기생충"]),
        ("기충", &[]),
        ("千尋の神", &["千と千尋の神隠し"]),
        ("千千", &[]),
        ("LAND girls", &["The  Land Girls"]),
        ("  land   girls ", &["The  Land Girls"]),
        ("landgirls", &[]),
        ("100%", &["100% Wolf"]),
        ("0% w", &["100% Wolf"]),
        ("a_b", &["a_b"]),
        ("ünïTED", &["Ünïted 93"]),
        ("and girl and", &[]),
    ];
    for (query, found) in expected {
        let query = MovieQuery { title: Some(query.to_owned()), ..all() };
        assert_eq!(titles(&*store, query.clone()).await, found, "{query:?}");
    }
    assert_eq!(titles(&*store, MovieQuery { title: Some("  ".to_owned()), ..all() }).await.len(), 9);

    let found = store.movies(&MovieQuery { title: Some("1776".to_owned()), ..all() }).await.unwrap();
    store.change_show(found[0].show.id, show(ShowKind::Movie, "1789")).await.unwrap();
    assert_eq!(titles(&*store, MovieQuery { title: Some("776".to_owned()), ..all() }).await, [""; 0]);
    assert_eq!(titles(&*store, MovieQuery { title: Some("789".to_owned()), ..all() }).await, ["1789"]);
}

pub async fn genres_are_found_whole(store: Arc<dyn Store>) {
    for (title, genre) in
        [("A", Some("Drama")), ("B", Some("Drama, Romance")), ("C", Some("드라마")), ("D", None)]
    {
        let genre = genre.map(str::to_owned);
        store.add_show(ShowDetails { genre, ..show(ShowKind::Movie, title) }, None).await.unwrap();
    }
    for (genre, found) in
        [("drama", "A"), (" DRAMA,  romance", "B"), ("드라마", "C"), ("dram", ""), ("", "ABCD")]
    {
        let query = MovieQuery { genre: Some(genre.to_owned()), ..all() };
        assert_eq!(titles(&*store, query).await.concat(), found, "genre `{genre}`");
    }
    let both = MovieQuery { genre: Some("drama".to_owned()), title: Some("b".to_owned()), ..all() };
    assert_eq!(titles(&*store, both).await, [""; 0]);
}

pub async fn films_are_sorted_and_paged(store: Arc<dyn Store>) {
    let films = [
        ("Old", Some("1931-01-30")),
        ("None b", None),
        ("New", Some("2026-11-20")),
        ("None a", None),
        ("Also new", Some("2026-11-20")),
    ];
    for (title, date) in films {
        let release_date = date.map(|date| date.parse().expect("a date"));
        store.add_show(ShowDetails { release_date, ..show(ShowKind::Movie, title) }, None).await.unwrap();
    }
    let sorted = ["Also new", "New", "Old", "None a", "None b"];
    assert_eq!(titles(&*store, all()).await, sorted);
    for page in 0..4 {
        let from = (page as usize * 2).min(5);
        let found = titles(&*store, MovieQuery { page, size: 2, ..all() }).await;
        assert_eq!(found, sorted[from..(from + 2).min(5)], "page {page}");
    }
}

async fn add(store: &dyn Store, details: PerformanceDetails, starts_at: i64, ends_at: i64) -> PerformanceId {
    let (starts_at, ends_at) = (Timestamp(starts_at), Timestamp(ends_at));
    store.add_performance(&PerformanceDetails { starts_at, ends_at, ..details }).await.unwrap()
}

pub async fn performances_that_have_ended_are_left_out(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let details = performance(world.show, world.hall);
    let over = store.add_show(show(ShowKind::Movie, "Over"), None).await.unwrap();
    add(&*store, PerformanceDetails { show: over, ..details.clone() }, 10, 20).await;
    let late = add(&*store, details.clone(), 3_000, 4_000).await;
    let early = add(&*store, details.clone(), 1_000, 2_000).await;
    let free = PerformanceDetails {
        prices: vec![
            PriceLevel { category: 0, grade: "B".to_owned(), price: 700 },
            PriceLevel { category: 1, grade: "A".to_owned(), price: 0 },
        ],
        ..details
    };
    let cheap = add(&*store, free, 1_500, 2_500).await;

    let coming = |listing: &[PerformanceSummary]| listing.iter().map(|one| one.id).collect::<Vec<_>>();
    let found =
        store.movies(&MovieQuery { showing_only: true, now: Timestamp(1_999), ..all() }).await.unwrap();
    assert_eq!(found.len(), 1, "a film without a coming screening is not showing");
    assert_eq!(coming(&found[0].performances), [early, cheap, late, world.performance]);
    let summary = PerformanceSummary {
        id: cheap,
        venue: "Grand".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
        hall: world.hall,
        hall_name: "Hall 1".to_owned(),
        seats: 100,
        starts_at: Timestamp(1_500),
        ends_at: Timestamp(2_500),
        on_sale_at: OPENS,
        price_range: Some((0, 700)),
        cancelled: false,
    };
    assert_eq!(found[0].performances[1], summary);

    let listing = store.listing(ShowKind::Movie, world.show, Timestamp(2_000)).await.unwrap().unwrap();
    assert_eq!(coming(&listing.performances), [cheap, late, world.performance], "ended at this moment");
    let everything = store.movies(&MovieQuery { now: Timestamp(2_000), ..all() }).await.unwrap();
    assert_eq!(everything.len(), 2);
    let nothing = MovieQuery { showing_only: true, now: STARTS.plus_ms(7_200_000), ..all() };
    assert_eq!(store.movies(&nothing).await.unwrap(), []);
}

pub async fn concerts_with_the_nearest_date_come_first(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let mut concerts = Vec::new();
    for title in ["Later", "Without a date", "Sooner", "Over"] {
        concerts.push(store.add_show(show(ShowKind::Concert, title), None).await.unwrap());
    }
    let at = |show: ShowId| PerformanceDetails { show, ..performance(world.show, world.hall) };
    add(&*store, at(concerts[0]), 9_000, 9_500).await;
    add(&*store, at(concerts[2]), 8_000, 8_500).await;
    add(&*store, at(concerts[2]), 100, 200).await;
    add(&*store, at(concerts[3]), 50, 60).await;

    let page = store.concerts(Timestamp(1_000), 0, 3).await.unwrap();
    assert_eq!(page.total, 4, "films are not concerts");
    let found: Vec<ShowId> = page.concerts.iter().map(|listing| listing.show.id).collect();
    assert_eq!(found, [concerts[2], concerts[0], concerts[1]]);
    assert_eq!(page.concerts[0].performances.len(), 1, "one of its dates is over");
    let rest = store.concerts(Timestamp(1_000), 1, 3).await.unwrap();
    assert_eq!((rest.total, rest.concerts.len()), (4, 1));
    assert_eq!(rest.concerts[0].show.id, concerts[3]);
    assert_eq!(rest.concerts[0].performances, []);
}

pub async fn a_performance_is_listed_with_its_show_and_place(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    assert_eq!(store.performance_listing(PerformanceId(world.performance.0 + 1)).await.unwrap(), None);
    let found = store.performance_listing(world.performance).await.unwrap().expect("it is there");
    assert_eq!(Some(found.performance), store.performance(world.performance).await.unwrap());
    assert_eq!(Some(found.show), store.show(world.show).await.unwrap());
    assert_eq!(Some(found.hall), store.hall(world.hall).await.unwrap());
    assert_eq!(found.venue, store.venues(None, 1).await.unwrap()[0]);
}
