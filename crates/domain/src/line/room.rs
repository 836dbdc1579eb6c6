//! A room: numbers in, turns out.
//!
//! A visitor is called when their place is the lowest whose visitor is there and has had no turn.
//! The cursor goes over places that are not seen; whoever comes back to one of those is called
//! next, before the cursor moves on. Who is called has a turn: a time to enter, then a pass. A
//! turn not taken is lost to the visitor only until they ask again, and its admission is given to
//! somebody else.
//!
//! What a room does is covered by its [`RoomRecord`], written beforehand: see
//! [`Room::due_record`] and [`Room::recorded`].

use super::{
    Draw, DrawNotice, DrawRecord, Guards, Phase, Place, RoomChanges, RoomDocument, RoomRecord, SaleHealth,
    Ticket, Traffic, WaitRange, WaitingTimes, commitment,
    copy::Restored,
    gate::Gate,
    no_shows::{Presence, Survival},
    slots::SlotTimes,
    turns::{Turn, Turns},
    waiting_time::{Flow, Idle},
};
use crate::{ids::RoomId, time::Timestamp};

/// The most numbers that a room gives out, whoever asks for them: 38 MB of bits, and 2 GB for as many
/// accounts.
pub(super) const NUMBERS_MAX: u32 = 100_000_000;

/// A waiting room.
#[derive(Clone, Debug)]
pub struct Room {
    pub(super) id: RoomId,
    /// The last record that is on disk.
    pub(super) record: RoomRecord,
    pub(super) guards: Guards,
    /// The latest time the room has been told.
    pub(super) now: Timestamp,
    /// How long the room has been open, without pauses.
    pub(super) open_ms: i64,
    pub(super) tail: u32,
    pub(super) cursor: u32,
    /// No place below this one and below the cursor is to be called. `None`: no place below the
    /// cursor is.
    pub(super) returned_from: Option<u32>,
    /// Nobody was left to be called at the last tick.
    pub(super) idle: bool,
    pub(super) draw: Draw,
    pub(super) presence: Presence,
    pub(super) turns: Turns,
    pub(super) gate: Gate,
    pub(super) presumed: Presumed,
    /// Passes that a restart has found.
    pub(super) restored: Restored,
    pub(super) waits: WaitingTimes,
    pub(super) slots: SlotTimes,
    pub(super) calls: u64,
    pub(super) lapses: u64,
    pub(super) entries: u64,
    /// Calls and entries when the sale's health was last told.
    pub(super) observed: (u64, u64),
    /// How many have come out.
    pub(super) out: u64,
    pub(super) tick: Tick,
    /// Changes for whoever keeps a copy beside the room. `None`: nobody does.
    pub(super) changed: Option<RoomChanges>,
}

/// Who may be inside since before a restart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presumed {
    /// Only places below this one had been called.
    pub(super) below: u32,
    /// How many may be inside, without those whose pass was taken back since.
    pub(super) count: u32,
    /// When the last of those passes ends.
    until: Timestamp,
}

/// What happened since the last tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Who was called, in the order of the calls.
    pub called: Vec<Place>,
    /// How many places the cursor stepped over.
    pub stepped_over: u32,
    /// How many were called and did not come.
    pub lapsed: u32,
    /// How many passes ran out.
    pub passes_ended: u32,
}

impl Tick {
    /// Adds what happened after it.
    pub fn add(&mut self, later: Self) {
        self.called.extend(later.called);
        self.stepped_over += later.stepped_over;
        self.lapsed += later.lapsed;
        self.passes_ended += later.passes_ended;
    }
}

/// How somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The lots are not drawn yet.
    PreQueue,
    /// In line.
    Waiting {
        /// The place.
        place: Place,
        /// How many places are before it.
        ahead: u32,
        /// How long it takes. `None` if nothing is known yet.
        wait: Option<WaitRange>,
    },
    /// May enter until then.
    Called {
        /// The place.
        place: Place,
        /// The deadline.
        until: Timestamp,
    },
    /// Is inside.
    Inside(Pass),
    /// Has left, has used the pass up, or let it run out; or the room has closed.
    Over,
}

