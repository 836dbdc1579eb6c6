//! People and their sessions.

use std::sync::Arc;

use onsale_domain::{
    ids::{SessionId, UserId},
    time::Timestamp,
    user::Role,
};
use onsale_engine::ports::{
    NewUser, Replaced, Rotation, Session, Store, StoreError, UnlessLastAdmin, User, UserChange, UserQuery,
};
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
        replaced: None,
    }
}

/// Somebody with this address.
fn somebody(email: &str, role: Role) -> NewUser {
    NewUser { email: email.to_owned(), role, ..ann() }
}

fn demotion() -> UserChange {
    UserChange { role: Some(Role::Organiser), ..UserChange::default() }
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
        disabled_at: None,
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
    assert_eq!(same.as_ref(), Some(&moved));
    for disabled_at in [Some(Timestamp(70)), None] {
        let change = UserChange { disabled_at: Some(disabled_at), ..UserChange::default() };
        let changed = store.change_user(added.id, change).await.unwrap();
        assert_eq!(changed, Some(User { disabled_at, ..moved.clone() }), "and is found all the same");
        assert_eq!(store.user_by_email("anna@example.org").await.unwrap(), changed);
    }
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
    let ended = vec![SessionId(Uuid::from_u128(1))];
    assert_eq!(store.close_user(first.id, Timestamp(50)).await.unwrap(), UnlessLastAdmin::Done(ended));
    let again = store.close_user(first.id, Timestamp(60)).await.unwrap();
    assert_eq!(again, UnlessLastAdmin::NoSuchUser, "it is closed already");
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
    let rotate = |old, new, at| {
        let (old_hash, new_hash) = ([old; 32], [new; 32]);
        let rotation = Rotation { old_hash, new_hash, at: Timestamp(at), expires_at: Timestamp(at + 1_000) };
        store.rotate_session(begun.id, rotation)
    };
    assert!(rotate(1, 2, 1_000).await.unwrap());
    assert!(!rotate(1, 3, 1_001).await.unwrap(), "the old token is void");
    let rotated = Session {
        refresh_hash: [2; 32],
        expires_at: Timestamp(2_000),
        replaced: Some(Replaced { hash: [1; 32], at: Timestamp(1_000) }),
        ..begun.clone()
    };
    assert_eq!(store.session(begun.id).await.unwrap(), Some(rotated));
    assert!(store.end_session(begun.id, Timestamp(60)).await.unwrap());
    assert!(!rotate(2, 3, 1_002).await.unwrap(), "the session has ended");
}

pub async fn people_are_listed_in_pages(store: Arc<dyn Store>) {
    let mut people = Vec::new();
    for number in 0..7 {
        let role = if number % 3 == 0 { Role::Admin } else { Role::User };
        people.push(store.add_user(somebody(&format!("p{number}@example.org"), role)).await.unwrap());
    }
    let tricky = store.add_user(somebody("100%_!@bücher.example", Role::User)).await.unwrap();
    let closed = store.add_user(somebody("closed@example.org", Role::User)).await.unwrap();
    store.close_user(closed.id, Timestamp(50)).await.unwrap();
    let change = UserChange { disabled_at: Some(Some(Timestamp(9))), ..UserChange::default() };
    people[1] = store.change_user(people[1].id, change).await.unwrap().unwrap();

    let all = UserQuery { email: None, role: None, after: None, max: 100 };
    let everybody: Vec<User> = people.iter().chain([&tricky]).cloned().collect();
    assert_eq!(store.users(all.clone()).await.unwrap(), everybody);
    let page = UserQuery { after: Some(people[2].id), max: 2, ..all.clone() };
    assert_eq!(store.users(page).await.unwrap(), people[3..5]);
    let past = UserQuery { after: Some(UserId(i64::MAX)), ..all.clone() };
    assert_eq!(store.users(past).await.unwrap(), []);
    let admins = UserQuery { role: Some(Role::Admin), ..all.clone() };
    let ids: Vec<_> = store.users(admins).await.unwrap().iter().map(|user| user.id).collect();
    assert_eq!(ids, [people[0].id, people[3].id, people[6].id]);
    for (part, found) in
        [("p4@", 1), ("example.org", 7), ("%_!@", 1), ("%", 1), ("_", 1), ("büch", 1), ("x_a", 0)]
    {
        let query = UserQuery { email: Some(part.to_owned()), ..all.clone() };
        assert_eq!(store.users(query).await.unwrap().len(), found, "{part}");
    }
}

