//! Each violation, written by hand into a database made of vectors.

use async_trait::async_trait;
use onsale_domain::{
    decide::{KeyRecord, KeyTarget},
    ids::{ItemId, OrderId, PaymentId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    money::Currency,
    order::{Claim, Goods, Line, Order, OrderStatus, Payment},
    time::Timestamp,
    wallet::{Account, TransferKind},
};
use uuid::Uuid;

use super::{AuditReport, Violation, audit};
use crate::ports::{AuditStore, ClaimRow, FrozenStore, KeyRow, LedgerRow, StockRow, StoreError};

/// Rows as they are written, sorted by key, in chunks of two so that chunks always matter.
#[derive(Clone, Default)]
struct Rows {
    orders: Vec<Order>,
    claims: Vec<ClaimRow>,
    payments: Vec<Payment>,
    ledger: Vec<LedgerRow>,
    wallets: Vec<(UserId, i64)>,
    keys: Vec<KeyRow>,
    stocks: Vec<StockRow>,
}

#[async_trait]
impl AuditStore for Rows {
    async fn freeze(&self) -> Result<Box<dyn FrozenStore>, StoreError> {
        let mut rows = self.clone();
        rows.orders.sort_by_key(|row| row.id);
        rows.claims.sort_by_key(|row| (row.performance, row.seat));
        rows.payments.sort_by_key(|row| row.order);
        rows.ledger.sort_by_key(|row| row.transfer);
        rows.wallets.sort_unstable();
        rows.keys.sort_by_key(|row| (row.user, row.key));
        rows.stocks.sort_by_key(|row| row.item);
        Ok(Box::new(rows))
    }
}

/// The rows after `after`, at least two, and all those that share the last one's key.
fn chunk<T: Clone, K: Ord + Copy>(rows: &[T], after: Option<K>, key: impl Fn(&T) -> K) -> Vec<T> {
    let rows: Vec<T> =
        rows.iter().filter(|row| after.is_none_or(|after| key(row) > after)).cloned().collect();
    let Some(last) = rows.get(1).or(rows.first()).map(&key) else { return vec![] };
    rows.into_iter().take_while(|row| key(row) <= last).collect()
}

#[async_trait]
impl FrozenStore for Rows {
    async fn rows(&mut self) -> Result<u64, StoreError> {
        let rows = [
            self.orders.len(),
            self.claims.len(),
            self.payments.len(),
            self.ledger.len(),
            self.wallets.len(),
            self.keys.len(),
            self.stocks.len(),
        ];
        Ok(rows.iter().sum::<usize>() as u64)
    }

    async fn orders(&mut self, after: Option<OrderId>, _: usize) -> Result<Vec<Order>, StoreError> {
        Ok(chunk(&self.orders, after, |row| row.id))
    }

    async fn claims(
        &mut self,
        after: Option<(PerformanceId, SeatId)>,
        _: usize,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        Ok(chunk(&self.claims, after, |row| (row.performance, row.seat)))
    }

    async fn payments(&mut self, after: Option<OrderId>, _: usize) -> Result<Vec<Payment>, StoreError> {
        Ok(chunk(&self.payments, after, |row| row.order))
    }

    async fn ledger(&mut self, after: Option<TransferId>, _: usize) -> Result<Vec<LedgerRow>, StoreError> {
        Ok(chunk(&self.ledger, after, |row| row.transfer))
    }

    async fn wallets(&mut self, after: Option<UserId>, _: usize) -> Result<Vec<(UserId, i64)>, StoreError> {
        Ok(chunk(&self.wallets, after, |row| row.0))
    }

    async fn stocks(&mut self, after: Option<ItemId>, _: usize) -> Result<Vec<StockRow>, StoreError> {
        Ok(chunk(&self.stocks, after, |row| row.item))
    }

    async fn keys(&mut self, after: Option<(UserId, u128)>, _: usize) -> Result<Vec<KeyRow>, StoreError> {
        Ok(chunk(&self.keys, after, |row| (row.user, row.key)))
    }
}

const PERFORMANCE: PerformanceId = PerformanceId(7);
const BUYER: UserId = UserId(1);
const OTHER: UserId = UserId(2);

fn order_id(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

fn transfer_id(number: u128) -> TransferId {
    TransferId(Uuid::from_u128(number))
}

fn claim(seat: i64, order: u128) -> ClaimRow {
    ClaimRow { performance: PERFORMANCE, seat: SeatId(seat), claim: Claim::Order(order_id(order)) }
}

/// A transfer from a wallet (or, below zero, to it).
fn transfer(
    id: u128,
    kind: TransferKind,
    wallet: i64,
    house: Account,
    amount: i64,
    order: Option<u128>,
) -> [LedgerRow; 2] {
    let row = |account, amount| LedgerRow {
        transfer: transfer_id(id),
        account,
        amount,
        kind,
        order: order.map(order_id),
    };
    [row(wallet, amount), row(house.code(), -amount)]
}

fn key(user: UserId, key: u128, target: KeyTarget) -> KeyRow {
    KeyRow { user, key, record: KeyRecord { fingerprint: 0, target } }
}

/// Everything there can be, and all of it right: orders 1 held, 2 paid, 3 expired, 4 cancelled
/// after payment, 5 cancelled before; one lock.
fn clean() -> Rows {
    let order = |id, status, seats: &[i64]| Order {
        id: order_id(id),
        user: BUYER,
        goods: Goods::Seats {
            performance: PERFORMANCE,
            lines: seats.iter().map(|seat| Line { seat: SeatId(*seat), price: 100 }).collect(),
        },
        status,
        amount: 100 * seats.len() as i64,
        currency: Currency::KRW,
        created_at: Timestamp(1),
        expires_at: Timestamp(2),
        version: 1,
    };
    let payment = |id, amount, refunded| Payment {
        id: PaymentId(Uuid::from_u128(id)),
        order: order_id(id),
        user: BUYER,
        amount,
        currency: Currency::KRW,
        balance_after: 0,
        refunded,
        created_at: Timestamp(1),
    };
    let lock = ClaimRow { performance: PERFORMANCE, seat: SeatId(50), claim: Claim::Locked };
    Rows {
        orders: vec![
            order(1, OrderStatus::Held, &[10, 11]),
            order(2, OrderStatus::Paid, &[20, 21, 22]),
            order(3, OrderStatus::Expired, &[10]),
            order(4, OrderStatus::Cancelled, &[20]),
            order(5, OrderStatus::Cancelled, &[21]),
        ],
        claims: vec![claim(10, 1), claim(11, 1), claim(20, 2), claim(21, 2), claim(22, 2), lock],
        payments: vec![payment(2, 300, false), payment(4, 100, true)],
        ledger: [
            transfer(1, TransferKind::Charge, 1, Account::Outside, 1_000, None),
            transfer(2, TransferKind::Payment, 1, Account::Sales, -300, Some(2)),
            transfer(3, TransferKind::Payment, 1, Account::Sales, -100, Some(4)),
            transfer(4, TransferKind::Refund, 1, Account::Sales, 100, Some(4)),
        ]
        .concat(),
        wallets: vec![(BUYER, 700), (OTHER, 0)],
        keys: vec![
            key(BUYER, 1, KeyTarget::Hold(order_id(1))),
            key(BUYER, 2, KeyTarget::Hold(order_id(2))),
            key(BUYER, 3, KeyTarget::Pay(order_id(2))),
            key(OTHER, 1, KeyTarget::Charge { balance_after: 5 }),
        ],
        stocks: vec![],
    }
}

/// As [`clean`], with orders 11 held for two units, 12 paid for three and 13 expired, of an item of
/// ten; and an item that nobody wants.
fn clean_with_items() -> Rows {
    let mut rows = clean();
    let template = rows.orders[0].clone();
    let order = |id, status, count: u32| Order {
        id: order_id(id),
        goods: Goods::Units { item: ItemId(1), count, price: 50 },
        status,
        amount: 50 * i64::from(count),
        ..template.clone()
    };
    rows.orders.extend([
        order(11, OrderStatus::Held, 2),
        order(12, OrderStatus::Paid, 3),
        order(13, OrderStatus::Expired, 4),
    ]);
    rows.payments.push(Payment { order: order_id(12), amount: 150, ..rows.payments[0].clone() });
    rows.ledger.extend(transfer(11, TransferKind::Payment, 1, Account::Sales, -150, Some(12)));
    rows.wallets[0].1 -= 150;
    let stock = |item, total, left| StockRow { item: ItemId(item), stock: Stock { total, left } };
    rows.stocks = vec![stock(1, 10, 5), stock(2, 3, 3)];
    rows
}

/// The lines of an order for seats.
fn lines(order: &mut Order) -> &mut Vec<Line> {
    match &mut order.goods {
        Goods::Seats { lines, .. } => lines,
        Goods::Units { .. } => panic!("it is for units"),
    }
}

async fn run(rows: &Rows) -> AuditReport {
    let mut last = (0, 0);
    let report = audit(rows, |read, total| last = (read, total)).await.unwrap();
    assert_eq!(last.0, last.1, "every row is read once");
    report
}

/// The kinds found after a change to the clean rows.
async fn found(change: impl FnOnce(&mut Rows)) -> Vec<Violation> {
    let mut rows = clean();
    change(&mut rows);
    run(&rows).await.violations.into_keys().collect()
}

#[tokio::test]
async fn what_is_right_is_counted_and_clean() {
    let report = run(&clean()).await;
    assert!(report.is_clean(), "{:?}", report.violations);
    let counts = report.counts;
    assert_eq!(
        (counts.orders_held, counts.orders_paid, counts.orders_expired, counts.orders_cancelled),
        (1, 1, 1, 2)
    );
    assert_eq!((counts.seats_held, counts.seats_sold, counts.seats_locked), (2, 3, 1));
    assert_eq!((counts.payments, counts.payments_refunded), (2, 1));
    assert_eq!((counts.ledger_entries, counts.transfers, counts.wallets, counts.balance), (8, 4, 2, 700));
    assert_eq!(counts.keys, 4);
    assert!(run(&Rows::default()).await.is_clean(), "an empty database is clean");
}

#[tokio::test]
async fn seats() {
    use Violation::*;
    assert_eq!(found(|rows| rows.claims.push(claim(20, 2))).await, [SeatClaimedTwice]);
    let second = |rows: &mut Rows| {
        lines(&mut rows.orders[0])[0].seat = SeatId(20);
        rows.claims[0].seat = SeatId(20);
    };
    assert_eq!(found(second).await, [SeatClaimedTwice]);
    assert_eq!(found(|rows| rows.claims.push(claim(60, 99))).await, [ClaimWithoutOrder]);
    assert_eq!(found(|rows| rows.claims.push(claim(60, 3))).await, [ClaimOfEndedOrder]);
    assert_eq!(found(|rows| rows.claims.push(claim(60, 5))).await, [ClaimOfEndedOrder]);
    assert_eq!(found(|rows| rows.claims.push(claim(60, 1))).await, [ClaimNotInOrder]);
    for gone in 0..5 {
        assert_eq!(found(|rows| _ = rows.claims.remove(gone)).await, [ClaimMissing], "claim {gone}");
    }
    assert_eq!(found(|rows| rows.claims[4].claim = Claim::Locked).await, [ClaimMissing]);
    let other_performance = |rows: &mut Rows| rows.claims[4].performance = PerformanceId(8);
    assert_eq!(found(other_performance).await, [ClaimNotInOrder, ClaimMissing]);
}

#[tokio::test]
async fn stocks() {
    use Violation::*;
    let report = run(&clean_with_items()).await;
    assert!(report.is_clean(), "{:?}", report.violations);
    let counts = report.counts;
    assert_eq!((counts.items, counts.units_held, counts.units_sold, counts.units_left), (2, 2, 3, 8));

    async fn found(change: impl FnOnce(&mut Rows)) -> Vec<Violation> {
        let mut rows = clean_with_items();
        change(&mut rows);
        run(&rows).await.violations.into_keys().collect()
    }
    assert_eq!(found(|rows| rows.stocks.push(rows.stocks[0])).await, [StockTwice]);
    assert_eq!(found(|rows| rows.stocks[0].stock.left += 1).await, [StockDiffers]);
    assert_eq!(found(|rows| rows.stocks[1].stock.total += 1).await, [StockDiffers]);
    assert_eq!(found(|rows| rows.stocks[0].stock = Stock { total: 4, left: -1 }).await, [StockNegative]);
    assert_eq!(found(|rows| _ = rows.stocks.remove(0)).await, [StockMissing]);
    assert_eq!(found(|rows| rows.orders[5].status = OrderStatus::Expired).await, [StockDiffers]);
    assert_eq!(found(|rows| rows.orders[7].status = OrderStatus::Held).await, [StockDiffers]);
    assert_eq!(found(|rows| rows.orders[5].amount += 1).await, [OrderAmount]);
    let none = |rows: &mut Rows| {
        rows.orders[7].goods = Goods::Units { item: ItemId(1), count: 0, price: 50 };
        rows.orders[7].amount = 0;
    };
    assert_eq!(found(none).await, [OrderLines]);
}

#[tokio::test]
async fn orders() {
    use Violation::*;
    assert_eq!(found(|rows| rows.orders.push(rows.orders[2].clone())).await, [OrderTwice]);
    assert_eq!(found(|rows| rows.orders[0].amount += 1).await, [OrderAmount]);
    let negative = |rows: &mut Rows| {
        lines(&mut rows.orders[0])[0].price = -100;
        rows.orders[0].amount = 0;
    };
    assert_eq!(found(negative).await, [OrderAmount]);
    assert_eq!(found(|rows| lines(&mut rows.orders[2]).clear()).await, [OrderLines, OrderAmount]);
    assert_eq!(
        found(|rows| lines(&mut rows.orders[1])[1].seat = SeatId(20)).await,
        [OrderLines, ClaimNotInOrder]
    );
}

#[tokio::test]
async fn money() {
    use Violation::*;
    let paid_twice = |rows: &mut Rows| rows.payments.push(rows.payments[0].clone());
    assert_eq!(found(paid_twice).await, [PaidTwice]);
    assert_eq!(
        found(|rows| {
            rows.payments.remove(0);
        })
        .await,
        [PaymentMissing, LedgerDiffersFromPayments, KeyWithoutOrder]
    );
    let of_nothing = |rows: &mut Rows| {
        rows.payments.push(Payment { order: order_id(99), ..rows.payments[0].clone() });
    };
    assert_eq!(found(of_nothing).await, [PaymentOfUnpaidOrder]);
    for status in [OrderStatus::Held, OrderStatus::Expired] {
        let found = found(|rows| rows.orders[3].status = status).await;
        assert!(found.contains(&PaymentOfUnpaidOrder), "{found:?}");
    }
    assert_eq!(found(|rows| rows.payments[0].amount += 1).await, [PaymentDiffers]);
    assert_eq!(found(|rows| rows.payments[0].user = OTHER).await, [PaymentDiffers]);
    assert_eq!(
        found(|rows| rows.payments[0].refunded = true).await,
        [RefundWrong, LedgerDiffersFromPayments]
    );
    assert_eq!(
        found(|rows| rows.payments[1].refunded = false).await,
        [RefundWrong, LedgerDiffersFromPayments]
    );
}

#[tokio::test]
async fn the_ledger() {
    use Violation::*;
    assert_eq!(
        found(|rows| rows.ledger[1].amount += 1).await,
        [TransferUnbalanced, LedgerUnbalanced],
        "the house's side"
    );
    assert_eq!(
        found(|rows| drop(rows.ledger.drain(2..4))).await,
        [LedgerDiffersFromPayments, WalletDiffers],
        "a payment without its transfer"
    );
    assert_eq!(
        found(|rows| rows.ledger.extend(transfer(9, TransferKind::Refund, 1, Account::Sales, 100, Some(4))))
            .await,
        [LedgerDiffersFromPayments, WalletDiffers],
        "refunded twice"
    );
    assert_eq!(
        found(|rows| rows.ledger.extend(transfer(9, TransferKind::Refund, 2, Account::Sales, 100, Some(4))))
            .await,
        [LedgerDiffersFromPayments, WalletDiffers],
        "refunded to somebody else"
    );
    let wrong_house = |rows: &mut Rows| rows.ledger[3].account = Account::Outside.code();
    assert_eq!(found(wrong_house).await, [LedgerDiffersFromPayments, TransferMalformed]);
    assert_eq!(found(|rows| rows.wallets[0].1 += 1).await, [WalletDiffers]);
    assert_eq!(found(|rows| _ = rows.wallets.remove(0)).await, [WalletDiffers]);
    assert_eq!(found(|rows| rows.wallets.push((BUYER, 700))).await, [WalletTwice]);
    let below_zero = |rows: &mut Rows| {
        rows.wallets[1].1 = -5;
        rows.ledger.extend(transfer(9, TransferKind::Charge, 2, Account::Outside, -5, None));
    };
    assert_eq!(found(below_zero).await, [TransferMalformed, WalletNegative]);
}

#[tokio::test]
async fn keys() {
    use Violation::*;
    let hold = |order| KeyTarget::Hold(order_id(order));
    assert_eq!(
        found(|rows| rows.keys.push(key(OTHER, 1, KeyTarget::Charge { balance_after: 5 }))).await,
        [KeyTwice]
    );
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 1, hold(3)))).await, [KeyTwice]);
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 9, hold(99)))).await, [KeyWithoutOrder]);
    assert_eq!(found(|rows| rows.keys.push(key(OTHER, 9, hold(3)))).await, [KeyOfAnotherUser]);
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 9, hold(1)))).await, [OrderWithTwoKeys]);
    let unpaid = KeyTarget::Pay(order_id(1));
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 9, unpaid))).await, [KeyWithoutOrder]);
}

#[tokio::test]
async fn the_first_hundred_are_named_and_all_are_counted() {
    let mut rows = clean();
    rows.claims.extend((1_000..1_250).map(|seat| claim(seat, 99)));
    let report = run(&rows).await;
    let found = &report.violations[&Violation::ClaimWithoutOrder];
    assert_eq!((found.total, found.rows.len(), report.violations_total()), (250, 100, 250));
    assert!(found.rows[0].contains("seat 1000"), "{}", found.rows[0]);
}
