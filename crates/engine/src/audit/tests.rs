//! Each violation, written by hand into a database made of vectors.

use async_trait::async_trait;
use onsale_domain::{
    decide::{KeyRecord, KeyTarget},
    ids::{ItemId, OrderId, PaymentId, PerformanceId, SeatId, TransferId, UserId},
    item::Stock,
    money::Currency,
    offer::Offer,
    order::{Claim, Goods, Line, Order, OrderStatus, Payment},
    popularity::{DecayingCount, Subject, SubjectKind},
    search::{genre_key, title_grams, title_key},
    time::Timestamp,
    wallet::{Account, TransferKind},
};
use uuid::Uuid;

use super::{AuditReport, Violation, audit};
use crate::ports::{
    AuditStore, BrokenPromise, ClaimRow, Count, CountRow, FrozenStore, KeyRow, LedgerRow, OfferFacts,
    OfferRevision, OutboxRow, Page, StockRow, StoreError, TermsRow, TitleRow, WalletRow,
};

/// Rows as they are written, sorted by key, in pages of two so that pages always matter.
#[derive(Clone, Default)]
struct Rows {
    orders: Vec<Order>,
    claims: Vec<ClaimRow>,
    payments: Vec<Payment>,
    ledger: Vec<LedgerRow>,
    wallets: Vec<WalletRow>,
    keys: Vec<KeyRow>,
    stocks: Vec<StockRow>,
    outbox: Vec<OutboxRow>,
    offers: Vec<OfferFacts>,
    terms: Vec<TermsRow>,
    titles: Vec<TitleRow>,
    counts: Vec<CountRow>,
    is_all_counted: bool,
    damage: Vec<String>,
    broken: Vec<BrokenPromise>,
    /// Whether each look sees something else: what it says is then not certain.
    torn: Option<fn(&mut Self, usize)>,
    looks: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

#[async_trait]
impl AuditStore for Rows {
    async fn freeze(&self) -> Result<Box<dyn FrozenStore>, StoreError> {
        let mut rows = self.clone();
        let look = self.looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if let Some(tear) = self.torn {
            tear(&mut rows, look);
        }
        rows.orders.sort_by_key(|row| row.id);
        rows.claims.sort_by_key(|row| (row.performance, row.seat));
        rows.payments.sort_by_key(|row| row.order);
        rows.ledger.sort_by_key(|row| row.transfer);
        rows.wallets.sort_by_key(|row| row.user);
        rows.stocks.sort_by_key(|row| row.item);
        for (seq, key) in rows.keys.iter_mut().enumerate() {
            key.seq = seq as i64;
        }
        Ok(Box::new(rows))
    }
}

/// The rows after `after`, at least two, and all those that share the last one's key.
fn page<T: Clone, K: Ord + Copy>(rows: &[T], after: Option<K>, key: impl Fn(&T) -> K) -> Page<T, K> {
    let rows: Vec<T> =
        rows.iter().filter(|row| after.is_none_or(|after| key(row) > after)).cloned().collect();
    let last = rows.get(1).or(rows.first()).map(&key);
    let rows = rows.into_iter().take_while(|row| last.is_some_and(|last| key(row) <= last)).collect();
    Page { rows, unreadable: Vec::new(), last }
}

/// Rows that have no key, one at a time.
fn one_by_one<T: Clone>(rows: &[T], after: Option<i64>) -> Page<T, i64> {
    let number = after.map_or(0, |after| after + 1);
    let row = usize::try_from(number).ok().and_then(|index| rows.get(index));
    Page { rows: row.cloned().into_iter().collect(), unreadable: Vec::new(), last: row.map(|_| number) }
}

#[async_trait]
impl FrozenStore for Rows {
    fn is_one_moment(&self) -> bool {
        self.torn.is_none()
    }

    async fn damage(&mut self, _: usize) -> Result<Vec<String>, StoreError> {
        Ok(self.damage.clone())
    }

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

    async fn currency(&mut self) -> Result<Option<Currency>, StoreError> {
        Ok(Some(Currency::KRW))
    }

    async fn orders(&mut self, after: Option<OrderId>, _: usize) -> Result<Page<Order, OrderId>, StoreError> {
        Ok(page(&self.orders, after, |row| row.id))
    }

