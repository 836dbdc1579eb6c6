//! Unpaid holds through this node, counted so that nobody withholds a sale from others.
//!
//! The rules are [`onsale_domain::unpaid`]'s. A hold is counted before it goes into its lane, in memory and
//! under a lock that is held for less than a microsecond, and a [`Ticket`] goes with it: whatever becomes of
//! the request, a hold that was not made stops counting when the ticket is gone. What becomes of the hold
//! itself is told by the lane.

use std::{hash::BuildHasher as _, net::IpAddr, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashMap};
use ipnet::IpNet;
use onsale_domain::{
    decide::{Changes, EventKind},
    ids::{OrderId, SeatId, UserId},
    offer::Offer,
    order::Order,
    time::Timestamp,
    unpaid::{AskedUnpaid, Holder, Holding, Unpaid, UnpaidRules, Waiting},
};
use parking_lot::{Mutex, RwLock};

/// Requests for different offers rarely wait for one another.
const SHARDS: usize = 16;

/// The most accounts that are known to have paid; further ones count as those that never did.
const PAYERS_MAX: usize = 1 << 20;

/// How long a hold is thought to last of an offer that is not in memory yet, in milliseconds.
const HOLD_MS: i64 = 3_600_000;

/// How often it is looked for holds that became something else at another node, in milliseconds.
const LOOK_EVERY_MS: i64 = 1_000;

/// How much may be held unpaid, and who is free of it.
#[derive(Clone, Debug, Default)]
pub struct UnpaidSettings {
    /// The rules. `None`: there are none.
    pub rules: Option<UnpaidRules>,
    /// The networks to whose addresses the rule about addresses does not apply, such as the box office's.
    pub free_networks: Vec<IpNet>,
}

/// The holds that are not paid.
pub(super) struct UnpaidHolds {
    settings: UnpaidSettings,
    offers: Box<[Mutex<HashMap<Offer, AtOffer>>]>,
    hasher: DefaultHashBuilder,
    /// How many paid orders of an account this node knows.
    payers: RwLock<HashMap<UserId, u32>>,
}

#[derive(Default)]
struct AtOffer {
    unpaid: Unpaid,
    looked_at: Option<Timestamp>,
}

/// A hold that is asked for, as far as it matters here.
pub(super) struct Asked {
    pub(super) offer: Offer,
    pub(super) order: OrderId,
    pub(super) user: UserId,
    pub(super) address: Option<IpAddr>,
    pub(super) key: Option<u128>,
    pub(super) seat: Option<SeatId>,
    pub(super) units: u32,
}

/// The facts about an offer that are kept in memory.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// All its seats or units.
    pub(super) total: u32,
    /// The most that one buyer may have.
    pub(super) buyer_max: u32,
    pub(super) hold_ms: i64,
}

/// A hold that is being decided. Dropped, it is none.
pub(super) struct Ticket {
    holds: Arc<UnpaidHolds>,
    offer: Offer,
    order: OrderId,
    kept: bool,
}

impl Ticket {
    /// The hold was made, or may have been.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.kept {
            self.holds.with(self.offer, |unpaid, _| unpaid.forget(self.order));
        }
    }
}

impl UnpaidHolds {
    pub(super) fn new(settings: UnpaidSettings) -> Self {
        let offers = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { settings, offers, hasher: DefaultHashBuilder::default(), payers: RwLock::default() }
    }

    /// Notes a hold that is about to be decided. `None`: there are no rules. Before somebody is refused,
    /// `is_over` is asked of holds that may be none any more.
    pub(super) fn ask(
        self: &Arc<Self>,
        asked: Asked,
        known: Option<Known>,
        now: Timestamp,
        is_over: Option<&dyn Fn(SeatId) -> bool>,
    ) -> Result<Option<Ticket>, Waiting> {
        let Some(rules) = &self.settings.rules else { return Ok(None) };
        let Asked { offer, order, user, address, key, seat, units } = asked;
        let address = address.filter(|address| !self.is_free(*address, user));
        let hold_ms = known.map_or(HOLD_MS, |known| known.hold_ms);
        let asked = AskedUnpaid { order, user, address, key, seat, units, hold_ms };
        let units_max = known.map(|known| rules.units_max(Some(known.total), known.buyer_max));

        let mut offers = self.shard(offer).lock();
        let at_offer = offers.entry(offer).or_default();
        let mut answer = at_offer.unpaid.ask(rules, asked, units_max, now);
        if let (Err(Waiting::Address { .. }), Some(is_over)) = (answer, is_over)
            && at_offer.looked_at.is_none_or(|at| now.since_ms(at).abs() >= LOOK_EVERY_MS)
        {
            at_offer.looked_at = Some(now);
            at_offer.unpaid.forget_if(is_over);
            answer = at_offer.unpaid.ask(rules, asked, units_max, now);
        }
        drop(offers);
        answer.map(|()| Some(Ticket { holds: self.clone(), offer, order, kept: false }))
    }

