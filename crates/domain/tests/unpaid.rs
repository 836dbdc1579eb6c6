//! Crowds that hold and do not pay, in virtual time: whatever they do in whatever order, nobody holds more
//! than the rules let them, and whoever pays is let in.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use onsale_domain::{
    ids::{OrderId, UserId},
    time::Timestamp,
    unpaid::{AskedUnpaid, Holder, Unpaid, UnpaidRules, Waiting},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use uuid::Uuid;

const START: Timestamp = Timestamp(1_800_000_000_000);
const HOLD_MS: i64 = 300_000;
const RULES: UnpaidRules =
    UnpaidRules { percent: 10, units_min: 20, units_floor: 5, lapses: 3, remembered_ms: 3_600_000 };

/// How long it takes until one of [`UnpaidRules::lapses`] is forgotten.
const LATELY_MS: i64 = 1_200_000;

#[derive(Clone, Debug)]
enum Action {
    Hold { user: i64, address: u8, units: u32 },
    Refused(Index),
    Pay(Index),
    GiveBack(Index),
    Wait(i64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (0..60_i64, 0..6_u8, 1..6_u32).prop_map(|(user, address, units)| Action::Hold { user, address, units }),
        1 => any::<Index>().prop_map(Action::Refused),
        2 => any::<Index>().prop_map(Action::Pay),
        2 => any::<Index>().prop_map(Action::GiveBack),
        2 => (0..200_000_i64).prop_map(Action::Wait),
    ]
}

/// Three of IPv4 and three of IPv6, two of which are one site's.
fn address(number: u8) -> IpAddr {
    let text =
        ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2:1::1"];
    text[usize::from(number)].parse().unwrap()
}

/// A hold as the test sees it.
#[derive(Clone, Copy)]
struct Held {
    user: i64,
    address: u8,
    units: u32,
    since: Timestamp,
}

/// A plain model: the holds, and when holds of which account ended unpaid.
struct World {
    unpaid: Unpaid,
    now: Timestamp,
    units_max: u32,
    held: BTreeMap<OrderId, Held>,
    lapsed: HashMap<i64, Vec<Timestamp>>,
    orders: u128,
}

impl World {
    fn new(total: u32) -> Self {
        Self {
            unpaid: Unpaid::default(),
            now: START,
            units_max: RULES.units_max(Some(total), 5),
            held: BTreeMap::new(),
            lapsed: HashMap::new(),
            orders: 0,
        }
    }

    fn ask(&mut self, user: i64, from: u8, units: u32) -> Result<(), Waiting> {
        self.orders += 1;
        let order = OrderId(Uuid::from_u128(self.orders));
        let asked = AskedUnpaid {
            order,
            user: UserId(user),
            address: Some(address(from)),
            key: None,
            seat: None,
            units,
            hold_ms: HOLD_MS,
        };
        self.unpaid.ask(&RULES, asked, Some(self.units_max), self.now)?;
        self.held.insert(order, Held { user, address: from, units, since: self.now });
        Ok(())
    }

    fn pick(&self, index: Index) -> Option<OrderId> {
        let orders: Vec<OrderId> = self.held.keys().copied().collect();
        (!orders.is_empty()).then(|| *index.get(&orders))
    }

    fn end(&mut self, order: OrderId) {
        let held = self.held.remove(&order).unwrap();
        let part = self.now.since_ms(held.since).min(HOLD_MS) * 1_000 / HOLD_MS;
        self.unpaid.ended(&RULES, order, UserId(held.user), part, self.now);
        if part == 1_000 {
            self.lapsed.entry(held.user).or_default().push(self.now);
        }
    }

