//! Stocks, and what orders have of them.

use std::collections::BTreeMap;

use onsale_domain::ids::ItemId;

use super::report::{AuditReport, Violation};
use crate::ports::StockRow;

/// What the orders of an item have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) held: i128,
    pub(super) sold: i128,
}

/// Compares each stock with what the orders have of it.
pub(super) fn check_stocks(taken: BTreeMap<ItemId, Taken>) -> StockCheck {
    StockCheck { taken, last: None }
}

#[derive(Debug)]
pub(super) struct StockCheck {
    /// Of the items whose stock has not been seen yet.
    taken: BTreeMap<ItemId, Taken>,
    last: Option<ItemId>,
}

impl StockCheck {
    pub(super) fn chunk(&mut self, stocks: &[StockRow], report: &mut AuditReport) {
        for StockRow { item, stock } in stocks {
            if self.last.replace(*item) == Some(*item) {
                report.add(Violation::StockTwice, || format!("item {item}"));
                continue;
            }
            let Taken { held, sold } = self.taken.remove(item).unwrap_or_default();
            report.counts.items += 1;
            report.counts.units_left += i128::from(stock.left);
            if stock.left < 0 || stock.total < 0 {
                report.add(Violation::StockNegative, || {
                    format!("item {item}: {} left of {}", stock.left, stock.total)
                });
            }
            if held + sold + i128::from(stock.left) != i128::from(stock.total) {
                report.add(Violation::StockDiffers, || {
                    format!(
                        "item {item}: {held} held, {sold} sold and {} left of {}",
                        stock.left, stock.total
                    )
                });
            }
        }
    }

    pub(super) fn finish(self, report: &mut AuditReport) {
        for (item, Taken { held, sold }) in self.taken {
            report.add(Violation::StockMissing, || format!("item {item}: {held} held, {sold} sold"));
        }
    }
}
