//! Those whose turn it is: called, or inside with a pass.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::Place;
use crate::time::Timestamp;

/// Deadlines are kept in units of so many milliseconds, rounded down.
const UNIT_MS: i64 = 100;

/// How a turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// May enter until then.
    Called(Timestamp),
    /// Is inside until then.
    Inside(Timestamp),
}

/// All turns. They take up to 35 bytes each, and there are as many as the rate and the passes'
/// lifetime allow, however many wait.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    /// What deadlines are counted from.
    base: Timestamp,
    turns: HashMap<Place, Packed>,
    /// An entry for each turn, due at its deadline or before it; entries of turns that have ended
    /// go when they are due.
    due: BinaryHeap<Reverse<(u32, Place)>>,
    inside: u32,
}

/// A turn in four bytes: the deadline in units since the base (31 bits last for six years), and
/// whether it is inside.
#[derive(Clone, Copy, Debug)]
struct Packed(u32);

const INSIDE: u32 = 1 << 31;

impl Packed {
    fn is_inside(self) -> bool {
        self.0 & INSIDE != 0
    }

    fn deadline(self) -> u32 {
        self.0 & !INSIDE
    }
}

impl Turns {
    /// Deadlines are whole units since 1970, so that they are the same in every process.
    pub(super) fn new(now: Timestamp) -> Self {
        let base = Timestamp(now.0.div_euclid(UNIT_MS) * UNIT_MS);
        Self { base, turns: HashMap::new(), due: BinaryHeap::new(), inside: 0 }
    }

    /// The clock has been set: turns last as long as they were to, to a unit.
    pub(super) fn clock_set(&mut self, by_ms: i64) {
        self.base = self.base.plus_ms(by_ms.div_euclid(UNIT_MS) * UNIT_MS);
    }

    pub(super) fn get(&self, place: Place) -> Option<Turn> {
        self.turns.get(&place).map(|turn| self.unpack(*turn))
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
        let deadline = self.units(until);
        self.turns.insert(place, Packed(deadline));
        self.due.push(Reverse((deadline, place)));
    }

    /// Lets a place in, or lets it stay until a later time. Returns until when, as it is kept.
    pub(super) fn enter(&mut self, place: Place, until: Timestamp) -> Timestamp {
        let deadline = self.units(until);
        let before = self.turns.insert(place, Packed(deadline | INSIDE));
        if !before.is_some_and(Packed::is_inside) {
            self.inside += 1;
        }
        // An entry that is due earlier is put back then.
        if before.is_none_or(|before| before.deadline() > deadline) {
            self.due.push(Reverse((deadline, place)));
        }
        self.time(deadline)
    }

    pub(super) fn end(&mut self, place: Place) -> Option<Turn> {
        let ended = self.turns.remove(&place)?;
        if ended.is_inside() {
            self.inside -= 1;
        }
        Some(self.unpack(ended))
    }

    /// Takes away a turn whose time is up.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Place, Turn)> {
        while let Some(&Reverse((due, place))) = self.due.peek()
            && self.time(due) <= now
        {
            self.due.pop();
            match self.turns.get(&place).map(|turn| turn.deadline()) {
                Some(deadline) if self.time(deadline) <= now => {
                    return self.end(place).map(|turn| (place, turn));
                }
                Some(deadline) => self.due.push(Reverse((deadline, place))),
                None => {}
            }
        }
        None
    }

    pub(super) fn bytes(&self) -> usize {
        // hashbrown: one byte of control per bucket, and buckets for 8/7 of the capacity.
        self.turns.capacity() * 8 / 7 * (size_of::<(Place, Packed)>() + 1)
            + self.due.capacity() * size_of::<Reverse<(u32, Place)>>()
    }

    fn unpack(&self, turn: Packed) -> Turn {
        let until = self.time(turn.deadline());
        if turn.is_inside() { Turn::Inside(until) } else { Turn::Called(until) }
    }

    fn units(&self, until: Timestamp) -> u32 {
        let units = until.since_ms(self.base).div_euclid(UNIT_MS).clamp(0, i64::from(INSIDE - 1));
        u32::try_from(units).expect("clamped")
    }

    fn time(&self, units: u32) -> Timestamp {
        self.base.plus_ms(i64::from(units) * UNIT_MS)
    }
}
