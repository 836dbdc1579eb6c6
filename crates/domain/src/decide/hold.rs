//! Holding seats: where a seat is decided.

use super::{ClaimCheck, Decider, EventKind, Hold, KeyTarget, Outcome, Refusal, Request};
use crate::{
    hall::Seat,
    ids::{OrderId, SeatId, UserId},
    offer::Offer,
    order::{Claim, Goods, Line, Order, OrderStatus},
    sale::SaleTerms,
    side_by_side::are_side_by_side,
};

impl Decider {
    pub(super) fn hold(&mut self, request: &Request, hold: &Hold) -> Result<Outcome, Refusal> {
        let performance = self
            .facts
            .performances
            .get(&hold.performance)
            .ok_or(Refusal::NoSuchPerformance(hold.performance))?;
        let terms = performance.terms.clone();
        self.check_on_sale(&terms)?;
        let lines = lines(&terms, &hold.seats)?;
        self.check_buyer(&terms, request.caller, hold)?;
        let lapsed = self.check_claims(hold)?;

        for order in lapsed {
            self.end(order, OrderStatus::Expired, EventKind::OrderExpired);
        }
        let order = Order {
            id: hold.order,
            user: request.caller,
            status: OrderStatus::Held,
            amount: lines.iter().map(|line| line.price).sum(),
            goods: Goods::Seats { performance: hold.performance, lines },
            currency: terms.currency,
            created_at: self.now,
            expires_at: self.now.plus_ms(terms.rules.hold_ms),
            version: 1,
        };
        self.place(order.clone());
        self.remember_key(request, KeyTarget::Hold(order.id));
        Ok(Outcome::Held { order, replayed: false })
    }

    fn check_on_sale(&self, terms: &SaleTerms) -> Result<(), Refusal> {
        if terms.cancelled {
            return Err(Refusal::PerformanceCancelled(terms.performance));
        }
        if self.now < terms.on_sale_at {
            return Err(Refusal::NotOnSaleYet { on_sale_at: terms.on_sale_at });
        }
        if self.now >= terms.starts_at {
            return Err(Refusal::SaleClosed);
        }
        Ok(())
    }

    fn check_buyer(&self, terms: &SaleTerms, buyer: UserId, hold: &Hold) -> Result<(), Refusal> {
        let have = self.count_of(buyer, hold.performance.into());
        let asked = u32::try_from(hold.seats.len()).unwrap_or(u32::MAX);
        let max = terms.rules.seats_per_buyer_max;
        if have.saturating_add(asked) > max {
            return Err(Refusal::TooManySeats { max, have, asked });
        }
        Ok(())
    }

    /// How many seats or units a buyer has of an offer, held in time or paid.
    pub(super) fn count_of(&self, buyer: UserId, offer: Offer) -> u32 {
        let orders = self.facts.buyers.get(&(buyer, offer)).map_or(&[][..], Vec::as_slice);
        orders
            .iter()
            .filter_map(|order| self.facts.orders.get(order))
            .filter(|order| order.is_live_at(self.now))
            .fold(0, |count, order| count.saturating_add(order.count()))
    }

    /// Whether every seat is free, and which orders lapsed without anyone having released
    /// them yet.
    fn check_claims(&self, hold: &Hold) -> Result<Vec<OrderId>, Refusal> {
        let mut lapsed = Vec::new();
        if self.claim_check == ClaimCheck::Off {
            return Ok(lapsed);
        }
        for seat in &hold.seats {
            match self.facts.claims.get(&(hold.performance, *seat)) {
                None => {}
                Some(Claim::Locked) => return Err(Refusal::SeatLocked(*seat)),
                Some(Claim::Order(id)) => match self.status_now(*id) {
                    OrderStatus::Held => return Err(Refusal::SeatHeld(*seat)),
                    OrderStatus::Paid => return Err(Refusal::SeatSold(*seat)),
                    OrderStatus::Expired | OrderStatus::Cancelled if lapsed.contains(id) => {}
                    OrderStatus::Expired | OrderStatus::Cancelled => lapsed.push(*id),
                },
            }
        }
        Ok(lapsed)
    }

    /// Where an order stands now. A claim whose order is unknown is not anybody's to take.
    fn status_now(&self, order: OrderId) -> OrderStatus {
        self.facts.orders.get(&order).map_or(OrderStatus::Paid, |order| order.status_at(self.now))
    }

    /// Writes an order down: its seats or units are the buyer's from now on.
    pub(super) fn place(&mut self, order: Order) {
        match &order.goods {
            Goods::Seats { performance, lines } => {
                for seat in lines.iter().map(|line| (*performance, line.seat)) {
                    if self.claim_check == ClaimCheck::Off {
                        // As if the seat were free, so that only the database stands in the way.
                        self.facts.claims.remove(&seat);
                    }
                    self.set_claim(seat, Some(Claim::Order(order.id)));
                }
            }
            Goods::Units { item, count, .. } => self.move_units(*item, -i64::from(*count)),
        }
        self.facts.buyers.entry((order.user, order.offer())).or_default().push(order.id);
        self.recorder.new_order(&order, EventKind::OrderHeld, self.now);
        self.facts.orders.insert(order.id, order);
    }
}

/// The order's lines: its seats, checked against the rules, with their prices.
fn lines(terms: &SaleTerms, seats: &[SeatId]) -> Result<Vec<Line>, Refusal> {
    if seats.is_empty() {
        return Err(Refusal::NoSeats);
    }
    // Counted before anything that takes longer the more seats there are.
    let max = terms.rules.seats_per_buyer_max;
    if seats.len() > max as usize {
        let asked = u32::try_from(seats.len()).unwrap_or(u32::MAX);
        return Err(Refusal::TooManySeats { max, have: 0, asked });
    }
    let mut found: Vec<&Seat> = Vec::with_capacity(seats.len());
    let mut lines = Vec::with_capacity(seats.len());
    for (index, id) in seats.iter().enumerate() {
        if seats[..index].contains(id) {
            return Err(Refusal::SeatTwice(*id));
        }
        let seat = terms
            .seats
            .ordinal(*id)
            .and_then(|ordinal| terms.seats.seat(ordinal))
            .ok_or(Refusal::NoSuchSeat(*id))?;
        let price = terms.price(seat.category).ok_or(Refusal::SeatLocked(*id))?;
        found.push(seat);
        lines.push(Line { seat: *id, price: price.amount });
    }
    if terms.rules.side_by_side && !are_side_by_side(&found) {
        return Err(Refusal::NotSideBySide);
    }
    Ok(lines)
}
