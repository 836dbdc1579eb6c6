//! The ledger against itself, against the payments, and against the wallets.

use std::collections::{HashMap, HashSet};

use onsale_domain::{
    ids::UserId,
    wallet::{Account, TransferKind},
};

use super::{
    orders::Orders,
    report::{AuditReport, Violation},
};
use crate::ports::LedgerRow;

/// The sums of the ledger entries of each wallet.
pub(super) type WalletSums = HashMap<UserId, i128>;

/// Checks the ledger.
pub(super) fn check_ledger() -> LedgerCheck {
    LedgerCheck { sums: HashMap::new(), total: 0 }
}

#[derive(Debug)]
pub(super) struct LedgerCheck {
    sums: WalletSums,
    total: i128,
}

impl LedgerCheck {
    pub(super) fn chunk(&mut self, rows: &[LedgerRow], orders: &mut Orders, report: &mut AuditReport) {
        for transfer in rows.chunk_by(|a, b| a.transfer == b.transfer) {
            self.transfer(transfer, orders, report);
        }
    }

    pub(super) fn finish(self, report: &mut AuditReport) -> WalletSums {
        if self.total != 0 {
            report.add(Violation::LedgerUnbalanced, || format!("the sum of all entries is {}", self.total));
        }
        self.sums
    }

    fn transfer(&mut self, entries: &[LedgerRow], orders: &mut Orders, report: &mut AuditReport) {
        report.counts.transfers += 1;
        report.counts.ledger_entries += entries.len() as u64;
        let mut sum = 0_i128;
        for entry in entries {
            sum += i128::from(entry.amount);
            // Accounts of the house have negative numbers.
            if entry.account >= 0 {
                *self.sums.entry(UserId(entry.account)).or_default() += i128::from(entry.amount);
            }
        }
        self.total += sum;
        let id = entries[0].transfer;
        if sum != 0 {
            report.add(Violation::TransferUnbalanced, || format!("transfer {id} sums to {sum}"));
            return;
        }
        match wallet_side(entries) {
            None => report.add(Violation::TransferMalformed, || {
                format!("transfer {id}, {}, {} entries", entries[0].kind.as_str(), entries.len())
            }),
            Some(wallet) => belongs(wallet, orders, report),
        }
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
    let alike = wallet.kind == house.kind && wallet.order == house.order;
    let for_order = wallet.order.is_some() == (wallet.kind != TransferKind::Charge);
    let accounts = wallet.account >= 0 && house.account == expected.code();
    (alike && for_order && accounts && wallet.amount != 0 && (wallet.amount > 0) == wallet_gets)
        .then_some(wallet)
}

/// Notes a payment or refund at its order; whether the numbers agree is seen at the end.
fn belongs(wallet: &LedgerRow, orders: &mut Orders, report: &mut AuditReport) {
    let Some(id) = wallet.order else { return };
    let matching = orders
        .get_mut(id)
        .filter(|order| order.user.0 == wallet.account && order.amount() == wallet.amount.saturating_abs());
    let Some(order) = matching else {
        report.add(Violation::LedgerDiffersFromPayments, || {
            format!(
                "transfer {}: {} of {} for order {id} and wallet {} matches no order",
                wallet.transfer,
                wallet.kind.as_str(),
                wallet.amount,
                wallet.account
            )
        });
        return;
    };
    let count = match wallet.kind {
        TransferKind::Refund => &mut order.transfers_refunded,
        _ => &mut order.transfers_paid,
    };
    *count = count.saturating_add(1);
}

/// Compares the wallets with the sums of their entries.
pub(super) fn check_wallets(sums: WalletSums) -> WalletCheck {
    WalletCheck { sums, seen: HashSet::new() }
}

#[derive(Debug)]
pub(super) struct WalletCheck {
    sums: WalletSums,
    seen: HashSet<UserId>,
}

impl WalletCheck {
    pub(super) fn chunk(&mut self, wallets: &[(UserId, i64)], report: &mut AuditReport) {
        for &(user, balance) in wallets {
            report.counts.wallets += 1;
            report.counts.balance += i128::from(balance);
            if !self.seen.insert(user) {
                report.add(Violation::WalletTwice, || format!("user {user}"));
                continue;
            }
            let sum = self.sums.get(&user).copied().unwrap_or_default();
            if sum != i128::from(balance) {
                report.add(Violation::WalletDiffers, || {
                    format!("user {user}: balance {balance}, ledger {sum}")
                });
            }
            if balance < 0 {
                report.add(Violation::WalletNegative, || format!("user {user}: {balance}"));
            }
        }
    }

    pub(super) fn finish(self, report: &mut AuditReport) {
        let mut without: Vec<_> =
            self.sums.into_iter().filter(|(user, sum)| *sum != 0 && !self.seen.contains(user)).collect();
        without.sort_unstable();
        for (user, sum) in without {
            report.add(Violation::WalletDiffers, || format!("user {user}: no wallet, ledger {sum}"));
        }
    }
}
