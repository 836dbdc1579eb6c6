//! Paying a held order from the buyer's wallet.

use super::{Decider, EventKind, KeyTarget, Outcome, Pay, Refusal, Request};
use crate::{
    offer::Offer,
    order::{OrderStatus, Payment},
    wallet::{Account, Transfer, TransferKind},
};

impl Decider {
    pub(super) fn pay(&mut self, request: &Request, pay: &Pay) -> Result<Outcome, Refusal> {
        let order = self.own_order(request, pay.order, pay.offer)?;
        match order.status_at(self.now) {
            OrderStatus::Held => {}
            OrderStatus::Paid => return Err(Refusal::AlreadyPaid),
            OrderStatus::Expired => return Err(Refusal::HoldExpired),
            OrderStatus::Cancelled => return Err(Refusal::OrderCancelled),
        }
        // A hold made in time may be paid after the start: its minutes were promised. Nothing is
        // paid for what will not take place.
        if let Offer::Performance(id) = pay.offer {
            let performance = self.facts.performances.get(&id).ok_or(Refusal::NoSuchOrder)?;
            if performance.terms.cancelled {
                return Err(Refusal::PerformanceCancelled(id));
            }
        }
        let (amount, currency) = (order.amount, order.currency);
        let balance = self.balance(request.caller);
        if balance < amount {
            return Err(Refusal::TooFewPoints { amount, balance });
        }

        let payment = Payment {
            id: pay.payment,
            order: pay.order,
            user: request.caller,
            amount,
            currency,
            balance_after: balance - amount,
            refunded: false,
            created_at: self.now,
        };
        self.transfer(Transfer {
            id: pay.transfer,
            kind: TransferKind::Payment,
            from: Account::Wallet(request.caller),
            to: Account::Sales,
            amount,
            order: Some(pay.order),
            position: 0,
            created_at: self.now,
        });
        self.recorder.new_payment(pay.order);
        self.facts.payments.insert(pay.order, payment.clone());
        self.set_status(pay.order, OrderStatus::Paid, EventKind::OrderPaid);
        self.remember_key(request, KeyTarget::Pay(pay.order));
        Ok(Outcome::Paid { payment, replayed: false })
    }
}
