//! One room: the domain's, who has joined, and the order of its records and of its log.
//!
//! A record is written before the room acts on it. The log is written after it has acted, and before
//! anybody is answered who enters, pays, leaves or binds a guest's pass: what they were told survives
//! a crash. Who joins is not kept waiting for it; the log has them some ticks later.

mod pending;
mod restored;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use onsale_domain::{
    ids::{RoomId, UserId},
    line::{
        ChangeError, Guards, Pass, Place, Refusal, Renewals, Room, RoomDocument, RoomRecord, Standing, Tick,
        Ticket,
    },
    time::Timestamp,
};
use onsale_engine::{
    clock::{Clock, Reading},
    ports::{Admits, CoordinationError, Holder, RoomJournal, StoreError, Visitor},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use self::pending::Pending;
use crate::{accounts::Accounts, log};

pub(crate) use pending::Knowledge;
pub(crate) use restored::read_log;

/// How many records a tick writes at most: each lets the cursor go on by more than 500 places, or
/// by a thirtieth of a long line, so one tick passes whatever was left behind.
const RECORDS_PER_TICK_MAX: u32 = 256;

/// Every so many ticks what nobody waits for is added to the log.
const TICKS_PER_LOG: u32 = 2;

/// How much time lies between two additions at least, so that a rush does not keep the database's one
/// writer from selling: the next takes all that has come meanwhile.
const LOG_PAUSE: Duration = Duration::from_millis(50);

/// A room in the process. The lock is held for a few hundred nanoseconds, never while something
/// is written.
pub(crate) struct LocalRoom {
    id: RoomId,
    state: Mutex<State>,
    /// Records are written one after the other.
    writing: tokio::sync::Mutex<()>,
    /// So are additions to the log; when the last one began.
    logging: tokio::sync::Mutex<Option<Instant>>,
    /// Up to which change the log has them.
    logged: AtomicU64,
    ticks: AtomicU32,
    journal: Arc<dyn RoomJournal>,
    clock: Arc<dyn Clock>,
}

struct State {
    room: Room,
    /// By how much the clock had been set when the room was told the time last.
    set_by_ms: i64,
    admits: Admits,
    accounts: Accounts,
    renewals: Renewals,
    log: Pending,
    /// `None`: nobody keeps a copy.
    copy: Option<Pending>,
    /// How many changes there have been for the log.
    changes: u64,
}

/// Changes on their way to the log. They are put back if they may not have come there, also if whoever
/// waits for it is gone.
struct OnTheWay<'a> {
    room: &'a LocalRoom,
    changes: Option<Pending>,
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        if let Some(mut changes) = self.changes.take() {
            let mut state = self.room.state.lock();
            changes.append(std::mem::take(&mut state.log));
            state.log = changes;
        }
    }
}

impl LocalRoom {
    pub(crate) async fn join(&self, visitor: Visitor) -> Result<Ticket, CoordinationError> {
        loop {
            let joined = {
                let (mut state, now) = self.locked();
                state.join(visitor, now)
            };
            match joined {
                Err(CoordinationError::Refused(Refusal::NumbersUsedUp)) => {}
                joined => return joined,
            }
            self.write_due().await?;
        }
    }

    /// Does something to the place of somebody who has a number.
    pub(crate) fn with<T>(
        &self,
        holder: Holder,
        act: impl FnOnce(&mut Room, Timestamp) -> Result<T, Refusal>,
    ) -> Result<T, CoordinationError> {
        let (mut state, now) = self.locked();
        state.claim(holder)?;
        Ok(act(&mut state.room, now)?)
    }

    /// As [`LocalRoom::with`]; answers when the log has what was done, and all that was done before it.
    async fn with_log<T>(
        &self,
        holder: Holder,
        act: impl FnOnce(&mut Room, Timestamp) -> Result<T, Refusal> + Send,
    ) -> Result<T, CoordinationError> {
        let (done, changes) = {
            let (mut state, now) = self.locked();
            state.claim(holder)?;
            let done = act(&mut state.room, now)?;
            (done, state.gather())
        };
        self.log(changes).await?;
        Ok(done)
    }

    pub(crate) async fn enter(&self, holder: Holder) -> Result<Pass, CoordinationError> {
        self.with_log(holder, |room, now| room.enter(holder.ticket, now)).await
    }

    pub(crate) async fn use_up(&self, holder: Holder) -> Result<(), CoordinationError> {
        self.with_log(holder, |room, now| room.use_up(holder.ticket, now)).await
    }

