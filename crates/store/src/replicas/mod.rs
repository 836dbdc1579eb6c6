//! Replicas: reads that may be a moment old are done on them, in turn.
//!
//! Only what everybody may see goes there (see [`CatalogueStore`]), so nobody ever reads their own
//! orders, balance or tokens from a replica. Two rules keep those reads right: a replica is not
//! used while it is further behind than allowed, nor before it has replayed the last change of the
//! catalogue made through this store. While such a change is under way, none is used: one of them may
//! show it and another not yet. All this is checked on what the replica was last seen to be when
//! it is chosen, and again once the very snapshot has been taken that is read: it may have been
//! restarted, or be one of several behind one address. A read that fails on a replica is done on the
//! database.
//!
//! [`CatalogueStore`]: onsale_engine::ports::CatalogueStore

mod health;
mod heartbeat;

use std::{
    fmt::Display,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use metrics::{Counter, Gauge, counter, gauge};
use onsale_engine::{
    ports::{ReplicaCondition, ReplicaHealth, StoreError},
    vitals::Supervised,
};
use sea_orm::{DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::{
    health::{Health, is_complete},
    heartbeat::Beats,
};
use crate::{StoreOptions, connect, dialect::Dialect, error::store_error};

/// The most replicas of one database.
pub const REPLICAS_MAX: usize = 32;

/// How long to wait for a connection to a replica. The driver tries again and again meanwhile, also
/// where nothing listens any more, and a read waits with it.
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);

/// How long a replica may take to answer a check.
const CHECK_PATIENCE: Duration = Duration::from_secs(1);

/// How long a read may take on a replica before it is done on the database instead.
const READ_PATIENCE: Duration = Duration::from_secs(2);

/// The replicas of a database, watched in the background until this is dropped.
pub(crate) struct Replicas {
    replicas: Vec<Arc<Replica>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    beats: Arc<Beats>,
    lag_max: Duration,
    changes: Mutex<Changes>,
    /// Off for negative controls only.
    fresh_only: AtomicBool,
    reads_on_source: Counter,
    _watch: Vec<Supervised>,
}

/// This store's changes of the catalogue.
#[derive(Default)]
struct Changes {
    under_way: usize,
    /// When the last one ended.
    ended: Option<Instant>,
}

struct Replica {
    name: String,
    dialect: Dialect,
    reads: DatabaseConnection,
    /// Its own, so that many reads do not make a check fail.
    checks: DatabaseConnection,
    health: Mutex<Health>,
    usable: Gauge,
    lag_seconds: Gauge,
    reads_total: Counter,
}

/// Checks that URLs are those of replicas of the database at `url`, without connecting.
///
/// # Errors
/// [`StoreError::Rejected`] if one is not; the text does not repeat it, because of its password.
pub fn check_replica_urls(url: &str, replicas: &[String]) -> Result<(), StoreError> {
    if replicas.is_empty() {
        return Ok(());
    }
    if replicas.len() > REPLICAS_MAX {
        return Err(StoreError::Rejected(format!("at most {REPLICAS_MAX}, not {}", replicas.len())));
    }
    let dialect = Dialect::of_url(url)?;
    if dialect == Dialect::Sqlite {
        return Err(connect::no_replicas());
    }
    for (index, replica) in replicas.iter().enumerate() {
        let nth = |reason: &dyn Display| StoreError::Rejected(format!("number {}: {reason}", index + 1));
        if Dialect::of_url(replica).map_err(|error| nth(&error))? != dialect {
            return Err(nth(&"a replica is a database of the same kind as the original"));
        }
        connect::address(dialect, replica).map_err(|error| nth(&error))?;
    }
    Ok(())
}

impl Replicas {
    /// Begins to watch the replicas that the options name.
    pub(crate) async fn open(
        writer: &DatabaseConnection,
        dialect: Dialect,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let mut replicas = Vec::with_capacity(options.replicas.len());
        for url in &options.replicas {
            replicas.push(Arc::new(Replica::new(dialect, url, options).await?));
        }
        let beats = Arc::new(Beats::default());
        let mut watch = Vec::new();
        if !replicas.is_empty() {
            let (writer, beating, beats) = (writer.clone(), options.clone(), beats.clone());
            watch.push(options.vitals.supervise("the heartbeat for replicas", move || {
                beat_on(writer.clone(), dialect, beating.clone(), beats.clone())
            }));
        }
        for replica in &replicas {
            let (replica, beats, lag_max) = (replica.clone(), beats.clone(), options.replica_lag_max);
            watch.push(options.vitals.supervise("the check of a replica", move || {
                check_on(replica.clone(), beats.clone(), lag_max)
            }));
        }
        Ok(Self {
            replicas,
            turn: AtomicUsize::new(0),
            beats,
            lag_max: options.replica_lag_max,
            changes: Mutex::default(),
            fresh_only: AtomicBool::new(true),
            reads_on_source: counter!("onsale_source_reads_total"),
            _watch: watch,
        })
    }

    /// Reads on the replica whose turn it is. `None` if none can be used, or the one that was
    /// tried could not: then the read is for the database.
    pub(crate) async fn read<T, F>(&self, work: impl Fn(DatabaseTransaction) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let found = match self.choose() {
            None => None,
            Some(replica) => self.read_on(replica, work).await,
        };
        if found.is_none() {
            self.reads_on_source.increment(1);
        }
        found
    }

    /// The next one that can be used.
    fn choose(&self) -> Option<&Replica> {
        let first = self.turn.fetch_add(1, Relaxed);
        let (needed, now) = (self.complete_since(), Instant::now());
        let usable = |replica: &&Arc<Replica>| {
            let health = replica.health();
            if self.fresh_only.load(Relaxed) {
                health.is_usable(needed, self.lag_max, now)
            } else {
                !matches!(health.condition, ReplicaCondition::Unchecked | ReplicaCondition::Failing)
            }
        };
        let count = self.replicas.len();
        let in_turn = (0..count).map(|offset| &self.replicas[first.wrapping_add(offset) % count]);
        in_turn.into_iter().find(usable).map(Arc::as_ref)
    }

    async fn read_on<T, F>(&self, replica: &Replica, work: impl Fn(DatabaseTransaction) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let attempt = async {
            let options = replica.dialect.read_transaction();
            let read = replica.reads.begin_with_options(options).await.map_err(store_error)?;
            let shown = self.beats.complete_as_of(heartbeat::shown(&read).await?);
            // Asked now that the snapshot is taken: a change that it shows has begun, so it counts.
            let needed = self.complete_since();
            if self.fresh_only.load(Relaxed) && !is_complete(shown, needed, self.lag_max, Instant::now()) {
                return Ok(None);
            }
            work(read).await.map(Some)
        };
        match timeout(READ_PATIENCE, attempt).await {
            Ok(Ok(found)) => {
                replica.reads_total.increment(u64::from(found.is_some()));
                found
            }
            Ok(Err(error)) => {
                replica.failed(&error);
                None
            }
            Err(_) => {
                replica.failed(&"a read takes too long");
                None
            }
        }
    }

    /// Notes that the catalogue may be changed from now on until this is dropped.
    pub(crate) fn note_change(&self) -> ChangeNote<'_> {
        self.changes().under_way += 1;
        ChangeNote(self)
    }

    /// The moment as of which a state must be complete to be shown: now, which no replica's is, while
    /// a change is under way.
    fn complete_since(&self) -> Option<Instant> {
        let changes = self.changes();
        if changes.under_way > 0 { Some(Instant::now()) } else { changes.ended }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How they are doing.
    pub(crate) fn health(&self) -> Vec<ReplicaHealth> {
        self.replicas.iter().map(|replica| replica.report()).collect()
    }

    /// Turns the rules about freshness off.
    pub(crate) fn use_stale(&self) {
        self.fresh_only.store(false, Relaxed);
    }

    /// Ends the watch and closes the connections.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        let Self { replicas, _watch: watch, .. } = self;
        for part in watch {
            part.end().await;
        }
        for replica in replicas {
            replica.reads.close_by_ref().await.map_err(store_error)?;
            replica.checks.close_by_ref().await.map_err(store_error)?;
        }
        Ok(())
    }
}