    async fn claims(
        &mut self,
        after: Option<(PerformanceId, SeatId)>,
        _: usize,
    ) -> Result<Page<ClaimRow, (PerformanceId, SeatId)>, StoreError> {
        Ok(page(&self.claims, after, |row| (row.performance, row.seat)))
    }

    async fn payments(
        &mut self,
        after: Option<OrderId>,
        _: usize,
    ) -> Result<Page<Payment, OrderId>, StoreError> {
        Ok(page(&self.payments, after, |row| row.order))
    }

    async fn ledger(
        &mut self,
        after: Option<TransferId>,
        _: usize,
    ) -> Result<Page<LedgerRow, TransferId>, StoreError> {
        Ok(page(&self.ledger, after, |row| row.transfer))
    }

    async fn wallets(
        &mut self,
        after: Option<UserId>,
        _: usize,
    ) -> Result<Page<WalletRow, UserId>, StoreError> {
        Ok(page(&self.wallets, after, |row| row.user))
    }

    async fn stocks(
        &mut self,
        after: Option<ItemId>,
        _: usize,
    ) -> Result<Page<StockRow, ItemId>, StoreError> {
        Ok(page(&self.stocks, after, |row| row.item))
    }

    async fn keys(&mut self, after: Option<i64>, _: usize) -> Result<Page<KeyRow, i64>, StoreError> {
        Ok(page(&self.keys, after, |row| row.seq))
    }

    async fn outbox(&mut self, after: Option<i64>, _: usize) -> Result<Page<OutboxRow, i64>, StoreError> {
        Ok(one_by_one(&self.outbox, after))
    }

    async fn offers(&mut self, offers: &[Offer]) -> Result<Vec<OfferFacts>, StoreError> {
        Ok(self.offers.iter().filter(|facts| offers.contains(&facts.offer)).cloned().collect())
    }

    async fn terms(&mut self, after: Option<i64>, _: usize) -> Result<Page<TermsRow, i64>, StoreError> {
        Ok(one_by_one(&self.terms, after))
    }

    async fn titles(&mut self, after: Option<i64>, _: usize) -> Result<Page<TitleRow, i64>, StoreError> {
        Ok(one_by_one(&self.titles, after))
    }

    async fn counts(
        &mut self,
        after: Option<[i64; 4]>,
        _: usize,
    ) -> Result<Page<CountRow, [i64; 4]>, StoreError> {
        let Page { rows, unreadable, last } = one_by_one(&self.counts, after.map(|after| after[0]));
        Ok(Page { rows, unreadable, last: last.map(|last| [last; 4]) })
    }

    async fn is_all_counted(&mut self) -> Result<bool, StoreError> {
        Ok(self.is_all_counted)
    }

    fn promises(&self) -> usize {
        self.broken.len()
    }

    async fn promise(&mut self, number: usize, _: usize) -> Result<BrokenPromise, StoreError> {
        Ok(self.broken[number].clone())
    }
}

const PERFORMANCE: PerformanceId = PerformanceId(7);
const BUYER: UserId = UserId(1);
const OTHER: UserId = UserId(2);
const SUBJECT: Subject = Subject { kind: SubjectKind::Movie, id: 3 };

fn order_id(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

fn transfer_id(number: u128) -> TransferId {
    TransferId(Uuid::from_u128(number))
}

fn claim(seat: i64, order: u128) -> ClaimRow {
    ClaimRow { performance: PERFORMANCE, seat: SeatId(seat), claim: Claim::Order(order_id(order)) }
}

/// A transfer from a wallet (or, below zero, to it), the wallet's next one as ids go.
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
        position: (account >= 0).then_some(id as i64),
        created_at: Timestamp(1),
    };
    [row(wallet, amount), row(house.code(), -amount)]
}

fn key(user: UserId, key: u128, target: KeyTarget) -> KeyRow {
    let record = KeyRecord { fingerprint: 0, target };
    KeyRow { seq: 0, user, key, record, created_at: Timestamp(1) }
}

