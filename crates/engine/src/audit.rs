//! The audit: does what is written agree with itself?
//!
//! [`audit`] reads everything once, at one moment, and compares: seats and stocks with orders, orders with the
//! terms of their offers, with payments and with what the outbox tells of them, payments with the ledger, the
//! ledger with the wallets, idempotency keys with what they stand for, titles with what finds them, rankings with
//! sales. The database checks by itself what one of its statements can say: references, and what a row says of
//! itself. It works on a database that is being sold from as well as on one at rest.
//!
//! It trusts no constraint of the database: rows come as they are written, so what a constraint
//! should have prevented is found too. It looks at statuses as they are written: a hold past its
//! deadline that nothing has tidied up yet still has its claims, and must.
//!
//! # One moment
//! All is read in one snapshot. Should the database not confirm that it gives one, everything that was found is
//! looked for again, and only what is found each time is told: what was only half seen the first time is gone.
//!
//! # Memory
//! Rows pass through in pages. What one row says of another one (a claim of its order, a transfer of its wallet) is
//! sorted by the other, in temporary files if there is much of it (`spool`), and meets it there. So memory does not
//! grow with the database; in the temporary folder an audit takes about 80 bytes for each claim, each transfer, each
//! key and each wallet's change.

mod buyers;
mod claims;
mod counts;
mod facts;
mod keys;
mod ledger;
mod offers;
mod orders;
mod report;
mod spool;
mod stocks;
mod titles;
mod wallets;

pub use report::{AuditReport, Counts, Violation, Violations};

use crate::ports::{AuditStore, FrozenStore, StoreError};
use facts::{OrderFact, WalletFact};
use keys::ChargeKeys;
use onsale_domain::money::Currency;
use report::ROWS_KEPT_MAX;
use spool::Spool;

/// Rows read at once.
const PAGE_ROWS: usize = 4_000;

/// How often suspects are looked for again if the database does not confirm that it showed one moment.
const LOOKS_AGAIN: usize = 5;

/// Checks everything that is written. `progress` is told after each page how many rows have been
/// read and how many there are in all, about.
///
/// # Errors
/// If the database cannot be read, or there is no room for temporary files. Violations are not errors; they are
/// in the report.
pub async fn audit(
    store: &dyn AuditStore,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<AuditReport, StoreError> {
    let mut report: Option<AuditReport> = None;
    for _ in 0..=LOOKS_AGAIN {
        let look = match Look::begin(store, &mut progress).await {
            Err(StoreError::Damaged(why)) => {
                let mut damaged = AuditReport::default();
                damaged.add(Violation::FileDamaged, || format!("the audit could not begin: {why}"));
                return Ok(damaged);
            }
            look => look?,
        };
        let is_certain = look.store.is_one_moment();
        let found = look.everything().await?;
        let confirmed = match report {
            Some(before) => found.confirming(&before),
            None => found,
        };
        if is_certain || confirmed.is_clean() {
            return Ok(confirmed);
        }
        report = Some(confirmed);
    }
    Ok(report.unwrap_or_default())
}

/// One look at everything.
struct Look<'a> {
    store: Box<dyn FrozenStore>,
    report: AuditReport,
    /// The currency of the database.
    currency: Option<Currency>,
    read: u64,
    total: u64,
    progress: &'a mut (dyn FnMut(u64, u64) + Send),
    /// Facts that rows state of orders, and of wallets.
    of_orders: Spool<9>,
    of_wallets: Spool<8>,
    /// Keys of charges, which belong to no order.
    charge_keys: ChargeKeys,
}

impl<'a> Look<'a> {
    async fn begin(
        store: &dyn AuditStore,
        progress: &'a mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Self, StoreError> {
        Ok(Self {
            store: store.freeze().await?,
            report: AuditReport::default(),
            currency: None,
            read: 0,
            total: 0,
            progress,
            of_orders: Spool::default(),
            of_wallets: Spool::default(),
            charge_keys: Spool::default(),
        })
    }

    /// Looks at everything. What cannot be read is a finding, too, and ends the look.
    async fn everything(mut self) -> Result<AuditReport, StoreError> {
        match self.all_rooms().await {
            Ok(()) => {}
            Err(StoreError::Damaged(why)) => {
                self.report.add(Violation::FileDamaged, || format!("the audit could not go on: {why}"));
            }
            Err(StoreError::Broken(why)) => {
                self.report.add(Violation::Unreadable, || format!("the audit could not go on: {why}"));
            }
            Err(error) => return Err(error),
        }
        Ok(self.report)
    }

    async fn all_rooms(&mut self) -> Result<(), StoreError> {
        for what in self.store.damage(ROWS_KEPT_MAX).await? {
            self.report.add(Violation::FileDamaged, || what);
        }
        self.total = self.store.rows().await? + self.store.promises() as u64;
        self.currency = self.store.currency().await?;
        self.claims().await?;
        self.ledger().await?;
        self.keys().await?;
        self.outbox().await?;
        let sold = self.orders().await?;
        self.stocks(sold.units).await?;
        self.buyers(sold.buyers)?;
        self.wallets().await?;
        self.terms().await?;
        self.titles().await?;
        self.counts(sold.counted).await?;
        self.promises().await
    }

    /// Notes that a page was read.
    fn took(&mut self, rows: usize, unreadable: Vec<String>) {
        self.tick((rows + unreadable.len()) as u64);
        for row in unreadable {
            self.report.add(Violation::Unreadable, || row);
        }
    }

    fn tick(&mut self, rows: u64) {
        self.read += rows;
        (self.progress)(self.read, self.total.max(self.read));
    }

    fn of_order(&mut self, order: onsale_domain::ids::OrderId, fact: OrderFact) -> Result<(), StoreError> {
        self.of_orders.push(fact.record(order))
    }

    fn of_wallet(&mut self, user: onsale_domain::ids::UserId, fact: WalletFact) -> Result<(), StoreError> {
        self.of_wallets.push(fact.record(user))
    }

    /// Asks for the rows that break promises which the database can check by itself.
    async fn promises(&mut self) -> Result<(), StoreError> {
        for number in 0..self.store.promises() {
            let broken = self.store.promise(number, ROWS_KEPT_MAX).await?;
            for row in broken.rows {
                let kind = if broken.of_nobody { Violation::OfNobody } else { Violation::Promise };
                self.report.add(kind(broken.what), || row);
            }
            self.tick(1);
        }
        Ok(())
    }
}

/// Runs `$body` on every page of rows.
macro_rules! pages {
    ($look:ident.$read:ident, $rows:ident => $body:block) => {{
        let mut after = None;
        loop {
            let page = $look.store.$read(after, $crate::audit::PAGE_ROWS).await?;
            let $rows = page.rows;
            $look.took($rows.len(), page.unreadable);
            let Some(last) = page.last else { break };
            after = Some(last);
            $body
        }
    }};
}
use pages;

#[cfg(test)]
mod tests;