/// See [`Replicas::note_change`]. A change that was given up half-way may have happened all the
/// same, so it is noted too.
pub(crate) struct ChangeNote<'a>(&'a Replicas);

impl Drop for ChangeNote<'_> {
    fn drop(&mut self) {
        let mut changes = self.0.changes();
        changes.under_way -= 1;
        changes.ended = Some(Instant::now());
    }
}

impl Replica {
    async fn new(dialect: Dialect, url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let name = connect::address(dialect, url)?;
        let reads = StoreOptions { patience: CONNECT_PATIENCE, ..options.clone() };
        let checks = StoreOptions { readers: 1, ..reads.clone() };
        let usable = gauge!("onsale_replica_usable", "replica" => name.clone());
        usable.set(0.0);
        Ok(Self {
            reads: connect::connect_replica(dialect, url, &reads).await?,
            checks: connect::connect_replica(dialect, url, &checks).await?,
            dialect,
            health: Mutex::new(Health::new()),
            usable,
            lag_seconds: gauge!("onsale_replica_lag_seconds", "replica" => name.clone()),
            reads_total: counter!("onsale_replica_reads_total", "replica" => name.clone()),
            name,
        })
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) -> ReplicaHealth {
        let health = self.health();
        let lag = health.lag(Instant::now());
        let lag_ms = lag.map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
        ReplicaHealth { name: self.name.clone(), condition: health.condition, lag_ms }
    }

