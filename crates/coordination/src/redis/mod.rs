//! Rooms that several nodes share, by way of Redis.
//!
//! One node runs a room: it has the domain's room in memory, as a single node has, so rates and
//! windows are as exact. The other nodes send it what their visitors ask (`mailbox.rs`). What must
//! outlive it is copied to Redis before anybody is answered (`room_copy.rs`), under a lease that
//! another node takes when it ends. Redis may forget everything at any moment: who runs a room
//! writes the copy anew, and without both the room goes on from its record in the database.

mod breaker;
mod broadcast;
mod cache;
mod keys;
mod limiter;
mod link;
mod locks;
mod mailbox;
mod nodes;
mod room_copy;
mod runner;
mod wire;
mod wire_domain;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use onsale_domain::{
    ids::RoomId,
    line::{Pass, RoomChange, RoomDocument, RoomRecord, SaleHealth, Standing, Tick, Ticket},
    time::Timestamp,
};
use onsale_engine::{
    clock::Clock,
    ports::{Admits, Coordination, CoordinationError, Holder, Reach, RoomJournal, StoreError, Visitor},
    vitals::{Supervised, Vitals},
};
use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use self::{
    keys::Keys,
    link::Link,
    mailbox::{Incoming, LOOK, Mailbox},
    room_copy::RoomCopy,
    runner::Runner,
    wire::{Answer, Failure, Request, unavailable},
};
use crate::room::{LocalRoom, read_log};

pub use breaker::Breaker;
pub use broadcast::RedisBroadcast;
pub use cache::RedisCache;
pub use limiter::RedisLimiter;
pub use locks::RedisLocks;

/// How Redis is used.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// What all names begin with; installations that share a Redis have different ones.
    pub prefix: String,
    /// How long a node that is not heard of still runs its rooms, in milliseconds.
    pub lease_ms: u64,
    /// Off for negative controls only: whether a node that was replaced is told so.
    pub fenced: bool,
    /// Off for negative controls only: whether nodes share a limit among themselves while Redis is
    /// away.
    pub shares: bool,
    /// On for negative controls and tests with a clock of their own only: whether limits are decided at
    /// the time of the node that asks, rather than of Redis.
    pub node_clocks: bool,
    /// Spares callers a Redis that does not answer. All that use one Redis share it.
    pub breaker: Breaker,
    /// Where what works beside requests is enrolled.
    pub vitals: Vitals,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "onsale".to_owned(),
            lease_ms: 2_000,
            fenced: true,
            shares: true,
            node_clocks: false,
            breaker: Breaker::default(),
            vitals: Vitals::default(),
        }
    }
}

/// Messages that may wait to be looked at.
const INCOMING_MAX: usize = 64;

/// A lease is renewed, and others' leases are looked at, so many times while it lasts.
const LOOKS_PER_LEASE: u32 = 4;

/// What a room's runner is called when it has given the room up.
const FREE: &str = "free";

/// The coordination of several nodes.
pub struct RedisCoordination {
    shared: Arc<Shared>,
    _parts: [Supervised; 2],
}

struct Shared {
    rooms: RwLock<HashMap<RoomId, Arc<Served>>>,
    journal: Arc<dyn RoomJournal>,
    clock: Arc<dyn Clock>,
    link: Link,
    keys: Keys,
    options: RedisOptions,
    mailbox: Mailbox,
    /// When Redis was last found away: a node that starts then must not ask for each of its rooms.
    away_at: Mutex<Option<Instant>>,
}

/// A room that this node serves, whoever runs it.
struct Served {
    admits: Admits,
    run: Mutex<Run>,
    /// Held while the room is taken.
    taking: tokio::sync::Mutex<()>,
}

/// Who runs a room.
#[derive(Clone)]
enum Run {
    /// Nobody that is known, since then.
    Nobody(Instant),
    /// The node that a token names.
    Elsewhere(String),
    Here(Arc<Runner>),
}

