//! Another process that is to go on exactly where this one is must know: who has had a turn, how the
//! turns stand, and which numbers were given up. The rest follows from the record, or is learnt again.

use std::collections::HashMap;

use super::{Place, Room, Ticket, turns::Turn};
use crate::time::Timestamp;

/// What is known of a place beside its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceState {
    /// Whether its turn has come, or it was given up.
    pub taken: bool,
    /// The turn, while there is one.
    pub turn: Option<Turn>,
}

/// For how long after its end a pass is remembered that a restart has found, in milliseconds: a day, the
/// longest that anything in a room lasts.
const RESTORED_MS_MAX: i64 = 86_400_000;

/// Passes as they were written down before a restart.
#[derive(Clone, Debug, Default)]
pub(super) struct Restored {
    passes: HashMap<Place, Timestamp>,
    /// How far the clock was ahead of this process's when they were written.
    behind_ms: i64,
}

impl Restored {
    /// Until when a pass is good by this process's clock that says `until` and that was extended after it
    /// was written down. `None` if it was not.
    pub(super) fn extended(&mut self, place: Place, until: Timestamp) -> Option<Timestamp> {
        let written = self.passes.get_mut(&place)?;
        (until > *written).then(|| {
            *written = until;
            until.plus_ms(-self.behind_ms)
        })
    }
}

/// Places and numbers of which something has changed, each once, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomChanges {
    /// Places; how they are now tells [`Room::place_state`].
    pub places: Vec<Place>,
    /// Places that are over because somebody said so, by paying or by leaving, not because time passed.
    pub over: Vec<Place>,
    /// Numbers that were given up before the opening, when nobody had a place.
    pub given_up: Vec<Ticket>,
}

impl Room {
    /// From now on remembers what changes, for [`Room::take_changes`].
    pub fn note_changes(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// Takes the changes since this was called last.
    pub fn take_changes(&mut self) -> RoomChanges {
        let mut changes = self.changed.as_mut().map(std::mem::take).unwrap_or_default();
        for places in [&mut changes.places, &mut changes.over] {
            places.sort_unstable();
            places.dedup();
        }
        changes.given_up.sort_unstable();
        changes.given_up.dedup();
        changes
    }

    /// The places from `from` up to, without, `to` of which something is known.
    #[must_use]
    pub fn known_places(&self, from: Place, to: Place) -> Vec<(Place, PlaceState)> {
        if self.before_opening() {
            return Vec::new();
        }
        let places =
            (from.0..to.0.min(self.tail)).map(|place| (Place(place), self.place_state(Place(place))));
        places.filter(|(_, state)| state.taken || state.turn.is_some()).collect()
    }

    /// The numbers from `from` up to, without, `to` that were given up before the opening. Some time after
    /// it there are none any more: their places are known as taken.
    #[must_use]
    pub fn given_up(&self, from: Ticket, to: Ticket) -> Vec<Ticket> {
        let numbers = (from.0..to.0.min(self.tail)).map(Ticket);
        numbers.filter(|ticket| self.is_given_up(*ticket)).collect()
    }

    /// How many numbers have been given out.
    #[must_use]
    pub fn tail(&self) -> u32 {
        self.tail
    }

    /// Puts back what was known when another process ran the room: numbers given up before the opening, and
    /// the state of places. Only for a room that has just been made from its record.
    pub fn restore(
        &mut self,
        given_up: impl IntoIterator<Item = Ticket>,
        places: impl IntoIterator<Item = (Place, PlaceState)>,
    ) {
        for ticket in given_up {
            if self.before_opening() {
                self.presence.give_up(ticket);
            } else {
                self.presence.take(self.draw.place(ticket));
            }
        }
        for (place, state) in places {
            if state.taken {
                self.presence.take(place);
            }
            match state.turn {
                Some(Turn::Called(until)) => self.turns.call(place, until),
                Some(Turn::Inside(until)) => {
                    self.turns.enter(place, until);
                }
                None => {}
            }
        }
    }

    /// All passes that were given out are known: who may be inside is not presumed any more.
    pub fn knows_all_passes(&mut self) {
        self.presumed.below = 0;
        self.presumed.count = 0;
    }

    /// Puts back passes as they were written down some time before another process ended, `behind_ms` ahead
    /// of this one's clock. Whoever shows one that lasts longer was given it after that, and has it again,
    /// see [`Room::resume`]. Only for a room that has just been made from its record.
    pub fn restore_passes(&mut self, passes: impl IntoIterator<Item = (Place, Timestamp)>, behind_ms: i64) {
        let forgotten = self.now.plus_ms(-RESTORED_MS_MAX);
        self.restored.behind_ms = behind_ms;
        for (place, written) in passes {
            self.presence.take(place);
            let until = written.plus_ms(-behind_ms);
            if until > forgotten {
                self.restored.passes.insert(place, written);
            }
            if until > self.now {
                self.turns.enter(place, until);
            }
        }
    }

    /// How a place stands. Before the opening nobody has one.
    #[must_use]
    pub fn place_state(&self, place: Place) -> PlaceState {
        PlaceState { taken: self.presence.is_taken(place), turn: self.turns.get(place) }
    }

    /// Something about a place's turn changes.
    pub(super) fn changes(&mut self, place: Place) {
        if let Some(changed) = &mut self.changed {
            changed.places.push(place);
        }
    }

    /// A place is over, and stays so whatever token is shown.
    pub(super) fn is_over(&mut self, place: Place) {
        self.restored.passes.remove(&place);
        if let Some(changed) = &mut self.changed {
            changed.places.push(place);
            changed.over.push(place);
        }
    }

    /// A number is given up before the opening.
    pub(super) fn gives_up(&mut self, ticket: Ticket) {
        self.presence.give_up(ticket);
        if let Some(changed) = &mut self.changed {
            changed.given_up.push(ticket);
        }
    }

    pub(super) fn is_given_up(&self, ticket: Ticket) -> bool {
        self.presence.is_given_up(ticket, self.before_opening())
    }
}
