//! A database keeps the currency that it was begun with.

use onsale_contract::store::fixture::{Fixture, OPENS};
use onsale_engine::ports::StoreError;
use onsale_store::{SqlStore, StoreOptions};
use sea_orm::ConnectionTrait;

use crate::world::raw;

async fn open(url: &str, currency: &str) -> Result<SqlStore, StoreError> {
    SqlStore::open(url, &StoreOptions::new(currency.parse().expect("a currency"))).await
}

async fn run(url: &str, statement: &str) {
    let database = raw(url).await;
    database.execute_unprepared(statement).await.expect(statement);
    database.close().await.expect("it can be closed");
}

/// The one that it was begun in, and the one that it was opened with.
fn refused(opened: Result<SqlStore, StoreError>) -> (String, String) {
    match opened.err() {
        Some(error @ StoreError::OtherCurrency { database, configured }) => {
            let told = error.to_string();
            assert!(told.contains(database.as_str()) && told.contains(configured.as_str()), "{told}");
            (database.to_string(), configured.to_string())
        }
        other => panic!("another currency was answered {other:?}"),
    }
}

async fn another_currency_is_refused(url: String) {
    let first = open(&url, "KRW").await.expect("it is begun");
    first.close().await.expect("it can be closed");
    assert_eq!(refused(open(&url, "EUR").await), ("KRW".to_owned(), "EUR".to_owned()));
    open(&url, "KRW").await.expect("the same opens").close().await.expect("it can be closed");
}

/// A database from before it knew its currency: its orders do, and else the first start says.
async fn a_database_that_does_not_know_takes_that_of_its_orders(url: String) {
    let store = std::sync::Arc::new(open(&url, "KRW").await.expect("it is begun"));
    run(&url, "DELETE FROM database_marks").await;
    assert!(open(&url, "EUR").await.is_ok(), "nothing was sold in it yet");
    run(&url, "DELETE FROM database_marks").await;
    let world = Fixture::new(store.clone()).await;
    world.held(1, None, &[1], OPENS).await;
    assert_eq!(refused(open(&url, "EUR").await), ("KRW".to_owned(), "EUR".to_owned()));
    open(&url, "KRW").await.expect("the same opens");
}

/// Nodes that begin a database at the same moment with different currencies: one decides.
async fn of_two_that_begin_it_one_decides(url: String) {
    let nodes = ["KRW", "EUR", "KRW", "EUR"].map(|currency| {
        let url = url.clone();
        tokio::spawn(async move { open(&url, currency).await })
    });
    let (mut begun, mut turned_away) = (Vec::new(), Vec::new());
    for (node, currency) in nodes.into_iter().zip(["KRW", "EUR", "KRW", "EUR"]) {
        match node.await.expect("no node panics") {
            Ok(_) => begun.push(currency),
            other => turned_away.push(refused(other)),
        }
    }
    assert_eq!((begun.len(), turned_away.len()), (2, 2));
    assert_eq!(begun[0], begun[1], "both are of one currency");
    assert!(turned_away.iter().all(|(database, _)| database == begun[0]), "{turned_away:?}");
}

/// All tests on one kind of database.
macro_rules! suite {
    ($url:expr) => {
        #[tokio::test]
        async fn another_currency_is_refused() {
            let (url, _guard) = $url.await;
            super::another_currency_is_refused(url).await;
        }

        #[tokio::test]
        async fn a_database_that_does_not_know_takes_that_of_its_orders() {
            let (url, _guard) = $url.await;
            super::a_database_that_does_not_know_takes_that_of_its_orders(url).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn of_two_that_begin_it_one_decides() {
            let (url, _guard) = $url.await;
            super::of_two_that_begin_it_one_decides(url).await;
        }
    };
}

mod sqlite {
    async fn fresh() -> (String, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        (format!("sqlite:{}", folder.path().join("onsale.db").display()), folder)
    }

    suite!(fresh());
}

mod postgres {
    async fn fresh() -> (String, ()) {
        (onsale_testbed::postgres().fresh_database().await, ())
    }

    suite!(fresh());
}

mod mariadb {
    async fn fresh() -> (String, ()) {
        (onsale_testbed::mariadb().fresh_database().await, ())
    }

    suite!(fresh());
}
