//! The holds of one offer, and what each holder may still hold.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::{Holder, UnpaidRules, leak::Leak};
use crate::{
    ids::{OrderId, SeatId, UserId},
    time::Timestamp,
};

/// How long a hold is remembered after its deadline: that it ended is told by then.
const KEPT_AFTER_MS: i64 = 30_000;

/// How often it is looked for what is over because of somebody who is refused, in milliseconds.
const TIDIED_EVERY_MS: i64 = 1_000;

/// When somebody may come back who is in the way of others at their address, in milliseconds: somebody pays
/// nearly every moment.
const AGAIN_MS: i64 = 10_000;

/// The smallest part of a lapse that giving back costs, in thousandths.
const GIVEN_BACK_MIN: i64 = 100;

/// The holds of an offer that are not paid.
#[derive(Debug, Default)]
pub struct Unpaid {
    holds: HashMap<OrderId, Hold>,
    holders: HashMap<Holder, Tally>,
    /// The most that an address may hold, as last known; 0 if it never was.
    units_max: u32,
    /// The size at which entries that are over are looked for, so that this does not happen all the time; it also
    /// happens before somebody is refused.
    tidy_at: usize,
    tidied_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    user: UserId,
    /// The address it counts against.
    address: Option<IpAddr>,
    key: Option<u128>,
    seat: Option<SeatId>,
    units: u32,
    /// By then it is over, whoever else may say so.
    until: Timestamp,
    /// It was ended by somebody who thought that it was no good.
    ended_for: bool,
}

#[derive(Clone, Debug)]
struct Tally {
    holds: u32,
    units: u32,
    /// Those of an account.
    orders: Vec<OrderId>,
    /// Of an address: thousandths of units that ended unpaid. Of an account: thousandths of holds.
    ended: Leak,
}

impl Default for Tally {
    fn default() -> Self {
        Self { holds: 0, units: 0, orders: Vec::new(), ended: Leak::EMPTY }
    }
}

/// A hold that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct AskedUnpaid {
    /// The order it would make.
    pub order: OrderId,
    /// The account that asks.
    pub user: UserId,
    /// From where. `None`: it counts against no address, because it is not known or the account has paid
    /// before.
    pub address: Option<IpAddr>,
    /// The digest of the request's idempotency key.
    pub key: Option<u128>,
    /// One of the seats.
    pub seat: Option<SeatId>,
    /// How many seats or units.
    pub units: u32,
    /// How long a hold lasts, in milliseconds.
    pub hold_ms: i64,
}

/// Why somebody has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Too much is held unpaid from their address, or was and ended unpaid.
    Address {
        /// As much as may be held from there now.
        max: u32,
        /// As much as is.
        held: u32,
        /// When to come back.
        until: Timestamp,
    },
    /// Too many of their own holds ended unpaid.
    Account {
        /// When to come back.
        until: Timestamp,
    },
}

/// Something held unpaid by somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// By whom.
    pub holder: Holder,
    /// How many holds.
    pub holds: u32,
    /// How many seats or units in them.
    pub units: u32,
    /// Unpaid ends that still count, in thousandths: of an address seats or units, of an
    /// account holds.
    pub ended: i64,
}

