//! What another process must know of a room to go on exactly where this one is: who has had a turn,
//! and how the turns stand. The rest follows from the record, or is learnt again.

use super::{Place, Room, turns::Turn};

/// What is known of a place beside its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceState {
    /// Whether its turn has come, or it was given up.
    pub taken: bool,
    /// The turn, while there is one.
    pub turn: Option<Turn>,
}

impl Room {
    /// From now on remembers which places change, for [`Room::take_changes`].
    pub fn note_changes(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// The places that changed since this was called last, as they are now.
    pub fn take_changes(&mut self) -> Vec<(Place, PlaceState)> {
        let mut places = self.changed.as_mut().map(std::mem::take).unwrap_or_default();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| (place, self.place_state(place))).collect()
    }

    /// The places from `from` up to, without, `to` of which something is known.
    #[must_use]
    pub fn known_places(&self, from: Place, to: Place) -> Vec<(Place, PlaceState)> {
        let places =
            (from.0..to.0.min(self.tail)).map(|place| (Place(place), self.place_state(Place(place))));
        places.filter(|(_, state)| state.taken || state.turn.is_some()).collect()
    }

    /// How many numbers have been given out.
    #[must_use]
    pub fn tail(&self) -> u32 {
        self.tail
    }

    /// Puts back everything that was known of places when another process ran the room. Only for a
    /// room that has just been made from its record: who may be inside is not presumed any more.
    pub fn restore(&mut self, places: impl IntoIterator<Item = (Place, PlaceState)>) {
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
        self.presumed.below = 0;
        self.presumed.count = 0;
    }

    pub(super) fn place_state(&self, place: Place) -> PlaceState {
        PlaceState { taken: self.presence.is_taken(place), turn: self.turns.get(place) }
    }

    /// Something about a place's turn changes.
    pub(super) fn changes(&mut self, place: Place) {
        if let Some(changed) = &mut self.changed {
            changed.push(place);
        }
    }
}
