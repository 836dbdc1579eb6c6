//! Whose day it is: midnight, two zones, days that are longer or shorter.

use std::sync::atomic::Ordering::SeqCst;

use jiff::civil::date;
use onsale_domain::popularity::{Period, SubjectKind};
use onsale_engine::rankings::RankingError;

use crate::world::{World, at, until};

#[tokio::test]
async fn the_same_sales_are_of_different_days_in_two_zones() {
    for (zone, midnight, day, expected) in [
        ("Asia/Seoul", "2026-11-21T15:00:00Z", "2026-11-21", [(2, 5.0), (1, 1.0)]),
        ("America/New_York", "2026-11-22T05:00:00Z", "2026-11-21", [(1, 3.0), (2, 1.0)]),
    ] {
        let world = World::new(zone, "2026-11-21T12:00:00Z").await;
        world.sell(1, 1, "2026-11-21T14:59:59.999Z").await;
        world.sell(1, 2, "2026-11-21T15:00:00Z").await;
        world.sell(2, 4, "2026-11-21T04:59:59Z").await;
        world.sell(2, 1, "2026-11-21T05:00:00Z").await;
        world.clock.set(at(midnight));
        assert!(world.node.make_charts().await.unwrap());
        assert_eq!(world.chart(Period::Day).await, (expected.to_vec(), day.to_owned()), "{zone}");
    }
}