impl RedisCoordination {
    /// Rooms that write their records to `journal` and are shared over the Redis at `url`:
    /// `redis://[user:password@]host[:port][/database]`, or `redis://host:port,host:port` for some
    /// nodes of a Cluster. Needs Redis 7 or Valkey. Begins to work at once, and to connect; must be
    /// called inside a Tokio runtime.
    ///
    /// # Errors
    /// If the URL is not understood.
    pub fn start(
        url: &str,
        options: RedisOptions,
        journal: Arc<dyn RoomJournal>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let open = |blocking| Link::open(url, blocking, &options.breaker).map_err(StoreError::Rejected);
        let (link, inbox) = (open(Duration::ZERO)?, open(LOOK)?);
        let keys = Keys::new(&options.prefix);
        let (incoming, requests) = mpsc::channel(INCOMING_MAX);
        let vitals = options.vitals.clone();
        let node = format!("{:016x}", rand::random::<u64>());
        let mailbox = Mailbox::open(&vitals, node, link.clone(), inbox, keys.clone(), incoming);
        let shared = Shared {
            rooms: RwLock::default(),
            journal,
            clock,
            link,
            keys,
            options,
            mailbox,
            away_at: Mutex::default(),
        };
        let shared = Arc::new(shared);
        let (serving, keeping) = (Arc::downgrade(&shared), Arc::downgrade(&shared));
        let requests = Arc::new(tokio::sync::Mutex::new(requests));
        let serve = vitals.supervise("the server of other nodes' visitors", move || {
            serve_others(serving.clone(), requests.clone())
        });
        let keep = vitals.supervise("the keeper of rooms that nodes share", move || keep(keeping.clone()));
        Ok(Self { shared, _parts: [serve, keep] })
    }
}

/// Does what other nodes ask, until the adapter is dropped.
async fn serve_others(shared: Weak<Shared>, requests: Arc<tokio::sync::Mutex<mpsc::Receiver<Incoming>>>) {
    let mut requests = requests.lock().await;
    while let Some(message) = requests.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        tokio::spawn(shared.serve(message));
    }
}

/// Renews leases, and takes rooms that nobody runs, until the adapter is dropped.
async fn keep(shared: Weak<Shared>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let pause = Duration::from_millis(shared.options.lease_ms) / LOOKS_PER_LEASE;
        let rooms: Vec<_> = shared.rooms.read().iter().map(|(id, room)| (*id, room.clone())).collect();
        join_all(rooms.iter().map(|(id, room)| shared.look_after(*id, room))).await;
        drop((rooms, shared));
        sleep(pause).await;
    }
}

impl Shared {
    fn room(&self, room: RoomId) -> Result<Arc<Served>, CoordinationError> {
        self.rooms.read().get(&room).cloned().ok_or(CoordinationError::NoSuchRoom(room))
    }

    /// Renews the lease, or looks who runs the room and takes it if that is nobody.
    async fn look_after(&self, id: RoomId, served: &Served) {
        let run = served.run.lock().clone();
        if let Run::Here(runner) = run {
            if let Err(runner::NotWritten::Lost) = runner.write().await {
                served.give_up(&runner);
            }
            return;
        }
        match room_copy::runner(&self.link, &self.keys.room(id)).await {
            Ok(Some(token)) if token == FREE => self.take(id, served).await,
            Ok(Some(token)) => served.run_elsewhere(token),
            Ok(None) => {
                // A Redis that has just lost everything: who runs the room says so soon.
                let patience = Duration::from_millis(self.options.lease_ms) / 2;
                if served.nobody_since().elapsed() >= patience {
                    self.take(id, served).await;
                }
            }
            Err(away) => tracing::debug!(%away, room = %id, "cannot look who runs the waiting room"),
        }
    }

    /// Takes a room if nobody runs it.
    async fn take(&self, id: RoomId, served: &Served) {
        let Ok(_one_at_a_time) = served.taking.try_lock() else { return };
        if matches!(*served.run.lock(), Run::Here(_)) {
            return;
        }
        let copy = RoomCopy {
            link: self.link.clone(),
            keys: self.keys.room(id),
            token: format!("{}/{:08x}", self.mailbox.node, rand::random::<u32>()),
            lease_ms: self.options.lease_ms,
            fenced: self.options.fenced,
        };
        let taken = Instant::now();
        match copy.take().await {
            Ok(token) if token == copy.token => {}
            Ok(token) => return served.run_elsewhere(token),
            Err(away) => {
                tracing::debug!(%away, room = %id, "cannot take the waiting room");
                *self.away_at.lock() = Some(Instant::now());
                return;
            }
        }
        match self.go_on(id, served.admits, &copy).await {
            Ok((room, version)) => {
                tracing::info!(room = %id, copied = version.is_some(), "runs the waiting room");
                *served.run.lock() = Run::Here(Arc::new(Runner::new(room, copy, version, taken)));
            }
            Err(error) => {
                tracing::warn!(%error, room = %id, "the waiting room cannot be taken");
                // If that fails, too, the lease ends by itself.
                let _ = copy.release().await;
            }
        }
    }