    pub(crate) async fn leave(&self, holder: Holder) -> Result<(), CoordinationError> {
        self.with_log(holder, |room, now| room.leave(holder.ticket, now)).await
    }

    /// Takes a pass back, and binds a guest's to the account that uses it first.
    pub(crate) async fn resume(&self, holder: Holder, until: Timestamp) -> Result<Pass, CoordinationError> {
        let (pass, bound) = {
            let (mut state, now) = self.locked();
            state.claim(holder)?;
            let pass = state.room.resume(holder.ticket, until, now)?;
            let bound = state.bind(holder, now)?;
            (pass, bound.then(|| state.gather()))
        };
        if let Some(changes) = bound {
            self.log(changes).await?;
        }
        Ok(pass)
    }

    pub(crate) async fn advance(&self) -> Result<Tick, CoordinationError> {
        let mut tick = Tick::default();
        for _ in 0..RECORDS_PER_TICK_MAX {
            self.write_due().await?;
            let (mut state, now) = self.locked();
            tick.add(state.room.advance(now));
            // The cursor may have come to the last place that is recorded.
            if state.room.due_record(now).is_none() {
                break;
            }
        }
        if self.ticks.fetch_add(1, Ordering::Relaxed).is_multiple_of(TICKS_PER_LOG) {
            self.log_all().await?;
        }
        Ok(tick)
    }

    /// Brings the log up to what the room is now.
    pub(crate) async fn log_all(&self) -> Result<(), StoreError> {
        let changes = self.state.lock().gather();
        self.log(changes).await
    }

    /// Returns when the log has so many changes.
    async fn log(&self, changes: u64) -> Result<(), StoreError> {
        if self.logged.load(Ordering::Acquire) >= changes {
            return Ok(());
        }
        let mut began = self.logging.lock().await;
        // Somebody else may have taken these along.
        if self.logged.load(Ordering::Acquire) >= changes {
            return Ok(());
        }
        if let Some(began) = *began {
            tokio::time::sleep_until(began + LOG_PAUSE).await;
        }
        *began = Some(Instant::now());
        let (mut on_the_way, entries, all) = {
            let mut state = self.state.lock();
            let all = state.gather();
            let State { room, log, .. } = &mut *state;
            let entries = log.entries(room);
            (OnTheWay { room: self, changes: Some(std::mem::take(log)) }, entries, all)
        };
        if !entries.is_empty() {
            self.journal.append(self.id, log::rows(self.clock.now(), &entries)).await?;
        }
        on_the_way.changes = None;
        self.logged.store(all, Ordering::Release);
        Ok(())
    }

    /// Writes what the room must have written before it goes on.
    async fn write_due(&self) -> Result<(), CoordinationError> {
        self.write(|room, now| Ok(room.due_record(now))).await
    }

    /// Writes a record that is worked out from the room as it is, if there is one, and lets the room act on it.
    pub(crate) async fn write(
        &self,
        record: impl FnOnce(&Room, Timestamp) -> Result<Option<RoomRecord>, ChangeError> + Send,
    ) -> Result<(), CoordinationError> {
        let _one_at_a_time = self.writing.lock().await;
        let due = {
            let (state, now) = self.locked();
            record(&state.room, now)?
        };
        let Some(record) = due else { return Ok(()) };
        self.journal.record(self.id, &record).await?;
        let (mut state, now) = self.locked();
        state.room.recorded(record, now);
        Ok(())
    }

    /// The room and the time, which it has been told of if the clock has been set.
    fn locked(&self) -> (MutexGuard<'_, State>, Timestamp) {
        let mut state = self.state.lock();
        let Reading { now, set_by_ms } = self.clock.reading();
        if state.set_by_ms != set_by_ms {
            let by_ms = set_by_ms - state.set_by_ms;
            state.room.clock_set(by_ms);
            state.set_by_ms = set_by_ms;
        }
        (state, now)
    }

    pub(crate) fn with_room<T>(&self, act: impl FnOnce(&mut Room) -> T) -> T {
        act(&mut self.state.lock().room)
    }

    pub(crate) fn document(&self) -> RoomDocument {
        self.with_room(|room| room.document())
    }

    /// Takes the changes since this was called last, for a copy.
    pub(crate) fn take_changes(&self) -> Knowledge {
        let mut state = self.state.lock();
        state.gather();
        let changes = state.copy.as_mut().map(std::mem::take).unwrap_or_default();
        changes.knowledge(&state.room)
    }

