//! Orders, and what claims and payments must say about them.

use std::collections::BTreeMap;

use onsale_domain::{
    ids::{ItemId, OrderId, PerformanceId, SeatId, UserId},
    money::Currency,
    order::{Claim, Goods, Order, OrderStatus, Payment},
};

use super::{
    report::{AuditReport, Violation},
    stocks::Taken,
};
use crate::ports::ClaimRow;

/// What the audit remembers of an order, and what the later rows have said about it.
#[derive(Debug)]
pub(super) struct OrderFacts {
    pub(super) id: OrderId,
    pub(super) user: UserId,
    pub(super) status: OrderStatus,
    amount: i64,
    currency: Currency,
    payments: u8,
    refunded: bool,
    /// Transfers of the right amount from the right wallet.
    pub(super) transfers_paid: u8,
    pub(super) transfers_refunded: u8,
    pub(super) hold_keys: u8,
    pub(super) pay_keys: u8,
}

impl OrderFacts {
    pub(super) fn amount(&self) -> i64 {
        self.amount
    }

    pub(super) fn has_payment(&self) -> bool {
        self.payments > 0
    }
}

/// All orders, in ascending order of their ids, and the seats that must be claimed.
#[derive(Debug, Default)]
pub(super) struct Orders {
    facts: Vec<OrderFacts>,
    /// The seats of held and paid orders, with the order's index in `facts`.
    seats: Vec<(PerformanceId, SeatId, u32)>,
    /// What held and paid orders have of each item.
    units: BTreeMap<ItemId, Taken>,
}

impl Orders {
    /// Takes in the next orders.
    pub(super) fn add(&mut self, orders: &[Order], report: &mut AuditReport) {
        for order in orders {
            if self.facts.last().is_some_and(|last| last.id == order.id) {
                report.add(Violation::OrderTwice, || format!("order {}", order.id));
                continue;
            }
            check_goods(order, report);
            let counts = &mut report.counts;
            match order.status {
                OrderStatus::Held => counts.orders_held += 1,
                OrderStatus::Paid => counts.orders_paid += 1,
                OrderStatus::Expired => counts.orders_expired += 1,
                OrderStatus::Cancelled => counts.orders_cancelled += 1,
            }
            self.add_goods(order, report);
            self.facts.push(OrderFacts {
                id: order.id,
                user: order.user,
                status: order.status,
                amount: order.amount,
                currency: order.currency,
                payments: 0,
                refunded: false,
                transfers_paid: 0,
                transfers_refunded: 0,
                hold_keys: 0,
                pay_keys: 0,
            });
        }
    }

    /// What a held or paid order has.
    fn add_goods(&mut self, order: &Order, report: &mut AuditReport) {
        if !matches!(order.status, OrderStatus::Held | OrderStatus::Paid) {
            return;
        }
        match &order.goods {
            Goods::Seats { performance, lines } => {
                let index = u32::try_from(self.facts.len()).expect("fewer than 2^32 orders fit into memory");
                self.seats.extend(lines.iter().map(|line| (*performance, line.seat, index)));
            }
            Goods::Units { item, count, .. } => {
                let (taken, count) = (self.units.entry(*item).or_default(), i128::from(*count));
                if order.status == OrderStatus::Held {
                    taken.held += count;
                    report.counts.units_held += count;
                } else {
                    taken.sold += count;
                    report.counts.units_sold += count;
                }
            }
        }
    }

    /// What held and paid orders have of each item.
    pub(super) fn take_units(&mut self) -> BTreeMap<ItemId, Taken> {
        std::mem::take(&mut self.units)
    }

    /// Call once after the last order.
    pub(super) fn seal(&mut self) {
        self.seats.sort_unstable();
        self.seats.dedup();
    }

    pub(super) fn get_mut(&mut self, id: OrderId) -> Option<&mut OrderFacts> {
        let index = self.index(id)?;
        self.facts.get_mut(index)
    }

    /// Compares each order with the payments and transfers seen. Call once after them all.
    pub(super) fn finish(&self, report: &mut AuditReport) {
        for order in &self.facts {
            let paid = order.payments > 0;
            match order.status {
                OrderStatus::Paid if !paid => {
                    report.add(Violation::PaymentMissing, || format!("order {}", order.id));
                }
                OrderStatus::Paid if order.refunded => {
                    report.add(Violation::RefundWrong, || format!("order {} is paid and refunded", order.id));
                }
                OrderStatus::Cancelled if paid && !order.refunded => {
                    report.add(Violation::RefundWrong, || {
                        format!("order {} is cancelled, its payment not refunded", order.id)
                    });
                }
                OrderStatus::Held | OrderStatus::Expired if paid => {
                    report.add(Violation::PaymentOfUnpaidOrder, || {
                        format!("order {} is {}", order.id, order.status.as_str())
                    });
                }
                _ => {}
            }
            // A free order moves no money.
            let moves = u8::from(order.amount > 0);
            let expected = (moves * u8::from(paid), moves * u8::from(order.refunded));
            let found = (order.transfers_paid, order.transfers_refunded);
            if found != expected {
                report.add(Violation::LedgerDiffersFromPayments, || {
                    format!(
                        "order {}: {} payments and {} refunds expected in the ledger, {} and {} found",
                        order.id, expected.0, expected.1, found.0, found.1
                    )
                });
            }
        }
    }

    fn index(&self, id: OrderId) -> Option<usize> {
        self.facts.binary_search_by_key(&id, |order| order.id).ok()
    }
}

