//! A room on an adapter, with a clock that the test moves and a journal that the test reads.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use async_trait::async_trait;
use onsale_domain::{
    ids::{RoomId, UserId},
    line::{
        Mode, Pass, PollPolicy, Refusal, RoomChange, RoomDocument, RoomRecord, RoomSettings, Schedule,
        Standing, Ticket,
    },
    time::Timestamp,
};
use onsale_engine::{
    clock::{Clock, ManualClock},
    ports::{Admits, Coordination, CoordinationError, Holder, RoomJournal, StoreError, Visitor},
};

/// When every test begins.
pub const OPENING: Timestamp = Timestamp(1_800_000_000_000);

/// How far a tick moves the clock, in milliseconds.
pub const TICK_MS: i64 = 100;

/// Starts adapters.
#[async_trait]
pub trait Adapter: Send + Sync + 'static {
    /// An adapter that has lost everything, over a journal. When two are started one after the
    /// other, the first one is not used any more.
    async fn start(&self, journal: Arc<Journal>, clock: Arc<dyn Clock>) -> Arc<dyn Coordination>;
}

/// A journal in memory.
#[derive(Default)]
pub struct Journal {
    last: Mutex<Option<RoomRecord>>,
    log: Mutex<Vec<Vec<u8>>>,
    broken: AtomicBool,
    nodes: AtomicU64,
    /// The node that took the room last; 0 before.
    run_by: AtomicU64,
}

/// A node's way to the journal.
struct NodeJournal {
    node: u64,
    journal: Arc<Journal>,
}

impl Journal {
    /// The way to it of another node.
    #[must_use]
    pub fn node(self: &Arc<Self>) -> Arc<dyn RoomJournal> {
        let node = self.nodes.fetch_add(1, Ordering::SeqCst) + 1;
        Arc::new(NodeJournal { node, journal: self.clone() })
    }

    /// Holds a record that is there already.
    pub fn set(&self, record: RoomRecord) {
        *self.last.lock().expect("no test panics with the lock") = Some(record);
    }

    /// What was written last.
    pub fn last(&self) -> RoomRecord {
        self.last.lock().expect("no test panics with the lock").clone().expect("something was written")
    }

    /// Whether writing fails from now on.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

#[async_trait]
impl RoomJournal for NodeJournal {
    async fn take(&self, _: RoomId) -> Result<RoomRecord, StoreError> {
        self.journal.answer().await?;
        self.journal.run_by.store(self.node, Ordering::SeqCst);
        Ok(self.journal.last())
    }

    async fn record(&self, _: RoomId, record: &RoomRecord) -> Result<(), StoreError> {
        self.journal.answer().await?;
        self.journal.check(self.node)?;
        self.journal.set(record.clone());
        Ok(())
    }

    async fn append(&self, _: RoomId, rows: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.journal.answer().await?;
        self.journal.check(self.node)?;
        let mut log = self.journal.log.lock().expect("no test panics with the lock");
        log.extend(rows);
        Ok(())
    }

    async fn log(&self, _: RoomId, after: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.journal.answer().await?;
        let log = self.journal.log.lock().expect("no test panics with the lock");
        let after = usize::try_from(after).expect("numbers ascend from 1");
        Ok((1..).zip(log.iter().cloned()).skip(after).take(3).collect())
    }
}

impl Journal {
    fn check(&self, node: u64) -> Result<(), StoreError> {
        let run_by = self.run_by.load(Ordering::SeqCst);
        if run_by != 0 && run_by != node {
            return Err(StoreError::Rejected("another node runs the room".into()));
        }
        Ok(())
    }

    /// Forgets the log: what is left is as an earlier version would have left it.
    pub fn forget_log(&self) {
        self.log.lock().expect("no test panics with the lock").clear();
    }

    async fn answer(&self) -> Result<(), StoreError> {
        // Others get a turn, as while a disk is waited for.
        tokio::task::yield_now().await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the journal is broken for this test".into()));
        }
        Ok(())
    }
}

/// One room.
pub struct Stage {
    pub adapter: Arc<dyn Adapter>,
    pub rooms: Arc<dyn Coordination>,
    pub room: RoomId,
    pub admits: Admits,
    pub clock: Arc<ManualClock>,
    pub journal: Arc<Journal>,
}

/// Rooms of tests that run side by side on one server must not be the same.
static ROOMS: AtomicI64 = AtomicI64::new(1);