/// An offer of seats 1 to 9999, or of units.
fn offer(offer: Offer) -> OfferFacts {
    let revision = OfferRevision {
        revision: 1,
        since: Timestamp(0),
        hold_ms: 10,
        per_buyer_max: 7,
        prices: Some(vec![50, 100]),
        digest: 1,
    };
    OfferFacts {
        offer,
        seats: offer.performance().map(|_| (SeatId(1), 9_999)),
        subject: Some(SUBJECT),
        revision: 1,
        revisions: vec![revision],
    }
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
        expires_at: Timestamp(11),
        version: match (status, id) {
            (OrderStatus::Held, _) => 1,
            (OrderStatus::Cancelled, 4) => 3,
            _ => 2,
        },
    };
    let payment = |id, amount, balance_after, refunded| Payment {
        id: PaymentId(Uuid::from_u128(id)),
        order: order_id(id),
        user: BUYER,
        amount,
        currency: Currency::KRW,
        balance_after,
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
        payments: vec![payment(2, 300, 700, false), payment(4, 100, 600, true)],
        ledger: [
            transfer(1, TransferKind::Charge, 1, Account::Outside, 1_000, None),
            transfer(2, TransferKind::Payment, 1, Account::Sales, -300, Some(2)),
            transfer(3, TransferKind::Payment, 1, Account::Sales, -100, Some(4)),
            transfer(4, TransferKind::Refund, 1, Account::Sales, 100, Some(4)),
            transfer(1_001, TransferKind::Charge, 2, Account::Outside, 5, None).map(first),
        ]
        .concat(),
        wallets: vec![wallet(BUYER, 700, 4), wallet(OTHER, 5, 1)],
        keys: vec![
            key(BUYER, 1, KeyTarget::Hold(order_id(1))),
            key(BUYER, 2, KeyTarget::Hold(order_id(2))),
            key(BUYER, 3, KeyTarget::Pay(order_id(2))),
            key(OTHER, 1, KeyTarget::Charge { balance_after: 5 }),
        ],
        outbox: vec![told(1, "order.held", 1), told(4, "order.paid", 2), told(4, "order.cancelled", 3)],
        offers: vec![offer(PERFORMANCE.into())],
        ..Rows::default()
    }
}

/// Another wallet's first.
fn first(row: LedgerRow) -> LedgerRow {
    LedgerRow { position: row.position.map(|_| 1), ..row }
}

fn wallet(user: UserId, balance: i64, version: i64) -> WalletRow {
    WalletRow { user, balance, version }
}

fn told(order: u128, kind: &str, version: i64) -> OutboxRow {
    OutboxRow { seq: order as i64, kind: kind.to_owned(), order: order_id(order), version }
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
        version: if status == OrderStatus::Held { 1 } else { 2 },
        ..template.clone()
    };
    rows.orders.extend([
        order(11, OrderStatus::Held, 2),
        order(12, OrderStatus::Paid, 3),
        order(13, OrderStatus::Expired, 4),
    ]);
    let paid = Payment { order: order_id(12), amount: 150, balance_after: 550, ..rows.payments[0].clone() };
    rows.payments.push(paid);
    rows.ledger.extend(transfer(5, TransferKind::Payment, 1, Account::Sales, -150, Some(12)));
    rows.wallets[0] = wallet(BUYER, 550, 5);
    rows.offers.push(offer(ItemId(1).into()));
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
    assert_eq!(last.0, last.1, "every row is told of");
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
    assert_eq!((counts.ledger_entries, counts.transfers, counts.wallets, counts.balance), (10, 5, 2, 705));
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
    assert_eq!(found(other_performance).await, [ClaimOfNoSeat, ClaimNotInOrder, ClaimMissing]);
    assert_eq!(found(|rows| rows.claims[5].seat = SeatId(10_000)).await, [ClaimOfNoSeat], "a lock");
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
    assert_eq!(
        found(|rows| rows.orders[5].status = OrderStatus::Expired).await,
        [OrderVersion, StockDiffers]
    );
    let held = found(|rows| rows.orders[7].status = OrderStatus::Held).await;
    assert_eq!(held, [OrderVersion, OverLimit, StockDiffers]);
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
    assert_eq!(found(negative).await, [OrderAmount, OrderPrice]);
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
        [LedgerDiffersFromPayments, WalletDiffers, WalletVersion],
        "a payment without its transfer"
    );
    assert_eq!(
        found(|rows| rows.ledger.extend(transfer(9, TransferKind::Refund, 1, Account::Sales, 100, Some(4))))
            .await,
        [LedgerDiffersFromPayments, WalletDiffers, WalletVersion],
        "refunded twice"
    );
    assert_eq!(
        found(|rows| rows.ledger.extend(transfer(9, TransferKind::Refund, 2, Account::Sales, 100, Some(4))))
            .await,
        [LedgerDiffersFromPayments, WalletDiffers, WalletVersion],
        "refunded to somebody else"
    );
    let wrong_house = |rows: &mut Rows| rows.ledger[3].account = Account::Outside.code();
    assert_eq!(found(wrong_house).await, [LedgerDiffersFromPayments, TransferMalformed]);
    assert_eq!(found(|rows| rows.wallets[0].balance += 1).await, [WalletDiffers]);
    assert_eq!(found(|rows| _ = rows.wallets.remove(0)).await, [WalletDiffers]);
    assert_eq!(found(|rows| rows.wallets.push(wallet(BUYER, 700, 4))).await, [WalletTwice]);
    let below_zero = |rows: &mut Rows| {
        rows.wallets[1] = wallet(OTHER, -5, 2);
        let taken = transfer(2_000, TransferKind::Charge, 2, Account::Outside, -10, None);
        rows.ledger.extend(taken.map(|row| LedgerRow { position: row.position.map(|_| 2), ..row }));
    };
    assert_eq!(found(below_zero).await, [TransferMalformed, WalletNegative]);
}