#[tokio::test]
async fn a_longer_and_a_shorter_day_are_counted_whole_and_the_job_wakes_at_their_ends() {
    for (zone, begins, ends, day) in [
        // 25 and 23 hours.
        ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-25"),
        ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-29"),
        ("America/New_York", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", "2026-11-01"),
        ("America/New_York", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", "2026-03-08"),
        // It begins at 01:00: there is no midnight.
        ("Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z", "2026-04-24"),
    ] {
        let world = World::new(zone, begins).await;
        let (begins, ends) = (at(begins), at(ends));
        world.node.start();
        until(async || world.store.publications.load(SeqCst) == 1).await;
        for (item, paid_at) in
            [(1, begins.plus_ms(-1)), (2, begins), (3, ends.plus_ms(-1)), (4, ends), (5, ends.plus_ms(-1))]
        {
            world.sell(item, 6 - item, &onsale_engine::events::time(paid_at)).await;
        }
        world.clock.set(ends.plus_ms(-1));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(world.store.publications.load(SeqCst), 1, "{zone}: the day is not over");
        world.clock.set(ends);
        // The job has shown its charts one after the other.
        until(async || {
            let (of_day, of_week) = (world.chart(Period::Day).await.1, world.chart(Period::Week).await.1);
            of_day == day && of_week == day
        })
        .await;
        assert_eq!(world.chart(Period::Day).await.0, [(2, 4.0), (3, 3.0), (5, 1.0)], "{zone} {day}");
        assert_eq!(world.store.publications.load(SeqCst), 2, "{zone}");
        let week = world.chart(Period::Week).await.0;
        assert_eq!(week, [(1, 5.0), (2, 4.0), (3, 3.0), (5, 1.0)], "{zone}: with the day before");
        world.node.stop().await;
    }
}

#[tokio::test]
async fn the_chart_before_is_shown_until_five_past_midnight_at_most() {
    let world = World::new("Asia/Seoul", "2026-11-21T14:59:00Z").await;
    world.sell(1, 1, "2026-11-20T03:00:00Z").await;
    world.sell(2, 2, "2026-11-21T03:00:00Z").await;
    world.node.make_charts().await.unwrap();
    let (before, after) = ("2026-11-20".to_owned(), "2026-11-21".to_owned());
    assert_eq!(world.chart(Period::Day).await, (vec![(1, 1.0)], before.clone()));
    let read = world.charts_read();
    // The job is late.
    world.clock.set(at("2026-11-21T15:04:59.999Z"));
    assert_eq!(world.chart(Period::Day).await.1, before);
    assert_eq!(world.charts_read(), read, "it was kept");
    world.clock.set(at("2026-11-21T15:05:00Z"));
    assert_eq!(world.chart(Period::Day).await, (vec![(2, 2.0)], after.clone()));
    assert_eq!(world.charts_read(), read + 1, "the database answered");
    // It was not published, so it may still change.
    world.sell(2, 7, "2026-11-21T14:00:00Z").await;
    world.clock.advance_ms(60_000);
    assert_eq!(world.chart(Period::Day).await, (vec![(2, 9.0)], after.clone()));
    world.node.make_charts().await.unwrap();
    world.sell(2, 1, "2026-11-21T14:30:00Z").await;
    world.clock.advance_ms(3_600_000);
    assert_eq!(world.chart(Period::Day).await, (vec![(2, 9.0)], after), "published, it stands");
    assert_eq!(world.chart(Period::Week).await.0, [(2, 9.0), (1, 1.0)]);
}

#[tokio::test]
async fn items_have_charts_of_their_own() {
    let world = World::new("Asia/Seoul", "2026-11-21T12:00:00Z").await;
    world.sell(1, 3, "2026-11-20T12:00:00Z").await;
    world.sell(2, 5, "2026-11-19T12:00:00Z").await;
    world.sell(1, 1, "2026-11-21T11:59:00Z").await;
    assert!(world.node.make_charts().await.unwrap());
    for (period, expected) in [
        (Period::Day, vec![(1, 3.0)]),
        (Period::Week, vec![(2, 5.0), (1, 3.0)]),
        (Period::Month, vec![(2, 5.0), (1, 3.0)]),
    ] {
        assert_eq!(world.chart(period).await, (expected, "2026-11-20".to_owned()), "{period:?}");
        for kind in [SubjectKind::Movie, SubjectKind::Concert] {
            let chart = world.node.chart(kind, period, None).await.unwrap();
            assert_eq!(chart.places, [], "nothing of {kind:?} was sold");
        }
    }
    let now = world.node.now(SubjectKind::Item).await.unwrap();
    assert_eq!(now.places[0].id, 1);
    assert_eq!(world.node.now(SubjectKind::Movie).await.unwrap().places, []);
}

#[tokio::test]
async fn charts_of_other_dates_are_within_bounds() {
    let world = World::new("Asia/Seoul", "2026-11-21T12:00:00Z").await;
    world.sell(1, 3, "2025-11-20T03:00:00Z").await;
    let chart = async |day| world.node.chart(SubjectKind::Item, Period::Month, Some(day)).await;
    for day in [date(2025, 11, 20), date(2025, 12, 19)] {
        assert_eq!(chart(day).await.unwrap().places.len(), 1, "{day}");
    }
    assert_eq!(chart(date(2025, 12, 20)).await.unwrap().places, [], "31 days later");
    for day in [date(2026, 11, 21), date(2025, 11, 19), jiff::civil::Date::MIN, jiff::civil::Date::MAX] {
        let refused = chart(day).await.unwrap_err();
        assert!(matches!(refused, RankingError::NoSuchDay { .. }), "{refused}");
        assert_eq!(refused.to_string(), "there are charts from 2025-11-20 to 2026-11-20");
    }
}

#[tokio::test]
async fn now_follows_within_seconds_and_decays() {
    let world = World::new("Asia/Seoul", "2026-11-21T12:00:00Z").await;
    world.sell(1, 4, "2026-11-21T11:00:00Z").await;
    let now = async || {
        let ranking = world.node.now(SubjectKind::Item).await.unwrap();
        assert_eq!(ranking.days, None);
        ranking.places.iter().map(|place| (place.id, (place.count * 10.0).round())).collect::<Vec<_>>()
    };
    assert_eq!(now().await, [(1, 20.0)], "a half after an hour");
    world.sell(2, 3, "2026-11-21T12:00:00Z").await;
    assert_eq!(now().await, [(1, 20.0)], "kept for five seconds");
    world.clock.advance_ms(5_000);
    assert_eq!(now().await, [(2, 30.0), (1, 20.0)]);
}
