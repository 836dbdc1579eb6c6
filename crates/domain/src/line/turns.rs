//! Those whose turn it is: called, or inside with a pass.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::Place;
use crate::time::Timestamp;

/// How a turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// May enter until then.
    Called(Timestamp),
    /// Is inside until then.
    Inside(Timestamp),
}

impl Turn {
    fn until(self) -> Timestamp {
        let (Self::Called(until) | Self::Inside(until)) = self;
        until
    }
}

/// All turns. They take about 50 bytes each, and there are as many as the rate and the passes'
/// lifetime allow, however many wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    turns: HashMap<Place, Turn>,
    /// One entry for each turn, due at its deadline or before it; entries of turns that have
    /// ended go when they are due.
    due: BinaryHeap<Reverse<(Timestamp, Place)>>,
    inside: u32,
}

impl Turns {
    pub(super) fn get(&self, place: Place) -> Option<Turn> {
        self.turns.get(&place).copied()
    }

    /// How many turns there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.turns.len()).expect("fewer than places")
    }

    /// How many of them are inside.
    pub(super) fn inside(&self) -> u32 {
        self.inside
    }

    pub(super) fn call(&mut self, place: Place, until: Timestamp) {
        self.turns.insert(place, Turn::Called(until));
        self.due.push(Reverse((until, place)));
    }

    /// Lets a place in, or lets it stay until a later time.
    pub(super) fn enter(&mut self, place: Place, until: Timestamp) {
        match self.turns.insert(place, Turn::Inside(until)) {
            Some(Turn::Inside(_)) => return,
            // Its entry is due earlier, and is put back then.
            Some(Turn::Called(earlier)) if earlier <= until => {}
            Some(Turn::Called(_)) | None => self.due.push(Reverse((until, place))),
        }
        self.inside += 1;
    }

    pub(super) fn end(&mut self, place: Place) -> Option<Turn> {
        let ended = self.turns.remove(&place);
        if matches!(ended, Some(Turn::Inside(_))) {
            self.inside -= 1;
        }
        ended
    }

    /// Takes away a turn whose time is up.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Place, Turn)> {
        while let Some(&Reverse((due, place))) = self.due.peek()
            && due <= now
        {
            self.due.pop();
            match self.get(place) {
                Some(turn) if turn.until() <= now => {
                    self.end(place);
                    return Some((place, turn));
                }
                Some(turn) => self.due.push(Reverse((turn.until(), place))),
                None => {}
            }
        }
        None
    }

    pub(super) fn bytes(&self) -> usize {
        // hashbrown: one byte of control per bucket, and buckets for 8/7 of the capacity.
        self.turns.capacity() * 8 / 7 * (size_of::<(Place, Turn)>() + 1)
            + self.due.capacity() * size_of::<Reverse<(Timestamp, Place)>>()
    }
}
