//! Subjects of an identity provider and their accounts.

use std::sync::Arc;

use onsale_domain::{ids::UserId, time::Timestamp, user::Role};
use onsale_engine::ports::{
    Identity, IdentityEmail, IdentityKey, NewIdentity, NewUser, Store, StoreError, UserChange,
};

fn subject(number: u8) -> NewIdentity {
    NewIdentity {
        key: IdentityKey([number; 32]),
        replaces: None,
        email: Some(said(&format!("{number}@example.org"), 5)),
        name: "Ann".to_owned(),
        role: Role::Organiser,
        created_at: Timestamp(5),
    }
}

/// An address that a token says that was issued then.
fn said(address: &str, as_of: i64) -> IdentityEmail {
    IdentityEmail { address: address.to_owned(), as_of: Timestamp(as_of) }
}

fn open(user: UserId) -> Identity {
    Identity {
        user,
        role: Role::Organiser,
        email: "1@example.org".to_owned(),
        email_as_of: Some(Timestamp(5)),
        is_disabled: false,
        closed_at: None,
    }
}

pub async fn a_subject_has_one_account(store: Arc<dyn Store>) {
    assert_eq!(store.identity(&IdentityKey([1; 32])).await.unwrap(), None);
    let ann = store.add_identity(subject(1)).await.unwrap();
    assert_eq!((&*ann.email, &*ann.name, &*ann.password_hash), ("1@example.org", "Ann", ""));
    assert_eq!(store.user(ann.id).await.unwrap(), Some(ann.clone()));
    assert_eq!(store.user_by_email("1@example.org").await.unwrap(), Some(ann.clone()));
    assert_eq!(store.identity(&IdentityKey([1; 32])).await.unwrap(), Some(open(ann.id)));
    assert_eq!(store.identity(&IdentityKey([2; 32])).await.unwrap(), None);

    let again = NewIdentity { email: Some(said("again@example.org", 6)), ..subject(1) };
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
    let expected = Identity { closed_at: Some(Timestamp(50)), email: String::new(), ..open(old.id) };
    assert_eq!(closed, Some(expected));
    assert!(store.take_email(&IdentityKey([1; 32]), said("new@example.org", 60)).await.is_ok());
    assert_eq!(store.user_by_email("new@example.org").await.unwrap(), None, "it stays closed");
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

pub async fn an_address_that_is_said_later_is_taken_over(store: Arc<dyn Store>) {
    let key = IdentityKey([1; 32]);
    let ann = store.add_identity(NewIdentity { email: None, ..subject(1) }).await.unwrap();
    let known = store.identity(&key).await.unwrap().unwrap();
    assert_eq!((&*known.email, known.email_as_of), ("", None));
    assert!(store.take_email(&key, said("ann@example.org", 10)).await.unwrap());
    let found = store.user_by_email("ann@example.org").await.unwrap().unwrap();
    assert_eq!(found.id, ann.id);
    let known = store.identity(&key).await.unwrap().unwrap();
    assert_eq!((&*known.email, known.email_as_of), ("ann@example.org", Some(Timestamp(10))));

    // An older token does not take the newer one's word back, nor does one that is as old.
    for as_of in [9, 10] {
        assert!(!store.take_email(&key, said("old@example.org", as_of)).await.unwrap());
    }
    assert!(store.take_email(&key, said("new@example.org", 11)).await.unwrap(), "it was changed there");
    assert_eq!(store.user_by_email("ann@example.org").await.unwrap(), None);
    assert!(store.take_email(&key, said("new@example.org", 12)).await.unwrap(), "it has it already");

    // An address that another account has stays that one's, and a later token may say another one.
    let bob = store.add_identity(subject(2)).await.unwrap();
    assert!(!store.take_email(&key, said("2@example.org", 13)).await.unwrap());
    assert_eq!(store.user(bob.id).await.unwrap().unwrap().email, "2@example.org");
    assert_eq!(store.user(ann.id).await.unwrap().unwrap().email, "new@example.org");
    assert!(store.take_email(&key, said("ann@example.org", 14)).await.unwrap());
    assert!(!store.take_email(&IdentityKey([9; 32]), said("x@example.org", 1)).await.unwrap(), "nobody");

    let change = UserChange { disabled_at: Some(Some(Timestamp(7))), ..UserChange::default() };
    store.change_user(ann.id, change).await.unwrap();
    assert!(store.identity(&key).await.unwrap().unwrap().is_disabled);
}
