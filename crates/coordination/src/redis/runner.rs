//! A room that this node runs: the room in the process, and its copy in Redis.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use onsale_domain::{
    line::{SaleHealth, Tick},
    time::Timestamp,
};
use onsale_engine::ports::{CoordinationError, StoreError};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    link::Away,
    room_copy::{CHANGES_MAX, RoomCopy, Written},
    wire::{Answer, Request, unavailable},
};
use crate::room::LocalRoom;

/// How long what a node told of its sale's health counts.
const HEALTH_KEPT: Duration = Duration::from_secs(3);

/// A room that this node runs.
///
/// Requests change the room at once. Nobody is answered before the change is in the copy: while one
/// write is under way others gather for the next, which then answers them all.
pub(super) struct Runner {
    pub(super) room: LocalRoom,
    copy: RoomCopy,
    /// How many writes have been asked for.
    asked: AtomicU64,
    state: tokio::sync::Mutex<CopyState>,
    health: Mutex<HashMap<String, (Instant, SaleHealth)>>,
}

struct CopyState {
    /// The version in Redis. `None`: it must be written anew.
    version: Option<String>,
    /// How often it has been written.
    writes: u64,
    renewed: Instant,
    /// Writes up to this one have been done, or have failed.
    done: u64,
    failed: u64,
    lost: bool,
}

/// Why a change did not get into the copy.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// Another node runs the room.
    Lost,
    /// Redis does not answer.
    Away(Option<Away>),
}

impl Runner {
    /// A room that was taken just before `taken`, with the version of its copy in Redis.
    pub(super) fn new(room: LocalRoom, copy: RoomCopy, version: Option<String>, taken: Instant) -> Self {
        let state = CopyState { version, writes: 0, renewed: taken, done: 0, failed: 0, lost: false };
        Self {
            room,
            copy,
            asked: AtomicU64::new(0),
            state: tokio::sync::Mutex::new(state),
            health: Mutex::default(),
        }
    }

    /// Does what is asked. After `Ok` every node that runs the room next knows of it.
    pub(super) async fn perform(&self, from: &str, request: Request) -> Result<Answer, CoordinationError> {
        let done = self.apply(from, request).await;
        // Also a refusal is told only by the node that runs the room.
        self.write().await.map_err(not_written)?;
        done
    }

    /// Lets the room go on.
    pub(super) async fn advance(&self) -> Result<Tick, CoordinationError> {
        let tick = self.room.advance().await;
        self.write().await.map_err(not_written)?;
        tick
    }

    async fn apply(&self, from: &str, request: Request) -> Result<Answer, CoordinationError> {
        let room = &self.room;
        Ok(match request {
            Request::Join(visitor) => Answer::Ticket(room.join(visitor).await?),
            Request::Ask(holder) => {
                Answer::Standing(room.with(holder, |room, now| room.ask(holder.ticket, now))?)
            }
            Request::Enter(holder) => Answer::Pass(room.enter(holder).await?),
            Request::Pass(holder) => {
                Answer::Pass(room.with(holder, |room, now| room.pass(holder.ticket, now))?)
            }
            Request::Resume(holder, until) => Answer::Pass(room.resume(holder, until).await?),
            Request::Extend(holder, until) => {
                Answer::Pass(room.with(holder, |room, now| room.extend(holder.ticket, until, now))?)
            }
            Request::UseUp(holder) => {
                room.use_up(holder).await?;
                Answer::Done
            }
            Request::Leave(holder) => {
                room.leave(holder).await?;
                Answer::Done
            }
            Request::Observe(health) => {
                self.health.lock().insert(from.to_owned(), (Instant::now(), health));
                Answer::Done
            }
            Request::Change(change) => {
                room.write(|room, now: Timestamp| room.changed(change, now).map(Some)).await?;
                Answer::document(room.document())
            }
            Request::Document => Answer::document(room.document()),
        })
    }

    /// Tells the room how the sale fares on the node that fares worst.
    pub(super) fn observe(&self, from: &str, health: SaleHealth) {
        let mut told = self.health.lock();
        told.retain(|_, (at, _)| at.elapsed() < HEALTH_KEPT);
        told.insert(from.to_owned(), (Instant::now(), health));
        let worst = told.values().map(|(_, health)| *health).reduce(|one, other| SaleHealth {
            latency_ms: one.latency_ms.max_by(other.latency_ms),
            queue_share: one.queue_share.max(other.queue_share),
        });
        drop(told);
        if let Some(worst) = worst {
            self.room.with_room(|room| room.observe(worst));
        }
    }

