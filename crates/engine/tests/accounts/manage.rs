//! Changes that administrators and operators make to other people's accounts.

use onsale_domain::{ids::UserId, user::Role};
use onsale_engine::{
    accounts::{AccountChange, AccountError, OnTheWordOf},
    ports::UserQuery,
};

use crate::{EMAIL, HERE, Nodes, PASSWORD, assert_invalid, assert_wrong, with_account};

fn role(role: Role) -> AccountChange {
    AccountChange { role: Some(role), ..AccountChange::default() }
}

fn disabled(is_disabled: bool) -> AccountChange {
    AccountChange { is_disabled: Some(is_disabled), ..AccountChange::default() }
}

async fn changed(nodes: &Nodes, user: UserId, change: AccountChange) {
    nodes.accounts().change_account(OnTheWordOf::Operator, user, change).await.unwrap();
}

#[tokio::test]
async fn a_new_role_counts_at_once_and_what_is_so_already_changes_nothing() {
    let nodes = with_account().await;
    let tokens = nodes.log_in().await;
    let user = nodes.caller(&tokens).user;
    changed(&nodes, user, role(Role::User)).await;
    changed(&nodes, user, disabled(false)).await;
    changed(&nodes, user, AccountChange::default()).await;
    nodes.caller(&tokens);

    for (to, next) in [(Role::Organiser, Role::User), (Role::User, Role::Organiser)] {
        let before = nodes.log_in().await;
        assert_eq!(nodes.caller(&before).role, next);
        changed(&nodes, user, role(to)).await;
        assert_invalid(nodes.accounts().authenticate(&before.access));
        assert_invalid(nodes.accounts().refresh(&before.refresh).await);
        assert_eq!(nodes.caller(&nodes.log_in().await).role, to);
    }
}

#[tokio::test]
async fn who_is_disabled_is_out_everywhere_until_enabled() {
    let nodes = with_account().await;
    let tokens = nodes.log_in().await;
    let user = nodes.caller(&tokens).user;
    assert_eq!(nodes.accounts().named(user).await.unwrap().user, user);
    changed(&nodes, user, disabled(true)).await;
    assert_invalid(nodes.accounts().authenticate(&tokens.access));
    assert_invalid(nodes.accounts().refresh(&tokens.refresh).await);
    assert_invalid(nodes.other.accounts.refresh(&tokens.refresh).await);
    assert_invalid(nodes.accounts().named(user).await);
    let told = nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await;
    assert!(matches!(told, Err(AccountError::Disabled)), "{told:?}");
    assert_wrong(nodes.accounts().log_in(EMAIL, "wrong horse", HERE).await);

    changed(&nodes, user, disabled(false)).await;
    nodes.caller(&nodes.log_in().await);
    assert_invalid(nodes.accounts().authenticate(&tokens.access));
}

/// Disabling while a password is being checked.
#[tokio::test]
async fn a_log_in_that_is_under_way_does_not_slip_through() {
    let nodes = with_account().await;
    let user = nodes.caller(&nodes.log_in().await).user;
    for _ in 0..20 {
        let (logged_in, ()) = tokio::join!(
            nodes.accounts().log_in(EMAIL, PASSWORD, HERE),
            changed(&nodes, user, disabled(true))
        );
        if let Ok(tokens) = logged_in {
            assert_invalid(nodes.accounts().authenticate(&tokens.access));
        }
        changed(&nodes, user, disabled(false)).await;
    }
}

#[tokio::test]
async fn administrators_cannot_take_the_last_one_away_but_operators_can() {
    let nodes = with_account().await;
    let admin = nodes.accounts().register("a@example.com", PASSWORD, "A", Role::Admin).await.unwrap();
    let by = OnTheWordOf::Admin(admin.id);
    for change in [role(Role::User), disabled(true)] {
        let refused = nodes.accounts().change_account(by, admin.id, change).await;
        assert!(matches!(refused, Err(AccountError::LastAdmin)), "{refused:?}");
    }
    let refused = nodes.accounts().close(admin.id).await;
    assert!(matches!(refused, Err(AccountError::LastAdmin)), "{refused:?}");

    let other = nodes.accounts().register("b@example.com", PASSWORD, "B", Role::Admin).await.unwrap();
    nodes.accounts().change_account(by, admin.id, role(Role::User)).await.expect("another one is left");
    changed(&nodes, other.id, disabled(true)).await;
    let nobody = nodes.accounts().change_account(by, UserId(99), role(Role::User)).await;
    assert!(matches!(nobody, Err(AccountError::NoSuchUser)), "{nobody:?}");
}

#[tokio::test]
async fn a_forgotten_password_is_reset_and_sessions_are_ended() {
    let nodes = with_account().await;
    let tokens = nodes.log_in().await;
    let user = nodes.accounts().find("MIN@example.com").await.unwrap();
    assert_eq!(nodes.accounts().find(&user.id.to_string()).await.unwrap(), user);
    for nobody in ["99", "nobody@example.com", "", "-"] {
        let found = nodes.accounts().find(nobody).await;
        assert!(matches!(found, Err(AccountError::NoSuchUser)), "{nobody}: {found:?}");
    }
    nodes.accounts().reset_password(&user, "another horse").await.unwrap();
    assert_invalid(nodes.accounts().authenticate(&tokens.access));
    assert_wrong(nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await);
    let tokens = nodes.accounts().log_in(EMAIL, "another horse", HERE).await.unwrap();

    assert_eq!(nodes.accounts().end_sessions(OnTheWordOf::Operator, user.id).await.unwrap(), 1);
    assert_invalid(nodes.accounts().authenticate(&tokens.access));
    assert_invalid(nodes.accounts().refresh(&tokens.refresh).await);
    assert_eq!(nodes.accounts().end_sessions(OnTheWordOf::Operator, user.id).await.unwrap(), 0);
}

#[tokio::test]
async fn people_are_found_by_a_part_of_the_address_in_any_spelling() {
    let nodes = with_account().await;
    nodes.accounts().register("kim@bücher.example", PASSWORD, "Kim", Role::Admin).await.unwrap();
    let found = async |part: &str| {
        let query = UserQuery { email: Some(part.to_owned()), role: None, after: None, max: 10 };
        nodes.accounts().list(query).await.map(|users| users.len())
    };
    for (part, count) in [("", 2), ("KIM@", 1), ("BU\u{308}CHER", 1), ("%", 0), ("example", 2), (" min ", 1)]
    {
        assert_eq!(found(part).await.unwrap(), count, "{part}");
    }
    assert!(matches!(found("a\0").await, Err(AccountError::Invalid { field: "email", .. })));
}
