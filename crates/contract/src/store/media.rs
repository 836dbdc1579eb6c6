//! Pictures: one that a show has stays, one that nobody refers to goes.

use std::sync::Arc;

use onsale_domain::{
    catalogue::ShowKind,
    ids::{ItemId, ShowId, UserId},
    time::Timestamp,
};
use onsale_engine::{
    media::{ImageFormat, MediaName},
    ports::{Store, StoreError},
};

use super::fixture::{item, show};

fn picture(number: u8) -> MediaName {
    MediaName::of(&[number], ImageFormat::WebP)
}

async fn film(store: &dyn Store) -> ShowId {
    store.add_show(show(ShowKind::Movie, "Parasite"), None).await.unwrap()
}

async fn image_of(store: &dyn Store, show: ShowId) -> Option<String> {
    store.show(show).await.unwrap().unwrap().details.thumbnail_image
}

pub async fn a_show_has_the_picture_that_it_was_given(store: Arc<dyn Store>) {
    let film = film(&*store).await;
    let now = Timestamp(1_000);
    assert!(!store.set_image(film.into(), Some(&picture(1)), now).await.unwrap(), "it was not noted");
    assert_eq!(image_of(&*store, film).await, None);
    assert!(store.note_media(&picture(1), now).await.unwrap());
    assert!(store.note_media(&picture(1), now).await.unwrap(), "noting it again is no failure");
    assert!(store.set_image(film.into(), Some(&picture(1)), now).await.unwrap());
    assert_eq!(image_of(&*store, film).await, Some(picture(1).path()));
    assert!(store.set_image(film.into(), None, now).await.unwrap());
    assert_eq!(image_of(&*store, film).await, None);
    let refused = store.set_image(ShowId(999).into(), Some(&picture(1)), now).await;
    assert!(matches!(refused, Err(StoreError::Missing("show"))), "{refused:?}");
}

pub async fn an_item_has_the_picture_that_it_was_given(store: Arc<dyn Store>) {
    let soup = store.add_item(&item("라면"), 10, None).await.unwrap();
    let image = async || store.item(soup).await.unwrap().unwrap().details.image_url;
    let now = Timestamp(1_000);
    assert!(!store.set_image(soup.into(), Some(&picture(1)), now).await.unwrap(), "it was not noted");
    assert_eq!(image().await, None);
    assert!(store.note_media(&picture(1), now).await.unwrap());
    assert!(store.set_image(soup.into(), Some(&picture(1)), now).await.unwrap());
    assert_eq!(image().await, Some(picture(1).path()));
    assert_eq!(store.mark_unused_media(Timestamp(2_000), 9).await.unwrap(), [], "the item has it");
    let refused = store.set_image(ItemId(999).into(), Some(&picture(1)), now).await;
    assert!(matches!(refused, Err(StoreError::Missing("item"))), "{refused:?}");

    // A show and an item may share one: it goes when neither has it.
    let film = film(&*store).await;
    assert!(store.set_image(film.into(), Some(&picture(1)), now).await.unwrap());
    assert!(store.set_image(soup.into(), None, now).await.unwrap());
    assert_eq!(image().await, None);
    assert_eq!(store.mark_unused_media(Timestamp(2_000), 9).await.unwrap(), [], "the show has it");
    assert!(store.set_image(film.into(), None, now).await.unwrap());
    assert_eq!(store.mark_unused_media(Timestamp(2_000), 9).await.unwrap(), [picture(1)]);
    assert!(!store.set_image(soup.into(), Some(&picture(1)), now).await.unwrap(), "it is being removed");
}