    /// Time passes, and holds end at their deadlines.
    fn wait(&mut self, ms: i64) {
        let until = self.now.plus_ms(ms);
        while let Some((order, held)) =
            self.held.iter().min_by_key(|(_, held)| held.since).map(|(o, h)| (*o, *h))
            && held.since.plus_ms(HOLD_MS) <= until
        {
            self.now = held.since.plus_ms(HOLD_MS);
            self.end(order);
        }
        self.now = until;
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Hold { user, address, units } => {
                let lapsed = self.lapsed.get(&user).into_iter().flatten();
                let lately = lapsed.filter(|at| self.now.since_ms(**at) < LATELY_MS).count();
                let asked = self.ask(user, address, units);
                assert!(asked.is_err() || lately < RULES.lapses as usize, "{lately} lapsed lately");
                if let Err(waiting) = asked {
                    let (Waiting::Address { until, .. } | Waiting::Account { until }) = waiting;
                    assert!(until > self.now, "{waiting:?}");
                    assert!(until <= self.now.plus_ms(RULES.remembered_ms), "{waiting:?}");
                }
            }
            Action::Refused(index) | Action::Pay(index) => {
                if let Some(order) = self.pick(index) {
                    self.held.remove(&order);
                    self.unpaid.forget(order);
                }
            }
            Action::GiveBack(index) => {
                if let Some(order) = self.pick(index) {
                    self.end(order);
                }
            }
            Action::Wait(ms) => self.wait(ms),
        }
    }

    fn units_of(&self, is_theirs: impl Fn(&Held) -> bool) -> u32 {
        self.held.values().filter(|held| is_theirs(held)).map(|held| held.units).sum()
    }

    fn check(&self) {
        for from in 0..6 {
            assert!(self.units_of(|held| held.address == from) <= self.units_max);
        }
        let site = self.units_of(|held| [3, 4].contains(&held.address));
        assert!(site <= 4 * self.units_max);
        // It counts what is there, neither more nor less.
        for holding in self.unpaid.holdings(&RULES, self.now) {
            let theirs = self.units_of(|held| match holding.holder {
                Holder::Account(user) => held.user == user.0,
                Holder::Network(network, 48) => {
                    let site = |ip: IpAddr| ip.to_string().split(':').take(3).collect::<Vec<_>>().join(":");
                    address(held.address).is_ipv6() && site(address(held.address)) == site(network)
                }
                network => Holder::of_address(address(held.address)) == network,
            });
            assert_eq!(holding.units, theirs, "{:?}", holding.holder);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nobody_holds_more_than_the_rules_let_them(
        total in 1..2_000_u32,
        actions in vec(action(), 1..200),
    ) {
        let mut world = World::new(total);
        for action in &actions {
            world.act(action);
            world.check();
        }
        // An hour after everything has ended, everything is forgotten.
        world.wait(HOLD_MS);
        world.wait(RULES.remembered_ms);
        for user in 0..20 {
            prop_assert!(world.ask(user, 0, 1).is_ok());
        }
    }
}

/// How many seats a crowd of throw-away accounts withholds, on average over a day: from so many addresses,
/// asking every ten seconds.
fn withheld(total: u32, addresses: u8, rules_on: bool) -> f64 {
    let mut world = World::new(total);
    let (mut user, mut seat_seconds) = (0, 0_u64);
    for _ in 0..8_640 {
        world.wait(10_000);
        for from in 0..addresses {
            // As many as are free, five at a time, each with a fresh account, until one is refused.
            while world.units_of(|_| true) + 5 <= total {
                user += 1;
                if rules_on && world.ask(user, from, 5).is_err() {
                    break;
                }
                if !rules_on {
                    let order = OrderId(Uuid::from_u128(u128::MAX - user as u128));
                    world.held.insert(order, Held { user, address: from, units: 5, since: world.now });
                }
            }
        }
        seat_seconds += 10 * u64::from(world.units_of(|_| true));
    }
    seat_seconds as f64 / 86_400.0
}

/// The attack, for a day, and without the rules.
#[test]
fn a_crowd_at_one_address_withholds_little() {
    let one = withheld(400, 1, true);
    assert!((5.0..=6.0).contains(&one), "{one} of 400 seats");
    let three = withheld(400, 3, true);
    assert!((15.0..=18.0).contains(&three), "{three} of 400 seats");
    let without = withheld(400, 1, false);
    assert!(without > 395.0, "{without} of 400 seats");
}
