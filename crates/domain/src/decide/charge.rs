//! Adding points to a wallet, and moving money in general.

use super::{Charge, Decider, KeyTarget, Noted, Outcome, Refusal, Request};
use crate::{
    ids::UserId,
    wallet::{Account, BALANCE_MAX, CHARGE_MAX, Transfer, TransferKind},
};

impl Decider {
    pub(super) fn charge(&mut self, request: &Request, charge: &Charge) -> Result<Outcome, Refusal> {
        let max = CHARGE_MAX.min(BALANCE_MAX - self.balance(request.caller));
        if charge.amount < 1 || charge.amount > max {
            return Err(Refusal::AmountOutOfBounds { max });
        }
        self.transfer(Transfer {
            id: charge.transfer,
            kind: TransferKind::Charge,
            from: Account::Outside,
            to: Account::Wallet(request.caller),
            amount: charge.amount,
            order: None,
            position: 0,
            created_at: self.now,
        });
        let balance = self.balance(request.caller);
        let &Charge { amount, transfer } = charge;
        let charged = Noted::PointsCharged { user: request.caller, transfer, amount, balance };
        self.recorder.note(charged, self.now);
        self.remember_key(request, KeyTarget::Charge { balance_after: balance });
        Ok(Outcome::Charged { balance, replayed: false })
    }

    pub(super) fn balance(&self, user: UserId) -> i64 {
        self.facts.wallets.get(&user).map_or(0, |wallet| wallet.balance)
    }

    /// Moves money, if there is any: a free order moves none. The wallet gives the transfer its position.
    pub(super) fn transfer(&mut self, mut transfer: Transfer) {
        if transfer.amount == 0 {
            return;
        }
        for (account, amount) in [(transfer.from, -transfer.amount), (transfer.to, transfer.amount)] {
            if let Account::Wallet(user) = account {
                let wallet = self.facts.wallets.entry(user).or_default();
                self.recorder.wallet(user, *wallet);
                wallet.balance += amount;
                wallet.version += 1;
                transfer.position = wallet.version;
            }
        }
        self.recorder.transfer(transfer);
    }
}
