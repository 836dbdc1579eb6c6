//! Stocks, and what orders have of them.

use std::collections::HashMap;

use onsale_domain::{
    ids::ItemId,
    order::{Goods, Order, OrderStatus},
};

use super::{
    Look, pages,
    report::{AuditReport, Violation},
    spool::{Sorted, Spool, from_signed, signed},
};
use crate::ports::{StockRow, StoreError};

/// Items whose units are added up before they are put aside.
const ITEMS_AT_ONCE: usize = 10_000;

/// Units that the orders of each item have.
#[derive(Default)]
pub(super) struct Units {
    sums: HashMap<ItemId, (i64, i64)>,
    aside: Spool<3>,
}

impl Units {
    /// Takes in an order.
    pub(super) fn take(&mut self, order: &Order, report: &mut AuditReport) -> Result<(), StoreError> {
        let Goods::Units { item, count, .. } = &order.goods else { return Ok(()) };
        let (held, sold) = match order.status {
            OrderStatus::Held => (i64::from(*count), 0),
            OrderStatus::Paid => (0, i64::from(*count)),
            OrderStatus::Expired | OrderStatus::Cancelled => return Ok(()),
        };
        report.counts.units_held += i128::from(held);
        report.counts.units_sold += i128::from(sold);
        let sums = self.sums.entry(*item).or_default();
        *sums = (sums.0.saturating_add(held), sums.1.saturating_add(sold));
        if self.sums.len() >= ITEMS_AT_ONCE { self.put_aside() } else { Ok(()) }
    }

    fn put_aside(&mut self) -> Result<(), StoreError> {
        let aside = &mut self.aside;
        self.sums
            .drain()
            .try_for_each(|(item, (held, sold))| aside.push([signed(item.0), signed(held), signed(sold)]))
    }
}

impl Look<'_> {
    /// Compares each stock with what the orders have of it.
    pub(super) async fn stocks(&mut self, mut units: Units) -> Result<(), StoreError> {
        units.put_aside()?;
        let mut taken = units.aside.sorted()?;
        let mut last = None;
        pages!(self.stocks, rows => {
            for StockRow { item, stock } in rows {
                if last.replace(item) == Some(item) {
                    self.report.add(Violation::StockTwice, || format!("item {item}"));
                    continue;
                }
                self.without_stock(&mut taken, Some(item))?;
                let (mut held, mut sold) = (0, 0);
                while let Some(record) = taken.pop_if(|record| from_signed(record[0]) == item.0)? {
                    held += i128::from(from_signed(record[1]));
                    sold += i128::from(from_signed(record[2]));
                }
                self.report.counts.items += 1;
                self.report.counts.units_left += i128::from(stock.left);
                if stock.left < 0 || stock.total < 0 {
                    self.report.add(Violation::StockNegative, || {
                        format!("item {item}: {} left of {}", stock.left, stock.total)
                    });
                }
                if held + sold + i128::from(stock.left) != i128::from(stock.total) {
                    self.report.add(Violation::StockDiffers, || {
                        format!("item {item}: {held} held, {sold} sold and {} left of {}", stock.left, stock.total)
                    });
                }
            }
        });
        self.without_stock(&mut taken, None)
    }

    /// Items before this one of which orders have units.
    fn without_stock(&mut self, taken: &mut Sorted<3>, before: Option<ItemId>) -> Result<(), StoreError> {
        let is_before = |item: i64| before.is_none_or(|before| item < before.0);
        let mut last = None;
        while let Some(record) = taken.pop_if(|record| is_before(from_signed(record[0])))? {
            let item = from_signed(record[0]);
            if last.replace(item) != Some(item) {
                self.report.add(Violation::StockMissing, || format!("item {item}"));
            }
        }
        Ok(())
    }
}
