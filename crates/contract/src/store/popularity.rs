//! Rankings: sales are counted once, charts are made once.

use std::sync::Arc;

use jiff::{
    civil::{Date, date},
    tz::TimeZone,
};
use onsale_domain::{
    catalogue::ShowKind,
    ids::PerformanceId,
    popularity::{Calendar, HALF_LIFE_MS, Period, SubjectKind},
    time::Timestamp,
};
use onsale_engine::ports::{Chart, ChartKey, CountedSale, Ranked, Sold, Store, StoreError};

use super::fixture::{Fixture, show};

/// 2026-11-21T23:30 in Seoul.
const LATE: Timestamp = Timestamp(1_795_271_400_000);
const HOUR_MS: i64 = 3_600_000;
const TODAY: Date = date(2026, 11, 21);
const TOMORROW: Date = date(2026, 11, 22);

fn seoul() -> Calendar {
    Calendar::new(TimeZone::get("Asia/Seoul").expect("a known zone"))
}

fn sale(event: &str, sold: Sold, units: i64, paid_at: Timestamp) -> CountedSale {
    CountedSale { event: event.to_owned(), sold, units, paid_at }
}

fn item(event: &str, id: i64, units: i64) -> CountedSale {
    sale(event, Sold::Item(id), units, LATE)
}

/// Counts, and counts again while others are in the way.
async fn count(store: &dyn Store, sales: &[CountedSale]) -> usize {
    loop {
        match store.count_sales(sales, &seoul(), LATE).await {
            Err(StoreError::Conflict(_)) => {}
            counted => return counted.expect("the sales are counted"),
        }
    }
}

async fn best(store: &dyn Store, kind: SubjectKind, first: Date, last: Date) -> Vec<(i64, f64)> {
    pairs(&store.best_sold(kind, first, last, 100).await.expect("the counts are read"))
}

fn pairs(places: &[Ranked]) -> Vec<(i64, f64)> {
    places.iter().map(|place| (place.id, place.count)).collect()
}

pub async fn an_event_counts_once_however_often_it_comes(store: Arc<dyn Store>) {
    let (one, two) = (item("a.2", 1, 3), item("b.2", 1, 2));
    assert_eq!(count(&*store, &[one.clone(), one.clone()]).await, 1, "twice in one batch");
    assert_eq!(count(&*store, &[one.clone(), two.clone()]).await, 1, "and in the next");
    assert_eq!(count(&*store, &[two, one.clone()]).await, 0);
    assert_eq!(count(&*store, &[]).await, 0);
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TODAY).await, [(1, 5.0)]);
    assert_eq!(store.hottest(SubjectKind::Item, LATE, 9).await.unwrap()[0].count.round(), 5.0);
    // The control: what is not recognised is counted again.
    assert_eq!(count(&*store, &[CountedSale { event: "c.2".to_owned(), ..one }]).await, 1);
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TODAY).await, [(1, 8.0)]);
}

pub async fn what_is_given_back_is_taken_off_its_day(store: Arc<dyn Store>) {
    let tomorrow = LATE.plus_ms(HOUR_MS);
    let sales = [
        sale("a.2", Sold::Item(1), 3, LATE),
        sale("b.2", Sold::Item(1), 2, tomorrow),
        sale("c.2", Sold::Item(2), 4, tomorrow),
    ];
    assert_eq!(count(&*store, &sales).await, 3);
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TODAY).await, [(1, 3.0)]);
    assert_eq!(best(&*store, SubjectKind::Item, TOMORROW, TOMORROW).await, [(2, 4.0), (1, 2.0)]);
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TOMORROW).await, [(1, 5.0), (2, 4.0)]);
    count(&*store, &[sale("a.3", Sold::Item(1), -3, LATE), sale("c.3", Sold::Item(2), -4, tomorrow)]).await;
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TODAY).await, [], "nothing is left");
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TOMORROW).await, [(1, 2.0)]);
    let hottest = store.hottest(SubjectKind::Item, tomorrow, 9).await.unwrap();
    assert_eq!(hottest.len(), 1, "{hottest:?}");
    assert!((hottest[0].count - 2.0).abs() < 1e-6, "{hottest:?}");
}

