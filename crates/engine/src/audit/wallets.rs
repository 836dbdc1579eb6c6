//! Wallets, and each change of them.

use onsale_domain::{ids::UserId, wallet::TransferKind};

use super::{
    Look,
    facts::WalletFact,
    keys::key_text,
    pages,
    report::Violation,
    spool::{Sorted, from_halves, from_signed, halves, signed},
};
use crate::ports::{StoreError, WalletRow};

/// Of a balance that cannot be known.
const UNKNOWN: i64 = i64::MIN;

/// The ledger's account of one wallet.
#[derive(Default)]
struct History {
    sum: i128,
    entries: i64,
    /// Entries without a position: written by versions that did not count, before all others or between them.
    uncounted: i64,
    last_position: i64,
    /// Whether every entry so far has the position after the one before it.
    is_whole: bool,
}

impl Look<'_> {
    /// Compares each wallet with the sum, the number and the order of its entries, and keys of charges with the
    /// charges.
    pub(super) async fn wallets(&mut self) -> Result<(), StoreError> {
        let mut facts = std::mem::take(&mut self.of_wallets).sorted()?;
        let mut last = None;
        pages!(self.wallets, rows => {
            for wallet in rows {
                self.report.counts.wallets += 1;
                self.report.counts.balance += i128::from(wallet.balance);
                if last.replace(wallet.user) == Some(wallet.user) {
                    self.report.add(Violation::WalletTwice, || format!("user {}", wallet.user));
                    continue;
                }
                self.without_wallet(&mut facts, Some(wallet.user))?;
                let history = self.history(&mut facts, wallet.user)?;
                self.wallet(&wallet, &history);
            }
        });
        self.without_wallet(&mut facts, None)?;
        self.charges()
    }

    fn wallet(&mut self, wallet: &WalletRow, history: &History) {
        let WalletRow { user, balance, version } = *wallet;
        if history.sum != i128::from(balance) {
            self.report.add(Violation::WalletDiffers, || {
                format!("user {user}: balance {balance}, ledger {}", history.sum)
            });
        }
        if balance < 0 {
            self.report.add(Violation::WalletNegative, || format!("user {user}: {balance}"));
        }
        if history.entries != version || history.last_position > version {
            self.report.add(Violation::WalletVersion, || {
                format!(
                    "user {user}: changed {version} times, {} transfers in the ledger, the last is number {}",
                    history.entries, history.last_position
                )
            });
        }
    }

    /// Users before this one of whom the ledger has entries.
    fn without_wallet(&mut self, facts: &mut Sorted<8>, before: Option<UserId>) -> Result<(), StoreError> {
        while let Some(user) = facts.peek().map(|record| WalletFact::read(record).0) {
            if before.is_some_and(|before| user >= before) {
                break;
            }
            let history = self.history(facts, user)?;
            self.report.add(Violation::WalletDiffers, || {
                format!("user {user}: no wallet, ledger {} of {} transfers", history.sum, history.entries)
            });
        }
        Ok(())
    }

    /// Takes all that is said of a wallet.
    fn history(&mut self, facts: &mut Sorted<8>, user: UserId) -> Result<History, StoreError> {
        let mut history = History { is_whole: true, ..History::default() };
        while let Some(record) = facts.pop_if(|record| WalletFact::read(record).0 == user)? {
            match WalletFact::read(&record).1 {
                WalletFact::Entry { position, amount, at, kind, transfer } => {
                    self.entry(&mut history, user, position, amount);
                    if kind == TransferKind::Charge {
                        let known = history.is_whole && position.is_some();
                        let left = i64::try_from(history.sum).ok().filter(|_| known).unwrap_or(UNKNOWN);
                        let [high, low] = halves(transfer.0.as_u128());
                        self.charge_keys.push([signed(user.0), signed(at.0), 0, signed(left), high, low])?;
                    }
                }
                WalletFact::Left { position, balance, order } => {
                    let is_known = history.is_whole && history.last_position == position;
                    if is_known && history.sum != i128::from(balance) {
                        self.report.add(Violation::BalanceAfter, || {
                            format!(
                                "order {order}: {balance} left after its payment, {} in the ledger",
                                history.sum
                            )
                        });
                    }
                }
            }
        }
        Ok(history)
    }

    fn entry(&mut self, history: &mut History, user: UserId, position: Option<i64>, amount: i64) {
        history.sum += i128::from(amount);
        history.entries += 1;
        let Some(position) = position else {
            history.uncounted += 1;
            return;
        };
        let last = history.last_position.max(history.uncounted);
        let is_next = position == last + 1;
        // Where some entries have no position, they may stand anywhere.
        if !is_next && (history.uncounted == 0 || position == history.last_position) && history.is_whole {
            self.report.add(Violation::WalletVersion, || {
                format!("user {user}: transfer number {position} follows number {}", history.last_position)
            });
        }
        history.is_whole &= is_next;
        history.last_position = position;
    }

    /// A key of a charge and the charge were written at the same moment, with the same balance.
    fn charges(&mut self) -> Result<(), StoreError> {
        let mut sorted = std::mem::take(&mut self.charge_keys).sorted()?;
        while let Some(first) = sorted.pop()? {
            let (mut charges, mut keys) = (Vec::new(), Vec::new());
            let mut record = first;
            loop {
                if record[2] == 0 {
                    charges.push(from_signed(record[3]));
                } else {
                    keys.push(record);
                }
                match sorted.pop_if(|next| next[..2] == first[..2])? {
                    Some(next) => record = next,
                    None => break,
                }
            }
            for [user, at, _, balance, high, low] in keys {
                let balance = from_signed(balance);
                let same = charges.iter().position(|left| *left == balance);
                match same.or_else(|| charges.iter().position(|left| *left == UNKNOWN)) {
                    Some(charge) => {
                        charges.swap_remove(charge);
                    }
                    None => self.report.add(Violation::KeyWithoutCharge, || {
                        let key = key_text(UserId(from_signed(user)), from_halves(high, low));
                        format!("{key}: no charge at {} that left {balance}", from_signed(at))
                    }),
                }
            }
        }
        Ok(())
    }
}