#[tokio::test]
async fn keys() {
    use Violation::*;
    let hold = |order| KeyTarget::Hold(order_id(order));
    assert_eq!(
        found(|rows| rows.keys.push(key(OTHER, 1, KeyTarget::Charge { balance_after: 5 }))).await,
        [KeyTwice, KeyWithoutCharge]
    );
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 1, hold(3)))).await, [KeyTwice]);
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 9, hold(99)))).await, [KeyWithoutOrder]);
    assert_eq!(found(|rows| rows.keys.push(key(OTHER, 9, hold(3)))).await, [KeyOfAnotherUser]);
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 9, hold(1)))).await, [OrderWithTwoKeys]);
    let unpaid = KeyTarget::Pay(order_id(1));
    assert_eq!(found(|rows| rows.keys.push(key(BUYER, 9, unpaid))).await, [KeyWithoutOrder]);
}

#[tokio::test]
async fn wallets_move_in_one_row() {
    use Violation::*;
    let without_charge = |rows: &mut Rows| {
        drop(rows.ledger.drain(0..2));
        rows.wallets[0].balance -= 1_000;
    };
    let found_without_charge = found(without_charge).await;
    assert_eq!(found_without_charge, [WalletNegative, WalletVersion], "a charge gone from ledger and wallet");
    assert_eq!(found(|rows| rows.wallets[0].version += 1).await, [WalletVersion]);
    assert_eq!(found(|rows| rows.ledger[2].position = Some(7)).await, [WalletVersion]);
    assert_eq!(found(|rows| rows.payments[0].balance_after += 1).await, [BalanceAfter]);
    assert_eq!(found(|rows| rows.payments[1].balance_after -= 1).await, [BalanceAfter]);
    // As a version wrote them that did not count.
    let uncounted = |rows: &mut Rows| rows.ledger.iter_mut().for_each(|row| row.position = None);
    assert_eq!(found(uncounted).await, []);
    let first_uncounted = |rows: &mut Rows| rows.ledger[..4].iter_mut().for_each(|row| row.position = None);
    assert_eq!(found(first_uncounted).await, []);
}

#[tokio::test]
async fn charges_and_their_keys() {
    use Violation::*;
    let gone = |rows: &mut Rows| {
        rows.ledger.truncate(8);
        rows.wallets.truncate(1);
    };
    assert_eq!(found(gone).await, [KeyWithoutCharge], "from wallet and ledger, while its key remains");
    let of_nothing = |rows: &mut Rows| rows.keys.push(key(BUYER, 77, KeyTarget::Charge { balance_after: 9 }));
    assert_eq!(found(of_nothing).await, [KeyWithoutCharge]);
    assert_eq!(found(|rows| rows.keys[3].created_at = Timestamp(2)).await, [KeyWithoutCharge]);
    assert_eq!(found(|rows| rows.keys[3].user = BUYER).await, [KeyTwice, KeyWithoutCharge]);
    assert_eq!(found(|rows| rows.keys[0].created_at = Timestamp(2)).await, [KeyTime]);
    assert_eq!(found(|rows| rows.keys[2].created_at = Timestamp(2)).await, [KeyTime]);
}

