//! Giving seats and units back: by the buyer, or because the hold has ended.

use super::{Cancel, Decider, EventKind, Expire, Outcome, Refusal, Release, Request};
use crate::{
    ids::{OrderId, PerformanceId, SeatId},
    offer::Offer,
    order::{Claim, Goods, Order, OrderStatus, SeatStatus},
    wallet::{Account, Transfer, TransferKind},
};

impl Decider {
    pub(super) fn cancel(&mut self, request: &Request, cancel: &Cancel) -> Result<Outcome, Refusal> {
        let order = self.own_order(request, cancel.order, cancel.offer)?;
        match order.status_at(self.now) {
            OrderStatus::Held => {}
            OrderStatus::Paid => self.refund(request, cancel)?,
            OrderStatus::Expired => return Err(Refusal::HoldExpired),
            // Cancelling twice is asking for what already is.
            OrderStatus::Cancelled => return Ok(Outcome::Cancelled { order: order.clone(), again: true }),
        }
        self.end(cancel.order, OrderStatus::Cancelled, EventKind::OrderCancelled);
        Ok(Outcome::Cancelled { order: self.facts.orders[&cancel.order].clone(), again: false })
    }

    pub(super) fn expire(&mut self, expire: Expire) -> Outcome {
        let due = self.facts.orders.get(&expire.order).is_some_and(|order| {
            order.offer() == expire.offer
                && order.status == OrderStatus::Held
                && (expire.made_ahead || order.status_at(self.now) == OrderStatus::Expired)
        });
        if due {
            self.end(expire.order, OrderStatus::Expired, EventKind::OrderExpired);
        }
        Outcome::Expired(due)
    }

    pub(super) fn release(&mut self, release: Release) -> Outcome {
        let held = self.facts.orders.get(&release.order).is_some_and(|order| {
            order.offer() == release.offer && order.status_at(self.now) == OrderStatus::Held
        });
        if held {
            self.end(release.order, OrderStatus::Cancelled, EventKind::OrderCancelled);
        }
        Outcome::Released(held)
    }

    fn refund(&mut self, request: &Request, cancel: &Cancel) -> Result<(), Refusal> {
        if let Offer::Performance(performance) = cancel.offer {
            let terms = &self.facts.performances.get(&performance).ok_or(Refusal::NoSuchOrder)?.terms;
            if self.now >= terms.starts_at && !terms.cancelled {
                return Err(Refusal::TooLateToRefund);
            }
        }
        self.transfer(Transfer {
            id: cancel.transfer,
            kind: TransferKind::Refund,
            from: Account::Sales,
            to: Account::Wallet(request.caller),
            amount: self.facts.orders[&cancel.order].amount,
            order: Some(cancel.order),
            position: 0,
            created_at: self.now,
        });
        if let Some(payment) = self.facts.payments.get_mut(&cancel.order) {
            payment.refunded = true;
            self.recorder.refunded(cancel.order);
        }
        Ok(())
    }

    /// The caller's own order. Somebody else's is as good as none.
    pub(super) fn own_order(
        &self,
        request: &Request,
        order: OrderId,
        offer: Offer,
    ) -> Result<&Order, Refusal> {
        let order = self.facts.orders.get(&order).ok_or(Refusal::NoSuchOrder)?;
        if order.user != request.caller || order.offer() != offer {
            return Err(Refusal::NoSuchOrder);
        }
        Ok(order)
    }

    /// Ends an order and frees its seats or units.
    pub(super) fn end(&mut self, id: OrderId, status: OrderStatus, event: EventKind) {
        self.set_status(id, status, event);
        let goods = self.facts.orders[&id].goods.clone();
        let (performance, lines) = match goods {
            Goods::Seats { performance, lines } => (performance, lines),
            Goods::Units { item, count, .. } => return self.move_units(item, count.into()),
        };
        for line in lines {
            let seat = (performance, line.seat);
            // The claim may be another order's only when the claim check is off.
            if self.facts.claims.get(&seat).is_none_or(|claim| *claim == Claim::Order(id)) {
                self.recorder.claim(seat, Some(Claim::Order(id)));
                self.recorder.seat(seat, SeatStatus::Available);
                self.facts.claims.remove(&seat);
            }
        }
    }

    pub(super) fn set_status(&mut self, id: OrderId, status: OrderStatus, event: EventKind) {
        let order = self.facts.orders.get_mut(&id).expect("only orders among the facts are changed");
        self.recorder.order(order);
        order.status = status;
        order.version += 1;
        self.recorder.event(event, order, self.now);
        if status == OrderStatus::Paid
            && let Goods::Seats { performance, lines } = &order.goods
        {
            for line in lines {
                self.recorder.seat((*performance, line.seat), SeatStatus::Sold);
            }
        }
    }

    pub(super) fn set_claim(&mut self, seat: (PerformanceId, SeatId), claim: Option<Claim>) {
        let before = self.facts.claims.get(&seat).copied();
        self.recorder.claim(seat, before);
        self.recorder.seat(
            seat,
            match claim {
                None => SeatStatus::Available,
                Some(Claim::Order(_)) => SeatStatus::Held,
                Some(Claim::Locked) => SeatStatus::Locked,
            },
        );
        match claim {
            Some(claim) => self.facts.claims.insert(seat, claim),
            None => self.facts.claims.remove(&seat),
        };
    }
}
