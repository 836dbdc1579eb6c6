//! Owners: whose shows, items, venues and rooms are, and what follows from it.

use std::{collections::HashSet, sync::Arc};

use onsale_domain::{
    catalogue::ShowKind,
    ids::{HallId, ItemId, PerformanceId, RoomId, ShowId, UserId, VenueId},
    line::{Mode, RoomRecord, RoomSettings, Schedule},
    offer::Offer,
};
use onsale_engine::ports::{Admits, ImportOutcome, NewRoom, Owned, Store, StoreError};

use super::fixture::{Fixture, item, performance, show};

const MINA: UserId = UserId(3);
const JUN: UserId = UserId(4);

fn room(owner: Option<UserId>, offers: &[Offer]) -> NewRoom {
    let settings = RoomSettings::new(Mode::BankWindow { inside_max: 10 });
    NewRoom {
        name: "Spring tour".to_owned(),
        owner,
        admits: Admits::Anybody,
        offers: offers.to_vec(),
        record: RoomRecord::new(settings, Schedule::default(), [7; 32]),
    }
}

async fn owner(store: &Arc<dyn Store>, thing: impl Into<Owned>) -> Option<UserId> {
    store.owner(thing.into()).await.expect("there is such a thing")
}

pub async fn what_somebody_makes_is_theirs(store: Arc<dyn Store>) {
    for by in [Some(MINA), None, Some(JUN)] {
        let film = store.add_show(show(ShowKind::Movie, "Parasite"), by).await.unwrap();
        let poster = store.add_item(&item("Poster"), 5, by).await.unwrap();
        let venue = store.add_venue("Grand", "Asia/Seoul", by).await.unwrap();
        let room = store.add_room(&room(by, &[])).await.unwrap();
        assert_eq!(owner(&store, film).await, by);
        assert_eq!(owner(&store, poster).await, by);
        assert_eq!(owner(&store, venue).await, by);
        assert_eq!(owner(&store, room).await, by);
        // Who changes it does not take it.
        store.change_show(film, show(ShowKind::Movie, "Burning")).await.unwrap();
        assert_eq!(owner(&store, film).await, by);
    }
    let nothing: [Owned; 6] = [
        ShowId(99).into(),
        PerformanceId(99).into(),
        ItemId(99).into(),
        VenueId(99).into(),
        HallId(99).into(),
        RoomId(99).into(),
    ];
    for thing in nothing {
        let missing = store.owner(thing).await;
        assert!(matches!(missing, Err(StoreError::Missing(kind)) if kind == thing.kind()), "{missing:?}");
    }
}

pub async fn a_performance_and_a_hall_follow_what_they_belong_to(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    assert_eq!(owner(&store, world.performance).await, None);
    assert_eq!(owner(&store, world.hall).await, None);
    store.give(world.show.into(), MINA).await.unwrap();
    store.give(world.venue.into(), JUN).await.unwrap();
    assert_eq!(owner(&store, world.performance).await, Some(MINA));
    assert_eq!(owner(&store, world.hall).await, Some(JUN));
}

pub async fn a_room_is_of_those_whose_shows_are_behind_it(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let concert = store.add_show(show(ShowKind::Concert, "Opening night"), Some(JUN)).await.unwrap();
    let evening = store.add_performance(&performance(concert, world.hall)).await.unwrap();
    let guarding = store.add_room(&room(Some(MINA), &[world.performance.into()])).await.unwrap();
    let empty = store.add_room(&room(Some(MINA), &[])).await.unwrap();
    let own = async |user| store.own_rooms(user).await.unwrap();
    // The show behind it is nobody's, whoever made the room.
    assert_eq!(owner(&store, guarding).await, None);
    assert_eq!(own(MINA).await, HashSet::from([empty]));
    store.give(world.show.into(), JUN).await.unwrap();
    assert_eq!(owner(&store, guarding).await, Some(JUN));
    assert_eq!((own(MINA).await, own(JUN).await), (HashSet::from([empty]), HashSet::from([guarding])));
    store.change_room(guarding, None, Some(&[world.performance.into(), evening.into()])).await.unwrap();
    assert_eq!(owner(&store, guarding).await, Some(JUN), "both shows are Jun's");
    store.give(concert.into(), MINA).await.unwrap();
    assert_eq!(owner(&store, guarding).await, None, "one show is Jun's, the other Mina's");
    assert_eq!((own(MINA).await, own(JUN).await), (HashSet::from([empty]), HashSet::new()));
    let poster = store.add_item(&item("Poster"), 5, Some(JUN)).await.unwrap();
    store.change_room(guarding, None, Some(&[poster.into()])).await.unwrap();
    assert_eq!(owner(&store, guarding).await, Some(JUN), "the item is Jun's");
    store.change_room(guarding, None, Some(&[poster.into(), evening.into()])).await.unwrap();
    assert_eq!(owner(&store, guarding).await, None, "the item is Jun's, the show Mina's");
    store.change_room(guarding, None, Some(&[])).await.unwrap();
    assert_eq!(owner(&store, guarding).await, Some(MINA), "nothing is behind it: who made it has it");
}

pub async fn importing_again_does_not_change_hands(store: Arc<dyn Store>) {
    let film = |title: &str| {
        let mut film = show(ShowKind::Movie, title);
        film.source_key = Some("list:1".to_owned());
        film
    };
    let first = store.import_shows(&[film("1776")], Some(MINA)).await.unwrap();
    assert_eq!(first[0].outcome, ImportOutcome::Added);
    let id = first[0].id;
    let again = store.import_shows(&[film("1789")], Some(JUN)).await.unwrap();
    assert_eq!((again[0].id, again[0].outcome), (id, ImportOutcome::Changed));
    assert_eq!(owner(&store, id).await, Some(MINA));
}

pub async fn only_what_has_an_owner_of_its_own_is_given(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let poster = store.add_item(&item("Poster"), 5, None).await.unwrap();
    for thing in [Owned::Show(world.show), Owned::Item(poster), Owned::Venue(world.venue)] {
        for to in [MINA, JUN, JUN] {
            // Giving it to whom it belongs already is not a failure.
            store.give(thing, to).await.unwrap();
            assert_eq!(owner(&store, thing).await, Some(to));
        }
    }
    for thing in [Owned::Show(ShowId(99)), Owned::Item(ItemId(99)), Owned::Venue(VenueId(99))] {
        let missing = store.give(thing, MINA).await;
        assert!(matches!(missing, Err(StoreError::Missing(_))), "{missing:?}");
    }
    for thing in [Owned::Performance(world.performance), Owned::Hall(world.hall)] {
        let refused = store.give(thing, MINA).await;
        assert!(matches!(refused, Err(StoreError::Rejected(_))), "{refused:?}");
        assert_eq!(owner(&store, thing).await, Some(JUN));
    }
}