    /// Brings the copy up to what the room is now, and sees to it that the lease does not end.
    pub(super) async fn write(&self) -> Result<(), NotWritten> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut state = self.state.lock().await;
        if state.lost {
            return Err(NotWritten::Lost);
        }
        if state.done >= mine {
            return Ok(());
        }
        if state.failed >= mine {
            return Err(NotWritten::Away(None));
        }
        let all = self.asked.load(Ordering::SeqCst);
        let written = self.bring_up(&mut state).await;
        match &written {
            Ok(()) => state.done = all,
            Err(NotWritten::Lost) => state.lost = true,
            Err(NotWritten::Away(_)) => {
                // Whether it was written is unknown.
                state.version = None;
                state.failed = all;
            }
        }
        written
    }

    async fn bring_up(&self, state: &mut CopyState) -> Result<(), NotWritten> {
        let changes = self.room.take_changes();
        let Some(version) = state.version.clone() else { return self.write_anew(state).await };
        let fresh = state.renewed.elapsed() < Duration::from_millis(self.copy.lease_ms / 4);
        if changes.is_empty() && fresh {
            return Ok(());
        }
        let now = Instant::now();
        let next = state.next_version(&self.copy.token);
        match self.copy.write(&version, &next, &changes).await? {
            Written::Done => {
                state.version = Some(next);
                state.renewed = now;
                Ok(())
            }
            Written::Lost | Written::Stale => self.write_anew(state).await,
        }
    }

    /// Redis has lost the copy, or may have: it is written from the beginning, if nobody else has
    /// taken the room meanwhile.
    async fn write_anew(&self, state: &mut CopyState) -> Result<(), NotWritten> {
        state.version = None;
        let now = Instant::now();
        if self.copy.take().await? != self.copy.token && self.copy.fenced {
            return Err(NotWritten::Lost);
        }
        let numbers = self.room.with_room(|room| room.record().numbers);
        done(self.copy.clear(numbers).await?)?;
        let mut from: u32 = 0;
        let step = u32::try_from(CHANGES_MAX).expect("small");
        while let Some(known) = self.room.known(from, from.saturating_add(step)) {
            if !known.is_empty() {
                done(self.copy.write("", "", &known).await?)?;
            }
            from = from.saturating_add(step);
        }
        // What has changed since it was read.
        let next = state.next_version(&self.copy.token);
        done(self.copy.write("", &next, &self.room.take_changes()).await?)?;
        state.version = Some(next);
        state.renewed = now;
        tracing::info!("the copy of a waiting room in Redis was written anew");
        Ok(())
    }

    /// Lets another node take the room at once.
    pub(super) async fn release(&self) {
        if let Err(error) = self.room.log_all().await {
            tracing::debug!(%error, "the log of a waiting room lacks its last moment");
        }
        let _ = self.write().await;
        let mut state = self.state.lock().await;
        state.lost = true;
        if let Err(away) = self.copy.release().await {
            tracing::debug!(%away, "a waiting room was not given up");
        }
    }
}

impl CopyState {
    fn next_version(&mut self, token: &str) -> String {
        self.writes += 1;
        format!("{token}#{}", self.writes)
    }
}

/// A copy that is being written anew is nobody else's meanwhile.
fn done(written: Written) -> Result<(), NotWritten> {
    match written {
        Written::Done => Ok(()),
        Written::Lost | Written::Stale => Err(NotWritten::Away(None)),
    }
}

impl From<Away> for NotWritten {
    fn from(away: Away) -> Self {
        Self::Away(Some(away))
    }
}

fn not_written(error: NotWritten) -> CoordinationError {
    match error {
        NotWritten::Lost => unavailable("the waiting room is changing nodes"),
        NotWritten::Away(Some(away)) => StoreError::from(away).into(),
        NotWritten::Away(None) => unavailable("Redis does not answer"),
    }
}

/// The larger of two that may be missing.
trait MaxBy {
    fn max_by(self, other: Self) -> Self;
}

impl MaxBy for Option<f64> {
    fn max_by(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        }
    }
}
