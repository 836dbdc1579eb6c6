//! Buyers who hold and pay, and who repeat every request with its key until it is answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use onsale_contract::sale::stage::{PRICE, Stage, key};
use onsale_domain::{
    ids::{OrderId, SeatId, UserId},
    offer::OfferKind,
    order::OrderStatus,
};
use onsale_engine::{
    audit::audit,
    ports::SaleStore,
    sales::{Charged, Held, Paid, SaleError},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::bed::Bed;

const BUYERS_AT_ONCE: usize = 16;
/// What each is given to spend, enough for all their seats.
const FUNDS: i64 = 5 * PRICE;
const SEATS_PER_BUYER: usize = 3;
/// Each so many requests, the caller goes away before the answer comes, and asks again.
const LEAVES_EVERY: u64 = 40;
/// A sale that has not gone on by then never will. What is promised is five seconds, which a busy
/// machine may miss; the measured time is printed.
const GOES_ON_WITHIN: Duration = Duration::from_secs(15);

/// How requests went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) holds: u64,
    pub(crate) payments: u64,
    /// Calls that ended without an answer: unknown, refused for the database's sake, or given up.
    pub(crate) unanswered: u64,
    /// Requests whose outcome was unknown, and had happened.
    pub(crate) happened: u64,
    /// Requests whose outcome was unknown, and had not happened.
    pub(crate) not_happened: u64,
    /// Holds that were refused because the database was not there for longer than its lane waits.
    pub(crate) holds_refused: u64,
}

/// What a buyer was promised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Promised {
    /// Seats of orders that are held, and those paid.
    held: BTreeMap<OrderId, SeatId>,
    paid: BTreeSet<OrderId>,
}

/// Buyers at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    buyers: Vec<JoinHandle<()>>,
}

struct Shared {
    stage: Arc<Stage>,
    started: Instant,
    stop: AtomicBool,
    users: AtomicI64,
    keys: AtomicU64,
    tally: Mutex<Tally>,
    promised: Mutex<BTreeMap<UserId, Promised>>,
    /// When the latest request was made that has become a hold, in microseconds from the start.
    held_asked_at: AtomicU64,
}

impl Load {
    pub(crate) async fn start(bed: &Bed) -> Self {
        let shared = Arc::new(Shared {
            stage: bed.stage.clone(),
            started: Instant::now(),
            stop: AtomicBool::new(false),
            users: AtomicI64::new(1),
            keys: AtomicU64::new(1),
            tally: Mutex::default(),
            promised: Mutex::default(),
            held_asked_at: AtomicU64::new(0),
        });
        let buyers = (0..BUYERS_AT_ONCE).map(|_| tokio::spawn(shop(shared.clone()))).collect();
        let load = Self { shared, buyers };
        load.next_hold_after(load.now()).await;
        load
    }

    /// The time on the load's own clock, in microseconds.
    pub(crate) fn now(&self) -> u64 {
        self.shared.now()
    }

