//! What both nodes are asked at the same moment. Everything here runs in both processes.

use std::{
    collections::{BTreeMap, HashSet},
    future::Future,
    sync::{Arc, Mutex},
};

use onsale_contract::sale::stage::{Setup, key};
use onsale_domain::{
    decide::Refusal,
    ids::{OrderId, PerformanceId, SeatId, UserId},
    order::SeatStatus,
    sale::SaleRules,
    time::Timestamp,
};
use onsale_engine::{
    Engine,
    clock::{Clock, SystemClock},
    sales::SaleError,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use crate::node::{Node, Task};

/// What a buyer is given to spend.
pub(crate) const FUNDS: i64 = 1_000_000;
/// Requests of each kind that both nodes are asked with the same key.
pub(crate) const KEYS: u64 = 40;
/// Orders that one node pays and the other cancels.
const ENDINGS: usize = 60;
const CHARGES: i64 = 100;

/// A race.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Scenario {
    OneSeat,
    SellOut,
    Limit,
    Endings,
    SameKeys,
    Charges { buyer: i64 },
}

impl Scenario {
    /// The performance that it needs.
    pub(crate) fn setup(self) -> Setup {
        let (seats_per_row, hold_ms) = match self {
            Self::OneSeat | Self::Charges { .. } => (1, 300_000),
            Self::SellOut => (500, 300_000),
            Self::Limit => (40, 300_000),
            Self::Endings => (ENDINGS as u32, 1_500),
            Self::SameKeys => (KEYS as u32, 300_000),
        };
        let rules = SaleRules { hold_ms, seats_per_buyer_max: 5, ..SaleRules::default() };
        Setup { seats_per_row, rules, ..Setup::default() }
    }
}

/// What the callers of one node were told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    /// How often what was told.
    pub(crate) tally: BTreeMap<String, u64>,
    /// The answers that matter by themselves, in the order of the requests.
    pub(crate) answers: Vec<String>,
}

