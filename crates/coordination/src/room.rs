//! One room: the domain's, who has joined, and the order of its records.

use std::sync::Arc;

use onsale_domain::{
    ids::{RoomId, UserId},
    line::{
        ChangeError, Guards, Place, PlaceState, Refusal, Room, RoomDocument, RoomRecord, Standing, Tick,
        Ticket,
    },
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
    /// Numbers whose account changed, for a copy of the room. `None`: nobody keeps one.
    changed: Option<Vec<(Ticket, Option<UserId>)>>,
}

/// What is known of a room's places and numbers, or what of it has changed.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) places: Vec<(Place, PlaceState)>,
    /// Whose a number is. `None`: nobody's any more.
    pub(crate) accounts: Vec<(Ticket, Option<UserId>)>,
}

impl Knowledge {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.accounts.is_empty()
    }
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
            state: Mutex::new(State { room, accounts, changed: None }),
            writing: tokio::sync::Mutex::default(),
            journal,
            clock,
        }
    }

    /// A room that somebody keeps a copy of, and what the copy knows of it. `None`: there is no copy
    /// yet, so what is known is as after a crash.
    pub(crate) fn copied(self, copy: Option<Knowledge>) -> Self {
        let mut state = self.state.lock();
        if let Some(Knowledge { places, accounts: numbers }) = copy {
            state.room.restore(places);
            if let Some(accounts) = &mut state.accounts {
                for (ticket, account) in numbers {
                    if let Some(account) = account {
                        accounts.set(account, ticket);
                    }
                }
            }
        }
        state.room.note_changes();
        state.changed = Some(Vec::new());
        drop(state);
        self
    }

    /// What has changed since this was called last.
    pub(crate) fn take_changes(&self) -> Knowledge {
        let mut state = self.state.lock();
        let accounts = state.changed.as_mut().map(std::mem::take).unwrap_or_default();
        Knowledge { places: state.room.take_changes(), accounts }
    }

    /// What is known of the numbers, and of the places, from `from` up to, without, `to`. `None` if
    /// no number from `from` on has been given out.
    pub(crate) fn known(&self, from: u32, to: u32) -> Option<Knowledge> {
        let state = self.state.lock();
        if from >= state.room.tail() {
            return None;
        }
        let numbers = (from..to).map(Ticket);
        let accounts = state.accounts.as_ref().map(|accounts| {
            numbers.filter_map(|ticket| Some((ticket, Some(accounts.holder(ticket)?)))).collect()
        });
        let places = state.room.known_places(Place(from), Place(to));
        Some(Knowledge { places, accounts: accounts.unwrap_or_default() })
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
        self.remember(account, ticket);
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
            self.remember(account, holder.ticket);
        }
        Ok(())
    }

    fn forget(&mut self, holder: Holder) {
        if let (Some(accounts), Visitor::Account(account)) = (&mut self.accounts, holder.visitor)
            && accounts.get(account) == Some(holder.ticket)
        {
            accounts.remove(account);
            if let Some(changed) = &mut self.changed {
                changed.push((holder.ticket, None));
            }
        }
    }

    fn remember(&mut self, account: UserId, ticket: Ticket) {
        let Some(accounts) = &mut self.accounts else { return };
        let before = accounts.get(account);
        accounts.set(account, ticket);
        if let Some(changed) = &mut self.changed {
            changed.extend(before.map(|before| (before, None)));
            changed.push((ticket, Some(account)));
        }
    }
}