    /// Takes over what a batch changed.
    pub(super) fn follow(&self, changes: &Changes) {
        let Some(rules) = self.settings.rules else { return };
        for event in &changes.events {
            let order = &event.order;
            match event.kind {
                EventKind::OrderHeld => {}
                EventKind::OrderPaid => {
                    self.with(order.offer(), |unpaid, _| unpaid.forget(order.id));
                    self.has_paid(order.user);
                }
                EventKind::OrderCancelled if changes.payments_refunded.binary_search(&order.id).is_ok() => {
                    self.has_been_paid_back(order.user);
                }
                EventKind::OrderExpired | EventKind::OrderCancelled => {
                    let part =
                        if event.kind == EventKind::OrderExpired { 1_000 } else { part(order, event.at) };
                    self.with_known(order.offer(), |unpaid| {
                        unpaid.ended(&rules, order.id, order.user, part, event.at);
                    });
                }
            }
        }
    }

    /// The unpaid holdings of an offer, the most first.
    pub(super) fn holdings(&self, offer: Offer, now: Timestamp) -> Vec<Holding> {
        let Some(rules) = &self.settings.rules else { return Vec::new() };
        let offers = self.shard(offer).lock();
        offers.get(&offer).map_or_else(Vec::new, |at_offer| at_offer.unpaid.holdings(rules, now))
    }

    /// The orders that somebody holds.
    pub(super) fn orders_of(&self, offer: Offer, holder: Holder) -> Vec<OrderId> {
        let offers = self.shard(offer).lock();
        offers.get(&offer).map_or_else(Vec::new, |at_offer| at_offer.unpaid.orders_of(holder))
    }

    /// An organiser is about to end these.
    pub(super) fn end_for(&self, offer: Offer, orders: impl IntoIterator<Item = OrderId>) {
        self.with(offer, |unpaid, _| orders.into_iter().for_each(|order| unpaid.end_for(order)));
    }

    /// Whether an address does not count.
    fn is_free(&self, address: IpAddr, user: UserId) -> bool {
        let address = address.to_canonical();
        self.payers.read().contains_key(&user)
            || self.settings.free_networks.iter().any(|network| network.contains(&address))
    }

    fn has_paid(&self, user: UserId) {
        let mut payers = self.payers.write();
        if payers.len() < PAYERS_MAX || payers.contains_key(&user) {
            *payers.entry(user).or_default() += 1;
        }
    }

    fn has_been_paid_back(&self, user: UserId) {
        let mut payers = self.payers.write();
        if let Some(orders) = payers.get_mut(&user) {
            *orders -= 1;
            if *orders == 0 {
                payers.remove(&user);
            }
        }
    }

    /// Acts on an offer of which something is known, and forgets it if that is nothing.
    fn with(&self, offer: Offer, act: impl FnOnce(&mut Unpaid, Offer)) {
        let mut offers = self.shard(offer).lock();
        let Some(at_offer) = offers.get_mut(&offer) else { return };
        act(&mut at_offer.unpaid, offer);
        if at_offer.unpaid.is_empty() {
            offers.remove(&offer);
        }
    }

    fn with_known(&self, offer: Offer, act: impl FnOnce(&mut Unpaid)) {
        act(&mut self.shard(offer).lock().entry(offer).or_default().unpaid);
    }

    fn shard(&self, offer: Offer) -> &Mutex<HashMap<Offer, AtOffer>> {
        &self.offers[self.hasher.hash_one(offer) as usize % SHARDS]
    }
}

/// How much of its time a hold was held, in thousandths.
fn part(order: &Order, until: Timestamp) -> i64 {
    let whole = order.expires_at.since_ms(order.created_at).max(1);
    (until.since_ms(order.created_at).clamp(0, whole)).saturating_mul(1_000) / whole
}

