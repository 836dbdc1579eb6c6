//! People and their sessions.

use std::sync::Arc;

use onsale_domain::{
    ids::{SessionId, UserId},
    time::Timestamp,
    user::Role,
};
use onsale_engine::ports::{NewUser, Session, Store, StoreError, User, UserChange};
use uuid::Uuid;

fn ann() -> NewUser {
    NewUser {
        email: "ann@example.org".to_owned(),
        name: "앤 \"Ann\"".to_owned(),
        role: Role::Organiser,
        password_hash: "$argon2id$v=19$m=1".to_owned(),
        created_at: Timestamp(5),
    }
}

fn session(number: u128, user: UserId) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(number)),
        user,
        refresh_hash: [number as u8; 32],
        created_at: Timestamp(10),
        expires_at: Timestamp(1_000),
        ended_at: None,
    }
}

pub async fn people_are_found_while_their_account_is_open(store: Arc<dyn Store>) {
    let added = store.add_user(ann()).await.unwrap();
    let expected = User {
        id: added.id,
        email: "ann@example.org".to_owned(),
        name: "앤 \"Ann\"".to_owned(),
        role: Role::Organiser,
        password_hash: "$argon2id$v=19$m=1".to_owned(),
        created_at: Timestamp(5),
    };
    assert_eq!(added, expected);
    assert_eq!(store.user(added.id).await.unwrap().as_ref(), Some(&added));
    assert_eq!(store.user_by_email("ann@example.org").await.unwrap().as_ref(), Some(&added));
    assert_eq!(store.user_by_email("ANN@Example.org").await.unwrap().as_ref(), Some(&added));
    assert_eq!(store.user_by_email("bob@example.org").await.unwrap(), None);
    assert_eq!(store.user(UserId(added.id.0 + 1)).await.unwrap(), None);

    let change =
        UserChange { name: Some("Anna".to_owned()), role: Some(Role::Admin), ..UserChange::default() };
    let changed = store.change_user(added.id, change).await.unwrap().unwrap();
    assert_eq!(changed, User { name: "Anna".to_owned(), role: Role::Admin, ..added.clone() });
    let change = UserChange {
        email: Some("anna@example.org".to_owned()),
        password_hash: Some("other".to_owned()),
        ..UserChange::default()
    };
    let moved = store.change_user(added.id, change).await.unwrap().unwrap();
    assert_eq!((moved.email.as_str(), moved.password_hash.as_str()), ("anna@example.org", "other"));
    assert_eq!(store.user_by_email("ann@example.org").await.unwrap(), None);
    let same = store.change_user(added.id, UserChange::default()).await.unwrap();
    assert_eq!(same, Some(moved));
    assert_eq!(store.change_user(UserId(99), UserChange::default()).await.unwrap(), None);
}

pub async fn an_e_mail_address_has_one_account(store: Arc<dyn Store>) {
    store.add_user(ann()).await.unwrap();
    let again = store.add_user(ann()).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let bob = store.add_user(NewUser { email: "bob@example.org".to_owned(), ..ann() }).await.unwrap();
    let change = UserChange { email: Some("ann@example.org".to_owned()), ..UserChange::default() };
    let refused = store.change_user(bob.id, change).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(store.user(bob.id).await.unwrap(), Some(bob));
}

pub async fn closing_an_account_erases_the_person_and_ends_the_sessions(store: Arc<dyn Store>) {
    let first = store.add_user(ann()).await.unwrap();
    let bob = store.add_user(NewUser { email: "bob@example.org".to_owned(), ..ann() }).await.unwrap();
    store.add_session(session(1, first.id)).await.unwrap();
    store.add_session(session(2, bob.id)).await.unwrap();
    assert!(store.close_user(first.id, Timestamp(50)).await.unwrap());
    assert!(!store.close_user(first.id, Timestamp(60)).await.unwrap(), "it is closed already");
    assert_eq!(store.user(first.id).await.unwrap(), None);
    assert_eq!(store.user_by_email("ann@example.org").await.unwrap(), None);
    assert_eq!(store.user_by_email("").await.unwrap(), None);
    assert_eq!(store.change_user(first.id, UserChange::default()).await.unwrap(), None);
    let ended = store.session(SessionId(Uuid::from_u128(1))).await.unwrap().unwrap();
    assert_eq!(ended.ended_at, Some(Timestamp(50)));
    let other = store.session(SessionId(Uuid::from_u128(2))).await.unwrap().unwrap();
    assert_eq!(other.ended_at, None);

    let again = store.add_user(ann()).await.expect("the address is free again");
    assert!(again.id != first.id, "but the id is never given out twice");
    store.close_user(again.id, Timestamp(70)).await.expect("two closed accounts do not collide");
}

pub async fn a_refresh_token_rotates_once(store: Arc<dyn Store>) {
    let ann = store.add_user(ann()).await.unwrap();
    let begun = session(1, ann.id);
    store.add_session(begun.clone()).await.unwrap();
    let again = store.add_session(begun.clone()).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(store.session(begun.id).await.unwrap().as_ref(), Some(&begun));
    let rotate = |old, new| store.rotate_session(begun.id, [old; 32], [new; 32], Timestamp(2_000));
    assert!(rotate(1, 2).await.unwrap());
    assert!(!rotate(1, 3).await.unwrap(), "the old token is void");
    let rotated = Session { refresh_hash: [2; 32], expires_at: Timestamp(2_000), ..begun.clone() };
    assert_eq!(store.session(begun.id).await.unwrap(), Some(rotated));
    assert!(store.end_session(begun.id, Timestamp(60)).await.unwrap());
    assert!(!rotate(2, 3).await.unwrap(), "the session has ended");
}

pub async fn sessions_end_once(store: Arc<dyn Store>) {
    let ann = store.add_user(ann()).await.unwrap();
    let id = |number| SessionId(Uuid::from_u128(number));
    for number in 1..=4 {
        store.add_session(session(number, ann.id)).await.unwrap();
    }
    store.add_session(session(5, UserId(ann.id.0 + 1))).await.unwrap();
    assert!(store.end_session(id(1), Timestamp(60)).await.unwrap());
    assert!(!store.end_session(id(1), Timestamp(70)).await.unwrap());
    assert!(!store.end_session(id(9), Timestamp(70)).await.unwrap());
    assert_eq!(store.session(id(1)).await.unwrap().unwrap().ended_at, Some(Timestamp(60)));
    let mut ended = store.end_sessions_of(ann.id, Some(id(3)), Timestamp(80)).await.unwrap();
    ended.sort();
    assert_eq!(ended, [id(2), id(4)], "not those that had ended, and not the one to keep");
    assert_eq!(store.end_sessions_of(ann.id, None, Timestamp(90)).await.unwrap(), [id(3)]);
    assert_eq!(store.session(id(5)).await.unwrap().unwrap().ended_at, None, "somebody else's goes on");
}

pub async fn ended_sessions_are_listed(store: Arc<dyn Store>) {
    let ann = store.add_user(ann()).await.unwrap();
    let id = |number| SessionId(Uuid::from_u128(number));
    for number in 1..=4 {
        store.add_session(session(number, ann.id)).await.unwrap();
    }
    for (number, at) in [(1, 100), (2, 200), (3, 300)] {
        store.end_session(id(number), Timestamp(at)).await.unwrap();
    }
    let mut ended = store.sessions_ended_since(Timestamp(200)).await.unwrap();
    ended.sort();
    assert_eq!(ended, [(id(2), Timestamp(200)), (id(3), Timestamp(300))]);
    assert_eq!(store.sessions_ended_since(Timestamp(301)).await.unwrap(), []);
}