    /// The room as its record, its log and its copy say, and the copy's version.
    async fn go_on(
        &self,
        id: RoomId,
        admits: Admits,
        copy: &RoomCopy,
    ) -> Result<(LocalRoom, Option<String>), StoreError> {
        let record = self.journal.take(id).await?;
        let log = read_log(&*self.journal, id, self.clock.now()).await?;
        let (version, known) = copy.read(record.numbers).await?.unzip();
        let (journal, clock) = (self.journal.clone(), self.clock.clone());
        let room = LocalRoom::new(id, admits, record, log, known, journal, clock);
        Ok((room.copied(), version))
    }

    /// Does what other nodes ask, and answers.
    async fn serve(self: Arc<Self>, message: Incoming) {
        let Incoming { from, requests } = message;
        join_all(requests.into_iter().map(async |(number, room, request)| {
            let answer = self.perform_here(&from, room, request).await;
            self.mailbox.answer(&from, number, answer);
        }))
        .await;
    }

    async fn perform_here(&self, from: &str, room: RoomId, request: Request) -> Result<Answer, Failure> {
        let served = self.room(room)?;
        let Some(runner) = served.runner() else { return Err(Failure::NotRunHere) };
        let answer = runner.perform(from, request).await;
        self.heed(&served, &runner, answer).await.map_err(Failure::from)
    }

    /// What a room answered. One whose records are refused has been taken by another node.
    async fn heed<T>(
        &self,
        served: &Served,
        runner: &Arc<Runner>,
        answer: Result<T, CoordinationError>,
    ) -> Result<T, CoordinationError> {
        if let Err(CoordinationError::Unavailable(StoreError::Rejected(why))) = &answer {
            tracing::info!(%why);
            runner.release().await;
            served.give_up(runner);
            return Err(unavailable("the waiting room is changing nodes"));
        }
        answer
    }

    /// Does something to a room, here or where it is run.
    async fn perform(&self, room: RoomId, request: Request) -> Result<Answer, CoordinationError> {
        let served = self.room(room)?;
        let node = &self.mailbox.node;
        for _ in 0..2 {
            let run = served.run.lock().clone();
            let token = match run {
                Run::Here(runner) => {
                    let answer = runner.perform(node, request).await;
                    return self.heed(&served, &runner, answer).await;
                }
                Run::Elsewhere(token) => token,
                Run::Nobody(_) => {
                    self.look_after(room, &served).await;
                    continue;
                }
            };
            let runner = token.split('/').next().unwrap_or_default();
            match self.mailbox.ask(runner, room, request.clone()).await {
                Err(Failure::NotRunHere) => {
                    served.run_not_by(&token);
                    self.look_after(room, &served).await;
                }
                answer => return answer.map_err(|failure| failure.error(room)),
            }
        }
        Err(unavailable(format!("no node runs the waiting room {room} just now")))
    }
}

impl Served {
    fn runner(&self) -> Option<Arc<Runner>> {
        match &*self.run.lock() {
            Run::Here(runner) => Some(runner.clone()),
            Run::Nobody(_) | Run::Elsewhere(_) => None,
        }
    }

    fn run_elsewhere(&self, token: String) {
        let mut run = self.run.lock();
        if !matches!(*run, Run::Here(_)) {
            *run = Run::Elsewhere(token);
        }
    }

    /// Since when nobody runs the room; since now, if that was not known.
    fn nobody_since(&self) -> Instant {
        let mut run = self.run.lock();
        match *run {
            Run::Nobody(since) => since,
            Run::Here(_) => Instant::now(),
            Run::Elsewhere(_) => {
                let now = Instant::now();
                *run = Run::Nobody(now);
                now
            }
        }
    }

    fn run_not_by(&self, token: &str) {
        let mut run = self.run.lock();
        if matches!(&*run, Run::Elsewhere(known) if known == token) {
            *run = Run::Nobody(Instant::now());
        }
    }

    /// Another node has the room now. What this one knows of it is old.
    fn give_up(&self, runner: &Arc<Runner>) {
        let mut run = self.run.lock();
        if matches!(&*run, Run::Here(known) if Arc::ptr_eq(known, runner)) {
            *run = Run::Nobody(Instant::now());
        }
    }
}

#[async_trait]
impl Coordination for RedisCoordination {
    fn reach(&self) -> Reach {
        Reach::Fleet
    }