/// The right to be inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Whose.
    pub place: Place,
    /// Until when.
    pub until: Timestamp,
}

/// Why something is refused. Nothing has changed, and no number is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The pre-queue has not begun.
    #[error("this waiting room is not open yet")]
    NotYet,
    /// The room has closed.
    #[error("this waiting room has closed")]
    Closed,
    /// All hundred million numbers are used up.
    #[error("this waiting room is full")]
    Full,
    /// The next block of numbers must be recorded first.
    #[error("the next numbers are not recorded yet")]
    NumbersUsedUp,
    /// No such number was given out.
    #[error("this waiting room has given out no such number")]
    UnknownTicket,
    /// Others come first.
    #[error("it is not your turn yet")]
    NotYourTurn,
    /// Left, used up or run out.
    #[error("this place in line has been used up; join again")]
    Over,
    /// The account has given up number after number.
    #[error("this account has given up too many places of this waiting room; try again later")]
    TooManyNumbers,
}

impl Room {
    /// The room behind a record: a new one, or one as a restart finds it.
    ///
    /// After a restart everybody who waits counts as seen now, who was inside may still be, and
    /// nobody is further back than before.
    #[must_use]
    pub fn new(id: RoomId, record: RoomRecord, guards: Guards, now: Timestamp) -> Self {
        let settings = record.settings;
        let mut presence = Presence::new(settings.unseen_ms, now);
        presence.presume(record.cursor, record.numbers);
        let draw = Draw::new(&record.seed, &record.public_randomness, record.cohort);
        Self {
            id,
            guards,
            now,
            open_ms: 0,
            tail: record.numbers,
            cursor: record.cursor,
            returned_from: None,
            idle: record.cursor == record.numbers,
            draw,
            presence,
            turns: Turns::new(now),
            gate: Gate::new(settings.mode, guards, now),
            presumed: Presumed {
                below: record.cursor,
                count: record.cursor.min(settings.mode.inside_max()),
                until: now.plus_ms(settings.pass_ms),
            },
            restored: Restored::default(),
            waits: WaitingTimes::default(),
            slots: SlotTimes::new(settings.pass_ms, now),
            calls: 0,
            lapses: 0,
            entries: 0,
            observed: (0, 0),
            out: 0,
            tick: Tick::default(),
            changed: None,
            record,
        }
    }

    /// Gives a number to somebody new, who counts as seen.
    ///
    /// # Errors
    /// If nobody may join now.
    pub fn join(&mut self, now: Timestamp) -> Result<Ticket, Refusal> {
        self.settle(now);
        match self.record.phase {
            Phase::Scheduled => return Err(Refusal::NotYet),
            Phase::Closed => return Err(Refusal::Closed),
            Phase::PreQueue | Phase::Open | Phase::Paused => {}
        }
        if self.tail >= NUMBERS_MAX {
            return Err(Refusal::Full);
        }
        if self.tail >= self.record.numbers {
            return Err(Refusal::NumbersUsedUp);
        }
        let ticket = Ticket(self.tail);
        self.tail += 1;
        // A ticket beyond the cohort is its place.
        self.presence.seen(ticket.0);
        if self.idle {
            self.call();
        }
        Ok(ticket)
    }

