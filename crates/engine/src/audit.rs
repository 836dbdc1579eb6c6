//! The audit: does what is written agree with itself?
//!
//! [`audit`] reads everything once, at one moment, and compares: seats and stocks with orders, orders with
//! payments, payments with the ledger, the ledger with the wallets, and idempotency keys with what
//! they stand for. It works on a database that is being sold from as well as on one at rest.
//!
//! It trusts no constraint of the database: rows come as they are written, so what a constraint
//! should have prevented is found too. It looks at statuses as they are written: a hold past its
//! deadline that nothing has tidied up yet still has its claims, and must.
//!
//! Memory: about 100 bytes for each order, 40 for each seat held or sold, 40 for each wallet.
//! Everything else passes through in chunks.

mod keys;
mod ledger;
mod orders;
mod report;
mod stocks;

pub use report::{AuditReport, Counts, Violation, Violations};

use crate::ports::{AuditStore, StoreError};
use keys::check_keys;
use ledger::{check_ledger, check_wallets};
use orders::{Orders, check_claims, check_payments};
use stocks::check_stocks;

/// Rows read at once.
const CHUNK_ROWS: usize = 10_000;

/// Checks everything that is written. `progress` is told after each chunk how many rows have been
/// read and how many there are in all.
///
/// # Errors
/// If the database cannot be read. Violations are not errors; they are in the report.
pub async fn audit(
    store: &dyn AuditStore,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<AuditReport, StoreError> {
    let mut store = store.freeze().await?;
    let total = store.rows().await?;
    let mut read = 0_u64;
    let mut tick = |rows: usize| {
        read += rows as u64;
        progress(read, total);
    };
    let mut report = AuditReport::default();

    let mut orders = Orders::default();
    let mut after = None;
    loop {
        let chunk = store.orders(after, CHUNK_ROWS).await?;
        let Some(last) = chunk.last() else { break };
        after = Some(last.id);
        tick(chunk.len());
        orders.add(&chunk, &mut report);
    }
    orders.seal();

    let mut after = None;
    let mut claims = check_claims(&orders);
    loop {
        let chunk = store.claims(after, CHUNK_ROWS).await?;
        let Some(last) = chunk.last() else { break };
        after = Some((last.performance, last.seat));
        tick(chunk.len());
        claims.chunk(&chunk, &mut report);
    }
    claims.finish(&mut report);

    let mut after = None;
    let mut stocks = check_stocks(orders.take_units());
    loop {
        let chunk = store.stocks(after, CHUNK_ROWS).await?;
        let Some(last) = chunk.last() else { break };
        after = Some(last.item);
        tick(chunk.len());
        stocks.chunk(&chunk, &mut report);
    }
    stocks.finish(&mut report);

    let mut after = None;
    loop {
        let chunk = store.payments(after, CHUNK_ROWS).await?;
        let Some(last) = chunk.last() else { break };
        after = Some(last.order);
        tick(chunk.len());
        check_payments(&chunk, &mut orders, &mut report);
    }

    let mut after = None;
    let mut ledger = check_ledger();
    loop {
        let chunk = store.ledger(after, CHUNK_ROWS).await?;
        let Some(last) = chunk.last() else { break };
        after = Some(last.transfer);
        tick(chunk.len());
        ledger.chunk(&chunk, &mut orders, &mut report);
    }
    let sums = ledger.finish(&mut report);
    orders.finish(&mut report);

    let mut after = None;
    let mut wallets = check_wallets(sums);
    loop {
        let chunk = store.wallets(after, CHUNK_ROWS).await?;
        let Some((last, _)) = chunk.last() else { break };
        after = Some(*last);
        tick(chunk.len());
        wallets.chunk(&chunk, &mut report);
    }
    wallets.finish(&mut report);

    let mut after = None;
    let mut keys = check_keys();
    loop {
        let chunk = store.keys(after, CHUNK_ROWS).await?;
        let Some(last) = chunk.last() else { break };
        after = Some((last.user, last.key));
        tick(chunk.len());
        keys.chunk(&chunk, &mut orders, &mut report);
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