impl Told {
    pub(crate) fn count(&self, what: &str) -> u64 {
        self.tally.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn answer(&self, request: usize) -> &str {
        &self.answers[request]
    }

    fn add(&mut self, what: &str, count: u64) {
        *self.tally.entry(what.to_owned()).or_default() += count;
    }
}

/// The buyer of an order whose ending is raced.
pub(crate) fn ending_buyer(index: usize) -> UserId {
    UserId(10_000 + index as i64)
}

pub(crate) fn order_id(text: &str) -> OrderId {
    OrderId(text.parse().expect("a UUID"))
}

/// What must be there before both nodes begin: the orders to end, about when they begin.
pub(crate) async fn prepare(
    scenario: Scenario,
    engine: &Engine,
    performance: PerformanceId,
    seats: &[SeatId],
) -> Vec<String> {
    if !matches!(scenario, Scenario::Endings) {
        return Vec::new();
    }
    let mut orders = Vec::new();
    for (index, seat) in seats.iter().enumerate() {
        engine.sales.charge(ending_buyer(index), None, FUNDS).await.expect("points are charged");
        let held = engine.sales.hold(ending_buyer(index), None, performance, vec![*seat]).await;
        orders.push(held.expect("the seat is free").order.id.0.to_string());
    }
    orders
}

/// Plays one node's part.
pub(crate) async fn play(node: Arc<Node>, number: i64, task: Task) -> Told {
    let performance = PerformanceId(task.performance);
    // In memory before the race begins.
    let view = node.engine.sales.view(performance).await.expect("there is such a performance");
    let seats: Vec<SeatId> = view.terms().seats.seats().iter().map(|seat| seat.id).collect();
    let part = Part { node, number, performance, seats, at: Timestamp(task.at_ms) };
    match task.scenario {
        Scenario::OneSeat => part.one_seat().await,
        Scenario::SellOut => part.sell_out().await,
        Scenario::Limit => part.limit().await,
        Scenario::Endings => part.endings(&task.orders).await,
        Scenario::SameKeys => part.same_keys().await,
        Scenario::Charges { buyer } => part.charges(UserId(buyer)).await,
    }
}

/// One node's part in a race.
struct Part {
    node: Arc<Node>,
    /// 0 or 1.
    number: i64,
    performance: PerformanceId,
    seats: Vec<SeatId>,
    at: Timestamp,
}

impl Part {
    /// Makes every request at the same moment, and returns the answers in their order.
    async fn at_once<T, F>(&self, requests: impl IntoIterator<Item = F>) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let at = self.at;
        let when_it_is_time = |request: F| {
            tokio::spawn(async move {
                SystemClock.sleep_until(at).await;
                request.await
            })
        };
        let requests: Vec<_> = requests.into_iter().map(when_it_is_time).collect();
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(request.await.expect("no buyer panics"));
        }
        answers
    }

    /// This node's half of so many buyers.
    fn buyers(&self, count: i64) -> impl Iterator<Item = UserId> + use<> {
        (1..=count).skip(usize::try_from(self.number).expect("0 or 1")).step_by(2).map(UserId)
    }

    fn hold(
        &self,
        buyer: UserId,
        key: Option<u64>,
        seat: SeatId,
    ) -> impl Future<Output = Result<(OrderId, bool), SaleError>> + Send + use<> {
        let (node, performance) = (self.node.clone(), self.performance);
        let key = key.and_then(self::key);
        async move {
            let held = node.engine.sales.hold(buyer, key, performance, vec![seat]).await?;
            Ok((held.order.id, held.replayed))
        }
    }

    async fn one_seat(&self) -> Told {
        let seat = self.seats[0];
        let mut told = Told::default();
        let holds = self.buyers(1_000).map(|buyer| self.hold(buyer, None, seat));
        for answer in self.at_once(holds.collect::<Vec<_>>()).await {
            match answer {
                Ok(_) => told.add("held", 1),
                Err(SaleError::Refused(Refusal::SeatHeld(told_of))) if told_of == seat => {
                    told.add("seat held", 1);
                }
                Err(other) => panic!("a buyer was told: {other}"),
            }
        }
        told
    }

    async fn sell_out(&self) -> Told {
        // Seats that this node was told are gone, though its gate had not heard of it.
        let gone = Arc::new(Mutex::new(HashSet::new()));
        let shop = |buyer| shop(self.node.clone(), self.performance, self.seats.clone(), buyer, gone.clone());
        let mut told = Told::default();
        for (seats, refused) in self.at_once(self.buyers(2_000).map(shop).collect::<Vec<_>>()).await {
            told.add("seats paid", seats);
            told.add("refused", refused);
        }
        told
    }

    async fn limit(&self) -> Told {
        let half = self.seats.len() / 2;
        let seats = self.seats.iter().skip(half * usize::try_from(self.number).expect("0 or 1")).take(half);
        let holds: Vec<_> = seats.map(|seat| self.hold(UserId(5_000), None, *seat)).collect();
        let mut told = Told::default();
        for answer in self.at_once(holds).await {
            match answer {
                Ok(_) => told.add("held", 1),
                Err(SaleError::Refused(Refusal::TooManySeats { .. })) => told.add("too many", 1),
                Err(other) => panic!("the buyer was told: {other}"),
            }
        }
        told
    }

    /// Node 0 pays, node 1 cancels, each at a moment of its own around the deadline.
    async fn endings(&self, orders: &[String]) -> Told {
        let mut random = StdRng::seed_from_u64(self.number.unsigned_abs());
        let mut endings = Vec::new();
        for (index, order) in orders.iter().enumerate() {
            let (node, number, order) = (self.node.clone(), self.number, order_id(order));
            let buyer = ending_buyer(index);
            let known = node.engine.sales.order(buyer, order).await.expect("it was made before");
            // A third at the same moment, a third about then, a third at the deadline.
            let at = match index % 3 {
                0 => Timestamp(0),
                1 => self.at.plus_ms(random.random_range(0..30)),
                _ => known.expires_at.plus_ms(random.random_range(-15..15)),
            };
            endings.push(async move {
                SystemClock.sleep_until(at).await;
                let sales = &node.engine.sales;
                let (done, what) = if number == 0 {
                    (sales.pay(buyer, None, order).await.map(drop), "paid")
                } else {
                    (sales.cancel(buyer, order).await.map(drop), "cancelled")
                };
                match done {
                    Ok(()) => what,
                    Err(SaleError::Refused(_)) => "refused",
                    Err(other) => panic!("the buyer was told: {other}"),
                }
            });
        }
        let mut told = Told::default();
        for answer in self.at_once(endings).await {
            told.add(answer, 1);
            told.answers.push(answer.to_owned());
        }
        told
    }

    /// Holds and charges, the same ones on both nodes.
    async fn same_keys(&self) -> Told {
        let numbered = |index: usize| 1_000_000 + index as u64;
        let buyer = |index: usize| UserId(20_000 + index as i64);
        let holds = self.seats.iter().enumerate();
        let holds: Vec<_> =
            holds.map(|(index, seat)| self.hold(buyer(index), Some(numbered(index)), *seat)).collect();
        let charges: Vec<_> = (0..self.seats.len())
            .map(|index| {
                let (node, key) = (self.node.clone(), key(2_000_000 + index as u64));
                async move { node.engine.sales.charge(buyer(index), key, 1 + index as i64).await }
            })
            .collect();
        let (held, charged) = tokio::join!(self.at_once(holds), self.at_once(charges));
        let held = held.into_iter().map(|answer| {
            let (order, replayed) = answer.expect("the seat is for this buyer");
            (order.0.to_string(), replayed)
        });
        let charged = charged.into_iter().map(|answer| {
            let charged = answer.expect("points can be charged");
            (charged.balance.to_string(), charged.replayed)
        });
        let mut told = Told::default();
        for (answer, replayed) in held.chain(charged) {
            told.add(if replayed { "replayed" } else { "done" }, 1);
            told.answers.push(answer);
        }
        told
    }

    async fn charges(&self, buyer: UserId) -> Told {
        let charges: Vec<_> = (1..=CHARGES)
            .map(|amount| {
                let node = self.node.clone();
                async move { node.engine.sales.charge(buyer, None, amount).await.map(|_| amount) }
            })
            .collect();
        let mut told = Told::default();
        for answer in self.at_once(charges).await {
            told.add("charged", answer.expect("points can be charged").unsigned_abs());
        }
        told
    }
}

