//! Negative controls: what happens when a guard is off.

use std::sync::Arc;

use onsale_contract::store::fixture::{Fixture, OPENS, decide};
use onsale_domain::decide::ClaimCheck;
use onsale_engine::ports::Store;
use onsale_store::{
    SqlStore,
    negative_control::{drop_claims_key, drop_stock_check},
};

pub(crate) async fn oversells_without_guards(store: SqlStore) {
    drop_claims_key(&store).await.expect("the key is dropped");
    onsale_contract::sale::races::oversells_without_guards(Arc::new(store)).await;
}

pub(crate) async fn oversells_units_without_guards(store: SqlStore) {
    drop_stock_check(&store).await.expect("the check is dropped");
    onsale_contract::sale::unit_sales::oversells_without_guards(Arc::new(store)).await;
}

pub(crate) async fn without_the_claims_key_a_seat_is_sold_twice(store: SqlStore) {
    drop_claims_key(&store).await.expect("the key is dropped");
    let store: Arc<dyn Store> = Arc::new(store);
    let world = Fixture::new(store.clone()).await;
    for buyer in [1, 2] {
        let hold = world.hold(buyer, None, &[0], OPENS);
        let mut transaction = world.begin().await;
        let (answers, changes) = decide(&*store, &mut *transaction, &[hold], OPENS, ClaimCheck::Off).await;
        assert!(answers[0].is_ok());
        transaction.write(&changes).await.expect("nothing stands in the way");
        transaction.commit().await.expect("nothing stands in the way");
    }
    let mut frozen = store.freeze().await.expect("the database is read");
    let claims = frozen.claims(None, 1).await.expect("the claims are read").rows;
    assert_eq!(claims.len(), 2, "both claims on the one seat, in one page");
    assert_eq!(claims[0].seat, claims[1].seat);
    assert_eq!(frozen.claims(Some((claims[1].performance, claims[1].seat)), 1).await.unwrap().rows, []);
}