    /// Tells how somebody stands, and remembers that they are there.
    ///
    /// # Errors
    /// [`Refusal::UnknownTicket`].
    pub fn ask(&mut self, ticket: Ticket, now: Timestamp) -> Result<Standing, Refusal> {
        self.settle(now);
        if ticket.0 >= self.tail {
            return Err(Refusal::UnknownTicket);
        }
        if self.is_given_up(ticket) {
            return Ok(Standing::Over);
        }
        if self.before_opening() {
            self.presence.seen(ticket.0);
            return Ok(Standing::PreQueue);
        }
        let place = self.draw.place(ticket);
        if self.presence.is_taken(place) {
            return Ok(match self.turns.get(place) {
                Some(Turn::Called(until)) => Standing::Called { place, until },
                Some(Turn::Inside(until)) => Standing::Inside(Pass { place, until }),
                None => Standing::Over,
            });
        }
        if self.record.phase == Phase::Closed {
            return Ok(Standing::Over);
        }
        self.presence.seen(place.0);
        if place.0 < self.cursor {
            self.returned_from = Some(self.returned_from.map_or(place.0, |from| from.min(place.0)));
        }
        let ahead = place.0.saturating_sub(self.cursor);
        let wait = self.wait(ahead);
        if let Some(wait) = wait {
            self.waits.follow(place, self.open_ms, wait.expected_ms);
        }
        Ok(Standing::Waiting { place, ahead, wait })
    }

    /// Lets somebody in whose turn it is. Who is inside already gets the same pass again.
    ///
    /// # Errors
    /// If it is not their turn, or was.
    pub fn enter(&mut self, ticket: Ticket, now: Timestamp) -> Result<Pass, Refusal> {
        match self.ask(ticket, now)? {
            Standing::Called { place, until: called_until } => {
                let called_at = called_until.plus_ms(-self.record.settings.claim_ms);
                self.slots.entered(self.now, self.now.since_ms(called_at));
                let until = self.now.plus_ms(self.record.settings.pass_ms);
                let until = self.turns.enter(place, until);
                self.changes(place);
                self.waits.entered(place, self.open_ms);
                self.entries += 1;
                Ok(Pass { place, until })
            }
            Standing::Inside(pass) => Ok(pass),
            Standing::PreQueue | Standing::Waiting { .. } => Err(Refusal::NotYourTurn),
            Standing::Over => Err(Refusal::Over),
        }
    }

    /// Lets a pass last until `until`, if it did not before: as long as what was held with it.
    ///
    /// # Errors
    /// If there is no pass.
    pub fn extend(&mut self, ticket: Ticket, until: Timestamp, now: Timestamp) -> Result<Pass, Refusal> {
        let Pass { place, until: before } = self.pass(ticket, now)?;
        if until <= before {
            return Ok(Pass { place, until: before });
        }
        self.slots.extended(before, until, self.now);
        let until = self.turns.enter(place, until);
        self.changes(place);
        Ok(Pass { place, until })
    }

    /// Uses a pass up: it has been paid with.
    ///
    /// # Errors
    /// If there is no pass.
    pub fn use_up(&mut self, ticket: Ticket, now: Timestamp) -> Result<(), Refusal> {
        let pass = self.pass(ticket, now)?;
        self.turns.end(pass.place);
        self.is_over(pass.place);
        self.came_out(pass.until);
        self.pass_on();
        Ok(())
    }

    /// Gives up a place, a turn or a pass, for good. Who does so twice is not refused.
    ///
    /// # Errors
    /// [`Refusal::UnknownTicket`].
    pub fn leave(&mut self, ticket: Ticket, now: Timestamp) -> Result<(), Refusal> {
        self.settle(now);
        if ticket.0 >= self.tail {
            return Err(Refusal::UnknownTicket);
        }
        if self.before_opening() {
            // Unseen, so stepped over; before the draw a ticket's place is not known.
            if self.guards.given_up {
                self.gives_up(ticket);
            } else {
                self.presence.forget(Place(ticket.0));
            }
            return Ok(());
        }
        if self.is_given_up(ticket) {
            return Ok(());
        }
        let place = self.draw.place(ticket);
        match self.turns.end(place) {
            Some(Turn::Called(_)) => self.gate.owe(1),
            Some(Turn::Inside(until)) => self.came_out(until),
            None => {}
        }
        self.presence.take(place);
        self.is_over(place);
        self.pass_on();
        Ok(())
    }