#[cfg(test)]
mod tests {
    use onsale_domain::{
        decide::Event,
        ids::PerformanceId,
        money::Currency,
        order::{Goods, OrderStatus},
    };
    use uuid::Uuid;

    use super::*;

    const OFFER: Offer = Offer::Performance(PerformanceId(1));
    const KNOWN: Known = Known { total: 100, buyer_max: 5, hold_ms: 300_000 };
    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn holds(free: &[&str]) -> Arc<UnpaidHolds> {
        let free_networks = free.iter().map(|network| network.parse().unwrap()).collect();
        Arc::new(UnpaidHolds::new(UnpaidSettings { rules: Some(UnpaidRules::default()), free_networks }))
    }

    fn asked(number: i64) -> Asked {
        Asked {
            offer: OFFER,
            order: OrderId(Uuid::from_u128(number as u128)),
            user: UserId(number),
            address: Some("192.0.2.1".parse().unwrap()),
            key: None,
            seat: Some(SeatId(number)),
            units: 5,
        }
    }

    fn event(number: i64, kind: EventKind, status: OrderStatus) -> Event {
        let goods = Goods::Seats { performance: PerformanceId(1), lines: Vec::new() };
        let order = Order {
            id: asked(number).order,
            user: UserId(number),
            goods,
            status,
            amount: 0,
            currency: Currency::KRW,
            created_at: NOW,
            expires_at: NOW.plus_ms(300_000),
            version: 2,
        };
        Event { kind, order, at: NOW }
    }

    /// Holds what it can; how many holds.
    fn hold_all(holds: &Arc<UnpaidHolds>, numbers: std::ops::Range<i64>) -> usize {
        let held =
            |number: i64| holds.ask(asked(number), Some(KNOWN), NOW, None).ok().flatten().map(Ticket::keep);
        numbers.filter_map(held).count()
    }

    #[test]
    fn a_hold_that_was_not_made_does_not_count() {
        let holds = holds(&[]);
        for number in 0..100 {
            assert!(
                holds.ask(asked(number), Some(KNOWN), NOW, None).is_ok(),
                "refused by the sale each time"
            );
        }
        assert!(holds.offers.iter().all(|offers| offers.lock().is_empty()));
        assert_eq!(hold_all(&holds, 0..10), 4);
    }

    /// The negative control: without rules, at a free address.
    #[test]
    fn without_rules_or_at_a_free_address_everything_can_be_held() {
        let none = Arc::new(UnpaidHolds::new(UnpaidSettings::default()));
        assert!((0..20).all(|number| none.ask(asked(number), Some(KNOWN), NOW, None).is_ok()));
        assert_eq!(hold_all(&holds(&["192.0.2.0/24"]), 0..20), 20);
        assert_eq!(hold_all(&holds(&["192.0.3.0/24"]), 0..20), 4);
    }

    #[test]
    fn whoever_has_paid_is_not_counted_until_it_is_paid_back() {
        let holds = holds(&[]);
        let paid = (0..10).map(|number| event(number, EventKind::OrderPaid, OrderStatus::Paid));
        holds.follow(&Changes { events: paid.collect(), ..Changes::default() });
        assert_eq!(hold_all(&holds, 0..10), 10);
        assert_eq!(hold_all(&holds, 10..20), 4);
        let back = event(0, EventKind::OrderCancelled, OrderStatus::Cancelled);
        let payments_refunded = vec![back.order.id];
        holds.follow(&Changes { events: vec![back], payments_refunded, ..Changes::default() });
        assert_eq!(hold_all(&holds, 0..1), 0);
    }

    #[test]
    fn what_was_sold_at_another_node_is_found_out_before_anybody_is_refused() {
        let holds = holds(&[]);
        assert_eq!(hold_all(&holds, 0..10), 4);
        let sold = |seat: SeatId| seat.0 < 2;
        let ask = |number: i64, now| {
            holds.ask(asked(number), Some(KNOWN), now, Some(&sold)).map(|ticket| ticket.map(Ticket::keep))
        };
        assert!(ask(10, NOW).is_ok() && ask(11, NOW).is_ok());
        assert!(ask(12, NOW).is_err());
    }
}