/// A buyer: takes one to three seats that are not known to be gone and pays; if that fails, others,
/// until there are none. Returns how many seats and how many refusals they got.
async fn shop(
    node: Arc<Node>,
    performance: PerformanceId,
    seats: Vec<SeatId>,
    buyer: UserId,
    gone: Arc<Mutex<HashSet<SeatId>>>,
) -> (u64, u64) {
    let sales = &node.engine.sales;
    let mut random = StdRng::seed_from_u64(buyer.0.unsigned_abs());
    let mut refused = 0;
    loop {
        let statuses = sales.view(performance).await.expect("there is such a performance").statuses();
        let mut free: Vec<SeatId> = {
            let gone = gone.lock().expect("nobody panics");
            let free = seats.iter().zip(statuses).filter(|(_, status)| *status == SeatStatus::Available);
            free.map(|(seat, _)| *seat).filter(|seat| !gone.contains(seat)).collect()
        };
        let wanted = random.random_range(1..=3);
        let chosen = free.partial_shuffle(&mut random, wanted).0.to_vec();
        if chosen.is_empty() {
            return (0, refused);
        }
        match sales.hold(buyer, None, performance, chosen).await {
            Ok(held) => {
                sales.charge(buyer, None, FUNDS).await.expect("points can be charged");
                sales.pay(buyer, None, held.order.id).await.expect("a fresh hold can be paid");
                return (held.order.lines().len() as u64, refused);
            }
            Err(SaleError::Refused(Refusal::SeatHeld(seat) | Refusal::SeatSold(seat))) => {
                refused += 1;
                gone.lock().expect("nobody panics").insert(seat);
            }
            Err(other) => panic!("buyer {buyer} was told: {other}"),
        }
    }
}