pub async fn only_what_nobody_refers_to_is_removed(store: Arc<dyn Store>) {
    let (one, other) = (film(&*store).await, film(&*store).await);
    for number in 1..=4 {
        store.note_media(&picture(number), Timestamp(1_000)).await.unwrap();
    }
    // 1 is had by two, 2 was had, 3 never was, 4 is young.
    store.set_image(one.into(), Some(&picture(2)), Timestamp(1_000)).await.unwrap();
    store.set_image(one.into(), Some(&picture(1)), Timestamp(5_000)).await.unwrap();
    store.set_image(other.into(), Some(&picture(1)), Timestamp(1_000)).await.unwrap();
    store.note_media(&picture(4), Timestamp(9_000)).await.unwrap();
    let marked = async |before| store.mark_unused_media(Timestamp(before), 9).await.unwrap();
    assert_eq!(marked(1_000).await, []);
    assert_eq!(marked(1_001).await, [picture(3)]);
    assert_eq!(marked(1_001).await, [picture(3)], "until it is forgotten");
    assert_eq!(marked(5_001).await.len(), 2, "2 is kept for a while after it was replaced");
    assert!(!store.note_media(&picture(3), Timestamp(9_000)).await.unwrap(), "it is being removed");
    assert!(!store.set_image(one.into(), Some(&picture(2)), Timestamp(9_000)).await.unwrap());
    assert_eq!(image_of(&*store, one).await, Some(picture(1).path()), "as it was");
    for number in [1, 2, 3] {
        store.forget_media(&picture(number)).await.unwrap();
    }
    assert_eq!(marked(5_001).await, []);
    assert!(store.note_media(&picture(3), Timestamp(9_000)).await.unwrap(), "it may come again");
    assert!(
        store.set_image(one.into(), Some(&picture(1)), Timestamp(9_000)).await.unwrap(),
        "1 was not marked"
    );
    store.set_image(one.into(), None, Timestamp(9_000)).await.unwrap();
    assert_eq!(marked(9_000).await, [], "the other show has it");
    assert_eq!(marked(9_001).await.len(), 2, "3 and 4");
}

/// However a removal and a use of the same picture meet, no show has a picture that is being removed.
pub async fn a_picture_in_use_is_never_marked(store: Arc<dyn Store>) {
    let film = film(&*store).await;
    for round in 0..20 {
        let name = picture(round);
        store.note_media(&name, Timestamp(1_000)).await.unwrap();
        let use_it = {
            let store = store.clone();
            tokio::spawn(async move { store.set_image(film.into(), Some(&name), Timestamp(3_000)).await })
        };
        let mark_it = {
            let store = store.clone();
            tokio::spawn(async move { store.mark_unused_media(Timestamp(2_000), 100).await })
        };
        let used = use_it.await.unwrap().unwrap();
        let marked = mark_it.await.unwrap().unwrap().contains(&name);
        assert_ne!(used, marked, "round {round}: one of the two");
        assert_eq!(image_of(&*store, film).await == Some(name.path()), used, "round {round}");
        // The next round's removal is of the next picture alone.
        store.set_image(film.into(), None, Timestamp(3_000)).await.unwrap();
        store.forget_media(&name).await.unwrap();
    }
}

pub async fn a_picture_is_whose_sent_it_first(store: Arc<dyn Store>) {
    let of = async |user: i64| {
        let mut pictures = store.media_of(UserId(user)).await.unwrap();
        pictures.sort_unstable_by_key(|(_, bytes)| *bytes);
        pictures
    };
    for number in 1..=3 {
        store.note_media(&picture(number), Timestamp(1_000)).await.unwrap();
    }
    assert_eq!(of(1).await, []);
    for (number, user) in [(1, 1), (2, 1), (1, 2), (3, 2)] {
        store.own_media(&picture(number), UserId(user), 100 * u64::from(number)).await.unwrap();
    }
    assert_eq!(of(1).await, [(picture(1), 100), (picture(2), 200)]);
    assert_eq!(of(2).await, [(picture(3), 300)], "the first one is somebody else's");
    store.mark_unused_media(Timestamp(2_000), 9).await.unwrap();
    store.forget_media(&picture(2)).await.unwrap();
    assert_eq!(of(1).await, [(picture(1), 100)]);
}