pub async fn seats_count_for_their_show_among_its_kind(store: Arc<dyn Store>) {
    let film = Fixture::new(store.clone()).await;
    let concert = store.add_show(show(ShowKind::Concert, "Opening night"), None).await.unwrap();
    let details = super::fixture::performance(concert, film.hall);
    let evening = store.add_performance(&details).await.unwrap();
    let second_screening = film.another_performance().await;
    let sales = [
        sale("a.2", Sold::Performance(film.performance), 2, LATE),
        sale("b.2", Sold::Performance(second_screening), 1, LATE),
        sale("c.2", Sold::Performance(evening), 5, LATE),
        sale("d.2", Sold::Performance(PerformanceId(999)), 9, LATE),
        sale("e.2", Sold::Item(film.show.0), 7, LATE),
    ];
    assert_eq!(count(&*store, &sales).await, 5, "also the one that counts nothing is remembered");
    assert_eq!(best(&*store, SubjectKind::Movie, TODAY, TODAY).await, [(film.show.0, 3.0)]);
    assert_eq!(best(&*store, SubjectKind::Concert, TODAY, TODAY).await, [(concert.0, 5.0)]);
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TODAY).await, [(film.show.0, 7.0)]);
    let wanted = [concert, onsale_domain::ids::ShowId(999), film.show];
    let shows = store.shows(&wanted).await.unwrap();
    assert_eq!(shows.iter().map(|show| show.id).collect::<Vec<_>>(), [concert, film.show]);
}

pub async fn the_best_are_sorted_and_limited(store: Arc<dyn Store>) {
    let sold = [(1, 4), (2, 9), (3, 4), (4, 0), (5, -1), (6, 2)];
    count(&*store, &sold.map(|(id, units)| item(&format!("{id}.2"), id, units))).await;
    let best = store.best_sold(SubjectKind::Item, TODAY, TODAY, 3).await.unwrap();
    assert_eq!(pairs(&best), [(2, 9.0), (1, 4.0), (3, 4.0)], "of equals the lower id");
    let all = store.best_sold(SubjectKind::Item, Date::MIN, Date::MAX, 9).await.unwrap();
    assert_eq!(all.len(), 4, "what has sold nothing is not ranked: {all:?}");
    assert_eq!(pairs(&store.hottest(SubjectKind::Item, LATE, 1).await.unwrap())[0].0, 2);
}

pub async fn what_sold_long_ago_is_not_hot(store: Arc<dyn Store>) {
    count(&*store, &[item("a.2", 1, 4)]).await;
    count(&*store, &[sale("b.2", Sold::Item(2), 3, LATE.plus_ms(HALF_LIFE_MS))]).await;
    let now = LATE.plus_ms(2 * HALF_LIFE_MS);
    let hottest = store.hottest(SubjectKind::Item, now, 9).await.unwrap();
    assert_eq!(hottest.iter().map(|place| place.id).collect::<Vec<_>>(), [2, 1]);
    assert!((hottest[0].count - 1.5).abs() < 1e-6 && (hottest[1].count - 1.0).abs() < 1e-6, "{hottest:?}");
    // Told late, it counts as if it had been told in time.
    count(&*store, &[item("c.2", 1, 4)]).await;
    let hottest = store.hottest(SubjectKind::Item, now, 9).await.unwrap();
    assert_eq!((hottest[0].id, hottest[0].count.round()), (1, 2.0));
    assert_eq!(store.hottest(SubjectKind::Item, now.plus_ms(20 * HALF_LIFE_MS), 9).await.unwrap(), []);
}

