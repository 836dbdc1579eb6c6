//! An audit of a database that is being sold from says nothing that is not so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use onsale_contract::sale::stage::{Setup, Stage};
use onsale_domain::{ids::UserId, sale::SaleRules};
use onsale_engine::{
    audit::{AuditReport, audit},
    clock::SystemClock,
    ports::{AuditStore, FrozenStore, StoreError},
};
use onsale_store::{SqlStore, negative_control::read_without_snapshot};
use tokio::time::{Instant, sleep};

use crate::world::open;

/// Buyers at the same time.
const BUYERS: usize = 8;

/// How often a database is audited while they buy.
const AUDITS: u32 = 12;

/// How long a control may take to see what is not so.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads without a snapshot.
struct Torn {
    store: Arc<SqlStore>,
    says_so: bool,
}

#[async_trait]
impl AuditStore for Torn {
    async fn freeze(&self) -> Result<Box<dyn FrozenStore>, StoreError> {
        Ok(read_without_snapshot(&self.store, self.says_so))
    }
}

/// A sale that goes on until it is dropped.
struct Sale {
    store: Arc<SqlStore>,
    stop: Arc<AtomicBool>,
    steps: Arc<AtomicU32>,
    buyers: Vec<tokio::task::JoinHandle<()>>,
}

impl Sale {
    async fn begin(url: &str) -> Self {
        let store = Arc::new(open(url).await);
        let rules = SaleRules { seats_per_buyer_max: 4, hold_ms: 1_000, ..SaleRules::default() };
        let setup = Setup { rows: 10, seats_per_row: 40, rules, ..Setup::default() };
        let stage = Arc::new(Stage::build(store.clone(), Arc::new(SystemClock), setup).await);
        let (stop, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let buyers = (0..BUYERS)
            .map(|buyer| tokio::spawn(buy(stage.clone(), buyer, stop.clone(), steps.clone())))
            .collect();
        Self { store, stop, steps, buyers }
    }

    async fn end(self) {
        self.stop.store(true, SeqCst);
        for buyer in self.buyers {
            buyer.await.expect("no buyer panics");
        }
    }
}

/// Charges, holds, pays, gives back, lets lapse, and locks, with another account each time.
async fn buy(stage: Arc<Stage>, number: usize, stop: Arc<AtomicBool>, steps: Arc<AtomicU32>) {
    let sales = &stage.engine.sales;
    let seats = &stage.seats[number * 50..(number + 1) * 50];
    let mut round = 0_usize;
    while !stop.load(SeqCst) {
        round += 1;
        let user = UserId((1 + number + BUYERS * (round % 500)) as i64);
        let pair = vec![seats[2 * round % 40], seats[2 * round % 40 + 1]];
        // Whatever is refused is refused; what counts is that much happens.
        let _ = sales.charge(user, None, 200_000).await;
        if let Ok(held) = sales.hold(user, None, stage.performance, pair).await
            && !round.is_multiple_of(3)
        {
            let _ = sales.pay(user, None, held.order.id).await;
            if round % 3 == 2 || !round.is_multiple_of(20) {
                let _ = sales.cancel(user, held.order.id).await;
            }
        }
        let lock = vec![seats[40 + round % 10]];
        let _ = sales.lock_seats(UserId(1), stage.performance, lock, round.is_multiple_of(2)).await;
        steps.fetch_add(1, SeqCst);
    }
}

async fn look(store: &dyn AuditStore) -> AuditReport {
    audit(store, |_, _| {}).await.expect("the audit runs").without_accounts()
}

async fn nothing_is_said_that_is_not_so(url: String) {
    let sale = Sale::begin(&url).await;
    for number in 0..AUDITS {
        let before = sale.steps.load(SeqCst);
        let report = look(&*sale.store).await;
        assert!(report.is_clean(), "audit {number} found {:#?}", report.violations);
        while sale.steps.load(SeqCst) < before + 10 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    // Where there is no snapshot and that is known, suspects are looked for again.
    let known = Torn { store: sale.store.clone(), says_so: true };
    let report = look(&known).await;
    assert!(report.is_clean(), "without a snapshot it found {:#?}", report.violations);
    // The control: an audit that reads without a snapshot and trusts what it sees.
    let torn = Torn { store: sale.store.clone(), says_so: false };
    let begun = Instant::now();
    while look(&torn).await.is_clean() {
        assert!(begun.elapsed() < PATIENCE, "the sale is too slow to show what a snapshot is for");
    }
    let store = sale.store.clone();
    sale.end().await;
    let report = look(&*store).await;
    assert!(report.is_clean(), "at rest it found {:#?}", report.violations);
    assert!(report.counts.payments_refunded > 10, "too little happened: {:?}", report.counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_that_is_not_so_on_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    nothing_is_said_that_is_not_so(format!("sqlite:{}", folder.path().join("onsale.db").display())).await;
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_said_that_is_not_so() {
        super::nothing_is_said_that_is_not_so(onsale_testbed::postgres().fresh_database().await).await;
    }
}

mod mariadb {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_said_that_is_not_so() {
        super::nothing_is_said_that_is_not_so(onsale_testbed::mariadb().fresh_database().await).await;
    }
}