#[tokio::test]
async fn orders_and_the_terms_of_their_offers() {
    use Violation::*;
    assert_eq!(found(|rows| rows.orders[0].expires_at = Timestamp(12)).await, [OrderDeadline]);
    assert_eq!(found(|rows| rows.orders[2].expires_at = Timestamp(10)).await, [OrderDeadline]);
    assert_eq!(found(|rows| rows.orders[2].created_at = Timestamp(0)).await, [OrderDeadline]);
    assert_eq!(found(|rows| rows.payments[0].created_at = Timestamp(11)).await.first(), Some(&PaidLate));
    let cheap = |rows: &mut Rows| {
        lines(&mut rows.orders[2])[0].price = 1;
        rows.orders[2].amount = 1;
    };
    assert_eq!(found(cheap).await, [OrderPrice]);
    assert_eq!(found(|rows| lines(&mut rows.orders[2])[0].seat = SeatId(10_000)).await, [OrderSeat]);
    assert_eq!(found(|rows| rows.offers[0].revisions[0].per_buyer_max = 4).await, [OverLimit]);
    let nowhere = |rows: &mut Rows| match &mut rows.orders[2].goods {
        Goods::Seats { performance, .. } => *performance = PerformanceId(8),
        Goods::Units { .. } => {}
    };
    assert_eq!(found(nowhere).await, [OrderOfNoOffer]);
    assert_eq!(found(|rows| rows.orders[0].version = 2).await, [OrderVersion]);
    let euro: Currency = "EUR".parse().unwrap();
    assert_eq!(found(|rows| rows.orders[2].currency = euro).await, [OtherCurrency]);

    // Terms that changed before revisions were kept, and terms that a node changed which keeps none.
    let moved = |rows: &mut Rows| rows.orders[0].expires_at = Timestamp(12);
    let later = |rows: &mut Rows| {
        moved(rows);
        rows.offers[0].revision = 5;
        rows.offers[0].revisions[0].revision = 5;
        rows.offers[0].revisions[0].since = Timestamp(2);
    };
    assert_eq!(found(later).await, []);
    let unknown = |rows: &mut Rows| {
        moved(rows);
        rows.offers[0].revision = 2;
    };
    assert_eq!(found(unknown).await, []);

    let terms = TermsRow { offer: PERFORMANCE.into(), revision: 2, digest: 7, kept: Some((2, 7)) };
    assert_eq!(found(|rows| rows.terms = vec![terms]).await, []);
    assert_eq!(found(|rows| rows.terms = vec![TermsRow { digest: 8, ..terms }]).await, [TermsDiffer]);
    assert_eq!(found(|rows| rows.terms = vec![TermsRow { revision: 1, ..terms }]).await, [TermsDiffer]);
    assert_eq!(found(|rows| rows.terms = vec![TermsRow { revision: 3, digest: 8, ..terms }]).await, []);
}

#[tokio::test]
async fn what_the_outbox_tells() {
    use Violation::*;
    for wrong in [
        told(1, "order.held", 2),
        told(1, "order.paid", 2),
        told(2, "order.expired", 2),
        told(4, "order.paid", 3),
        told(99, "order.held", 1),
        told(1, "order.lost", 1),
    ] {
        assert_eq!(found(|rows| rows.outbox.push(wrong.clone())).await, [EventWrong], "{wrong:?}");
    }
}

