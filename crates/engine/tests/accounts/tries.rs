//! How often somebody may try a password, or sign up.

use std::{net::IpAddr, sync::Arc};

use onsale_coordination::LocalLimiter;
use onsale_domain::{
    limits::{AllowanceRule, CountRule},
    user::Role,
};
use onsale_engine::accounts::{
    AccountChange, AccountError, LogInRules, OnTheWordOf, ProfileChange, TryRules,
};

use crate::{EMAIL, HERE, Nodes, PASSWORD, assert_wrong, with_account};

const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn allowance(name: &str, requests: u32) -> AllowanceRule {
    AllowanceRule { name: name.into(), requests, window_ms: 60_000, unsettled_ms: 30_000 }
}

/// Three wrong passwords for an account, six from an address, two sign-ups.
async fn limited() -> Nodes {
    let nodes = with_account().await;
    let account = CountRule {
        name: "tries".into(),
        requests: 3,
        window_ms: 60_000,
        burst: 3,
        block_ms: 1_000,
        block_ms_max: 60_000,
    };
    let rules = LogInRules {
        tries: Some(TryRules { account, address: allowance("failures", 6) }),
        sign_ups: Some(allowance("sign-ups", 2)),
    };
    nodes.one.limit_log_ins(Arc::new(LocalLimiter::new(nodes.clock.clone())), rules);
    nodes
}

#[track_caller]
fn assert_too_many<T: std::fmt::Debug>(result: Result<T, AccountError>, expected_ms: i64) {
    match result {
        Err(AccountError::TooMany { wait_ms, .. }) => assert_eq!(wait_ms, expected_ms),
        other => panic!("{other:?}"),
    }
}

fn guess(password: &str) -> ProfileChange {
    ProfileChange {
        email: Some("other@example.com".into()),
        current_password: Some(password.into()),
        ..ProfileChange::default()
    }
}

#[tokio::test]
async fn a_current_password_is_guessed_no_faster_than_at_the_log_in() {
    let nodes = limited().await;
    let caller = nodes.caller(&nodes.log_in().await);
    let change = |password: &str, from| nodes.accounts().change_profile(caller, guess(password), from);
    assert_wrong(change("wrong horse 1", HERE).await);
    assert_wrong(nodes.accounts().log_in("MIN@Example.com", "wrong horse 2", HERE).await);
    assert_wrong(change("wrong horse 3", HERE).await);
    // Whichever way, and also with the right one.
    assert_too_many(change(PASSWORD, HERE).await, 1_000);
    assert_too_many(nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await, 1_000);
    // From elsewhere, and after a while, the right one is.
    nodes.accounts().log_in(EMAIL, PASSWORD, ELSEWHERE).await.unwrap();
    nodes.clock.advance_ms(1_000);
    change(PASSWORD, HERE).await.unwrap();
}

/// The negative control.
#[tokio::test]
async fn without_rules_a_current_password_is_guessed_at_will() {
    let nodes = with_account().await;
    let caller = nodes.caller(&nodes.log_in().await);
    for number in 0..50 {
        let change = guess(&format!("wrong horse {number}"));
        assert_wrong(nodes.accounts().change_profile(caller, change, HERE).await);
    }
}

#[tokio::test]
async fn a_missing_current_password_is_no_guess() {
    let nodes = limited().await;
    let caller = nodes.caller(&nodes.log_in().await);
    for _ in 0..20 {
        let change = ProfileChange { current_password: None, ..guess("") };
        assert_wrong(nodes.accounts().change_profile(caller, change, HERE).await);
    }
    nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await.unwrap();
}

#[tokio::test]
async fn only_wrong_passwords_count() {
    let nodes = limited().await;
    let user = nodes.caller(&nodes.log_in().await).user;
    let change = AccountChange { is_disabled: Some(true), ..AccountChange::default() };
    nodes.accounts().change_account(OnTheWordOf::Operator, user, change).await.unwrap();
    for _ in 0..50 {
        let disabled = nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await;
        assert!(matches!(disabled, Err(AccountError::Disabled)), "{disabled:?}");
    }
    for _ in 0..3 {
        assert_wrong(nodes.accounts().log_in(EMAIL, "wrong horse", HERE).await);
    }
    assert_too_many(nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await, 1_000);
}

#[tokio::test]
async fn accounts_made_from_one_address_are_counted_and_what_will_not_do_is_not() {
    let nodes = limited().await;
    let sign_up = async |name: &str, from| {
        nodes.accounts().sign_up(&format!("{name}@example.com"), PASSWORD, "Kim", from).await
    };
    for _ in 0..10 {
        let invalid = sign_up("a..b", HERE).await;
        assert!(matches!(invalid, Err(AccountError::Invalid { .. })), "{invalid:?}");
    }
    assert_eq!(sign_up("first", HERE).await.unwrap().role, Role::User);
    // Whoever asks which addresses have accounts is counted, too.
    let taken = sign_up("min", HERE).await;
    assert!(matches!(taken, Err(AccountError::EmailTaken)), "{taken:?}");
    assert_too_many(sign_up("second", HERE).await, 60_000);
    sign_up("second", ELSEWHERE).await.unwrap();
    nodes.clock.advance_ms(60_000);
    sign_up("third", HERE).await.unwrap();
}