    async fn check(&self, beats: &Beats, lag_max: Duration) {
        match timeout(CHECK_PATIENCE, heartbeat::shown(&self.checks)).await {
            Ok(Ok(beat)) => self.change(None, |health| {
                health.answered(beat, beats, lag_max, Instant::now());
            }),
            Ok(Err(error)) => self.failed(&error),
            Err(_) => self.failed(&"no answer to a check"),
        }
    }

    fn failed(&self, why: &dyn Display) {
        self.change(Some(why), Health::failed);
    }

    /// Changes what is known, and tells the log and the metrics.
    fn change(&self, why: Option<&dyn Display>, change: impl FnOnce(&mut Health)) {
        let (before, after, lag) = {
            let mut health = self.health();
            let before = health.condition;
            change(&mut health);
            (before, health.condition, health.lag(Instant::now()))
        };
        self.usable.set(f64::from(u8::from(after == ReplicaCondition::Usable)));
        if let Some(lag) = lag {
            self.lag_seconds.set(lag.as_secs_f64());
        }
        if before == after {
            return;
        }
        let replica = &self.name;
        match after {
            ReplicaCondition::Usable => tracing::info!(%replica, "the replica is used"),
            ReplicaCondition::Failing => {
                let error = why.map(ToString::to_string);
                tracing::warn!(%replica, error, "the replica fails and is left out");
            }
            ReplicaCondition::Behind => tracing::warn!(%replica, ?lag, "the replica is behind and left out"),
            ReplicaCondition::Foreign => {
                tracing::error!(%replica, "this is no replica of database.url and is left out");
            }
            ReplicaCondition::Unchecked | ReplicaCondition::Returning => {}
        }
    }
}

/// Raises the heartbeat's number, which means nothing where there are no replicas.
pub(crate) async fn raise_beat(
    writer: &DatabaseConnection,
    dialect: Dialect,
    options: &StoreOptions,
) -> Result<(), StoreError> {
    heartbeat::beat(writer, dialect, options).await.map(drop)
}

/// Beats for ever.
async fn beat_on(writer: DatabaseConnection, dialect: Dialect, options: StoreOptions, beats: Arc<Beats>) {
    let mut ticks = ticks();
    loop {
        ticks.tick().await;
        match heartbeat::beat(&writer, dialect, &options).await {
            Ok((beat, before)) => beats.add(beat, before),
            // Then the replicas are found to be behind, which the log tells.
            Err(error) => tracing::debug!(%error, "no heartbeat for the replicas"),
        }
    }
}

/// Checks a replica for ever.
async fn check_on(replica: Arc<Replica>, beats: Arc<Beats>, lag_max: Duration) {
    let mut ticks = ticks();
    loop {
        ticks.tick().await;
        replica.check(&beats, lag_max).await;
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(heartbeat::PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