#[tokio::test]
async fn what_was_sold_is_what_is_counted() {
    use Violation::*;
    let row = |count| CountRow { subject: SUBJECT, count };
    let counted = |units| vec![row(Count::Day { day: 0, units })];
    async fn after(counts: Vec<CountRow>) -> Vec<Violation> {
        found(|rows| (rows.counts, rows.is_all_counted) = (counts, true)).await
    }
    // Three were sold and kept, one was sold and given back.
    assert_eq!(after(counted(3)).await, []);
    assert_eq!(after(counted(2)).await, [CountWrong]);
    assert_eq!(found(|rows| rows.counts = counted(2)).await, [], "while not all is counted");
    assert_eq!(found(|rows| rows.counts = counted(4)).await, [], "while what was given back is not");
    assert_eq!(found(|rows| rows.counts = counted(5)).await, [CountWrong]);
    let tomorrow = vec![row(Count::Day { day: 1, units: 3 })];
    assert_eq!(after(tomorrow).await, [], "in another zone");
    assert_eq!(found(|rows| rows.counts = vec![row(Count::Day { day: 2, units: 3 })]).await, [CountWrong]);
    let chart = |units| vec![row(Count::Chart { first: -6, last: 0, units })];
    for (units, expected) in [(4.0, vec![]), (5.0, vec![CountWrong]), (0.0, vec![CountWrong])] {
        assert_eq!(found(|rows| rows.counts = chart(units)).await, expected, "{units}");
    }
    let now = DecayingCount { count: 2.5, as_of: Timestamp(5) };
    let heat = now.heat().unwrap();
    let hot = |count, heat| vec![row(Count::Now { count, as_of: now.as_of, heat })];
    assert_eq!(found(|rows| rows.counts = hot(2.5, heat)).await, []);
    assert_eq!(found(|rows| rows.counts = hot(2.5, heat + 1.0)).await, [CountWrong]);
    assert_eq!(found(|rows| rows.counts = hot(-1.0, heat)).await, [CountWrong]);
    // A performance that has moved from show to show may count for any.
    let any = |rows: &mut Rows| {
        rows.offers[0].subject = None;
        (rows.counts, rows.is_all_counted) = (counted(2), true);
    };
    assert_eq!(found(any).await, []);
}

#[tokio::test]
async fn titles_are_found() {
    use Violation::*;
    let title = TitleRow {
        show: 1,
        title: "Parasite".to_owned(),
        title_folded: title_key("Parasite"),
        genre: Some("Drama".to_owned()),
        genre_folded: Some(genre_key("Drama")),
        grams: title_grams(&title_key("Parasite")).into_iter().collect(),
    };
    assert_eq!(found(|rows| rows.titles = vec![title.clone()]).await, []);
    let changes: [fn(&mut TitleRow); 5] = [
        |row| row.title.push('s'),
        |row| row.title_folded.push('s'),
        |row| row.genre_folded = None,
        |row| _ = row.grams.pop(),
        |row| row.grams.push("xyz".to_owned()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut wrong = title.clone();
        change(&mut wrong);
        assert_eq!(found(|rows| rows.titles = vec![wrong]).await, [TitleNotFound], "change {number}");
    }
}

#[tokio::test]
async fn what_the_database_finds_is_told() {
    use Violation::*;
    assert_eq!(found(|rows| rows.damage.push("page 7".to_owned())).await, [FileDamaged]);
    let broken =
        |of_nobody| BrokenPromise { what: "wallet of nobody", of_nobody, rows: vec!["5".to_owned()] };
    assert_eq!(found(|rows| rows.broken.push(broken(false))).await, [Promise("wallet of nobody")]);
    let mut rows = clean();
    rows.broken.push(broken(true));
    let report = run(&rows).await;
    assert_eq!(report.violations.keys().collect::<Vec<_>>(), [&OfNobody("wallet of nobody")]);
    assert!(report.without_accounts().is_clean());
}

/// Rows that are only half seen differ from look to look; what is wrong stays wrong.
#[tokio::test]
async fn without_one_moment_only_what_is_found_again_is_told() {
    let mut rows = clean();
    rows.wallets[1].balance += 1;
    rows.torn = Some(|rows, look| {
        rows.claims.remove(look);
        rows.wallets[1].balance += look as i64;
    });
    let report = audit(&rows, |_, _| {}).await.unwrap();
    assert_eq!(report.violations.into_keys().collect::<Vec<_>>(), [Violation::WalletDiffers]);
    let mut rows = clean();
    rows.torn = Some(|_, _| {});
    assert!(audit(&rows, |_, _| {}).await.unwrap().is_clean());
    assert_eq!(rows.looks.load(std::sync::atomic::Ordering::Relaxed), 1, "what is clean is looked at once");
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
