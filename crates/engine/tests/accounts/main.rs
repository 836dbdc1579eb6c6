//! Accounts on the real store: log-ins, tokens, theft, revocation, in a time that the test moves.

mod crowd;
mod manage;
mod refresh;
mod tries;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use onsale_coordination::LocalBroadcast;
use onsale_domain::{money::Currency, time::Timestamp, user::Role};
use onsale_engine::{
    Engine, Settings,
    accounts::{AccountError, AccountSettings, Accounts, Caller, ProfileChange, Tokens},
    clock::ManualClock,
    ids::CountingIds,
    ports::{AccountStore as _, StoreError, UserChange},
};
use onsale_store::{SqlStore, StoreOptions};

const EMAIL: &str = "min@example.com";
const PASSWORD: &str = "correct horse";

/// Where people are, unless it matters.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ACCESS_MS: i64 = 3_600_000;
const REFRESH_MS: i64 = 7 * 86_400_000;

/// Two nodes on one database.
struct Nodes {
    one: Engine,
    other: Engine,
    store: Arc<SqlStore>,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Nodes {
    async fn start() -> Self {
        Self::start_with(|settings| settings).await
    }

    async fn start_with(change: impl Fn(AccountSettings) -> AccountSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        let store = Arc::new(SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.unwrap());
        let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
        let ids = Arc::new(CountingIds::default());
        let node = || {
            let settings = Settings::new(change(account_settings(32)));
            Engine::start(store.clone(), clock.clone(), ids.clone(), settings)
        };
        let (one, other) = (node().await.unwrap(), node().await.unwrap());
        Self { one, other, store, clock, _folder: folder }
    }

    fn accounts(&self) -> &Accounts {
        &self.one.accounts
    }

    async fn log_in(&self) -> Tokens {
        self.accounts().log_in(EMAIL, PASSWORD, HERE).await.unwrap()
    }

    fn caller(&self, tokens: &Tokens) -> Caller {
        self.accounts().authenticate(&tokens.access).unwrap()
    }
}

fn settings(key_bytes: usize) -> Settings {
    Settings::new(account_settings(key_bytes))
}

fn account_settings(key_bytes: usize) -> AccountSettings {
    AccountSettings {
        signing_key: vec![7; key_bytes],
        access_s: ACCESS_MS / 1_000,
        refresh_s: REFRESH_MS / 1_000,
        refresh_grace_s: 10,
        argon2_memory_kib: 64,
        argon2_passes: 1,
        hashing_threads: 1,
        hashing_queue_max: 64,
    }
}

/// Two nodes with one account.
async fn with_account() -> Nodes {
    let nodes = Nodes::start().await;
    nodes.accounts().register("Min@Example.com", PASSWORD, " 김민 ", Role::User).await.unwrap();
    nodes
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn assert_invalid<T: std::fmt::Debug>(result: Result<T, AccountError>) {
    assert!(matches!(result, Err(AccountError::InvalidToken)), "{result:?}");
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn assert_wrong<T: std::fmt::Debug>(result: Result<T, AccountError>) {
    assert!(matches!(result, Err(AccountError::WrongCredentials)), "{result:?}");
}

#[tokio::test]
async fn a_person_logs_in_with_any_case_of_the_address_and_the_right_password() {
    let nodes = with_account().await;
    let tokens = nodes.accounts().log_in("MIN@example.COM", PASSWORD, HERE).await.unwrap();
    let caller = nodes.caller(&tokens);
    assert_eq!((caller.role, tokens.expires_in_s), (Role::User, 3_600));
    let profile = nodes.accounts().profile(caller.user).await.unwrap();
    assert_eq!((profile.email.as_str(), profile.name.as_str()), (EMAIL, "김민"));
    assert!(!profile.password_hash.contains(PASSWORD));

    assert_wrong(nodes.accounts().log_in(EMAIL, "wrong horse", HERE).await);
    assert_wrong(nodes.accounts().log_in("nobody@example.com", PASSWORD, HERE).await);
    assert_wrong(nodes.accounts().log_in("not an address", PASSWORD, HERE).await);
    assert_wrong(nodes.accounts().log_in(EMAIL, "", HERE).await);
    assert_wrong(nodes.accounts().log_in(EMAIL, &"x".repeat(1_000_000), HERE).await);
}

/// However the keyboard composes; and accounts whose password was hashed as it was typed.
#[tokio::test]
async fn a_password_is_the_same_however_it_is_typed() {
    let nodes = with_account().await;
    let (composed, decomposed) = ("cr\u{e8}me br\u{fb}l\u{e9}e", "cre\u{300}me bru\u{302}le\u{301}e");
    for (email, typed) in [("c@example.com", composed), ("d@example.com", decomposed)] {
        nodes.accounts().register(email, typed, "Kim", Role::User).await.unwrap();
        for typed in [composed, decomposed] {
            nodes.accounts().log_in(email, typed, HERE).await.unwrap();
        }
        assert_wrong(nodes.accounts().log_in(email, "creme brulee", HERE).await);
    }
    for before in [composed, decomposed] {
        let hash = argon2_of(before);
        let user = nodes.store.user_by_email(EMAIL).await.unwrap().unwrap();
        let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
        nodes.store.change_user(user.id, change).await.unwrap();
        for typed in [composed, decomposed] {
            nodes.accounts().log_in(EMAIL, typed, HERE).await.unwrap();
        }
    }
}

fn argon2_of(text: &str) -> String {
    use argon2::PasswordHasher as _;
    argon2::Argon2::default().hash_password(text.as_bytes()).unwrap().to_string()
}

#[tokio::test]
async fn passwords_that_are_guessed_first_are_taken_nowhere() {
    let nodes = with_account().await;
    let caller = nodes.caller(&nodes.log_in().await);
    let user = nodes.accounts().profile(caller.user).await.unwrap();
    for common in ["password", "12345678", "P@ssw0rd1", "onsale2026", "min@example.com"] {
        assert_invalid_password(
            nodes.accounts().register("min@example.com", common, "Kim", Role::User).await,
        );
        assert_invalid_password(nodes.accounts().sign_up("min@example.com", common, "Kim", HERE).await);
        assert_invalid_password(nodes.accounts().reset_password(&user, common).await);
        let change = ProfileChange {
            password: Some(common.into()),
            current_password: Some(PASSWORD.into()),
            ..ProfileChange::default()
        };
        assert_invalid_password(nodes.accounts().change_profile(caller, change, HERE).await);
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn assert_invalid_password<T: std::fmt::Debug>(result: Result<T, AccountError>) {
    assert!(matches!(result, Err(AccountError::Invalid { field: "password", .. })), "{result:?}");
}

#[tokio::test]
async fn all_spellings_of_an_address_log_in_and_so_do_those_that_are_taken_no_more() {
    let nodes = with_account().await;
    nodes.accounts().register("Kim@Bücher.example", PASSWORD, "Kim", Role::User).await.unwrap();
    for spelling in ["kim@bücher.example", "KIM@BU\u{308}CHER.EXAMPLE", "kim@xn--bcher-kva.example"] {
        nodes.accounts().log_in(spelling, PASSWORD, HERE).await.unwrap();
        let again = nodes.accounts().register(spelling, PASSWORD, "Kim", Role::User).await;
        assert!(matches!(again, Err(AccountError::EmailTaken)), "{spelling}: {again:?}");
    }
    let user = nodes.store.user_by_email(EMAIL).await.unwrap().unwrap();
    for before in ["a..b@example.com", "kim@example,com", "οδυσσευς@example.com", "kim@localhost5"] {
        let change = UserChange { email: Some(before.into()), ..UserChange::default() };
        nodes.store.change_user(user.id, change).await.unwrap();
        nodes.accounts().log_in(before, PASSWORD, HERE).await.unwrap();
    }
    assert_wrong(nodes.accounts().log_in("kim\0@example.com", PASSWORD, HERE).await);
}

#[tokio::test]
async fn an_address_has_one_account() {
    let nodes = with_account().await;
    let again = nodes.accounts().register("MIN@EXAMPLE.com", PASSWORD, "Other", Role::User).await;
    assert!(matches!(again, Err(AccountError::EmailTaken)), "{again:?}");
    let bad = nodes.accounts().register("min", PASSWORD, "Other", Role::User).await;
    assert!(matches!(bad, Err(AccountError::Invalid { field: "email", .. })), "{bad:?}");
}

#[tokio::test]
async fn tokens_run_out_by_the_clock_and_refreshing_goes_on() {
    let nodes = with_account().await;
    let first = nodes.log_in().await;
    nodes.clock.advance_ms(ACCESS_MS - 1_000);
    nodes.caller(&first);
    nodes.clock.advance_ms(1_000);
    assert_invalid(nodes.accounts().authenticate(&first.access));

    let second = nodes.accounts().refresh(&first.refresh).await.unwrap();
    assert_eq!(nodes.caller(&second).role, Role::User);
    nodes.clock.advance_ms(REFRESH_MS - 1);
    let third = nodes.accounts().refresh(&second.refresh).await.unwrap();
    nodes.clock.advance_ms(REFRESH_MS);
    assert_invalid(nodes.accounts().refresh(&third.refresh).await);
}

#[tokio::test]
async fn what_is_not_a_refresh_token_is_refused_and_ends_nothing() {
    let nodes = with_account().await;
    let tokens = nodes.log_in().await;
    for text in ["", "x", &tokens.access, &tokens.refresh[1..], &"A".repeat(64), &"A".repeat(100_000)] {
        assert_invalid(nodes.accounts().refresh(text).await);
    }
    nodes.accounts().refresh(&tokens.refresh).await.unwrap();
}

#[tokio::test]
async fn logging_out_voids_both_tokens_here_at_once_and_on_other_nodes_soon() {
    let nodes = with_account().await;
    let (tokens, bystander) = (nodes.log_in().await, nodes.log_in().await);
    nodes.accounts().log_out(nodes.caller(&tokens)).await.unwrap();
    assert_invalid(nodes.accounts().authenticate(&tokens.access));
    assert_invalid(nodes.accounts().refresh(&tokens.refresh).await);
    assert_invalid(nodes.other.accounts.refresh(&tokens.refresh).await);

    nodes.other.accounts.authenticate(&tokens.access).expect("the other node cannot know yet");
    for _ in 0..200 {
        nodes.clock.advance_ms(1_000);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        if nodes.other.accounts.authenticate(&tokens.access).is_err() {
            break;
        }
    }
    assert_invalid(nodes.other.accounts.authenticate(&tokens.access));
    nodes.other.accounts.authenticate(&bystander.access).unwrap();
}

/// Where nodes tell each other, nobody waits for the clock.
#[tokio::test]
async fn what_ends_on_one_node_ends_on_those_that_hear_it() {
    let nodes = with_account().await;
    let (tokens, bystander) = (nodes.log_in().await, nodes.log_in().await);
    let mut broadcasts = LocalBroadcast::nodes(2).into_iter();
    for node in [&nodes.one, &nodes.other] {
        node.tell_changes(Arc::new(broadcasts.next().unwrap()));
    }
    nodes.accounts().log_out(nodes.caller(&tokens)).await.unwrap();
    for _ in 0..500 {
        if nodes.other.accounts.authenticate(&tokens.access).is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_invalid(nodes.other.accounts.authenticate(&tokens.access));
    nodes.other.accounts.authenticate(&bystander.access).unwrap();
}

#[tokio::test]
async fn a_node_that_starts_knows_who_has_logged_out() {
    let nodes = with_account().await;
    let (tokens, bystander) = (nodes.log_in().await, nodes.log_in().await);
    nodes.accounts().log_out(nodes.caller(&tokens)).await.unwrap();
    nodes.clock.advance_ms(ACCESS_MS / 2);
    let ids = Arc::new(CountingIds::default());
    let fresh = Engine::start(nodes.store.clone(), nodes.clock.clone(), ids, settings(32)).await.unwrap();
    assert_invalid(fresh.accounts.authenticate(&tokens.access));
    fresh.accounts.authenticate(&bystander.access).unwrap();
}

#[tokio::test]
async fn changing_the_password_ends_all_other_sessions() {
    let nodes = with_account().await;
    let (mine, other) = (nodes.log_in().await, nodes.log_in().await);
    let change = |current: &str| ProfileChange {
        password: Some("another horse".into()),
        current_password: Some(current.into()),
        ..ProfileChange::default()
    };
    assert_wrong(nodes.accounts().change_profile(nodes.caller(&mine), change("wrong horse"), HERE).await);
    nodes.caller(&other);

    nodes.accounts().change_profile(nodes.caller(&mine), change(PASSWORD), HERE).await.unwrap();
    nodes.caller(&mine);
    assert_invalid(nodes.accounts().authenticate(&other.access));
    assert_invalid(nodes.accounts().refresh(&other.refresh).await);
    assert_wrong(nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await);
    nodes.accounts().log_in(EMAIL, "another horse", HERE).await.unwrap();
}

#[tokio::test]
async fn a_name_is_changed_freely_an_address_with_the_password() {
    let nodes = with_account().await;
    nodes.accounts().register("taken@example.com", PASSWORD, "Taken", Role::User).await.unwrap();
    let caller = nodes.caller(&nodes.log_in().await);
    let change = |change: ProfileChange| nodes.accounts().change_profile(caller, change, HERE);
    let email = |email: &str, password: Option<&str>| ProfileChange {
        email: Some(email.into()),
        current_password: password.map(Into::into),
        name: Some("Half".into()),
        ..ProfileChange::default()
    };

    let renamed = change(ProfileChange { name: Some(" Kim ".into()), ..ProfileChange::default() }).await;
    assert_eq!(renamed.unwrap().name, "Kim");
    assert_wrong(change(email("new@example.com", None)).await);
    let taken = change(email("Taken@example.com", Some(PASSWORD))).await;
    assert!(matches!(taken, Err(AccountError::EmailTaken)), "{taken:?}");
    let bad = change(email("new", Some(PASSWORD))).await;
    assert!(matches!(bad, Err(AccountError::Invalid { field: "email", .. })), "{bad:?}");
    assert_eq!(nodes.accounts().profile(caller.user).await.unwrap().name, "Kim", "no half a change");
    let moved = change(email("New@example.com", Some(PASSWORD))).await.unwrap();
    assert_eq!((moved.email.as_str(), moved.name.as_str()), ("new@example.com", "Half"));
}

#[tokio::test]
async fn a_closed_account_is_gone_with_all_its_sessions() {
    let nodes = with_account().await;
    let (one, other) = (nodes.log_in().await, nodes.log_in().await);
    let user = nodes.caller(&one).user;
    nodes.accounts().close(user).await.unwrap();
    for tokens in [&one, &other] {
        assert_invalid(nodes.accounts().authenticate(&tokens.access));
        assert_invalid(nodes.accounts().refresh(&tokens.refresh).await);
    }
    assert_wrong(nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await);
    let closed = nodes.accounts().close(user).await;
    assert!(matches!(closed, Err(AccountError::NoSuchUser)), "{closed:?}");
    nodes.accounts().register(EMAIL, PASSWORD, "Again", Role::User).await.unwrap();
}

#[tokio::test]
async fn the_role_of_a_refreshed_token_is_the_one_of_now() {
    let nodes = with_account().await;
    let tokens = nodes.log_in().await;
    let user = nodes.caller(&tokens).user;
    let change = onsale_engine::ports::UserChange { role: Some(Role::Organiser), ..Default::default() };
    nodes.store.change_user(user, change).await.unwrap();
    assert_eq!(nodes.caller(&tokens).role, Role::User);
    let refreshed = nodes.accounts().refresh(&tokens.refresh).await.unwrap();
    assert_eq!(nodes.caller(&refreshed).role, Role::Organiser);
}

#[tokio::test]
async fn a_short_signing_key_is_refused() {
    let nodes = Nodes::start().await;
    let started = Engine::start(
        nodes.store.clone(),
        nodes.clock.clone(),
        Arc::new(CountingIds::default()),
        settings(31),
    );
    assert!(matches!(started.await, Err(StoreError::Rejected(_))));
}