pub async fn counting_at_the_same_moment_loses_nothing(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (0..8_usize)
        .map(|node| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut new = 0;
                for batch in 0..10 {
                    // Half of them are told by two nodes.
                    let shared = item(&format!("shared {}.{batch}", node / 2), 1, 1);
                    let own = item(&format!("own {node}.{batch}"), 2, 1);
                    let sales = if node % 2 == 0 { [shared, own] } else { [own, shared] };
                    new += count(&*store, &sales).await;
                }
                new
            })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += task.await.expect("no task panics");
    }
    assert_eq!(new, 4 * 10 + 8 * 10);
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TODAY).await, [(2, 80.0), (1, 40.0)]);
    let hottest = store.hottest(SubjectKind::Item, LATE, 9).await.unwrap();
    assert_eq!((hottest[0].count.round(), hottest[1].count.round()), (80.0, 40.0));
}

pub async fn charts_are_claimed_by_one_and_published_once(store: Arc<dyn Store>) {
    let key = ChartKey { kind: SubjectKind::Item, period: Period::Day, date: TODAY };
    count(&*store, &[item("a.2", 1, 4)]).await;
    let unpublished = store.chart(key, 9).await.unwrap();
    assert_eq!((pairs(&unpublished.places), unpublished.published_at), (vec![(1, 4.0)], None));
    assert!(!store.has_charts(TODAY).await.unwrap());
    let minute = |minutes: i64| LATE.plus_ms(minutes * 60_000);
    assert!(store.claim_charts(TODAY, minute(0), minute(1)).await.unwrap());
    assert!(!store.claim_charts(TODAY, minute(0), minute(1)).await.unwrap(), "somebody is at it");
    assert!(store.claim_charts(TOMORROW, minute(0), minute(1)).await.unwrap(), "another day");
    assert!(store.claim_charts(TODAY, minute(1), minute(2)).await.unwrap(), "they took too long");
    let chart = |count| Chart {
        key,
        places: vec![Ranked { id: 7, count }, Ranked { id: 1, count: 1.0 }],
        published_at: Some(minute(1)),
    };
    store.publish_charts(TODAY, &[chart(5.0)]).await.unwrap();
    store.publish_charts(TODAY, &[chart(6.0)]).await.expect("who is second leaves it");
    assert!(store.has_charts(TODAY).await.unwrap());
    assert!(!store.claim_charts(TODAY, minute(60), minute(61)).await.unwrap());
    count(&*store, &[item("b.2", 1, 40)]).await;
    assert_eq!(store.chart(key, 9).await.unwrap(), chart(5.0), "a published chart stands");
    let week = ChartKey { period: Period::Week, ..key };
    assert_eq!(pairs(&store.chart(week, 9).await.unwrap().places), [(1, 44.0)]);
}

pub async fn what_is_old_is_forgotten(store: Arc<dyn Store>) {
    let old = item("a.2", 1, 4);
    count(&*store, std::slice::from_ref(&old)).await;
    store.claim_charts(TODAY, LATE, LATE).await.unwrap();
    let key = ChartKey { kind: SubjectKind::Item, period: Period::Day, date: TODAY };
    let published = Chart { key, places: vec![], published_at: Some(LATE) };
    store.publish_charts(TODAY, std::slice::from_ref(&published)).await.unwrap();
    store.forget_popularity(LATE, TODAY, LATE).await.unwrap();
    assert_eq!(count(&*store, std::slice::from_ref(&old)).await, 0, "it is not that old");
    assert_eq!(store.chart(key, 9).await.unwrap(), published);
    let later = LATE.plus_ms(20 * HALF_LIFE_MS);
    store.forget_popularity(LATE.plus_ms(1), TOMORROW, later).await.unwrap();
    assert!(!store.has_charts(TODAY).await.unwrap());
    assert_eq!(best(&*store, SubjectKind::Item, TODAY, TODAY).await, []);
    assert_eq!(store.hottest(SubjectKind::Item, LATE, 9).await.unwrap(), []);
    assert_eq!(count(&*store, &[old]).await, 1, "it is not remembered any more");
}