    /// The pass of somebody who is inside.
    ///
    /// # Errors
    /// If they are not.
    pub fn pass(&mut self, ticket: Ticket, now: Timestamp) -> Result<Pass, Refusal> {
        self.settle(now);
        if ticket.0 >= self.tail {
            return Err(Refusal::UnknownTicket);
        }
        if self.is_given_up(ticket) {
            return Err(Refusal::Over);
        }
        if self.before_opening() {
            return Err(Refusal::NotYourTurn);
        }
        let place = self.draw.place(ticket);
        match self.turns.get(place) {
            Some(Turn::Inside(until)) => Ok(Pass { place, until }),
            None if self.presence.is_taken(place) => Err(Refusal::Over),
            Some(Turn::Called(_)) | None => Err(Refusal::NotYourTurn),
        }
    }

    /// Takes back a pass that was given out before a restart, good until `until`. One that a restart has
    /// found as it was before it was extended lasts as long as it says.
    ///
    /// # Errors
    /// If there cannot be such a pass, or it has been used up since.
    pub fn resume(&mut self, ticket: Ticket, until: Timestamp, now: Timestamp) -> Result<Pass, Refusal> {
        let known = self.pass(ticket, now);
        let place = self.draw.place(ticket);
        if matches!(known, Ok(_) | Err(Refusal::Over))
            && let Some(until) = self.restored.extended(place, until)
            && until > self.now
        {
            self.changes(place);
            return Ok(Pass { place, until: self.turns.enter(place, until) });
        }
        let unknown = known == Err(Refusal::NotYourTurn) && self.turns.get(place).is_none();
        if !unknown || place.0 >= self.presumed.below {
            return known;
        }
        if until <= self.now || until > self.presumed.until {
            return Err(Refusal::Over);
        }
        self.presumed.count = self.presumed.count.saturating_sub(1);
        self.presence.take(place);
        self.changes(place);
        Ok(Pass { place, until: self.turns.enter(place, until) })
    }

    /// Calls whoever may be called now. To be done about ten times a second.
    pub fn advance(&mut self, now: Timestamp) -> Tick {
        self.settle(now);
        if !self.before_opening() {
            self.presence.settle_given_up(&self.draw);
        }
        if self.presence.rotate(self.cursor, self.tail, self.now) {
            self.waits.forget_below(self.cursor, self.open_ms, self.record.settings.claim_ms);
        }
        if self.record.phase == Phase::Open {
            self.call();
            self.waits.note(self.open_ms, self.cursor, self.out, self.entries);
        }
        self.slots.go_on(self.now);
        std::mem::take(&mut self.tick)
    }

    /// Tells how the sale fared in the last second; only the adaptive mode listens.
    pub fn observe(&mut self, health: SaleHealth) {
        let (calls, entries) = std::mem::replace(&mut self.observed, (self.calls, self.entries));
        if self.record.phase == Phase::Open {
            let since = |now: u64, before: u64| u32::try_from(now - before).unwrap_or(u32::MAX);
            let (calls, entries) = (since(self.calls, calls), since(self.entries, entries));
            self.gate.observe(health, Traffic { calls, entries, fully_used: !self.idle });
        }
    }

    /// What everybody may know.
    #[must_use]
    pub fn document(&self) -> RoomDocument {
        let RoomRecord { settings, schedule, seed, phase, cohort, revision, .. } = &self.record;
        let commitment = commitment(self.id, seed);
        let draw = if self.before_opening() {
            DrawNotice::Committed(commitment)
        } else {
            DrawNotice::Drawn(DrawRecord {
                room: self.id,
                cohort: *cohort,
                commitment,
                seed: *seed,
                public_randomness: self.record.public_randomness.clone(),
            })
        };
        let inside = self.turns.inside();
        RoomDocument {
            room: self.id,
            revision: *revision,
            phase: *phase,
            settings: *settings,
            schedule: *schedule,
            tail: self.tail,
            cursor: self.cursor,
            inside,
            called: self.turns.len() - inside,
            admissions_per_second: self.gate.per_second(),
            places_per_second: self.waits.places_per_second(),
            waits: self.wait_points(),
            wait_spread_percent: self.waits.spread_percent(),
            wait_error_percent: self.waits.errors().percentile(0.5),
            no_show_percent: (self.lapses * 100 / self.calls.max(1)).min(100) as u32,
            draw,
        }
    }

