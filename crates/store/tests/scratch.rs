//! Scratch databases: they are beside the user's, and gone afterwards.

use onsale_domain::money::Currency;
use onsale_engine::{
    clock::{Clock, SystemClock},
    ids::{Ids, RandomIds},
    ports::{CatalogueStore, StoreError},
};
use onsale_store::{ScratchDatabase, SqlStore, StoreOptions};
use sea_orm::{ConnectionTrait, Database};
use uuid::Uuid;

fn options(create: bool) -> StoreOptions {
    StoreOptions { create, ..StoreOptions::new(Currency::KRW) }
}

fn new_id() -> Uuid {
    RandomIds::default().next(SystemClock.now())
}

/// What is written into a scratch database is not in the user's, and the scratch database is gone
/// once it is removed, even while somebody has it open.
async fn touches_nothing_and_goes(url: &str, name: &str) {
    let users = SqlStore::open(url, &options(true)).await.unwrap();
    let id = new_id();
    let database = ScratchDatabase::create(url, id).await.unwrap();
    assert_eq!(database.name(), format!("onsale_bench_{}", id.simple()));
    let scratch = SqlStore::open(database.url(), &options(true)).await.unwrap();
    assert!(scratch.name().await.unwrap().starts_with(name), "{}", scratch.name().await.unwrap());
    scratch.add_venue("The Bench", "Asia/Seoul", None).await.unwrap();
    assert!(users.venues(None, 1).await.unwrap().is_empty());

    database.remove().await.unwrap();
    drop(scratch);
    assert!(SqlStore::open(database.url(), &options(false)).await.is_err(), "it is still there");
    assert!(users.is_empty().await.unwrap());
}

/// An account that may do nothing is told what it lacks. `url` is that of a database of its own.
async fn says_what_the_account_lacks(url: &str, make_account: &str, database: &str) {
    let (server, name) = url.rsplit_once('/').unwrap();
    let account = format!("nobody_{}", &name[name.len() - 12..]);
    let admin = Database::connect(url).await.unwrap();
    admin.execute_unprepared(&make_account.replace("NAME", &account)).await.unwrap();
    let (scheme, rest) = server.split_once("://").unwrap();
    let address = rest.split_once('@').unwrap().1;
    match ScratchDatabase::create(&format!("{scheme}://{account}@{address}/{database}"), new_id()).await {
        Err(StoreError::Rejected(reason)) => assert!(reason.contains("create databases"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

mod sqlite {
    use onsale_store::SqlStore;

    #[tokio::test]
    async fn touches_nothing_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let url = SqlStore::file_url(&folder.path().join("onsale.db")).unwrap();
        super::touches_nothing_and_goes(&url, "SQLite 3").await;
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|name| name.starts_with("onsale.db")), "{names:?}");
    }
}

mod postgres {
    use super::*;

    #[tokio::test]
    async fn touches_nothing_and_goes() {
        let url = onsale_testbed::postgres().fresh_database().await;
        super::touches_nothing_and_goes(&url, "PostgreSQL 1").await;
    }

    #[tokio::test]
    async fn says_what_the_account_lacks() {
        let url = onsale_testbed::postgres().fresh_database().await;
        super::says_what_the_account_lacks(&url, "CREATE ROLE NAME LOGIN", "postgres").await;
    }

    /// `dbname` among the options of the URL would win over its path.
    #[tokio::test]
    async fn a_database_named_by_an_option_is_not_written_to() {
        let url = onsale_testbed::postgres().fresh_database().await;
        let users = url.rsplit_once('/').unwrap().1;
        let url = format!("{url}?dbname={users}");
        match ScratchDatabase::create(&url, new_id()).await {
            Err(StoreError::Rejected(reason)) => assert!(reason.contains("path"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

mod mariadb {
    #[tokio::test]
    async fn touches_nothing_and_goes() {
        let url = onsale_testbed::mariadb().fresh_database().await;
        super::touches_nothing_and_goes(&url, "MariaDB 1").await;
    }

    #[tokio::test]
    async fn says_what_the_account_lacks() {
        let url = onsale_testbed::mariadb().fresh_database().await;
        super::says_what_the_account_lacks(&url, "CREATE USER NAME", "").await;
    }
}
