//! A lane goes on selling while something about another offer is read. On PostgreSQL, where a table can be
//! locked against everybody who reads it.

mod postgres {
    use std::{sync::Arc, time::Duration};

    use onsale_contract::sale::stage::{PRICE, Setup, add_performance, settings, start};
    use onsale_domain::{
        catalogue::PriceLevel,
        ids::{PerformanceId, SeatId, UserId},
        money::Currency,
    };
    use onsale_engine::{
        Engine,
        catalogue::Catalogue,
        clock::{Clock, SystemClock},
        ids::RandomIds,
        ports::Store,
        sales::{Held, SaleError, SaleSettings},
    };
    use onsale_store::{SqlStore, StoreOptions};
    use sea_orm::{ConnectionTrait, Database, DatabaseTransaction, TransactionTrait};
    use tokio::{task::JoinHandle, time::sleep};

    const BUYER: UserId = UserId(1);

    /// An engine with a single lane, and two performances.
    struct Bed {
        engine: Arc<Engine>,
        store: Arc<dyn Store>,
        url: String,
        small: (PerformanceId, Vec<SeatId>),
        large: (PerformanceId, Vec<SeatId>),
    }

    impl Bed {
        async fn new() -> Self {
            let url = onsale_testbed::postgres().fresh_database().await;
            let options = StoreOptions { lanes: 1, ..StoreOptions::new(Currency::KRW) };
            let store: Arc<dyn Store> =
                Arc::new(SqlStore::open(&url, &options).await.expect("the database opens"));
            // What others change is not looked up by itself.
            let sales = SaleSettings { look_every: Duration::from_secs(3_600), ..SaleSettings::default() };
            let setup = Setup { seats_per_row: 10, sales, ..Setup::default() };
            let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds::default()));
            let engine = Engine::start(store.clone(), clock, ids, settings(setup)).await;
            let engine = Arc::new(engine.expect("the engine starts"));
            let small = add_performance(&engine, setup, SystemClock.now()).await;
            let large = add_performance(&engine, setup, SystemClock.now()).await;
            engine.sales.view_of_house(small.0).await.expect("it is in memory");
            Self { engine, store, url, small, large }
        }

        /// Locks a table against everybody.
        async fn lock(&self, table: &str) -> DatabaseTransaction {
            let other = Database::connect(&self.url).await.expect("the database answers");
            let locked = other.begin().await.expect("a transaction begins");
            let sql = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
            locked.execute_unprepared(&sql).await.expect("the table is locked");
            locked
        }

        fn begin_to_hold(&self, buyer: UserId, seat: usize) -> JoinHandle<Result<Held, SaleError>> {
            let (sales, performance) = (self.engine.sales.clone(), self.large.0);
            let seats = vec![self.large.1[seat]];
            tokio::spawn(async move { sales.hold(buyer, None, performance, seats).await })
        }

        /// Somebody buys at the small performance meanwhile.
        async fn hold_at_the_small_one(&self, seat: usize) {
            let seats = vec![self.small.1[seat]];
            self.engine.sales.hold(BUYER, None, self.small.0, seats).await.expect("the seat is held");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn others_buy_while_a_performance_is_brought_into_memory() {
        let bed = Bed::new().await;
        // The map of the hall is known while somebody has it.
        let locked = bed.lock("seats").await;
        let waiting = [bed.begin_to_hold(UserId(2), 0), bed.begin_to_hold(UserId(3), 0)];
        let sales = bed.engine.sales.clone();
        let large = bed.large.0;
        let view = tokio::spawn(async move { sales.view_of_house(large).await });
        sleep(Duration::from_millis(100)).await;

        for seat in 0..3 {
            bed.hold_at_the_small_one(seat).await;
        }

        assert!(waiting.iter().all(|hold| !hold.is_finished()) && !view.is_finished(), "it cannot be read");
        locked.rollback().await.expect("the table is free again");
        let mut held = 0;
        for hold in waiting {
            held += usize::from(hold.await.unwrap().is_ok());
        }
        assert_eq!(held, 1, "one of two has the seat");
        assert_eq!(view.await.unwrap().expect("it is in memory").terms().performance, bed.large.0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn others_buy_while_changed_terms_are_read() {
        let bed = Bed::new().await;
        bed.engine.sales.view_of_house(bed.large.0).await.expect("it is in memory");
        // Somewhere else, so that this node learns of it from a batch.
        let elsewhere = Catalogue::without_sales(bed.store.clone(), Arc::new(SystemClock));
        let dearer = [PriceLevel { category: 0, grade: "R".into(), price: PRICE + 1 }];
        elsewhere.set_prices(bed.large.0, &dearer).await.expect("the prices change");
        let locked = bed.lock("price_levels").await;
        let waiting = bed.begin_to_hold(UserId(2), 0);
        sleep(Duration::from_millis(100)).await;

        for seat in 0..3 {
            bed.hold_at_the_small_one(seat).await;
        }

        assert!(!waiting.is_finished(), "the prices cannot be read");
        locked.rollback().await.expect("the table is free again");
        let held = waiting.await.unwrap().expect("the seat is held");
        assert_eq!(held.order.amount, PRICE + 1, "at the price of today");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_waits_for_a_reading_is_answered_when_the_engine_stops() {
        let bed = Bed::new().await;
        let locked = bed.lock("seats").await;
        let waiting = bed.begin_to_hold(UserId(2), 0);
        sleep(Duration::from_millis(100)).await;
        let stopping = tokio::spawn({
            let engine = bed.engine.clone();
            async move { engine.stop().await }
        });
        sleep(Duration::from_millis(100)).await;
        locked.rollback().await.expect("the table is free again");
        stopping.await.unwrap();
        waiting.await.unwrap().expect("what had been accepted is carried out");
        let again = start(bed.store.clone(), Arc::new(SystemClock), Setup::default()).await;
        assert_eq!(again.sales.view_of_house(bed.large.0).await.unwrap().snapshot().counts.held, 1);
    }
}