impl Unpaid {
    /// Notes a hold that is about to be decided, if it may be. It counts from now on, until it is said what
    /// became of it. A request that is repeated under its key may always be. `units_max` is what
    /// [`UnpaidRules::units_max`] says, if the offer is known well enough to tell.
    ///
    /// # Errors
    /// If it may not; then nothing is noted.
    pub fn ask(
        &mut self,
        rules: &UnpaidRules,
        asked: AskedUnpaid,
        units_max: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Waiting> {
        match units_max {
            Some(known) => self.units_max = known,
            None if self.units_max == 0 => self.units_max = rules.units_min,
            None => {}
        }
        if !self.is_repeated(&asked) {
            self.check_account(rules, asked.user, now)?;
            if let Err(waiting) = self.check_address(rules, &asked, now) {
                if self.tidied_at.is_some_and(|at| now.since_ms(at).abs() < TIDIED_EVERY_MS) {
                    return Err(waiting);
                }
                // Of a hold that nobody told the end of.
                self.forget_what_is_over(rules, now);
                self.check_address(rules, &asked, now)?;
            }
        }
        let AskedUnpaid { order, user, address, key, seat, units, hold_ms } = asked;
        let until = now.plus_ms(hold_ms);
        let hold = Hold { user, address, key, seat, units, until, ended_for: false };
        self.holds.insert(order, hold);
        for holder in hold.holders() {
            let tally = self.holders.entry(holder).or_default();
            tally.holds += 1;
            tally.units = tally.units.saturating_add(units);
            if matches!(holder, Holder::Account(_)) {
                tally.orders.push(order);
            }
        }
        self.tidy(rules, now);
        Ok(())
    }

    /// The hold is about to be ended by an organiser: that counts as if it had lapsed.
    pub fn end_for(&mut self, order: OrderId) {
        if let Some(hold) = self.holds.get_mut(&order) {
            hold.ended_for = true;
        }
    }

    /// The hold is none any more, and that costs nothing: it was refused or paid.
    pub fn forget(&mut self, order: OrderId) {
        self.take(order);
    }

    /// The hold ended unpaid, after so many thousandths of its time. An order that is not known was held
    /// elsewhere, and counts against its account alone.
    pub fn ended(
        &mut self,
        rules: &UnpaidRules,
        order: OrderId,
        user: UserId,
        thousandths: i64,
        now: Timestamp,
    ) {
        let hold = self.take(order);
        let least = if hold.is_some_and(|hold| hold.ended_for) { 1_000 } else { GIVEN_BACK_MIN };
        let part = thousandths.clamp(least, 1_000);
        let account = self.holders.entry(Holder::Account(user)).or_default();
        account.ended.add(part, rules.lapses_full(), rules.remembered_ms, now);
        let Some(Hold { address: Some(address), units, .. }) = hold else { return };
        for (network, shares) in Holder::networks(address) {
            let full = full(self.units_max, shares);
            let tally = self.holders.entry(network).or_default();
            tally.ended.add(part * i64::from(units), full, rules.remembered_ms, now);
        }
    }

    /// Forgets holds of which somebody knows that they are none any more, by one of their seats.
    pub fn forget_if(&mut self, is_over: impl Fn(SeatId) -> bool) {
        let over = self.holds.iter().filter(|(_, hold)| hold.seat.is_some_and(&is_over));
        for order in over.map(|(order, _)| *order).collect::<Vec<_>>() {
            self.take(order);
        }
    }

    /// All holders and how much each holds, the most first.
    #[must_use]
    pub fn holdings(&self, rules: &UnpaidRules, now: Timestamp) -> Vec<Holding> {
        let holding = |(holder, tally): (&Holder, &Tally)| {
            let ended = tally.ended.level(full_of(rules, *holder, self.units_max), rules.remembered_ms, now);
            Holding { holder: *holder, holds: tally.holds, units: tally.units, ended }
        };
        let mut holdings: Vec<Holding> = self.holders.iter().map(holding).collect();
        holdings.retain(|holding| holding.holds > 0 || holding.ended > 0);
        holdings.sort_unstable_by(|a, b| (b.units, b.ended, a.holder).cmp(&(a.units, a.ended, b.holder)));
        holdings
    }

    /// The orders that somebody holds.
    #[must_use]
    pub fn orders_of(&self, holder: Holder) -> Vec<OrderId> {
        let is_theirs = |hold: &Hold| match holder {
            Holder::Account(user) => hold.user == user,
            network @ Holder::Network(..) => hold.address.is_some_and(|address| network.has(address)),
        };
        self.holds.iter().filter(|(_, hold)| is_theirs(hold)).map(|(order, _)| *order).collect()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.holders.is_empty()
    }

    fn is_repeated(&self, asked: &AskedUnpaid) -> bool {
        let Some(key) = asked.key else { return false };
        let theirs = self.holders.get(&Holder::Account(asked.user)).map_or(&[][..], |tally| &tally.orders);
        theirs.iter().any(|order| self.holds.get(order).is_some_and(|hold| hold.key == Some(key)))
    }

    fn check_account(&self, rules: &UnpaidRules, user: UserId, now: Timestamp) -> Result<(), Waiting> {
        let Some(tally) = self.holders.get(&Holder::Account(user)) else { return Ok(()) };
        let (full, most) = (rules.lapses_full(), rules.lapses_full() - 1_000);
        if tally.ended.level(full, rules.remembered_ms, now) <= most {
            return Ok(());
        }
        Err(Waiting::Account { until: tally.ended.down_to(most, full, rules.remembered_ms, now) })
    }

    fn check_address(&self, rules: &UnpaidRules, asked: &AskedUnpaid, now: Timestamp) -> Result<(), Waiting> {
        let Some(address) = asked.address else { return Ok(()) };
        for (network, shares) in Holder::networks(address) {
            let share = self.units_max.saturating_mul(shares);
            let Some(tally) = self.holders.get(&network) else { continue };
            let full = full(self.units_max, shares);
            let ended = tally.ended.level(full, rules.remembered_ms, now);
            let ended_units = u32::try_from((ended + 999) / 1_000).unwrap_or(u32::MAX);
            let max = share.saturating_sub(ended_units).max(rules.units_floor.min(share));
            let wanted = tally.units.saturating_add(asked.units);
            if wanted <= max {
                continue;
            }
            let until = match i64::from(share) - i64::from(wanted) {
                // Others at the address would have to pay first.
                ..0 => now.plus_ms(AGAIN_MS),
                left => tally.ended.down_to(left * 1_000, full, rules.remembered_ms, now),
            };
            return Err(Waiting::Address { max, held: tally.units, until });
        }
        Ok(())
    }

    fn take(&mut self, order: OrderId) -> Option<Hold> {
        let hold = self.holds.remove(&order)?;
        for holder in hold.holders() {
            if let Some(tally) = self.holders.get_mut(&holder) {
                tally.holds = tally.holds.saturating_sub(1);
                tally.units = tally.units.saturating_sub(hold.units);
                tally.orders.retain(|other| *other != order);
                if tally.holds == 0 && tally.ended == Leak::EMPTY {
                    self.holders.remove(&holder);
                }
            }
        }
        Some(hold)
    }

    /// Forgets what is over, once there is twice as much as there was after the last time.
    fn tidy(&mut self, rules: &UnpaidRules, now: Timestamp) {
        if self.holds.len() + self.holders.len() >= self.tidy_at {
            self.forget_what_is_over(rules, now);
            self.tidy_at = 2 * (self.holds.len() + self.holders.len()).max(512);
        }
    }

    fn forget_what_is_over(&mut self, rules: &UnpaidRules, now: Timestamp) {
        self.tidied_at = Some(now);
        let over = self.holds.iter().filter(|(_, hold)| hold.until.plus_ms(KEPT_AFTER_MS) < now);
        for order in over.map(|(order, _)| *order).collect::<Vec<_>>() {
            self.take(order);
        }
        let units_max = self.units_max;
        self.holders.retain(|holder, tally| {
            let full = full_of(rules, *holder, units_max);
            tally.holds > 0 || tally.ended.level(full, rules.remembered_ms, now) > 0
        });
    }
}

impl Hold {
    /// Against whom it counts.
    fn holders(&self) -> impl Iterator<Item = Holder> + use<> {
        let networks = self.address.map(Holder::networks).into_iter().flatten();
        std::iter::once(Holder::Account(self.user)).chain(networks.map(|(network, _)| network))
    }
}

impl UnpaidRules {
    const fn lapses_full(&self) -> i64 {
        self.lapses as i64 * 1_000
    }
}

fn full(units_max: u32, shares: u32) -> i64 {
    i64::from(units_max.saturating_mul(shares)) * 1_000
}

fn full_of(rules: &UnpaidRules, holder: Holder, units_max: u32) -> i64 {
    match holder {
        Holder::Account(_) => rules.lapses_full(),
        Holder::Network(address, bits) => {
            let shares = Holder::networks(address)
                .find(|(network, _)| matches!(network, Holder::Network(_, has) if *has == bits));
            full(units_max, shares.map_or(1, |(_, shares)| shares))
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const RULES: UnpaidRules =
        UnpaidRules { percent: 10, units_min: 20, units_floor: 5, lapses: 3, remembered_ms: 3_600_000 };
    const START: Timestamp = Timestamp(1_800_000_000_000);
    const HOLD_MS: i64 = 300_000;

    /// One offer, and orders by number.
    struct Stage {
        unpaid: Unpaid,
        now: Timestamp,
        units_max: u32,
        orders: u128,
    }

    impl Stage {
        fn new(total: u32) -> Self {
            let units_max = RULES.units_max(Some(total), 5);
            Self { unpaid: Unpaid::default(), now: START, units_max, orders: 0 }
        }

        fn hold(&mut self, user: i64, address: &str, units: u32) -> Result<OrderId, Waiting> {
            self.orders += 1;
            let order = OrderId(Uuid::from_u128(self.orders));
            let address = Some(address).filter(|address| !address.is_empty());
            let asked = AskedUnpaid {
                order,
                user: UserId(user),
                address: address.map(|address| address.parse().unwrap()),
                key: None,
                seat: None,
                units,
                hold_ms: HOLD_MS,
            };
            self.unpaid.ask(&RULES, asked, Some(self.units_max), self.now)?;
            Ok(order)
        }

        fn end(&mut self, user: i64, order: OrderId, thousandths: i64) {
            self.unpaid.ended(&RULES, order, UserId(user), thousandths, self.now);
        }
    }

    #[test]
    fn eighty_accounts_at_one_address_hold_a_tenth_and_once() {
        let mut stage = Stage::new(400);
        let mut most = Vec::new();
        for round in 0..12 {
            let users = round * 80..(round + 1) * 80;
            let held: Vec<_> =
                users.filter_map(|user| Some((user, stage.hold(user, "192.0.2.1", 5).ok()?))).collect();
            most.push(5 * held.len());
            stage.now = stage.now.plus_ms(HOLD_MS);
            held.into_iter().for_each(|(user, order)| stage.end(user, order, 1_000));
        }
        assert_eq!(most[0], 40);
        assert!(most[1..].iter().all(|held| *held == 5), "{most:?}");
        // Others are not in the way of it.
        assert!(stage.hold(5_000, "192.0.2.2", 5).is_ok());
    }

    #[test]
    fn those_who_pay_make_room_for_others_at_their_address() {
        let mut stage = Stage::new(1_000);
        for round in 0..50 {
            let orders: Vec<_> =
                (0..20).map(|user| stage.hold(round * 20 + user, "192.0.2.1", 5).unwrap()).collect();
            let refused = stage.hold(9_999, "192.0.2.1", 1).unwrap_err();
            let until = stage.now.plus_ms(AGAIN_MS);
            assert_eq!(refused, Waiting::Address { max: 100, held: 100, until });
            orders.into_iter().for_each(|order| stage.unpaid.forget(order));
        }
        assert!(stage.unpaid.is_empty());
    }

    #[test]
    fn patience_comes_back_at_an_even_pace() {
        let mut stage = Stage::new(400);
        let held: Vec<_> = (0..8).map(|user| (user, stage.hold(user, "192.0.2.1", 5).unwrap())).collect();
        held.into_iter().for_each(|(user, order)| stage.end(user, order, 1_000));
        assert!(stage.hold(100, "192.0.2.1", 5).is_ok(), "the floor");
        let Err(Waiting::Address { until, max: 5, held: 5 }) = stage.hold(101, "192.0.2.1", 5) else {
            panic!("forty seats lapsed a moment ago");
        };
        // Ten of forty are forgotten in a quarter of an hour.
        assert_eq!(until, stage.now.plus_ms(900_000));
        stage.now = until;
        assert!(stage.hold(101, "192.0.2.1", 5).is_ok());
        assert!(stage.hold(102, "192.0.2.1", 6).is_err());
    }

    #[test]
    fn an_account_that_lets_three_holds_lapse_waits() {
        let mut stage = Stage::new(400);
        for _ in 0..3 {
            let order = stage.hold(7, "", 1).unwrap();
            stage.end(7, order, 1_000);
        }
        let until = stage.now.plus_ms(1_200_000);
        assert_eq!(stage.hold(7, "", 1), Err(Waiting::Account { until }));
        assert!(stage.hold(8, "", 1).is_ok());
        stage.now = until.plus_ms(-1);
        assert!(stage.hold(7, "", 1).is_err());
        stage.now = until;
        assert!(stage.hold(7, "", 1).is_ok());
    }

    #[test]
    fn giving_back_costs_as_much_as_was_held_of_the_time() {
        let mut stage = Stage::new(400);
        let back = |stage: &mut Stage, thousandths: i64| {
            let order = stage.hold(7, "192.0.2.1", 1)?;
            stage.end(7, order, thousandths);
            Ok::<_, Waiting>(())
        };
        // Changing one's mind at once, again and again.
        let at_once = (0..100).take_while(|_| back(&mut stage, 1).is_ok()).count();
        assert_eq!(at_once, 21, "a tenth each, until one more lapse would be too many");
        stage.now = stage.now.plus_ms(RULES.remembered_ms);
        let late = (0..100).take_while(|_| back(&mut stage, 990).is_ok()).count();
        assert_eq!(late, 3);
    }

    #[test]
    fn networks_of_one_site_have_four_shares_together() {
        let mut stage = Stage::new(400);
        let held = (0..1_000).filter(|n| stage.hold(*n, &format!("2001:db8:1:{n:x}::1"), 5).is_ok()).count();
        assert_eq!(5 * held, 160);
        let held = (1_000..1_100).filter(|n| stage.hold(*n, "2001:db8:2:1::1", 5).is_ok()).count();
        assert_eq!(5 * held, 40);
    }

    #[test]
    fn a_repeated_request_is_not_in_its_own_way() {
        let mut stage = Stage::new(100);
        let ask = |stage: &mut Stage, order: u128, key: u128| {
            let asked = AskedUnpaid {
                order: OrderId(Uuid::from_u128(order)),
                user: UserId(1),
                address: Some("192.0.2.1".parse().unwrap()),
                key: Some(key),
                seat: None,
                units: 20,
                hold_ms: HOLD_MS,
            };
            stage.unpaid.ask(&RULES, asked, None, stage.now)
        };
        assert!(ask(&mut stage, 1, 7).is_ok());
        assert!(ask(&mut stage, 2, 8).is_err());
        assert!(ask(&mut stage, 3, 7).is_ok(), "whose answer was lost");
        stage.unpaid.forget(OrderId(Uuid::from_u128(3)));
        let holdings = stage.unpaid.holdings(&RULES, stage.now);
        assert_eq!(holdings.iter().map(|holding| holding.units).collect::<Vec<_>>(), [20, 20]);
    }

    /// Their end was told at another node, or never.
    #[test]
    fn holds_whose_end_nobody_told_count_no_longer_than_they_last() {
        let mut stage = Stage::new(400);
        for user in 0..8 {
            stage.hold(user, "192.0.2.1", 5).unwrap();
        }
        stage.now = stage.now.plus_ms(HOLD_MS);
        assert!(stage.hold(100, "192.0.2.1", 5).is_err(), "it may be told yet");
        stage.now = stage.now.plus_ms(KEPT_AFTER_MS + 1);
        let held = (200..300).filter(|user| stage.hold(*user, "192.0.2.1", 5).is_ok()).count();
        assert_eq!(5 * held, 40);
    }

    #[test]
    fn what_is_over_takes_no_memory() {
        let mut stage = Stage::new(1_000_000);
        for user in 0..100_000 {
            let address = format!("10.{}.{}.{}", user >> 16, user >> 8 & 255, user & 255);
            let order = stage.hold(user, &address, 1).unwrap();
            if user % 3 == 0 {
                stage.end(user, order, 1_000);
            }
            stage.now = stage.now.plus_ms(1_000);
        }
        // An hour of those that ended and five minutes of those whose end nobody told.
        let (holds, holders) = (stage.unpaid.holds.len(), stage.unpaid.holders.len());
        assert!(holds < 1_000 && holders < 10_000, "{holds} {holders}");
    }
}
