//! The contract of the store and of the sale on every database, each case on a database of its own.

mod controls;

/// All cases on the databases that `$open` makes: an async function that gives a [`SqlStore`] and
/// what must outlive it.
///
/// [`SqlStore`]: onsale_store::SqlStore
macro_rules! suite {
    ($open:path) => {
        async fn fresh() -> (std::sync::Arc<dyn onsale_engine::ports::Store>, impl Sized) {
            let (store, guard) = $open().await;
            (std::sync::Arc::new(store), guard)
        }

        onsale_contract::store_contract!(fresh);
        onsale_contract::sale_contract!(fresh);

        /// The negative control of the races: without the guards, seats are sold more than once.
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn oversells_without_guards() {
            let (store, _guard) = $open().await;
            crate::controls::oversells_without_guards(store).await;
        }

        /// The same for units.
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn oversells_units_without_guards() {
            let (store, _guard) = $open().await;
            crate::controls::oversells_units_without_guards(store).await;
        }

        /// The contract's claim that the key is the last guard is only worth something if taking
        /// it away is noticed.
        #[tokio::test]
        async fn without_the_claims_key_a_seat_is_sold_twice() {
            let (store, _guard) = $open().await;
            crate::controls::without_the_claims_key_a_seat_is_sold_twice(store).await;
        }
    };
}

mod sqlite {
    use onsale_domain::money::Currency;
    use onsale_store::{SqlStore, StoreOptions};
    use tempfile::TempDir;

    async fn open() -> (SqlStore, TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("onsale.db").display());
        let store =
            SqlStore::open(&url, &StoreOptions::new(Currency::KRW)).await.expect("the database opens");
        (store, folder)
    }

    suite!(open);
}

mod postgres {
    async fn open() -> (onsale_store::SqlStore, ()) {
        (crate::open(&onsale_testbed::postgres().fresh_database().await).await, ())
    }

    suite!(open);
}

mod mariadb {
    async fn open() -> (onsale_store::SqlStore, ()) {
        (crate::open(&onsale_testbed::mariadb().fresh_database().await).await, ())
    }

    suite!(open);
}

async fn open(url: &str) -> onsale_store::SqlStore {
    let options = onsale_store::StoreOptions::new(onsale_domain::money::Currency::KRW);
    onsale_store::SqlStore::open(url, &options).await.expect("the database opens")
}