    /// Bytes that the room takes, counted from what its parts have reserved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.presence.bytes()
            + self.turns.bytes()
            + self.waits.bytes()
            + self.record.public_randomness.capacity()
    }

    /// Waits at some distances, from the front to the end of the line.
    fn wait_points(&self) -> Vec<(u32, WaitRange)> {
        let waiting = u64::from(self.tail - self.cursor);
        let distances = [0, 1, 2, 4, 8, 16, 24, 32, 48, 64].map(|part| (waiting * part / 64) as u32);
        distances.iter().filter_map(|ahead| self.wait(*ahead).map(|wait| (*ahead, wait))).collect()
    }

    pub(super) fn before_opening(&self) -> bool {
        self.record.phase <= Phase::PreQueue
    }

    pub(super) fn wait(&self, ahead: u32) -> Option<WaitRange> {
        let mut survival = self.presence.survival();
        let (admissions_per_second, idle) = match (self.gate.per_second(), self.slots.mean_s()) {
            (Some(set), _) => (set, Idle::default()),
            (None, Some(slot_s)) => {
                // Better than the line's speed, which is that of a window that was just filled.
                survival = survival.or_else(|| self.waits.entering_share().map(Survival::without_age));
                let slots = f64::from(self.record.settings.mode.inside_max());
                (slots / slot_s, self.idle_slots(slot_s))
            }
            // What fills an empty bank window says nothing about how fast it empties.
            (None, None) => (self.waits.out_per_second()?, Idle::default()),
        };
        self.waits.wait(ahead, Flow { admissions_per_second, idle, survival })
    }

    /// Slots kept free for those called who have gone. They counted as there because they had asked;
    /// within twice the time for which they do, nobody does any more who has gone by now.
    fn idle_slots(&self, slot_s: f64) -> Idle {
        let called = f64::from(self.turns.len() - self.turns.inside());
        Idle { per_second: called / slot_s, fades_s: 2.0 * self.record.settings.unseen_ms as f64 / 1_000.0 }
    }

    /// Somebody has come out whose pass was good until `until`.
    fn came_out(&mut self, until: Timestamp) {
        self.out += 1;
        self.slots.left(until, self.now);
    }

    /// The clock by which the room is told the time has been set, forward if `by_ms` is positive. Turns and
    /// passes last as long as they were to, and who waits waits no longer; what is announced for an hour
    /// happens at that hour.
    pub fn clock_set(&mut self, by_ms: i64) {
        self.now = self.now.plus_ms(by_ms);
        self.presence.clock_set(by_ms);
        self.turns.clock_set(by_ms);
        self.gate.clock_set(by_ms);
        self.presumed.until = self.presumed.until.plus_ms(by_ms);
        // What was measured is of other intervals now; it is measured anew.
        self.slots = SlotTimes::new(self.record.settings.pass_ms, self.now);
    }

    /// Brings the room's time up to now, and ends the turns whose time is up.
    pub(super) fn settle(&mut self, now: Timestamp) {
        if now > self.now {
            if self.record.phase == Phase::Open {
                self.open_ms += now.since_ms(self.now);
            }
            self.now = now;
        }
        while let Some((place, turn)) = self.turns.pop_due(self.now) {
            self.changes(place);
            match turn {
                Turn::Called(_) => {
                    self.presence.forget(place);
                    self.presence.give_back(place);
                    self.gate.owe(1);
                    self.lapses += 1;
                    self.tick.lapsed += 1;
                }
                Turn::Inside(until) => {
                    self.came_out(until);
                    self.tick.passes_ended += 1;
                }
            }
        }
        if self.presumed.until <= self.now {
            self.presumed.count = 0;
        }
    }
}
