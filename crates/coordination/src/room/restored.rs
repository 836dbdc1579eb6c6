//! A room as its record, its log and perhaps a copy say.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicU64},
};

use onsale_domain::{
    ids::RoomId,
    line::{Place, PlaceState, RoomRecord, Turn},
    time::Timestamp,
};
use onsale_engine::{
    clock::Clock,
    ports::{Admits, RoomJournal, StoreError},
};
use parking_lot::Mutex;

use super::{AtomicU32, Knowledge, LocalRoom, Pending, State};
use crate::log::{self, Log};

/// Up to so much, in milliseconds, clocks of two nodes may differ; a log that is further ahead was
/// written by a clock that has been set back since.
const CLOCKS_DIFFER_MS: i64 = 60_000;

/// Reads a room's log, and begins it if there is none.
pub(crate) async fn read_log(
    journal: &dyn RoomJournal,
    room: RoomId,
    now: Timestamp,
) -> Result<Log, StoreError> {
    let mut log = Log::default();
    let mut after = 0;
    loop {
        let rows = journal.log(room, after).await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        for (_, row) in &rows {
            log.read(row)?;
        }
    }
    if log.rows == 0 {
        journal.append(room, log::rows(now, &[])).await?;
    }
    Ok(log)
}

impl LocalRoom {
    /// A room that has just been read. `copy` is what somebody who keeps a copy knows, who may know more
    /// than the log.
    pub(crate) fn new(
        id: RoomId,
        admits: Admits,
        record: RoomRecord,
        log: Log,
        copy: Option<Knowledge>,
        journal: Arc<dyn RoomJournal>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let reading = clock.reading();
        let now = reading.now;
        // Of a room that an earlier version ran the log does not tell everything.
        let whole = log.rows > 0 || record.numbers == 0;
        let mut state = State::new(id, admits, record, reading);
        let behind_ms = log.at.map_or(0, |at| at.since_ms(now));
        let behind_ms = if behind_ms > CLOCKS_DIFFER_MS { behind_ms } else { 0 };
        for (ticket, account) in &log.numbers {
            state.accounts.set(*account, *ticket);
        }
        let over = PlaceState { taken: true, turn: None };
        state.room.restore(log.given_up.iter().copied(), log.over.iter().map(|place| (*place, over)));
        if whole || copy.is_some() {
            state.room.knows_all_passes();
        }
        let copied = copy.map(|copy| state.restore_copy(copy, &log, behind_ms)).unwrap_or_default();
        let passes = log.passes.into_iter().filter(|(place, _)| !copied.contains(place));
        state.room.restore_passes(passes, behind_ms);
        Self {
            id,
            state: Mutex::new(state),
            writing: tokio::sync::Mutex::default(),
            logging: tokio::sync::Mutex::default(),
            logged: AtomicU64::new(0),
            ticks: AtomicU32::new(0),
            journal,
            clock,
        }
    }

    /// A room that somebody keeps a copy of.
    pub(crate) fn copied(self) -> Self {
        self.state.lock().copy = Some(Pending::default());
        self
    }
}

impl State {
    /// Puts back what a copy knows; the places of which it knows something. The log is told what it does
    /// not know yet: the copy is written more often.
    fn restore_copy(&mut self, copy: Knowledge, log: &Log, behind_ms: i64) -> HashSet<Place> {
        let logged: HashMap<_, _> = log.numbers.iter().map(|(ticket, account)| (*account, *ticket)).collect();
        for (ticket, account) in copy.accounts {
            let Some(account) = account else { continue };
            // A copy that has lost what it had acknowledged may be older than the log.
            if logged.get(&account).is_none_or(|logged| *logged < ticket) {
                self.accounts.set(account, ticket);
                self.log.accounts.push((ticket, Some(account)));
            }
        }
        let given_up = copy.given_up.into_iter().filter(|ticket| !log.given_up.contains(ticket));
        let given_up: Vec<_> = given_up.collect();
        self.room.restore(given_up.iter().copied(), []);
        self.log.changes.given_up.extend(given_up);
        let mut known = HashSet::new();
        for (place, mut state) in copy.places {
            let entered_since =
                matches!(state.turn, Some(Turn::Called(_))) && log.passes.contains_key(&place);
            if entered_since {
                continue;
            }
            known.insert(place);
            if log.over.contains(&place) {
                continue;
            }
            match &mut state.turn {
                Some(Turn::Inside(until)) => {
                    if log.passes.get(&place) != Some(until) {
                        self.log.changes.places.push(place);
                    }
                    *until = until.plus_ms(-behind_ms);
                }
                Some(Turn::Called(until)) => *until = until.plus_ms(-behind_ms),
                // It has run out, if the log knows the pass and it could.
                None if log.passes.contains_key(&place) => {}
                None if state.taken => self.log.changes.over.push(place),
                None => {}
            }
            self.room.restore([], [(place, state)]);
        }
        let Pending { changes, accounts } = &self.log;
        self.changes +=
            (changes.places.len() + changes.over.len() + changes.given_up.len() + accounts.len()) as u64;
        known
    }
}
