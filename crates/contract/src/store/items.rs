//! Items, their stock, and orders for their units.

use std::sync::Arc;

use onsale_domain::{
    decide::{Changes, FactKeys, Outcome, Refusal, StockChange},
    ids::{ItemId, OrderId, UserId},
    item::{Item, ItemKind, ItemRules, Stock, UNITS_MAX},
    offer::OfferKind,
    order::{Goods, OrderStatus},
    time::Timestamp,
};
use onsale_engine::ports::{DueHold, ItemSale, LoadedItem, StockRow, Store, StoreError, TransactionError};

use super::fixture::{Fixture, HOLD_MS, OPENS, item};

/// All orders there are.
fn all() -> OrderId {
    OrderId::first_at(Timestamp(0))
}

async fn sale(store: &Arc<dyn Store>, id: ItemId) -> ItemSale {
    store.item_sale(id, all()).await.expect("the item is read").expect("it is there")
}

async fn left(store: &Arc<dyn Store>, id: ItemId) -> i64 {
    sale(store, id).await.stock.left
}

pub async fn items_are_kept_as_they_were_written(store: Arc<dyn Store>) {
    let soup = store.add_item(&item("라면"), 10, None).await.unwrap();
    let mut deal = item("Shoes");
    deal.kind = ItemKind::TimeDeal { start_at: OPENS };
    deal.image_url = Some("https://example.org/shoes.jpg".to_owned());
    let shoes = store.add_item(&deal, 0, None).await.unwrap();
    let soup = Item { id: soup, details: item("라면") };
    let mut shoes = Item { id: shoes, details: deal };
    assert_eq!(store.item(soup.id).await.unwrap(), Some(soup.clone()));
    assert_eq!(store.item(shoes.id).await.unwrap(), Some(shoes.clone()));
    assert_eq!(store.items(None, 10).await.unwrap(), [soup.clone(), shoes.clone()]);
    assert_eq!(store.items(None, 1).await.unwrap(), std::slice::from_ref(&soup));
    assert_eq!(store.items(Some(soup.id), 1).await.unwrap(), std::slice::from_ref(&shoes));
    assert_eq!(store.items(Some(shoes.id), 1).await.unwrap(), []);
    let wanted = [shoes.id, ItemId(99), soup.id];
    assert_eq!(store.items_with_ids(&wanted).await.unwrap(), [shoes.clone(), soup.clone()]);
    assert_eq!(store.items_with_ids(&[]).await.unwrap(), []);

    let before = sale(&store, shoes.id).await;
    assert_eq!((before.terms.revision, before.version), (1, 0));
    assert_eq!(before.terms.kind, ItemKind::TimeDeal { start_at: OPENS });
    shoes.details.price = 5;
    shoes.details.kind = ItemKind::General;
    shoes.details.image_url = None;
    shoes.details.rules = ItemRules { hold_ms: 7_000, units_per_buyer_max: 9 };
    store.change_item(&shoes).await.unwrap();
    assert_eq!(store.item(shoes.id).await.unwrap(), Some(shoes.clone()));
    let after = sale(&store, shoes.id).await;
    assert_eq!((after.terms.revision, after.version, after.stock), (2, 1, before.stock));
    assert_eq!((after.terms.price, after.terms.rules), (5, shoes.details.rules));
    assert_eq!(store.item(soup.id).await.unwrap(), Some(soup.clone()), "another item is another row");

    let versions = store.item_versions(&[soup.id, shoes.id, ItemId(99)]).await.unwrap();
    assert_eq!(versions, [(soup.id, (1, 0)), (shoes.id, (2, 1))].into());
    let nothing = Item { id: ItemId(99), ..soup };
    assert_eq!(store.item(nothing.id).await.unwrap(), None);
    assert_eq!(store.item_sale(nothing.id, all()).await.unwrap(), None);
    assert!(matches!(store.change_item(&nothing).await, Err(StoreError::Missing("item"))));
}

