//! Orders, and what claims, payments, transfers, keys and events say of them.

use std::collections::{HashMap, HashSet, VecDeque};

use onsale_domain::{
    ids::OrderId,
    offer::Offer,
    order::{Goods, Order, OrderStatus, Payment},
};

use super::{
    Look, PAGE_ROWS,
    buyers::Buyers,
    counts::Sales,
    facts::{OrderFact, WalletFact},
    keys::{key_text, status_told},
    pages,
    report::Violation,
    spool::Sorted,
    stocks::Units,
};
use crate::ports::{OfferFacts, StoreError};

/// Facts that orders state of other rows.
#[derive(Default)]
pub(super) struct Sold {
    /// Of stocks.
    pub(super) units: Units,
    /// Of limits.
    pub(super) buyers: Buyers,
    /// Of rankings.
    pub(super) counted: Sales,
}

/// Payments by order, read ahead.
#[derive(Default)]
struct Payments {
    ahead: VecDeque<Payment>,
    after: Option<OrderId>,
    is_over: bool,
}

/// All that there is about an order.
struct Whole<'a> {
    order: &'a Order,
    payments: Vec<Payment>,
    facts: Vec<OrderFact>,
}

impl Whole<'_> {
    fn paid(&self) -> bool {
        !self.payments.is_empty()
    }

    fn refunded(&self) -> bool {
        self.payments.iter().any(|payment| payment.refunded)
    }
}