fn check_goods(order: &Order, report: &mut AuditReport) {
    let (sum, sound) = match &order.goods {
        Goods::Seats { lines, .. } => {
            let seat_twice = lines
                .iter()
                .enumerate()
                .any(|(index, line)| lines[..index].iter().any(|other| other.seat == line.seat));
            if lines.is_empty() || seat_twice {
                report.add(Violation::OrderLines, || format!("order {}: {} lines", order.id, lines.len()));
            }
            let sum: i128 = lines.iter().map(|line| i128::from(line.price)).sum();
            (sum, lines.iter().all(|line| line.price >= 0))
        }
        Goods::Units { count, price, .. } => {
            if *count == 0 {
                report.add(Violation::OrderLines, || format!("order {}: no units", order.id));
            }
            (i128::from(*price) * i128::from(*count), *price >= 0)
        }
    };
    if sum != i128::from(order.amount) || !sound {
        report.add(Violation::OrderAmount, || {
            format!("order {}: amount {}, goods {sum}", order.id, order.amount)
        });
    }
}

/// Compares the claims with the orders, both in order of performance and seat.
pub(super) fn check_claims(orders: &Orders) -> ClaimCheck<'_> {
    ClaimCheck { orders, next: 0 }
}

#[derive(Debug)]
pub(super) struct ClaimCheck<'a> {
    orders: &'a Orders,
    /// Index into the orders' seats: those before it have been found or reported.
    next: usize,
}

impl ClaimCheck<'_> {
    pub(super) fn chunk(&mut self, claims: &[ClaimRow], report: &mut AuditReport) {
        for of_seat in claims.chunk_by(|a, b| (a.performance, a.seat) == (b.performance, b.seat)) {
            self.seat(of_seat, report);
        }
    }

    pub(super) fn finish(mut self, report: &mut AuditReport) {
        while let Some(seat) = self.orders.seats.get(self.next) {
            self.missing(*seat, report);
            self.next += 1;
        }
    }

    /// All claims on one seat.
    fn seat(&mut self, claims: &[ClaimRow], report: &mut AuditReport) {
        let (performance, seat) = (claims[0].performance, claims[0].seat);
        if claims.len() > 1 {
            report.add(Violation::SeatClaimedTwice, || {
                let whose: Vec<String> = claims.iter().map(|row| claim_text(row.claim)).collect();
                format!("performance {performance}, seat {seat}: {}", whose.join(", "))
            });
        }
        for row in claims {
            self.one(row, report);
        }
        while let Some(expected) = self.orders.seats.get(self.next).copied()
            && (expected.0, expected.1) <= (performance, seat)
        {
            let order = self.orders.facts[expected.2 as usize].id;
            let here = (expected.0, expected.1) == (performance, seat);
            if !here || claims.iter().all(|row| row.claim != Claim::Order(order)) {
                self.missing(expected, report);
            }
            self.next += 1;
        }
    }

    fn one(&self, row: &ClaimRow, report: &mut AuditReport) {
        let Claim::Order(id) = row.claim else {
            report.counts.seats_locked += 1;
            return;
        };
        let place = || format!("performance {}, seat {}, order {id}", row.performance, row.seat);
        let Some(index) = self.orders.index(id) else {
            report.add(Violation::ClaimWithoutOrder, place);
            return;
        };
        let order = &self.orders.facts[index];
        match order.status {
            OrderStatus::Held => report.counts.seats_held += 1,
            OrderStatus::Paid => report.counts.seats_sold += 1,
            OrderStatus::Expired | OrderStatus::Cancelled => {
                report.add(Violation::ClaimOfEndedOrder, || {
                    format!("{}, which is {}", place(), order.status.as_str())
                });
                return;
            }
        }
        let index = u32::try_from(index).expect("indices fit, see `add`");
        if self.orders.seats.binary_search(&(row.performance, row.seat, index)).is_err() {
            report.add(Violation::ClaimNotInOrder, place);
        }
    }

    fn missing(&self, (performance, seat, order): (PerformanceId, SeatId, u32), report: &mut AuditReport) {
        let order = &self.orders.facts[order as usize];
        report.add(Violation::ClaimMissing, || {
            format!("performance {performance}, seat {seat}, order {}, {}", order.id, order.status.as_str())
        });
    }
}

fn claim_text(claim: Claim) -> String {
    match claim {
        Claim::Order(order) => format!("order {order}"),
        Claim::Locked => "locked".to_owned(),
    }
}

/// Compares payments with their orders.
pub(super) fn check_payments(payments: &[Payment], orders: &mut Orders, report: &mut AuditReport) {
    for payment in payments {
        report.counts.payments += 1;
        report.counts.payments_refunded += u64::from(payment.refunded);
        let Some(order) = orders.get_mut(payment.order) else {
            report.add(Violation::PaymentOfUnpaidOrder, || {
                format!("payment {} of order {}, which does not exist", payment.id, payment.order)
            });
            continue;
        };
        order.payments = order.payments.saturating_add(1);
        order.refunded |= payment.refunded;
        if order.payments > 1 {
            report.add(Violation::PaidTwice, || format!("order {}, payment {}", payment.order, payment.id));
        }
        let of_order = (order.user, order.amount, order.currency);
        if (payment.user, payment.amount, payment.currency) != of_order {
            report.add(Violation::PaymentDiffers, || {
                format!(
                    "payment {}: {} {} by user {}; order {}: {} {} by user {}",
                    payment.id,
                    payment.amount,
                    payment.currency,
                    payment.user,
                    payment.order,
                    order.amount,
                    order.currency,
                    order.user
                )
            });
        }
    }
}