    /// The knowledge of the numbers, and of the places, from `from` up to, without, `to`. `None` if
    /// no number from `from` on has been given out.
    pub(crate) fn known(&self, from: u32, to: u32) -> Option<Knowledge> {
        let state = self.state.lock();
        if from >= state.room.tail() {
            return None;
        }
        let holder = |ticket| Some((ticket, Some(state.accounts.holder(ticket)?)));
        Some(Knowledge {
            places: state.room.known_places(Place(from), Place(to)),
            given_up: state.room.given_up(Ticket(from), Ticket(to)),
            accounts: (from..to).map(Ticket).filter_map(holder).collect(),
        })
    }
}

impl State {
    fn new(id: RoomId, admits: Admits, record: RoomRecord, reading: Reading) -> Self {
        let Reading { now, set_by_ms } = reading;
        let mut room = Room::new(id, record, Guards::default(), now);
        room.note_changes();
        Self {
            room,
            set_by_ms,
            admits,
            accounts: Accounts::default(),
            renewals: Renewals::default(),
            log: Pending::default(),
            copy: None,
            changes: 0,
        }
    }

    fn join(&mut self, visitor: Visitor, now: Timestamp) -> Result<Ticket, CoordinationError> {
        let account = match visitor {
            Visitor::Account(account) => account,
            Visitor::Guest(_) if self.admits == Admits::Accounts => {
                return Err(CoordinationError::AccountNeeded);
            }
            Visitor::Guest(_) => return Ok(self.room.join(now)?),
        };
        let before = self.accounts.get(account);
        if let Some(ticket) = before
            && self.room.ask(ticket, now)? != Standing::Over
        {
            return Ok(ticket);
        }
        // How often is a matter of spans, which a clock that is set does not change.
        let steady = now.plus_ms(-self.set_by_ms);
        if before.is_some() && !self.renewals.may_take(account, steady) {
            return Err(Refusal::TooManyNumbers.into());
        }
        let ticket = self.room.join(now)?;
        if before.is_some() {
            self.renewals.taken(account, steady);
        }
        self.remember(account, ticket);
        Ok(ticket)
    }

    /// Sees to it that an account has one live number: the last that it got. A number that the room does
    /// not know was lost in a crash, and counts if the account has no other.
    fn claim(&mut self, holder: Holder) -> Result<(), CoordinationError> {
        let account = match holder.visitor {
            Visitor::Account(account) => account,
            Visitor::Guest(_) if self.admits == Admits::Accounts => {
                return Err(CoordinationError::AccountNeeded);
            }
            Visitor::Guest(_) => return Ok(()),
        };
        match self.accounts.get(account) {
            Some(known) if known == holder.ticket => Ok(()),
            Some(_) => Err(Refusal::Over.into()),
            None if holder.ticket.0 >= self.room.tail() => Err(Refusal::UnknownTicket.into()),
            None => {
                self.remember(account, holder.ticket);
                Ok(())
            }
        }
    }

    /// Makes a guest's pass that of the account that uses it, if it is nobody's yet; whether it was.
    fn bind(&mut self, holder: Holder, now: Timestamp) -> Result<bool, CoordinationError> {
        let (Visitor::Guest(_), Some(account)) = (holder.visitor, holder.used_by) else { return Ok(false) };
        match self.accounts.holder(holder.ticket) {
            Some(owner) if owner == account => return Ok(false),
            Some(_) => return Err(CoordinationError::OtherAccount),
            None => {}
        }
        if let Some(before) = self.accounts.get(account) {
            self.room.leave(before, now)?;
        }
        self.remember(account, holder.ticket);
        Ok(true)
    }

    fn remember(&mut self, account: UserId, ticket: Ticket) {
        let before = self.accounts.get(account);
        self.accounts.set(account, ticket);
        self.log.accounts.push((ticket, Some(account)));
        self.changes += 1;
        if let Some(copy) = &mut self.copy {
            copy.accounts.extend(before.map(|before| (before, None)));
            copy.accounts.push((ticket, Some(account)));
        }
    }

    /// Hands on what has changed in the room; how many changes there have been.
    fn gather(&mut self) -> u64 {
        let changes = self.room.take_changes();
        let count = changes.places.len() + changes.over.len() + changes.given_up.len();
        if count > 0 {
            self.changes += count as u64;
            if let Some(copy) = &mut self.copy {
                copy.add(&changes);
            }
            self.log.add(&changes);
        }
        self.changes
    }
}