pub async fn the_last_administrator_stays(store: Arc<dyn Store>) {
    let last = store.add_user(somebody("a@example.org", Role::Admin)).await.unwrap();
    let other = store.add_user(somebody("b@example.org", Role::Admin)).await.unwrap();
    let disabling = UserChange { disabled_at: Some(Some(Timestamp(9))), ..UserChange::default() };
    let disabled = store.change_user_but_not_the_last_admin(other.id, disabling.clone()).await.unwrap();
    let UnlessLastAdmin::Done(disabled) = disabled else { panic!("another one is left: {disabled:?}") };
    assert_eq!(disabled.disabled_at, Some(Timestamp(9)));
    // Whoever is disabled does not count.
    for change in [demotion(), disabling] {
        let refused = store.change_user_but_not_the_last_admin(last.id, change).await.unwrap();
        assert_eq!(refused, UnlessLastAdmin::LastAdmin);
    }
    assert_eq!(store.close_user(last.id, Timestamp(60)).await.unwrap(), UnlessLastAdmin::LastAdmin);
    assert_eq!(store.user(last.id).await.unwrap(), Some(last.clone()), "as before");
    // What takes nothing away may be done, and so may everything to others.
    let renaming = UserChange { name: Some("Anna".to_owned()), ..UserChange::default() };
    let renamed = store.change_user_but_not_the_last_admin(last.id, renaming).await.unwrap();
    assert!(matches!(renamed, UnlessLastAdmin::Done(user) if user.name == "Anna"));
    let demoted = store.change_user_but_not_the_last_admin(other.id, demotion()).await.unwrap();
    assert!(matches!(demoted, UnlessLastAdmin::Done(user) if user.role == Role::Organiser));
    let nobody = store.change_user_but_not_the_last_admin(UserId(99), demotion()).await.unwrap();
    assert_eq!(nobody, UnlessLastAdmin::NoSuchUser);
    assert!(matches!(store.close_user(other.id, Timestamp(60)).await.unwrap(), UnlessLastAdmin::Done(_)));
}

/// And, the negative control, without the guard none does.
pub async fn of_two_administrators_who_demote_each_other_one_stays(store: Arc<dyn Store>) {
    let mut pair = Vec::new();
    for email in ["a@example.org", "b@example.org"] {
        pair.push(store.add_user(somebody(email, Role::Admin)).await.unwrap().id);
    }
    let promotion = UserChange { role: Some(Role::Admin), ..UserChange::default() };
    for round in 0..10 {
        let (one, other) = tokio::join!(
            store.change_user_but_not_the_last_admin(pair[0], demotion()),
            store.change_user_but_not_the_last_admin(pair[1], demotion()),
        );
        let done = [one.unwrap(), other.unwrap()];
        let count = done.iter().filter(|one| matches!(one, UnlessLastAdmin::Done(_))).count();
        assert_eq!(count, 1, "round {round}: {done:?}");
        for id in &pair {
            store.change_user(*id, promotion.clone()).await.unwrap();
        }
    }
    for id in &pair {
        store.change_user(*id, demotion()).await.unwrap();
    }
    let admins = UserQuery { email: None, role: Some(Role::Admin), after: None, max: 9 };
    assert_eq!(store.users(admins).await.unwrap(), [], "nobody can run the installation any more");
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