/// Short times: unseen after 10 s, 5 s to enter, passes of 60 s.
#[must_use]
pub fn settings(mode: Mode) -> RoomSettings {
    let poll = PollPolicy { min_ms: 500, max_ms: 3_000 };
    RoomSettings { mode, unseen_ms: 10_000, claim_ms: 5_000, pass_ms: 60_000, poll }
}

impl Stage {
    /// A room that is not open yet.
    pub async fn scheduled(adapter: Arc<dyn Adapter>, admits: Admits, mode: Mode) -> Self {
        let (journal, clock) = (Arc::new(Journal::default()), Arc::new(ManualClock::new(OPENING)));
        let rooms = adapter.start(journal.clone(), clock.clone()).await;
        let process = i64::from(std::process::id());
        let room = RoomId(process << 32 | ROOMS.fetch_add(1, Ordering::SeqCst));
        let record = RoomRecord::new(settings(mode), Schedule::default(), [3; 32]);
        journal.set(record.clone());
        rooms.add_room(room, admits, record).await.expect("a room is added");
        Self { adapter, rooms, room, admits, clock, journal }
    }

    /// A room that is open.
    pub async fn open(adapter: Arc<dyn Adapter>, admits: Admits, mode: Mode) -> Self {
        let stage = Self::scheduled(adapter, admits, mode).await;
        stage.change(RoomChange::Open).await;
        stage
    }

    /// The adapter loses everything and is started again.
    pub async fn crash(&mut self) {
        self.rooms = self.adapter.start(self.journal.clone(), self.clock.clone()).await;
        let record = self.journal.last();
        self.rooms.add_room(self.room, self.admits, record).await.expect("the room is added again");
    }

    pub async fn change(&self, change: RoomChange) -> RoomDocument {
        self.rooms.change(self.room, change).await.expect("the change is possible")
    }

    pub async fn join(&self, visitor: Visitor) -> Holder {
        let ticket = self.rooms.join(self.room, visitor).await.expect("the room takes visitors");
        Holder::new(ticket, visitor)
    }

    /// So many new visitors, from a number on.
    pub async fn crowd(&self, from: i64, count: i64) -> Vec<Holder> {
        let mut crowd = Vec::new();
        for number in from..from + count {
            crowd.push(self.join(self.visitor(number)).await);
        }
        crowd
    }

    #[must_use]
    pub fn visitor(&self, number: i64) -> Visitor {
        match self.admits {
            Admits::Accounts => account(number),
            Admits::Anybody => Visitor::Guest(u128::try_from(number).expect("numbers are positive")),
        }
    }

    pub async fn ask(&self, holder: Holder) -> Standing {
        self.rooms.ask(self.room, holder).await.expect("the number is known")
    }

    pub async fn enter(&self, holder: Holder) -> Result<Pass, Refusal> {
        refusal(self.rooms.enter(self.room, holder).await)
    }

    /// Everybody asks, and enters if called; who did.
    pub async fn all_ask(&self, crowd: &[Holder]) -> Vec<Holder> {
        let mut entered = Vec::new();
        for holder in crowd {
            if matches!(self.ask(*holder).await, Standing::Called { .. }) {
                self.enter(*holder).await.expect("who is called may enter");
                entered.push(*holder);
            }
        }
        entered
    }

    /// One tick; how many were called.
    pub async fn tick(&self) -> usize {
        self.clock.advance_ms(TICK_MS);
        self.rooms.advance(self.room).await.expect("the room goes on").called.len()
    }

    pub async fn ticks(&self, count: u32) -> usize {
        let mut called = 0;
        for _ in 0..count {
            called += self.tick().await;
        }
        called
    }

    pub async fn document(&self) -> RoomDocument {
        self.rooms.document(self.room).await.expect("there is a room")
    }
}

#[must_use]
pub fn account(number: i64) -> Visitor {
    Visitor::Account(UserId(number))
}

/// What the room's rules refused; anything else is a failure of the test.
pub fn refusal<T>(result: Result<T, CoordinationError>) -> Result<T, Refusal> {
    result.map_err(|error| match error {
        CoordinationError::Refused(refusal) => refusal,
        other => panic!("not refused but failed: {other}"),
    })
}

/// A number that was never given out.
pub const NOBODY: Ticket = Ticket(u32::MAX - 1);
