//! Subjects of an identity provider and their accounts.

use std::sync::Arc;

use onsale_domain::{ids::UserId, time::Timestamp, user::Role};
use onsale_engine::ports::{Identity, IdentityKey, NewIdentity, NewUser, Store, StoreError, UserChange};

fn subject(number: u8) -> NewIdentity {
    NewIdentity {
        key: IdentityKey([number; 32]),
        replaces: None,
        email: Some(format!("{number}@example.org")),
        name: "Ann".to_owned(),
        role: Role::Organiser,
        created_at: Timestamp(5),
    }
}

fn open(user: UserId) -> Identity {
    Identity { user, role: Role::Organiser, closed_at: None }
}

pub async fn a_subject_has_one_account(store: Arc<dyn Store>) {
    assert_eq!(store.identity(&IdentityKey([1; 32])).await.unwrap(), None);
    let ann = store.add_identity(subject(1)).await.unwrap();
    assert_eq!((&*ann.email, &*ann.name, &*ann.password_hash), ("1@example.org", "Ann", ""));
    assert_eq!(store.user(ann.id).await.unwrap(), Some(ann.clone()));
    assert_eq!(store.user_by_email("1@example.org").await.unwrap(), Some(ann.clone()));
    assert_eq!(store.identity(&IdentityKey([1; 32])).await.unwrap(), Some(open(ann.id)));
    assert_eq!(store.identity(&IdentityKey([2; 32])).await.unwrap(), None);

    let again = NewIdentity { email: Some("again@example.org".to_owned()), ..subject(1) };
    let again = store.add_identity(again).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(store.identity(&IdentityKey([1; 32])).await.unwrap(), Some(open(ann.id)));
    let other = store.add_identity(subject(2)).await.unwrap();
    assert_ne!(other.id, ann.id);
    assert_eq!(store.user_by_email("again@example.org").await.unwrap(), None, "it was undone whole");

    let change = UserChange { role: Some(Role::User), ..UserChange::default() };
    store.change_user(ann.id, change).await.unwrap();
    let found = store.identity(&IdentityKey([1; 32])).await.unwrap().unwrap();
    assert_eq!((found.user, found.role), (ann.id, Role::User));
}

pub async fn an_address_that_is_taken_stays_its_owners(store: Arc<dyn Store>) {
    let local = NewUser {
        email: "1@example.org".to_owned(),
        name: "Ann".to_owned(),
        role: Role::Admin,
        password_hash: "$argon2id$v=19$m=1".to_owned(),
        created_at: Timestamp(1),
    };
    let local = store.add_user(local).await.unwrap();
    let new = store.add_identity(subject(1)).await.unwrap();
    assert_ne!(new.id, local.id);
    assert_eq!(new.email, "");
    assert_eq!(store.user(new.id).await.unwrap(), Some(new.clone()));
    assert_eq!(store.user_by_email("1@example.org").await.unwrap(), Some(local), "as it was");
    // Any number of accounts have no address.
    let other = store.add_identity(NewIdentity { email: None, ..subject(2) }).await.unwrap();
    assert_eq!((other.email.as_str(), store.user_by_email("").await.unwrap()), ("", None));
}

pub async fn first_tokens_at_the_same_moment_make_one_account(store: Arc<dyn Store>) {
    for round in 0..10 {
        let adding: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.add_identity(subject(round)).await })
            })
            .collect();
        let mut added = Vec::new();
        for adding in adding {
            match adding.await.unwrap() {
                Ok(user) => added.push(user),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        let found = store.identity(&IdentityKey([round; 32])).await.unwrap().expect("somebody was first");
        assert_eq!(added.iter().map(|user| user.id).collect::<Vec<_>>(), [found.user], "round {round}");
    }
}

pub async fn a_closed_account_gives_way_to_a_new_one_only_if_asked(store: Arc<dyn Store>) {
    let old = store.add_identity(subject(1)).await.unwrap();
    store.close_user(old.id, Timestamp(50)).await.unwrap();
    let closed = store.identity(&IdentityKey([1; 32])).await.unwrap();
    assert_eq!(closed, Some(Identity { closed_at: Some(Timestamp(50)), ..open(old.id) }));
    let refused = store.add_identity(subject(1)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");

    let replacing = |user| NewIdentity { replaces: Some(user), ..subject(1) };
    let new = store.add_identity(replacing(old.id)).await.unwrap();
    assert_ne!(new.id, old.id);
    assert_eq!(new.email, "1@example.org", "the closed account has it no more");
    assert_eq!(store.identity(&IdentityKey([1; 32])).await.unwrap(), Some(open(new.id)));
    let late = store.add_identity(replacing(old.id)).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "somebody else has replaced it: {late:?}");
    assert_eq!(store.identity(&IdentityKey([1; 32])).await.unwrap(), Some(open(new.id)));
}