pub async fn an_order_for_units_is_kept_in_every_part(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 10, None).await.unwrap();
    let request = world.hold_units(41, Some(1), soup, 3, OPENS);
    let Outcome::Held { order, .. } = world.accept(request.clone(), OPENS).await else { panic!("not held") };
    assert_eq!(order.goods, Goods::Units { item: soup, count: 3, price: 1_000 });
    assert_eq!((order.amount, order.expires_at), (3_000, OPENS.plus_ms(HOLD_MS)));
    assert_eq!(store.order(order.id).await.unwrap().as_ref(), Some(&order), "the order as it was answered");
    let found = sale(&store, soup).await;
    assert_eq!((found.stock, found.version), (Stock { total: 10, left: 7 }, 1));
    assert_eq!(found.buyers, [UserId(41)]);
    let later = OrderId::first_at(OPENS.plus_ms(1));
    assert_eq!(store.item_sale(soup, later).await.unwrap().unwrap().buyers, [], "ordered before");

    let facts = world.load(&FactKeys::of([&request])).await;
    let stock = Stock { total: 10, left: 7 };
    assert_eq!(facts.items, [(soup, LoadedItem { revision: 1, version: 1, stock, lapsed: vec![] })].into());
    assert_eq!(facts.buyers, [((UserId(41), soup.into()), vec![order.id])].into());
    assert_eq!(facts.orders[&order.id], order);
    let due = DueHold {
        expires_at: order.expires_at,
        order: order.id,
        offer: soup.into(),
        made_at: order.created_at,
    };
    assert_eq!(store.due_holds(Timestamp(i64::MAX), None, 10).await.unwrap(), [due]);
    let mut frozen = store.freeze().await.unwrap();
    assert_eq!(frozen.stocks(None, 10).await.unwrap().rows, [StockRow { item: soup, stock }]);
    assert_eq!(frozen.stocks(Some(soup), 10).await.unwrap().rows, []);
    drop(frozen);

    // The same key again changes nothing.
    let again = world.accept(request, OPENS).await;
    assert_eq!(again, Outcome::Held { order: order.clone(), replayed: true });
    assert_eq!(left(&store, soup).await, 7);

    world.accept(world.charge(41, None, 5_000, OPENS), OPENS).await;
    world.accept(world.pay(&order, None, OPENS), OPENS).await;
    assert_eq!((left(&store, soup).await, store.wallet(UserId(41)).await.unwrap().balance), (7, 2_000));
    world.accept(world.cancel(&order, OPENS), OPENS).await;
    assert_eq!((left(&store, soup).await, store.wallet(UserId(41)).await.unwrap().balance), (10, 5_000));
    world.accept(world.cancel(&order, OPENS), OPENS).await;
    assert_eq!(left(&store, soup).await, 10, "given back once");
}

pub async fn units_and_seats_go_through_one_batch(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 6, None).await.unwrap();
    let shoes = store.add_item(&item("Shoes"), 1, None).await.unwrap();
    let batch = [
        world.hold_units(1, None, soup, 4, OPENS),
        world.hold(1, None, &[0], OPENS),
        world.hold_units(2, None, soup, 3, OPENS),
        world.hold_units(2, None, soup, 2, OPENS),
        world.hold_units(3, None, shoes, 1, OPENS),
        world.hold_units(4, None, shoes, 1, OPENS),
        world.hold_units(4, None, ItemId(99), 1, OPENS),
    ];
    let answers = world.run(&batch, OPENS).await;
    let told: Vec<Result<(), Refusal>> = answers.into_iter().map(|answer| answer.map(drop)).collect();
    let sold_out = |left, asked| Err(Refusal::SoldOut { left, asked });
    let none = Err(Refusal::NoSuchItem(ItemId(99)));
    assert_eq!(told, [Ok(()), Ok(()), sold_out(2, 3), Ok(()), Ok(()), sold_out(0, 1), none]);
    let (soup, shoes) = (sale(&store, soup).await, sale(&store, shoes).await);
    assert_eq!((soup.stock.left, soup.version), (0, 1), "written once");
    assert_eq!((shoes.stock.left, shoes.version), (0, 1));
}

