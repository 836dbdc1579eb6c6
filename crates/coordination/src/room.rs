//! One room: the domain's, who has joined, and the order of its records.

use std::sync::Arc;

use onsale_domain::{
    ids::RoomId,
    line::{ChangeError, Guards, Refusal, Room, RoomDocument, RoomRecord, Standing, Tick, Ticket},
    time::Timestamp,
};
use onsale_engine::{
    clock::Clock,
    ports::{Admits, CoordinationError, Holder, RoomJournal, Visitor},
};
use parking_lot::Mutex;

use crate::accounts::Accounts;

/// How many records a tick writes at most: each lets the cursor go on by more than 500 places, or
/// by a thirtieth of a long line, so one tick passes whatever was left behind.
const RECORDS_PER_TICK_MAX: u32 = 256;

/// A room in the process. The lock is held for a few hundred nanoseconds, never while something
/// is written.
pub(crate) struct LocalRoom {
    id: RoomId,
    state: Mutex<State>,
    /// Records are written one after the other.
    writing: tokio::sync::Mutex<()>,
    journal: Arc<dyn RoomJournal>,
    clock: Arc<dyn Clock>,
}

struct State {
    room: Room,
    /// `None`: anybody may join, nobody is remembered.
    accounts: Option<Accounts>,
}

impl LocalRoom {
    pub(crate) fn new(
        id: RoomId,
        admits: Admits,
        record: RoomRecord,
        journal: Arc<dyn RoomJournal>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let room = Room::new(id, record, Guards::default(), clock.now());
        let accounts = match admits {
            Admits::Accounts => Some(Accounts::default()),
            Admits::Anybody => None,
        };
        Self {
            id,
            state: Mutex::new(State { room, accounts }),
            writing: tokio::sync::Mutex::default(),
            journal,
            clock,
        }
    }

    pub(crate) async fn join(&self, visitor: Visitor) -> Result<Ticket, CoordinationError> {
        loop {
            match self.state.lock().join(visitor, self.clock.now()) {
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
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.claim(holder, now)?;
        Ok(act(&mut state.room, now)?)
    }

    pub(crate) fn leave(&self, holder: Holder) -> Result<(), CoordinationError> {
        self.with(holder, |room, now| room.leave(holder.ticket, now))?;
        self.state.lock().forget(holder);
        Ok(())
    }

    pub(crate) async fn advance(&self) -> Result<Tick, CoordinationError> {
        let mut tick = Tick::default();
        for _ in 0..RECORDS_PER_TICK_MAX {
            self.write_due().await?;
            let now = self.clock.now();
            let mut state = self.state.lock();
            tick.add(state.room.advance(now));
            // The cursor may have come to the last place that is recorded.
            if state.room.due_record(now).is_none() {
                break;
            }
        }
        Ok(tick)
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
        let Some(record) = record(&self.state.lock().room, self.clock.now())? else { return Ok(()) };
        self.journal.record(self.id, &record).await?;
        self.state.lock().room.recorded(record, self.clock.now());
        Ok(())
    }

    pub(crate) fn with_room<T>(&self, act: impl FnOnce(&mut Room) -> T) -> T {
        act(&mut self.state.lock().room)
    }

    pub(crate) fn document(&self) -> RoomDocument {
        self.with_room(|room| room.document())
    }
}

impl State {
    fn join(&mut self, visitor: Visitor, now: Timestamp) -> Result<Ticket, CoordinationError> {
        let Some(accounts) = &mut self.accounts else { return Ok(self.room.join(now)?) };
        let Visitor::Account(account) = visitor else { return Err(CoordinationError::AccountNeeded) };
        if let Some(ticket) = accounts.get(account)
            && self.room.ask(ticket, now)? != Standing::Over
        {
            return Ok(ticket);
        }
        let ticket = self.room.join(now)?;
        accounts.set(account, ticket);
        Ok(ticket)
    }

    /// Sees to it that an account has one live place. After a restart the room learns the accounts'
    /// numbers from those who ask; of two numbers the lower one counts.
    fn claim(&mut self, holder: Holder, now: Timestamp) -> Result<(), CoordinationError> {
        let Some(accounts) = &mut self.accounts else { return Ok(()) };
        let Visitor::Account(account) = holder.visitor else { return Err(CoordinationError::AccountNeeded) };
        let known = accounts.get(account);
        if known == Some(holder.ticket) {
            return Ok(());
        }
        let over = |standing| matches!(standing, Ok(Standing::Over) | Err(_));
        let known = known.filter(|known| !over(self.room.ask(*known, now)));
        if let Some(known) = known
            && known < holder.ticket
        {
            return Err(Refusal::Over.into());
        }
        if !over(self.room.ask(holder.ticket, now)) {
            if let Some(known) = known {
                self.room.leave(known, now)?;
            }
            accounts.set(account, holder.ticket);
        }
        Ok(())
    }

    fn forget(&mut self, holder: Holder) {
        if let (Some(accounts), Visitor::Account(account)) = (&mut self.accounts, holder.visitor)
            && accounts.get(account) == Some(holder.ticket)
        {
            accounts.remove(account);
        }
    }
}