    fn runs(&self, room: RoomId) -> bool {
        self.shared.room(room).is_ok_and(|served| served.runner().is_some())
    }

    /// The record is read from the journal when the room is taken.
    async fn add_room(&self, id: RoomId, admits: Admits, _: RoomRecord) -> Result<(), CoordinationError> {
        let served = Served {
            admits,
            run: Mutex::new(Run::Nobody(Instant::now())),
            taking: tokio::sync::Mutex::default(),
        };
        let served = Arc::new(served);
        {
            let mut rooms = self.shared.rooms.write();
            if rooms.contains_key(&id) {
                return Err(CoordinationError::RoomExists(id));
            }
            rooms.insert(id, served.clone());
        }
        let away_at = *self.shared.away_at.lock();
        if away_at.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            self.shared.take(id, &served).await;
        }
        Ok(())
    }

    async fn join(&self, room: RoomId, visitor: Visitor) -> Result<Ticket, CoordinationError> {
        match self.shared.perform(room, Request::Join(visitor)).await? {
            Answer::Ticket(ticket) => Ok(ticket),
            _ => Err(nonsense()),
        }
    }

    async fn ask(&self, room: RoomId, holder: Holder) -> Result<Standing, CoordinationError> {
        match self.shared.perform(room, Request::Ask(holder)).await? {
            Answer::Standing(standing) => Ok(standing),
            _ => Err(nonsense()),
        }
    }

    async fn enter(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError> {
        pass(self.shared.perform(room, Request::Enter(holder)).await?)
    }

    async fn pass(&self, room: RoomId, holder: Holder) -> Result<Pass, CoordinationError> {
        pass(self.shared.perform(room, Request::Pass(holder)).await?)
    }

    async fn resume(
        &self,
        room: RoomId,
        holder: Holder,
        until: Timestamp,
    ) -> Result<Pass, CoordinationError> {
        pass(self.shared.perform(room, Request::Resume(holder, until)).await?)
    }

    async fn extend(
        &self,
        room: RoomId,
        holder: Holder,
        until: Timestamp,
    ) -> Result<Pass, CoordinationError> {
        pass(self.shared.perform(room, Request::Extend(holder, until)).await?)
    }

    async fn use_up(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError> {
        self.shared.perform(room, Request::UseUp(holder)).await.map(drop)
    }

    async fn leave(&self, room: RoomId, holder: Holder) -> Result<(), CoordinationError> {
        self.shared.perform(room, Request::Leave(holder)).await.map(drop)
    }

    async fn advance(&self, room: RoomId) -> Result<Tick, CoordinationError> {
        let served = self.shared.room(room)?;
        let Some(runner) = served.runner() else { return Ok(Tick::default()) };
        let tick = runner.advance().await;
        self.shared.heed(&served, &runner, tick).await
    }

    async fn observe(&self, room: RoomId, health: SaleHealth) -> Result<(), CoordinationError> {
        match self.shared.room(room)?.runner() {
            Some(runner) => runner.observe(&self.shared.mailbox.node, health),
            None => drop(self.shared.perform(room, Request::Observe(health)).await?),
        }
        Ok(())
    }

    async fn change(&self, room: RoomId, change: RoomChange) -> Result<RoomDocument, CoordinationError> {
        if let RoomChange::Settings(settings) = &change {
            settings.validate().map_err(onsale_domain::line::ChangeError::from)?;
        }
        document(self.shared.perform(room, Request::Change(change)).await?)
    }

    async fn document(&self, room: RoomId) -> Result<RoomDocument, CoordinationError> {
        document(self.shared.perform(room, Request::Document).await?)
    }

    async fn retire(&self) {
        let rooms: Vec<_> = self.shared.rooms.write().drain().map(|(_, room)| room).collect();
        join_all(rooms.iter().map(async |room| {
            if let Some(runner) = room.runner() {
                runner.release().await;
            }
        }))
        .await;
    }
}

fn pass(answer: Answer) -> Result<Pass, CoordinationError> {
    match answer {
        Answer::Pass(pass) => Ok(pass),
        _ => Err(nonsense()),
    }
}

fn document(answer: Answer) -> Result<RoomDocument, CoordinationError> {
    match answer {
        Answer::Document(document) => Ok(document.0),
        _ => Err(nonsense()),
    }
}

fn nonsense() -> CoordinationError {
    StoreError::Broken("the node that runs the waiting room answered something else".to_owned()).into()
}