impl Look<'_> {
    /// Compares all orders with what is said of them, in the order of their ids.
    pub(super) async fn orders(&mut self) -> Result<Sold, StoreError> {
        let mut facts = std::mem::take(&mut self.of_orders).sorted()?;
        let mut payments = Payments::default();
        let (mut sold, mut last) = (Sold::default(), None);
        pages!(self.orders, rows => {
            let offers: HashSet<Offer> = rows.iter().map(Order::offer).collect();
            let offers: HashMap<Offer, OfferFacts> =
                self.offers(&offers.into_iter().collect::<Vec<_>>()).await?;
            for order in &rows {
                if last.replace(order.id) == Some(order.id) {
                    self.report.add(Violation::OrderTwice, || format!("order {}", order.id));
                    continue;
                }
                self.strays(Some(order.id), &mut facts, &mut payments).await?;
                let mut whole = Whole { order, payments: Vec::new(), facts: Vec::new() };
                while let Some(payment) = self.payment_until(&mut payments, Some(order.id)).await? {
                    whole.payments.push(payment);
                }
                while let Some(record) = facts.pop_if(|record| OrderFact::read(record).0 == order.id)? {
                    whole.facts.push(OrderFact::read(&record).1);
                }
                self.order(&whole, offers.get(&order.offer()), &mut sold)?;
            }
        });
        self.strays(None, &mut facts, &mut payments).await?;
        Ok(sold)
    }

    /// Reports facts about orders before this one that do not exist.
    async fn strays(
        &mut self,
        before: Option<OrderId>,
        facts: &mut Sorted<9>,
        payments: &mut Payments,
    ) -> Result<(), StoreError> {
        let is_before = |id: OrderId| before.is_none_or(|before| id < before);
        while let Some(record) = facts.pop_if(|record| is_before(OrderFact::read(record).0))? {
            let (order, fact) = OrderFact::read(&record);
            self.stray(order, fact);
        }
        loop {
            self.fill(payments).await?;
            let Some(payment) = payments.ahead.pop_front_if(|payment| is_before(payment.order)) else {
                break;
            };
            self.count_payment(&payment);
            self.report.add(Violation::PaymentOfUnpaidOrder, || {
                format!("order {}: payment {}, but no such order", payment.order, payment.id)
            });
        }
        Ok(())
    }

    fn stray(&mut self, order: OrderId, fact: OrderFact) {
        match fact {
            OrderFact::Claim { performance, seat } => self.report.add(Violation::ClaimWithoutOrder, || {
                format!("performance {performance}, seat {seat}, order {order}")
            }),
            OrderFact::Transfer { wallet, transfer, amount, .. } => {
                self.report.add(Violation::LedgerDiffersFromPayments, || {
                    format!("transfer {transfer}: {amount} of wallet {wallet} for order {order}, which does not exist")
                });
            }
            OrderFact::Key { user, key, .. } => self
                .report
                .add(Violation::KeyWithoutOrder, || format!("{}, order {order}", key_text(user, key))),
            OrderFact::Event { seq, .. } => self.report.add(Violation::EventWrong, || {
                format!("row {seq} of the outbox: order {order}, which does not exist")
            }),
        }
    }

    /// The next payment of orders up to one.
    async fn payment_until(
        &mut self,
        payments: &mut Payments,
        until: Option<OrderId>,
    ) -> Result<Option<Payment>, StoreError> {
        self.fill(payments).await?;
        let next = payments.ahead.pop_front_if(|payment| until.is_none_or(|until| payment.order <= until));
        if let Some(payment) = &next {
            self.count_payment(payment);
        }
        Ok(next)
    }

    async fn fill(&mut self, payments: &mut Payments) -> Result<(), StoreError> {
        while payments.ahead.is_empty() && !payments.is_over {
            let page = self.store.payments(payments.after, PAGE_ROWS).await?;
            self.took(page.rows.len(), page.unreadable);
            payments.is_over = page.last.is_none();
            payments.after = page.last.or(payments.after);
            payments.ahead = page.rows.into();
        }
        Ok(())
    }

    fn count_payment(&mut self, payment: &Payment) {
        self.report.counts.payments += 1;
        self.report.counts.payments_refunded += u64::from(payment.refunded);
    }

    fn order(
        &mut self,
        whole: &Whole<'_>,
        offer: Option<&OfferFacts>,
        sold: &mut Sold,
    ) -> Result<(), StoreError> {
        let order = whole.order;
        let counts = &mut self.report.counts;
        match order.status {
            OrderStatus::Held => counts.orders_held += 1,
            OrderStatus::Paid => counts.orders_paid += 1,
            OrderStatus::Expired => counts.orders_expired += 1,
            OrderStatus::Cancelled => counts.orders_cancelled += 1,
        }
        self.check_goods(order);
        self.check_terms(order, offer);
        self.check_version(whole);
        self.check_seats(whole);
        self.check_payments(whole);
        self.check_transfers(whole)?;
        self.check_keys(whole);
        self.check_events(whole);
        sold.units.take(order, &mut self.report)?;
        sold.buyers.take(order, offer)?;
        if let Some(payment) = whole.payments.first() {
            sold.counted.take(order, payment, offer)?;
        }
        Ok(())
    }

    fn check_goods(&mut self, order: &Order) {
        let (sum, sound) = match &order.goods {
            Goods::Seats { lines, .. } => {
                let seat_twice = lines
                    .iter()
                    .enumerate()
                    .any(|(index, line)| lines[..index].iter().any(|other| other.seat == line.seat));
                if lines.is_empty() || seat_twice {
                    self.report
                        .add(Violation::OrderLines, || format!("order {}: {} lines", order.id, lines.len()));
                }
                let sum: i128 = lines.iter().map(|line| i128::from(line.price)).sum();
                (sum, lines.iter().all(|line| line.price >= 0))
            }
            Goods::Units { count, price, .. } => {
                if *count == 0 {
                    self.report.add(Violation::OrderLines, || format!("order {}: no units", order.id));
                }
                (i128::from(*price) * i128::from(*count), *price >= 0)
            }
        };
        if sum != i128::from(order.amount) || !sound {
            self.report.add(Violation::OrderAmount, || {
                format!("order {}: amount {}, goods {sum}", order.id, order.amount)
            });
        }
        if let Some(currency) = self.currency.filter(|currency| *currency != order.currency) {
            self.report.add(Violation::OtherCurrency, || {
                format!("order {}: in {}, the database in {currency}", order.id, order.currency)
            });
        }
    }

    /// Each change of an order counts its version up.
    fn check_version(&mut self, whole: &Whole<'_>) {
        let order = whole.order;
        let expected = match order.status {
            OrderStatus::Held => 1,
            OrderStatus::Paid | OrderStatus::Expired => 2,
            OrderStatus::Cancelled => 2 + i64::from(whole.paid()),
        };
        if order.version != expected {
            self.report.add(Violation::OrderVersion, || {
                format!("order {}: {} at version {}", order.id, order.status.as_str(), order.version)
            });
        }
    }

    fn check_seats(&mut self, whole: &Whole<'_>) {
        let order = whole.order;
        let is_live = matches!(order.status, OrderStatus::Held | OrderStatus::Paid);
        let mut claimed = HashSet::new();
        for fact in &whole.facts {
            let OrderFact::Claim { performance, seat } = fact else { continue };
            let place = || format!("performance {performance}, seat {seat}, order {}", order.id);
            match order.status {
                OrderStatus::Held => self.report.counts.seats_held += 1,
                OrderStatus::Paid => self.report.counts.seats_sold += 1,
                OrderStatus::Expired | OrderStatus::Cancelled => {
                    self.report.add(Violation::ClaimOfEndedOrder, || {
                        format!("{}: {}", place(), order.status.as_str())
                    });
                    continue;
                }
            }
            let is_here = Offer::Performance(*performance) == order.offer();
            if is_here && order.lines().iter().any(|line| line.seat == *seat) {
                claimed.insert(*seat);
            } else {
                self.report.add(Violation::ClaimNotInOrder, place);
            }
        }
        if !is_live {
            return;
        }
        let mut asked = HashSet::new();
        for line in order.lines() {
            if !claimed.contains(&line.seat) && asked.insert(line.seat) {
                self.report.add(Violation::ClaimMissing, || {
                    format!(
                        "{}, seat {}, order {}: {}",
                        order.offer(),
                        line.seat,
                        order.id,
                        order.status.as_str()
                    )
                });
            }
        }
    }

    fn check_payments(&mut self, whole: &Whole<'_>) {
        let order = whole.order;
        for payment in &whole.payments {
            let of_order = (order.user, order.amount, order.currency);
            if (payment.user, payment.amount, payment.currency) != of_order {
                self.report.add(Violation::PaymentDiffers, || {
                    format!(
                        "order {}: {} {} by user {}; payment {}: {} {} by user {}",
                        order.id,
                        order.amount,
                        order.currency,
                        order.user,
                        payment.id,
                        payment.amount,
                        payment.currency,
                        payment.user,
                    )
                });
            }
            if payment.created_at >= order.expires_at {
                self.report.add(Violation::PaidLate, || {
                    format!(
                        "order {}: paid at {}, held until {}",
                        order.id, payment.created_at.0, order.expires_at.0
                    )
                });
            }
            if payment.balance_after < 0 {
                self.report.add(Violation::BalanceAfter, || {
                    format!("order {}: {} left after its payment", order.id, payment.balance_after)
                });
            }
        }
        if let [_, second, ..] = &whole.payments[..] {
            self.report.add(Violation::PaidTwice, || format!("order {}: payment {}", order.id, second.id));
        }
        match order.status {
            OrderStatus::Paid if !whole.paid() => {
                self.report.add(Violation::PaymentMissing, || format!("order {}", order.id));
            }
            OrderStatus::Paid if whole.refunded() => {
                self.report.add(Violation::RefundWrong, || format!("order {}: paid, and refunded", order.id));
            }
            OrderStatus::Cancelled if whole.paid() && !whole.refunded() => {
                self.report.add(Violation::RefundWrong, || {
                    format!("order {}: cancelled, and not refunded", order.id)
                });
            }
            OrderStatus::Held | OrderStatus::Expired if whole.paid() => {
                self.report.add(Violation::PaymentOfUnpaidOrder, || {
                    format!("order {}: {}", order.id, order.status.as_str())
                });
            }
            _ => {}
        }
    }

    /// A payment has one transfer of its amount, and so has a refund.
    fn check_transfers(&mut self, whole: &Whole<'_>) -> Result<(), StoreError> {
        let order = whole.order;
        let (mut found, mut paid_position) = ((0, 0), None);
        for fact in &whole.facts {
            let &OrderFact::Transfer { refund, wallet, amount, position, at, transfer } = fact else {
                continue;
            };
            let is_in_time = refund
                || whole.payments.is_empty()
                || whole.payments.iter().any(|payment| payment.created_at == at);
            if wallet != order.user.0 || amount.saturating_abs() != order.amount || !is_in_time {
                self.report.add(Violation::LedgerDiffersFromPayments, || {
                    format!(
                        "transfer {transfer}: {amount} of wallet {wallet} is not what order {} moved",
                        order.id
                    )
                });
            } else if refund {
                found.1 += 1;
            } else {
                found.0 += 1;
                paid_position = position;
            }
        }
        // A free order moves no money.
        let moves = u8::from(order.amount > 0);
        let expected = (moves * u8::from(whole.paid()), moves * u8::from(whole.refunded()));
        if found != (expected.0.into(), expected.1.into()) {
            self.report.add(Violation::LedgerDiffersFromPayments, || {
                format!(
                    "order {}: {} payments and {} refunds expected in the ledger, {} and {} found",
                    order.id, expected.0, expected.1, found.0, found.1
                )
            });
        } else if let (Some(position), [payment]) = (paid_position, &whole.payments[..]) {
            let left = WalletFact::Left { position, balance: payment.balance_after, order: order.id };
            self.of_wallet(order.user, left)?;
        }
        Ok(())
    }

    fn check_keys(&mut self, whole: &Whole<'_>) {
        let order = whole.order;
        let mut seen = [false; 2];
        for fact in &whole.facts {
            let &OrderFact::Key { pays, user, at, key } = fact else { continue };
            let place = || format!("{}, order {}", key_text(user, key), order.id);
            if user != order.user {
                self.report
                    .add(Violation::KeyOfAnotherUser, || format!("{} of user {}", place(), order.user));
            }
            let is_in_time = if !pays {
                at == order.created_at
            } else if whole.paid() {
                whole.payments.iter().any(|payment| payment.created_at == at)
            } else {
                self.report.add(Violation::KeyWithoutOrder, || format!("{}, which has no payment", place()));
                continue;
            };
            if !is_in_time {
                self.report.add(Violation::KeyTime, || format!("{}: used at {}", place(), at.0));
            }
            if std::mem::replace(&mut seen[usize::from(pays)], true) {
                self.report.add(Violation::OrderWithTwoKeys, place);
            }
        }
    }

    fn check_events(&mut self, whole: &Whole<'_>) {
        let order = whole.order;
        for fact in &whole.facts {
            let &OrderFact::Event { code, version, seq } = fact else { continue };
            let fits = status_told(code, version).is_some_and(|status| {
                version < order.version || (version == order.version && status == order.status)
            });
            if !fits {
                self.report.add(Violation::EventWrong, || {
                    format!(
                        "row {seq} of the outbox: version {version} of order {}, which is {} at version {}",
                        order.id,
                        order.status.as_str(),
                        order.version
                    )
                });
            }
        }
    }
}
