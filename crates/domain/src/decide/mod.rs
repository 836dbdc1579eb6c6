//! Decide: facts and commands in, answers and changes out.
//!
//! A batch of commands is decided one after the other on facts that were loaded once
//! for all of them. Each accepted command changes the facts that the next one sees; a
//! refused one leaves no trace. At the end [`Decider::into_changes`] gives the
//! difference that has to be written.

mod changes;
mod charge;
mod command;
mod facts;
mod hold;
mod lock;
mod pay;
mod release;
mod units;

pub use changes::{
    Changes, ClaimChange, Event, EventKind, NewKey, Note, Noted, OrderChange, SEATS_PER_NOTE_MAX,
    StockChange, VersionChange, WalletChange,
};
pub use command::{
    Cancel, Charge, Command, Expire, Hold, HoldUnits, IdempotencyKey, LockSeats, Outcome, Pay, Refusal,
    Release, Request, SetStock,
};
pub use facts::{FactKeys, Facts, ItemFacts, KeyRecord, KeyTarget, PerformanceFacts};

use changes::Recorder;

use crate::{order::OrderStatus, time::Timestamp};

/// Whether a hold looks at the claims on its seats, or at what is left of an item, before taking
/// them.
///
/// `Off` exists for negative controls only: it shows that the tests which prove that
/// nothing is sold twice would notice if it were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClaimCheck {
    /// The rule.
    #[default]
    On,
    /// Sells the same seat, or more units than there are, again and again.
    Off,
}

/// Decides a batch of commands on one set of facts.
#[derive(Debug)]
pub struct Decider {
    facts: Facts,
    recorder: Recorder,
    now: Timestamp,
    claim_check: ClaimCheck,
}

impl Decider {
    /// A decider at a time. Every command of the batch is decided at this one moment.
    #[must_use]
    pub fn new(facts: Facts, now: Timestamp, claim_check: ClaimCheck) -> Self {
        Self { facts, recorder: Recorder::default(), now, claim_check }
    }

    /// Decides one command after those before it.
    ///
    /// # Errors
    /// The reason why it is refused; then nothing has changed.
    pub fn decide(&mut self, request: &Request) -> Result<Outcome, Refusal> {
        if let Some(answer) = self.replay(request) {
            return answer;
        }
        match &request.command {
            Command::Hold(hold) => self.hold(request, hold),
            Command::HoldUnits(hold) => self.hold_units(request, *hold),
            Command::Pay(pay) => self.pay(request, pay),
            Command::Cancel(cancel) => self.cancel(request, cancel),
            Command::Expire(expire) => Ok(self.expire(*expire)),
            Command::Release(release) => Ok(self.release(*release)),
            Command::Charge(charge) => self.charge(request, charge),
            Command::LockSeats(lock) => self.lock_seats(lock),
            Command::SetStock(set) => self.set_stock(*set),
        }
    }

    /// The difference between the facts as they were and as they are now.
    #[must_use]
    pub fn into_changes(self) -> Changes {
        self.recorder.into_changes(&self.facts)
    }

    /// What an earlier request with the same key was answered, if there was one.
    fn replay(&self, request: &Request) -> Option<Result<Outcome, Refusal>> {
        let key = request.key.as_ref()?;
        let record = self.facts.keys.get(&(request.caller, key.id))?;
        if record.fingerprint != key.fingerprint {
            return Some(Err(Refusal::KeyReused));
        }
        Some(self.answer_again(record).ok_or(Refusal::KeyReused))
    }

    fn answer_again(&self, record: &KeyRecord) -> Option<Outcome> {
        Some(match record.target {
            KeyTarget::Hold(order) => {
                let mut order = self.facts.orders.get(&order)?.clone();
                // As it was answered then, whatever has become of it since.
                (order.status, order.version) = (OrderStatus::Held, 1);
                Outcome::Held { order, replayed: true }
            }
            KeyTarget::Pay(order) => {
                let mut payment = self.facts.payments.get(&order)?.clone();
                payment.refunded = false;
                Outcome::Paid { payment, replayed: true }
            }
            KeyTarget::Charge { balance_after } => {
                Outcome::Charged { balance: balance_after, replayed: true }
            }
        })
    }

    fn remember_key(&mut self, request: &Request, target: KeyTarget) {
        if let Some(key) = &request.key {
            let record = KeyRecord { fingerprint: key.fingerprint, target };
            self.facts.keys.insert((request.caller, key.id), record);
            self.recorder.key(NewKey { user: request.caller, key: key.id, record, created_at: self.now });
        }
    }
}
