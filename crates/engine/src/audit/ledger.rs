//! The ledger against itself.

use onsale_domain::{
    ids::UserId,
    wallet::{Account, TransferKind},
};

use super::{
    Look,
    facts::{OrderFact, WalletFact},
    pages,
    report::Violation,
};
use crate::ports::{LedgerRow, StoreError};

impl Look<'_> {
    pub(super) async fn ledger(&mut self) -> Result<(), StoreError> {
        let mut total = 0_i128;
        pages!(self.ledger, rows => {
            for transfer in rows.chunk_by(|a, b| a.transfer == b.transfer) {
                total += self.transfer(transfer)?;
            }
        });
        if total != 0 {
            self.report.add(Violation::LedgerUnbalanced, || format!("the sum of all entries is {total}"));
        }
        Ok(())
    }

    /// All entries of one transfer; their sum.
    fn transfer(&mut self, entries: &[LedgerRow]) -> Result<i128, StoreError> {
        self.report.counts.transfers += 1;
        self.report.counts.ledger_entries += entries.len() as u64;
        let mut sum = 0_i128;
        for entry in entries {
            sum += i128::from(entry.amount);
            // Accounts of the house have negative numbers.
            if entry.account >= 0 {
                let &LedgerRow { transfer, amount, position, created_at: at, kind, .. } = entry;
                let fact = WalletFact::Entry { position, amount, at, kind, transfer };
                self.of_wallet(UserId(entry.account), fact)?;
            }
        }
        let id = entries[0].transfer;
        if sum != 0 {
            self.report.add(Violation::TransferUnbalanced, || format!("transfer {id}: sums to {sum}"));
            return Ok(sum);
        }
        let Some(wallet) = wallet_side(entries) else {
            self.report.add(Violation::TransferMalformed, || {
                format!("transfer {id}: {}, {} entries", entries[0].kind.as_str(), entries.len())
            });
            return Ok(sum);
        };
        if let Some(order) = wallet.order {
            let &LedgerRow { transfer, account, amount, position, created_at: at, kind, .. } = wallet;
            let refund = kind == TransferKind::Refund;
            let fact = OrderFact::Transfer { refund, wallet: account, amount, position, at, transfer };
            self.of_order(order, fact)?;
        }
        Ok(sum)
    }
}

/// The entry of the buyer's wallet, if the transfer is one between the accounts of its kind.
fn wallet_side(entries: &[LedgerRow]) -> Option<&LedgerRow> {
    let [a, b] = entries else { return None };
    let (wallet, house) = if a.account >= 0 { (a, b) } else { (b, a) };
    let (expected, wallet_gets) = match wallet.kind {
        TransferKind::Charge => (Account::Outside, true),
        TransferKind::Payment => (Account::Sales, false),
        TransferKind::Refund => (Account::Sales, true),
    };
    let alike = (wallet.kind, wallet.order, wallet.created_at) == (house.kind, house.order, house.created_at);
    let for_order = wallet.order.is_some() == (wallet.kind != TransferKind::Charge);
    let accounts = wallet.account >= 0 && house.account == expected.code() && house.position.is_none();
    (alike && for_order && accounts && wallet.amount != 0 && (wallet.amount > 0) == wallet_gets)
        .then_some(wallet)
}
