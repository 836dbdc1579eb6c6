//! Changes of a room that the log, or a copy, does not have yet.

use onsale_domain::{
    ids::UserId,
    line::{Place, PlaceState, Room, RoomChanges, Ticket, Turn},
};

use crate::log::Entry;

/// The state of a room's places and numbers, or the part of it that has changed.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) places: Vec<(Place, PlaceState)>,
    /// Numbers that were given up before the opening.
    pub(crate) given_up: Vec<Ticket>,
    /// Numbers and the accounts that have them. `None`: nobody's any more.
    pub(crate) accounts: Vec<(Ticket, Option<UserId>)>,
}

impl Knowledge {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.given_up.is_empty() && self.accounts.is_empty()
    }
}

/// Changes in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) changes: RoomChanges,
    pub(super) accounts: Vec<(Ticket, Option<UserId>)>,
}

impl Pending {
    pub(super) fn add(&mut self, changes: &RoomChanges) {
        self.changes.places.extend(&changes.places);
        self.changes.over.extend(&changes.over);
        self.changes.given_up.extend(&changes.given_up);
    }

    /// Adds what happened after it.
    pub(super) fn append(&mut self, later: Self) {
        self.add(&later.changes);
        self.accounts.extend(later.accounts);
    }

    /// The log's entries for these changes. A call is not told: whoever was called is called again.
    pub(super) fn entries(&mut self, room: &Room) -> Vec<Entry> {
        once(&mut self.changes.places);
        let numbers = self.accounts.iter();
        let numbers = numbers.filter_map(|(ticket, account)| Some(Entry::Number(*ticket, (*account)?)));
        let passes = self.changes.places.iter().filter_map(|place| match room.place_state(*place).turn {
            Some(Turn::Inside(until)) => Some(Entry::Inside(*place, until)),
            Some(Turn::Called(_)) | None => None,
        });
        let given_up = self.changes.given_up.iter().map(|ticket| Entry::GivenUp(*ticket));
        let over = self.changes.over.iter().map(|place| Entry::Over(*place));
        numbers.chain(given_up).chain(passes).chain(over).collect()
    }

    /// The part that a copy must know.
    pub(super) fn knowledge(mut self, room: &Room) -> Knowledge {
        once(&mut self.changes.places);
        let places = self.changes.places.iter().map(|place| (*place, room.place_state(*place))).collect();
        Knowledge { places, given_up: self.changes.given_up, accounts: self.accounts }
    }
}

fn once(places: &mut Vec<Place>) {
    places.sort_unstable();
    places.dedup();
}
