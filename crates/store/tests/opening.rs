//! Opening a database file: again, beside another process, and when it cannot be.

use onsale_domain::{
    hall::{Plan, SectionSpec},
    ids::UserId,
    money::Currency,
    time::Timestamp,
    user::Role,
};
use onsale_engine::ports::{AccountStore, AuditStore, CatalogueStore, NewUser, StoreError};
use onsale_store::{SqlStore, StoreOptions};
use sea_orm::{ConnectionTrait, Database};

fn url(folder: &tempfile::TempDir) -> String {
    // A name with everything that a URL would give a meaning to.
    format!("sqlite:{}", folder.path().join("a b?c=%41#d.db").display())
}

async fn open(url: &str) -> Result<SqlStore, StoreError> {
    SqlStore::open(url, &StoreOptions::new(Currency::KRW)).await
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&url(&folder)).await.unwrap();
    let venue = store.add_venue("Grand", "Asia/Seoul", None).await.unwrap();
    store.close().await.unwrap();
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["a b?c=%41#d.db"], "closing leaves one file");
    let again = open(&url(&folder)).await.unwrap();
    assert_eq!(again.venues(None, 10).await.unwrap()[0].id, venue);
}

#[tokio::test]
async fn two_may_have_the_same_file_open() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(&folder);
    let (first, second) = tokio::join!(open(&url), open(&url));
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut frozen = second.freeze().await.unwrap();
    for number in 0..20 {
        let user = NewUser {
            email: format!("{number}@example.org"),
            name: "Ann".to_owned(),
            role: Role::User,
            password_hash: "x".to_owned(),
            created_at: Timestamp(0),
        };
        let writer = if number % 2 == 0 { &first } else { &second };
        assert_eq!(writer.add_user(user).await.unwrap().id, UserId(number + 1));
    }
    assert_eq!(frozen.rows().await.unwrap(), 0);
    assert_eq!(first.user_by_email("19@example.org").await.unwrap().unwrap().id, UserId(20));
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    for url in ["sqlite::memory:", "sqlite:", "oracle://x", "nonsense"] {
        assert!(matches!(open(url).await.err(), Some(StoreError::Rejected(_))), "{url}");
    }
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { create: false, ..StoreOptions::new(Currency::KRW) };
    let missing = SqlStore::open(&url(&folder), &options).await.err();
    assert!(matches!(missing, Some(StoreError::Unavailable(_))), "{missing:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onsale.db");
    let url = format!("sqlite:{}", path.display());
    open(&url).await.unwrap().close().await.unwrap();
    let raw = Database::connect(&url).await.unwrap();
    let add = |number, kind| format!("INSERT INTO schema_migrations VALUES ({number}, 'later', '{kind}')");
    raw.execute_unprepared(&add(1_000, "expand")).await.unwrap();
    open(&url).await.expect("what only adds is no reason to refuse").close().await.unwrap();
    raw.execute_unprepared(&add(1_001, "contract")).await.unwrap();
    raw.close().await.unwrap();
    let refused = open(&url).await.err();
    assert!(matches!(&refused, Some(StoreError::Broken(text)) if text.contains("newer")), "{refused:?}");
}

/// SQLite may undo a transaction by itself when there is no more room, which must not keep the
/// connection from beginning another.
#[tokio::test]
async fn a_full_disk_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&url(&folder)).await.unwrap();
    let venue = store.add_venue("Grand", "Asia/Seoul", None).await.unwrap();
    onsale_store::negative_control::limit_pages(&store, 1).await.unwrap();
    let sections = [SectionSpec { name: "A".into(), rows: 100, seats_per_row: 100, category: "S".into() }];
    let plan = Plan::generate(&sections).unwrap();
    assert!(store.add_hall(venue, "1", &plan).await.is_err(), "there is no room");
    onsale_store::negative_control::limit_pages(&store, 1 << 20).await.unwrap();
    store.add_hall(venue, "1", &plan).await.expect("there is room again, and somebody to write");
    assert_eq!(store.halls(venue).await.unwrap().len(), 1);
}
