//! Holding units: where an item is decided.

use super::{
    ClaimCheck, Decider, EventKind, HoldUnits, KeyTarget, Noted, Outcome, Refusal, Request, SetStock,
};
use crate::{
    ids::{ItemId, OrderId},
    item::{ItemTerms, UNITS_MAX},
    order::{Goods, Order, OrderStatus},
};

impl Decider {
    pub(super) fn hold_units(&mut self, request: &Request, hold: HoldUnits) -> Result<Outcome, Refusal> {
        let HoldUnits { order, item, count } = hold;
        let terms = self.facts.items.get(&item).ok_or(Refusal::NoSuchItem(item))?.terms.clone();
        if let Some(on_sale_at) = terms.opens_after(self.now) {
            return Err(Refusal::NotOnSaleYet { on_sale_at });
        }
        self.check_limit(&terms, request, count)?;
        if self.claim_check == ClaimCheck::On {
            self.have_left(item, count.into()).map_err(|left| Refusal::SoldOut { left, asked: count })?;
        }

        let order = Order {
            id: order,
            user: request.caller,
            goods: Goods::Units { item, count, price: terms.price },
            status: OrderStatus::Held,
            amount: terms.price * i64::from(count),
            currency: terms.currency,
            created_at: self.now,
            expires_at: self.now.plus_ms(terms.rules.hold_ms),
            version: 1,
        };
        self.place(order.clone());
        self.remember_key(request, KeyTarget::Hold(order.id));
        Ok(Outcome::Held { order, replayed: false })
    }

    pub(super) fn set_stock(&mut self, set: SetStock) -> Result<Outcome, Refusal> {
        let SetStock { item, total } = set;
        let before = self.facts.items.get(&item).ok_or(Refusal::NoSuchItem(item))?.stock;
        let out_of_bounds = |min| Refusal::StockOutOfBounds { min, max: UNITS_MAX };
        if !(0..=UNITS_MAX).contains(&total) {
            return Err(out_of_bounds(before.taken()));
        }
        // What is taken away must be left.
        self.have_left(item, before.total - total).map_err(|left| out_of_bounds(before.total - left))?;
        self.move_units(item, total - before.total);
        let facts = self.facts.items.get_mut(&item).expect("it was there");
        facts.stock.total = total;
        let stock = facts.stock;
        if total != before.total {
            let changed = Noted::StockChanged { item, total_before: before.total, stock };
            self.recorder.note(changed, self.now);
        }
        Ok(Outcome::StockSet(stock))
    }

    /// What a buyer has and asks for must be within the rules.
    fn check_limit(&self, terms: &ItemTerms, request: &Request, asked: u32) -> Result<(), Refusal> {
        if asked == 0 {
            return Err(Refusal::NoUnits);
        }
        let have = self.count_of(request.caller, terms.item.into());
        let max = terms.rules.units_per_buyer_max;
        if have.saturating_add(asked) > max {
            return Err(Refusal::TooManyUnits { max, have, asked });
        }
        Ok(())
    }

    /// Makes sure that so many units are left, if need be by ending orders whose hold is over and that
    /// nobody has released yet. If there are too few all the same, nothing changes and the error is how
    /// many there would be.
    fn have_left(&mut self, item: ItemId, wanted: i64) -> Result<(), i64> {
        let facts = &self.facts.items[&item];
        let left = facts.stock.left;
        if left >= wanted {
            return Ok(());
        }
        let is_over = |id: &&OrderId| {
            let order = self.facts.orders.get(*id);
            order.is_some_and(|order| {
                order.status == OrderStatus::Held && order.status_at(self.now) == OrderStatus::Expired
            })
        };
        let lapsed: Vec<OrderId> = facts.lapsed.iter().filter(is_over).copied().collect();
        let freed: i64 = lapsed.iter().map(|order| i64::from(self.facts.orders[order].count())).sum();
        if left + freed < wanted {
            return Err(left + freed);
        }
        for order in lapsed {
            self.end(order, OrderStatus::Expired, EventKind::OrderExpired);
        }
        Ok(())
    }

    /// Puts units back into stock, or takes them out.
    pub(super) fn move_units(&mut self, item: ItemId, units: i64) {
        // An order is decided with its item's stock; an item that is gone has none.
        if let Some(facts) = self.facts.items.get_mut(&item) {
            self.recorder.stock(item, facts.stock);
            facts.stock.left += units;
        }
    }
}