    /// Waits for a hold that was asked for after this moment, and says how many milliseconds after
    /// it was granted.
    pub(crate) async fn next_hold_after(&self, moment: u64) -> u64 {
        let granted = async {
            while self.shared.held_asked_at.load(SeqCst) <= moment {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(GOES_ON_WITHIN, granted).await.expect("the sale does not go on");
        (self.now() - moment) / 1_000
    }

    /// Lets everybody finish, and compares what was promised with what is in the database.
    pub(crate) async fn finish(self, bed: &Bed, slowest_ms: u64) -> Tally {
        self.shared.stop.store(true, SeqCst);
        for buyer in self.buyers {
            buyer.await.expect("no buyer panics");
        }
        let tally = *self.shared.tally.lock().expect("nobody panics");
        println!("the sale went on after at most {slowest_ms} ms; {tally:?}");
        let witness = bed.witness().await;
        let promised = std::mem::take(&mut *self.shared.promised.lock().expect("nobody panics"));
        for (user, promised) in &promised {
            let page = witness.orders_of(*user, OfferKind::Performance, None, 100).await.expect("orders");
            let mut there = Promised::default();
            for order in &page.orders {
                there.held.insert(order.id, order.lines()[0].seat);
                if order.status == OrderStatus::Paid {
                    there.paid.insert(order.id);
                }
            }
            assert_eq!(&there, promised, "buyer {user}");
            let spent = PRICE * promised.paid.len() as i64;
            let wallet = witness.wallet(*user).await.expect("a wallet");
            assert_eq!(wallet.balance, FUNDS - spent, "buyer {user}");
        }
        let report = audit(&witness, |_, _| {}).await.expect("the audit runs").without_accounts();
        assert!(report.is_clean(), "the audit found: {:#?}", report.violations);
        let counts = report.counts;
        assert_eq!((counts.orders_held + counts.orders_paid, counts.payments), (tally.holds, tally.payments));
        assert!(tally.holds > 100 && tally.payments > 100, "too little happened: {tally:?}");
        tally
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("a test is short")
    }

    fn promised(&self, user: UserId, note: impl FnOnce(&mut Promised)) {
        note(self.promised.lock().expect("nobody panics").entry(user).or_default());
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally.lock().expect("nobody panics"));
    }
}

/// One buyer after the other: gets points, holds seats that nobody else wants, pays for two of three.
async fn shop(shared: Arc<Shared>) {
    let (sales, performance) = (&shared.stage.engine.sales, shared.stage.performance);
    while !shared.stop.load(SeqCst) {
        let number = shared.users.fetch_add(1, SeqCst);
        let user = UserId(number);
        let first = usize::try_from(number).expect("it is positive") * SEATS_PER_BUYER;
        let seats = &shared.stage.seats[first..first + SEATS_PER_BUYER];
        let charged = until_answered(&shared, |id| sales.charge(user, key(id), FUNDS)).await;
        assert_eq!(charged.balance, FUNDS, "points were charged twice");
        for (index, seat) in seats.iter().enumerate() {
            let held =
                until_answered(&shared, |id| sales.hold(user, key(id), performance, vec![*seat])).await;
            let order = held.order.id;
            shared.promised(user, |promised| promised.held.extend([(order, *seat)]));
            shared.count(|tally| tally.holds += 1);
            if index > 0 {
                until_answered(&shared, |id| sales.pay(user, key(id), order)).await;
                shared.promised(user, |promised| promised.paid.extend([order]));
                shared.count(|tally| tally.payments += 1);
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// An answer that may be a repeated one.
trait Answer {
    const IS_HOLD: bool;
    fn is_replayed(&self) -> bool;
}

impl Answer for Held {
    const IS_HOLD: bool = true;
    fn is_replayed(&self) -> bool {
        self.replayed
    }
}

impl Answer for Paid {
    const IS_HOLD: bool = false;
    fn is_replayed(&self) -> bool {
        self.replayed
    }
}

impl Answer for Charged {
    const IS_HOLD: bool = false;
    fn is_replayed(&self) -> bool {
        self.replayed
    }
}

/// Repeats a request with its key until it is answered.
async fn until_answered<T: Answer, F: Future<Output = Result<T, SaleError>>>(
    shared: &Shared,
    request: impl Fn(u64) -> F,
) -> T {
    let id = shared.keys.fetch_add(1, SeqCst);
    let (mut unknown, mut left) = (false, false);
    loop {
        let asked_at = shared.now();
        let patience = if id.is_multiple_of(LEAVES_EVERY) && !left { 1 } else { 60_000 };
        let answer = timeout(Duration::from_millis(patience), request(id)).await;
        match answer {
            Ok(Ok(answer)) => {
                if T::IS_HOLD && !answer.is_replayed() {
                    shared.held_asked_at.fetch_max(asked_at, SeqCst);
                }
                match (unknown, answer.is_replayed()) {
                    (true, true) => shared.count(|tally| tally.happened += 1),
                    (true, false) => shared.count(|tally| tally.not_happened += 1),
                    (false, replayed) => assert!(!replayed || left, "it was said not to have happened"),
                }
                return answer;
            }
            Ok(Err(SaleError::OutcomeUnknown)) => unknown = true,
            Ok(Err(SaleError::Unavailable(_))) => {
                shared.count(|tally| tally.holds_refused += u64::from(T::IS_HOLD));
            }
            Ok(Err(other)) => panic!("a buyer was told: {other}"),
            Err(_) if patience == 1 => left = true,
            Err(_) => panic!("a request was not answered within a minute"),
        }
        shared.count(|tally| tally.unanswered += 1);
        sleep(Duration::from_millis(5)).await;
    }
}