/// A hold that is over gives its units to whoever wants them, although nothing has released it.
pub async fn lapsed_orders_are_loaded_and_yield(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 5, None).await.unwrap();
    let shoes = store.add_item(&item("Shoes"), 5, None).await.unwrap();
    let first = world.held_units(1, soup, 2, OPENS).await;
    let second = world.held_units(2, soup, 3, OPENS.plus_ms(10)).await;
    world.held_units(3, shoes, 1, OPENS).await;
    world.held(4, None, &[0], OPENS).await;
    let over = OPENS.plus_ms(HOLD_MS);
    for (at, expected) in [(over.plus_ms(-1), vec![]), (over, vec![first.id])] {
        let keys = FactKeys { items: [soup].into(), ..FactKeys::default() };
        let facts = world.load(&keys.with_lapsed_by(at)).await;
        assert_eq!(facts.items[&soup].lapsed, expected);
        assert_eq!(facts.orders.len(), expected.len());
    }
    let early = world.hold_units(9, None, soup, 1, over.plus_ms(-1));
    let refused = world.run(&[early], over.plus_ms(-1)).await;
    assert_eq!(refused, [Err(Refusal::SoldOut { left: 0, asked: 1 })]);
    let too_many = world.hold_units(9, None, soup, 3, over);
    assert_eq!(world.run(&[too_many], over).await, [Err(Refusal::SoldOut { left: 2, asked: 3 })]);
    assert_eq!(store.order(first.id).await.unwrap().unwrap().status, OrderStatus::Held, "left alone");

    world.held_units(9, soup, 1, over).await;
    assert_eq!(store.order(first.id).await.unwrap().unwrap().status, OrderStatus::Expired);
    assert_eq!(left(&store, soup).await, 1);
    let expired = world.accept(world.expire(&first), over).await;
    assert_eq!((expired, left(&store, soup).await), (Outcome::Expired(false), 1), "given back once");
    let expired = world.accept(world.expire(&second), over.plus_ms(10)).await;
    assert_eq!((expired, left(&store, soup).await), (Outcome::Expired(true), 4));
}

pub async fn a_stock_goes_up_and_down_but_not_below_what_is_taken(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 5, None).await.unwrap();
    let order = world.held_units(1, soup, 3, OPENS).await;
    let set = |total| world.set_stock(soup, total);
    let stock = world.accept(set(8), OPENS).await;
    assert_eq!(stock, Outcome::StockSet(Stock { total: 8, left: 5 }));
    let out_of_bounds = |min| Err(Refusal::StockOutOfBounds { min, max: UNITS_MAX });
    for total in [2, -1, i64::MIN, UNITS_MAX + 1] {
        assert_eq!(world.run(&[set(total)], OPENS).await, [out_of_bounds(3)], "{total}");
    }
    world.accept(set(3), OPENS).await;
    assert_eq!(sale(&store, soup).await.stock, Stock { total: 3, left: 0 });
    // What is held no longer is in nobody's way.
    world.accept(set(0), order.expires_at).await;
    assert_eq!(sale(&store, soup).await.stock, Stock { total: 0, left: 0 });
    assert_eq!(store.order(order.id).await.unwrap().unwrap().status, OrderStatus::Expired);
}

pub async fn orders_for_units_are_listed_apart(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 5, None).await.unwrap();
    let units = world.held_units(1, soup, 1, OPENS).await;
    let seats = world.held(1, None, &[0], OPENS.plus_ms(1)).await;
    let more = world.held_units(1, soup, 2, OPENS.plus_ms(2)).await;
    let listed = async |kind, before, limit| store.orders_of(UserId(1), kind, before, limit).await.unwrap();
    assert_eq!(listed(OfferKind::Performance, None, 9).await.orders, [seats]);
    assert_eq!(listed(OfferKind::Item, None, 9).await.orders, [more.clone(), units.clone()]);
    let page = listed(OfferKind::Item, None, 1).await;
    assert!(page.more && page.orders == [more.clone()]);
    assert_eq!(listed(OfferKind::Item, Some(more.id), 9).await.orders, [units]);
}

fn change(item: ItemId, before: i64, left: i64, version: i64) -> Changes {
    let stock = |left| Stock { total: 5, left };
    let change = StockChange { item, before: stock(before), stock: stock(left), revision: 1, version };
    Changes { stocks: vec![change], ..Changes::default() }
}

pub async fn an_old_stock_version_is_a_conflict(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 5, None).await.unwrap();
    world.held_units(1, soup, 1, OPENS).await;
    for (item, version) in [(soup, 1), (soup, 3), (ItemId(99), 1)] {
        let mut transaction = world.begin().await;
        let refused = transaction.write(&change(item, 4, 3, version)).await;
        assert!(matches!(refused, Err(TransactionError::Conflict)), "{refused:?}");
    }
    assert_eq!(left(&store, soup).await, 4);
}

/// The check is the last guard: whatever was decided, more than there is cannot be written.
pub async fn a_stock_never_goes_below_zero(store: Arc<dyn Store>) {
    let world = Fixture::new(store.clone()).await;
    let soup = store.add_item(&item("Soup"), 5, None).await.unwrap();
    let mut transaction = world.begin().await;
    // It was believed to be nine.
    let refused = transaction.write(&change(soup, 9, 3, 1)).await;
    assert!(matches!(refused, Err(TransactionError::Store(_))), "{refused:?}");
    drop(transaction);
    assert_eq!(left(&store, soup).await, 5);
}
